"""Attention: dense, by mechanisms of linear cost, additive, of graphs, and pooling."""
