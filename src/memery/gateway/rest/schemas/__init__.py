"""Schemas of requests and responses, and their parsing."""
