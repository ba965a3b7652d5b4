"""How positions enter attention and embeddings."""
