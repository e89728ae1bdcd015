"""Servers that the tests run on the loopback address."""
