"""Text analysis of queries, recognised text and names: tokens, splitting, look-up of names."""
