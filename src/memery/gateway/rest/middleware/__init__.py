"""ASGI middleware around the application: authentication, limits, logging, HEAD."""
