"""Turns off the telemetry of libraries: whatever runs memery sends nothing about its user.

onnxruntime 1.32 writes a device id below the user's cache folder when it is imported and sends
events to its vendor later; huggingface_hub describes the machine in each request.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

_SWITCHES = ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY")
"""Read by onnxruntime and by huggingface_hub when they are imported."""


def disable_telemetry() -> None:
    """Set the environment variables; libraries that are imported later obey them."""
    for name in _SWITCHES:
        os.environ[name] = "1"


def import_onnxruntime(part: str = "") -> Any:
    """Import onnxruntime with its telemetry off; this is the only way to it.

    Args:
        part: of the package, such as "quantization"; "" means all that it is known for.

    Returns:
        The module. Where the calling program imported it before memery, its events stop now.
    """
    disable_telemetry()
    import onnxruntime  # noqa: TID251 - here, and nowhere else

    onnxruntime.disable_telemetry_events()
    return import_module(f"onnxruntime.{part}") if part else onnxruntime
