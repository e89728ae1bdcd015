"""Stands in for torchvision, which open_clip imports for its own pictures and memery never uses."""
