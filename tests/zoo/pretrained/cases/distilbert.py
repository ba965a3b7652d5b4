"""DistilBERT."""

from tests.zoo.pretrained.cases.case import Case, count_from_the_first_token

CASE = Case(
    model_type="distilbert",
    config=dict(
        vocab_size=90,
        dim=24,
        n_layers=2,
        n_heads=3,
        hidden_dim=40,
        max_position_embeddings=16,
        dropout=0.0,
        attention_dropout=0.0,
        qa_dropout=0.0,
        seq_classif_dropout=0.0,
    ),
    tasks=("classes", "tags", "span", "fill"),
    read=dict(activation="relu", n_heads=2, sinusoidal_pos_embds=True),
    refused=dict(tie_word_embeddings=False, activation="mish"),
    position_ids=count_from_the_first_token,
)
