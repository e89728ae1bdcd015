"""The web page, tried in a real browser against the real server."""
