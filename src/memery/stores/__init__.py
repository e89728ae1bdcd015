"""Stores: where facts and embeddings live."""
