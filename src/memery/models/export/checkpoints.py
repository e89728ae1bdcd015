"""Load transformers and open_clip checkpoints as two networks to export; the only use of torch.

Only safetensors are read, because loading a pickle can run arbitrary code.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memery.errors import ModelError
from memery.imaging.resizing import INTERPOLATIONS, Resize
from memery.models.clip.layouts.transformers import processor_resize
from memery.models.clip.text import merges_tokenizer
from memery.text.files import read_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_OPSET = 18
_CLIP_CONTEXT = 77
_WHITE = 255.0
_MERGES = "bpe_simple_vocab_16e6.txt.gz"
"""CLIP's list of merges, as included in the open_clip package."""


@dataclass(frozen=True)
class Checkpoint:
    """A model to export.

    Attributes:
        visual: a torch module, uint8 N × size × size × 3 → N × dim.
        textual: a torch module, int64 N × tokens → N × dim.
        tokenizer: the content of a tokenizer.json.
        resize: how an image is resized to the square.
        dim: length of an embedding.
        context: maximum number of tokens.
        clean: how a text is cleaned before tokenizing, see `memery.models.clip.text.CLEANINGS`.
        pad: id of the padding token.
        causal: True if padding is optional, because tokens after the end token are ignored.
        source: origin of the checkpoint, one line.
    """

    visual: Any
    textual: Any
    tokenizer: str
    resize: Resize
    dim: int
    context: int
    clean: str
    pad: int
    causal: bool
    source: str


def read_checkpoint(folder: Path) -> Checkpoint:
    """Load a checkpoint of transformers (config.json) or open_clip (open_clip_config.json).

    Raises:
        ModelError: the folder is neither, its weights are not safetensors, or a library is missing.
    """
    try:
        import torch  # noqa: F401 - checks that it is installed
    except ImportError as error:
        raise ModelError(
            "Exporting requires torch and related packages: pip install 'memery[export]'"
        ) from error
    if not list(folder.glob("*.safetensors")):
        raise ModelError(
            f"{folder} has no *.safetensors. Other weight files are pickles, which can run"
            " arbitrary code: save the checkpoint as safetensors first."
        )
    try:
        if (folder / "open_clip_config.json").exists():
            return _read_open_clip(folder)
        if (folder / "config.json").exists():
            return _read_transformers(folder)
    except ModelError:
        raise
    except Exception as error:  # these libraries raise many kinds of errors
        raise ModelError(f"The checkpoint {folder} cannot be read: {error}") from error
    raise ModelError(f"{folder} has neither config.json nor open_clip_config.json.")


def write_onnx(module: Any, example: NDArray[Any], axes: dict[int, str], file: Path) -> None:
    """Export a torch module with one input and one output to ONNX.

    Args:
        module: the torch module.
        example: an example input.
        axes: names of the dynamic axes of the input, by index.
        file: the ONNX file to write.
    """
    import warnings

    import torch

    with warnings.catch_warnings():  # the tracer warns about every access to a shape
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (torch.from_numpy(example),),
            str(file),
            input_names=["input"],
            output_names=["output"],
            dynamic_axes={"input": axes, "output": {0: "batch"}},
            opset_version=_OPSET,
            dynamo=False,
        )


def run(module: Any, inputs: NDArray[Any]) -> NDArray[np.float32]:
    """Run a torch module on an input and return its output as float32."""
    import torch

    with torch.inference_mode():
        result: NDArray[np.float32] = module(torch.from_numpy(inputs)).float().numpy()
    return result


def _read_transformers(folder: Path) -> Checkpoint:
    import transformers

    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
    if config.model_type not in ("clip", "siglip"):
        raise ModelError(
            f"{folder} contains a {config.model_type!r} model; only clip and siglip are supported."
        )
    kind = transformers.CLIPModel if config.model_type == "clip" else transformers.SiglipModel
    model = kind.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, attn_implementation="eager"
    ).eval()
    processor = json.loads(read_text(folder / "preprocessor_config.json"))
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    causal = config.model_type == "clip"
    context = config.text_config.max_position_embeddings
    return Checkpoint(
        visual=_visual(
            lambda pixels: _pooled(model.get_image_features(pixel_values=pixels)),
            model,
            processor["image_mean"],
            processor["image_std"],
        ),
        textual=_textual(lambda ids: _pooled(model.get_text_features(input_ids=ids)), model),
        tokenizer=_fast_tokenizer(folder, tokenizer),
        resize=processor_resize(processor),
        dim=config.projection_dim if causal else config.text_config.hidden_size,
        context=context,
        clean="none" if causal else "canonicalize",
        pad=tokenizer.pad_token_id,
        causal=causal,
        source=f"transformers {transformers.__version__} checkpoint {folder.name}",
    )


def _pooled(output: Any) -> Any:
    """Return the features, which transformers 5 wraps and earlier versions return directly."""
    return getattr(output, "pooler_output", output)


def _fast_tokenizer(folder: Path, tokenizer: Any) -> str:
    if (folder / "tokenizer.json").exists():
        return (folder / "tokenizer.json").read_text(encoding="utf-8")
    return str(tokenizer.backend_tokenizer.to_str())


def _visual(encode: Any, owner: Any, mean: list[float], std: list[float]) -> Any:
    """Build an image tower that takes uint8 pixels and normalises them itself."""
    import torch

    class Visual(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.owner = owner
            for name, numbers in (("shift", mean), ("scale", std)):
                tensor = torch.tensor(numbers, dtype=torch.float32).view(1, 3, 1, 1)
                self.register_buffer(name, tensor * _WHITE)

        def forward(self, images: Any) -> Any:
            pixels = images.permute(0, 3, 1, 2).float()
            return encode((pixels - self.shift) / self.scale)

    return Visual().eval()


def _textual(encode: Any, owner: Any) -> Any:
    import torch

    class Textual(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.owner = owner

        def forward(self, ids: Any) -> Any:
            return encode(ids)

    return Textual().eval()


def _read_open_clip(folder: Path) -> Checkpoint:
    import open_clip
    from safetensors.torch import load_file

    facts = json.loads(read_text(folder / "open_clip_config.json"))
    settings, seen = facts["model_cfg"], facts["preprocess_cfg"]
    words = settings["text_cfg"]
    if words.get("hf_tokenizer_name") or words.get("hf_model_name"):
        raise ModelError(
            f"{folder} uses a tokenizer from the hub: export the transformers version."
        )
    model = open_clip.CLIP(**{**settings, "quick_gelu": settings.get("quick_gelu", False)}).eval()
    model.load_state_dict(load_file(next(folder.glob("*.safetensors"))))
    size = settings["vision_cfg"]["image_size"]
    return Checkpoint(
        visual=_visual(model.encode_image, model, seen["mean"], seen["std"]),
        textual=_textual(model.encode_text, model),
        tokenizer=merges_tokenizer(Path(open_clip.__file__).parent / _MERGES).to_str(),
        resize=Resize(
            size,
            seen.get("resize_mode", "shortest"),
            seen.get("interpolation", INTERPOLATIONS[3]),
            crop="round",
        ),
        dim=settings["embed_dim"],
        context=words.get("context_length", _CLIP_CONTEXT),
        clean="openai",
        pad=0,
        causal=False,
        source=f"open_clip {open_clip.__version__} checkpoint {folder.name}",
    )
