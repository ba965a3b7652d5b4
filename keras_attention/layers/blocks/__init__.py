"""Blocks that models are stacked of."""
