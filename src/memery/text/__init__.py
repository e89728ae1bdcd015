"""Text for people: plurals, escaped control characters, text files in any encoding."""
