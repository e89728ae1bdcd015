"""Executors: the steps that the two flows are composed of. None imports another."""
