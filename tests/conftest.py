"""Tests that are not about text in pictures do not read any: the engine takes a second to load."""

import os

os.environ["MEMERY_READ_TEXT"] = "0"
