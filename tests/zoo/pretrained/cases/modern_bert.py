"""ModernBERT."""

from tests.zoo.pretrained.cases.case import Case

CASE = Case(
    model_type="modernbert",
    config=dict(
        vocab_size=90,
        hidden_size=24,
        num_hidden_layers=3,
        num_attention_heads=3,
        intermediate_size=20,
        max_position_embeddings=16,
        global_attn_every_n_layers=2,
        local_attention=4,
        bos_token_id=1,
        eos_token_id=2,
        cls_token_id=1,
        sep_token_id=2,
    ),
    tasks=("classes", "tags", "span", "fill"),
    read=dict(
        num_attention_heads=2,
        local_attention=7,
        layer_types=["sliding_attention", "sliding_attention", "full_attention"],
        rope_parameters={
            "full_attention": {"rope_type": "default", "rope_theta": 50.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 3.0},
        },
        hidden_activation="gelu_pytorch_tanh",
        norm_eps=0.1,
        norm_bias=True,
        attention_bias=True,
        mlp_bias=True,
    ),
    refused=dict(
        layer_types=["full_attention", "linear_attention", "full_attention"],
        hidden_activation="mish",
        tie_word_embeddings=False,
        rope_scaling={"rope_type": "linear", "factor": 2.0},
    ),
)
