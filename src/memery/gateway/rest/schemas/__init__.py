"""What requests and responses look like, and how they are parsed and written."""
