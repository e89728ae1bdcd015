"""Stores: the database of images, their facts, texts and embeddings."""
