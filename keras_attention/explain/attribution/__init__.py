"""Explanations: a score for each element of an input."""
