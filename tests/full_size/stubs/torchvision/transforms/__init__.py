"""The names that open_clip imports; nothing of them is called."""


class InterpolationMode:
    """Names that stand in signatures."""

    NEAREST, BILINEAR, BICUBIC = "nearest", "bilinear", "bicubic"


def __getattr__(name):
    return type(name, (), {})
