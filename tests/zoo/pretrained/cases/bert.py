"""BERT."""

from tests.zoo.pretrained.cases.case import Case, count_from_the_first_token

CASE = Case(
    model_type="bert",
    config=dict(
        vocab_size=90,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=40,
        max_position_embeddings=16,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    ),
    tasks=("classes", "tags", "span", "fill"),
    read=dict(
        hidden_act="gelu_new",
        layer_norm_eps=0.1,
        num_attention_heads=2,
        type_vocab_size=3,
    ),
    refused=dict(
        position_embedding_type="relative_key",
        is_decoder=True,
        add_cross_attention=True,
        tie_word_embeddings=False,
        hidden_act="mish",
    ),
    position_ids=count_from_the_first_token,
)
