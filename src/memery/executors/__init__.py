"""Executors: the steps of the two flows. No executor imports another."""
