"""Turns off the telemetry of libraries: a program that uses memery sends nothing about its user.

onnxruntime 1.32 writes a device id below the user's cache folder when it is imported and sends
events to its vendor later; huggingface_hub describes the machine in each request.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

_SWITCHES = ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY")
"""Environment variables that onnxruntime and huggingface_hub read on import."""


def disable_telemetry() -> None:
    """Set the environment variables for libraries that are imported later."""
    for name in _SWITCHES:
        os.environ[name] = "1"


def import_onnxruntime(part: str = "") -> Any:
    """Import onnxruntime with its telemetry turned off. All of memery imports it here.

    Args:
        part: submodule, such as "quantization"; "" means the package.

    Returns:
        The module. If the program imported it before memery, its events stop now.
    """
    disable_telemetry()
    import onnxruntime  # noqa: TID251 - here, and nowhere else

    onnxruntime.disable_telemetry_events()
    return import_module(f"onnxruntime.{part}") if part else onnxruntime
