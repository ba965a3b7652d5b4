"""Whether explanations are faithful to the model."""
