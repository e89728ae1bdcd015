"""Words: cut as the store's search cuts them, split where they are glued, told from noise."""
