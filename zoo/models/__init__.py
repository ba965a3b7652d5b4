"""The models, one per file: a function that returns a `keras.Model`, and its `VARIANTS`."""
