"""Models made of `keras_attention` layers: one file per model, with data, recipes and results."""
