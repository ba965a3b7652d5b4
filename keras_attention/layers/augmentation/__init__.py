"""Random changes of inputs, in training only."""
