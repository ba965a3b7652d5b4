"""Evaluation of explanations: are they faithful to the model, and do they depend on it?"""
