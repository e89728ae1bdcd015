"""Builds the `starter` dual encoder that memery carries in its package."""
