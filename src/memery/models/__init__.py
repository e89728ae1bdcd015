"""Embedding models: what turns images and texts into vectors of one space."""
