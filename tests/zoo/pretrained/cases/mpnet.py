"""MPNet."""

from tests.zoo.pretrained.cases.case import Case

CASE = Case(
    model_type="mpnet",
    config=dict(
        vocab_size=90,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=40,
        max_position_embeddings=18,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    ),
    tasks=("classes", "tags", "span", "fill"),
    read=dict(
        hidden_act="gelu_new",
        layer_norm_eps=0.1,
        num_attention_heads=2,
        max_position_embeddings=12,
    ),
    refused=dict(
        relative_attention_num_buckets=16,
        pad_token_id=0,
        tie_word_embeddings=False,
        hidden_act="mish",
    ),
    padding_id=1,
)
