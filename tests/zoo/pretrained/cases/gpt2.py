"""GPT-2."""

from tests.zoo.pretrained.cases.case import Case, count_from_the_first_token

CASE = Case(
    model_type="gpt2",
    config=dict(
        vocab_size=90,
        n_embd=24,
        n_layer=2,
        n_head=3,
        n_inner=40,
        n_positions=32,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=89,
        eos_token_id=89,
    ),
    tasks=("next_token", "classes", "tags", "span"),
    read=dict(
        activation_function="gelu",
        layer_norm_epsilon=0.1,
        n_head=2,
        n_inner=None,
        reorder_and_upcast_attn=True,
    ),
    refused=dict(
        activation_function="mish",
        scale_attn_weights=False,
        scale_attn_by_inverse_layer_idx=True,
        add_cross_attention=True,
    ),
    position_ids=count_from_the_first_token,
)
