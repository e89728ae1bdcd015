"""What finds the text in pictures."""
