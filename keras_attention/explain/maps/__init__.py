"""Attention maps of any model, and which sequence each layer reads."""
