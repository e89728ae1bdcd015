"""Text helpers: plurals, escaped control characters, text files."""
