"""Stateless maths on tensors; every function works on the three backends."""
