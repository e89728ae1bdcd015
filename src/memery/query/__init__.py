"""What users ask for: terms, filters, search options, and how they are parsed."""
