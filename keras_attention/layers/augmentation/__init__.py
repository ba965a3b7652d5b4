"""Random changes of inputs, in training alone."""
