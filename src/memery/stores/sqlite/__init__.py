"""The default store: one SQLite file, and a memory-mapped search index derived from it."""
