"""Layout 2: exports of rclip: two networks and a list of merges.

The files state nothing else. Size, mean, std and rounding follow rclip/utils/preprocess.py, the
tokens rclip/utils/tokenizer.py (both based on open_clip).
"""

from __future__ import annotations

from pathlib import Path

from memery.errors import ModelError
from memery.imaging.resizing import Resize
from memery.models.clip.layouts.description import ImageTower, Layout, TextTower

NAME = "an rclip export"
MARKS = ("?/visual.onnx", "?/textual.onnx")
_MEAN = (0.48145466, 0.4578275, 0.40821073)
_STD = (0.26862954, 0.26130258, 0.27577711)


def read(folder: Path) -> Layout:
    """Find the networks, in the folder or one below, and the merges in the same folder or above."""
    networks = [*folder.glob("visual.onnx"), *folder.glob("*/visual.onnx")]
    if len(networks) > 1:
        names = ", ".join(sorted(file.parent.name for file in networks))
        raise ModelError(f"{folder} contains several models: specify the folder of one: {names}.")
    model = networks[0].parent
    merges = [file for place in (model, model.parent) for file in place.glob("tokenizer/*.txt.gz")]
    if not merges:
        raise ModelError(f"The model in {model} lacks tokenizer/bpe_simple_vocab_16e6.txt.gz.")
    return Layout(
        number=2,
        image=ImageTower(
            files={"fp32": model / "visual.onnx"},
            resize=Resize(0, "shortest", crop="round"),
            mean=_MEAN,
            std=_STD,
        ),
        text=TextTower(
            files={"fp32": model / "textual.onnx"},
            tokenizer=merges[0],
            clean="openai",
            context=0,
            pad=0,
        ),
    )
