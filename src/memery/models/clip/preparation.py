"""Preparation of a model's folder for running; see `memery.models.clip.cache` for the result."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from memery.errors import MemeryError, ModelError
from memery.models.clip import onnx_rewrite
from memery.models.clip.cache import (
    FORMAT,
    IMAGE_FILE,
    TEXT_FILE,
    Images,
    Prepared,
    Texts,
    atomic_directory,
    digest,
    external_weights,
    fingerprinted_files,
    load_prepared,
    preparation_folder,
    stamps,
    variant_folder,
    write_facts,
)
from memery.models.clip.encoders import ImageEncoder, TextEncoder
from memery.models.clip.layouts import Layout, read_layout
from memery.models.clip.text import CLEANINGS
from memery.models.runtime import Network, Port

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_COSINE_MIN = 0.999999
"""Minimum cosine between the outputs of a rewritten network and the original."""
_OUTPUTS = (
    "image_embeds",
    "text_embeds",
    "image_embedding",
    "text_embedding",
    "embedding",
    "output",
)
_PROBES = ("a", "a photo of a cat", "two dogs, and 1 more, on the beach at night")
_PICTURES = 3
_IMAGE_AXES, _TEXT_AXES = 4, 2
_CHANNELS = 3


def prepare(folder: Path, precision: str) -> Prepared:
    """Load a prepared model from the cache, or prepare it.

    Args:
        folder: the model's folder, in one of the layouts.
        precision: "fp32", "int8", or "" for the best available.

    Raises:
        ModelError: the layout is unknown, the model is damaged, or it lacks the precision.
    """
    folder = folder.resolve()
    layout = read_layout(folder)
    if precision == "int8" and "int8" not in _precisions(layout):
        layout = _with_variant(layout, variant_folder(prepare(folder, "fp32").fingerprint))
    precision = _chosen(folder, layout, precision)
    files = fingerprinted_files(layout, precision)
    place = preparation_folder(folder, precision)
    known = load_prepared(place, files)
    if known is not None:
        return known
    # Check external weights before the runtime opens the networks: their paths are untrusted.
    files = list(dict.fromkeys([*files, *external_weights(folder, layout, precision)]))
    stamped = stamps(files)
    logger.info("Preparing the model in %s for its first use. This takes a moment.", folder)
    with atomic_directory(place) as draft:
        made = _inspect(folder, layout, precision, files)
        if draft is not None:
            made = _optimized(made, draft, place)
            write_facts(draft, made, stamped)
    return made


def _precisions(layout: Layout) -> list[str]:
    """List the precisions for which both networks exist, the best first."""
    return [k for k in ("fp32", "int8") if k in layout.image.files and k in layout.text.files]


def _with_variant(layout: Layout, variant: Path) -> Layout:
    """Add the int8 networks that memery made, if any, to a layout."""
    image, text = variant / IMAGE_FILE, variant / TEXT_FILE
    if not (image.exists() and text.exists()):
        return layout
    return replace(
        layout,
        image=replace(layout.image, files={**layout.image.files, "int8": image}),
        text=replace(layout.text, files={**layout.text.files, "int8": text}),
    )


def _chosen(folder: Path, layout: Layout, precision: str) -> str:
    both = _precisions(layout)
    if not both:
        raise ModelError(f"The model in {folder} lacks one of its two networks.")
    if precision and precision not in both:
        raise ModelError(
            f"The model in {folder} has no {precision} networks, only {' and '.join(both)}."
            + (" Make them: memery models quantize NAME" if precision == "int8" else "")
        )
    return precision or both[0]


def _inspect(folder: Path, layout: Layout, precision: str, files: list[Path]) -> Prepared:
    if layout.text.clean not in CLEANINGS:
        raise ModelError(f"The model in {folder} uses unknown text cleaning {layout.text.clean!r}.")
    images = _images(layout, precision)
    texts = _texts(layout, precision)
    dim = _dim(folder, layout, images, texts)
    digests = {_relative(file, folder): digest(file) for file in files}
    listed = "\n".join([f"memery {FORMAT}", *(f"{name} {sha}" for name, sha in digests.items())])
    return Prepared(
        folder=folder,
        precision=precision,
        is_variant=precision != "fp32" and "fp32" in layout.image.files,
        fingerprint=hashlib.sha256(listed.encode("utf-8", "surrogateescape")).hexdigest(),
        dim=dim,
        size=sum(file.stat().st_size for file in files),
        digests=digests,
        images=images,
        texts=texts,
    )


def _relative(file: Path, folder: Path) -> str:
    inside = file.is_relative_to(folder)
    return (file.relative_to(folder) if inside else Path("..") / file.name).as_posix()


def _images(layout: Layout, precision: str) -> Images:
    file = layout.image.files[precision]
    network = Network(file)
    pictures = [port for port in network.inputs if len(port.shape) == _IMAGE_AXES]
    if len(pictures) != 1 or len(network.inputs) != 1:
        raise ModelError(f"{file} takes {_listed(network.inputs)}, not one array of images.")
    (port,) = pictures
    last = port.shape[3] == _CHANNELS or (port.dtype == "uint8" and port.shape[1] != _CHANNELS)
    height, width = port.shape[1:3] if last else port.shape[2:4]
    resize = layout.image.resize
    size = resize.size or height
    if size is None or {height or size, width or size} != {size}:
        raise ModelError(
            f"{file} takes images of {width} × {height} pixels, its folder says {resize.size}."
        )
    plain = port.dtype != "uint8"
    return Images(
        file=file,
        input=port.name,
        output=_output(file, network.outputs),
        dtype=port.dtype,
        channels_last=last,
        batch=port.shape[0],
        resize=replace(resize, size=size),
        mean=layout.image.mean if plain else None,
        std=layout.image.std if plain else None,
    )


def _texts(layout: Layout, precision: str) -> Texts:
    file = layout.text.files[precision]
    network = Network(file)
    masks = [port for port in network.inputs if "mask" in port.name]
    ids = [port for port in network.inputs if port not in masks]
    if len(ids) != 1 or len(masks) > 1 or len(ids[0].shape) != _TEXT_AXES:
        raise ModelError(f"{file} takes {_listed(network.inputs)}, not token ids and their mask.")
    fixed = ids[0].shape[1]
    context = layout.text.context or fixed
    if context is None or (fixed or context) != context:
        raise ModelError(
            f"{file} takes texts of {fixed} tokens, but its folder says {layout.text.context}."
        )
    return Texts(
        file=file,
        ids=ids[0].name,
        mask=masks[0].name if masks else None,
        dtype=ids[0].dtype,
        output=_output(file, network.outputs),
        accepts_unpadded=fixed is None and layout.text.pad is None,
        mmap_weights=False,
        tokenizer=layout.text.tokenizer,
        clean=layout.text.clean,
        context=context,
        pad=layout.text.pad,
    )


def _output(file: Path, outputs: list[Port]) -> str:
    """Find the output with one vector per image or text."""
    named = [port.name for port in outputs if port.name in _OUTPUTS]
    flat = [port.name for port in outputs if len(port.shape) == _TEXT_AXES]
    for names in (named, flat):
        if len(names) == 1:
            return names[0]
    if len(outputs) == 1:
        return outputs[0].name
    raise ModelError(f"{file} gives {_listed(outputs)}: memery cannot tell which is the embedding.")


def _listed(ports: list[Port]) -> str:
    return ", ".join(f"{port.name} {port.dtype}{list(port.shape)}" for port in ports) or "nothing"


def _dim(folder: Path, layout: Layout, images: Images, texts: Texts) -> int:
    """Run both towers and return the dimension of their embeddings."""
    seen = ImageEncoder(images).encode(_noise(images.resize.size)[:1]).shape
    read = TextEncoder(texts).encode(_PROBES[0]).shape
    dim = layout.dim or int(read[-1])
    if seen != (1, dim) or read != (dim,):
        raise ModelError(
            f"The model in {folder} gives images of shape {seen} and texts of shape {read}; its"
            f" folder says {layout.dim or 'nothing'}."
        )
    return dim


def _noise(size: int) -> NDArray[np.uint8]:
    import numpy as np

    random = np.random.default_rng(0)
    return random.integers(0, 256, (_PICTURES, size, size, _CHANNELS), dtype=np.uint8)


def _optimized(made: Prepared, draft: Path, place: Path) -> Prepared:
    """Optimise the networks; keep only changes that give the same results."""
    images, texts = made.images, made.texts
    if images.batch == 1:
        images = _with_dynamic_batch(images, draft / IMAGE_FILE, place)
    if not texts.accepts_unpadded:
        texts = _without_padding(texts)
    texts = _with_mmapped_weights(texts, draft / TEXT_FILE, place)
    return replace(made, images=images, texts=texts)


def _with_dynamic_batch(images: Images, file: Path, place: Path) -> Images:
    pictures = _noise(images.resize.size)
    try:
        onnx_rewrite.make_batch_dynamic(images.file, file)
        freed = replace(images, file=file, batch=None)
        same = _are_equal(
            ImageEncoder(images).encode(pictures), ImageEncoder(freed).encode(pictures)
        )
    except (MemeryError, OSError, ValueError) as error:
        logger.debug("The batch of %s stays fixed: %s", images.file, error)
        same = False
    if not same:
        _drop(file)
        return images
    return replace(freed, file=place / file.name)


def _with_mmapped_weights(texts: Texts, file: Path, place: Path) -> Texts:
    try:
        Network(texts.file, optimisation="disabled").save_mmapped(file)
        mmap_weights = replace(texts, file=file, mmap_weights=True)
        same = _are_equal(_probed(texts), _probed(mmap_weights))
    except (MemeryError, OSError) as error:
        logger.debug("The weights of %s stay where they are: %s", texts.file, error)
        same = False
    if not same:
        _drop(file)
        return texts
    return replace(mmap_weights, file=place / file.name)


def _without_padding(texts: Texts) -> Texts:
    """Omit padding if it makes no difference: a causal tower ignores what follows the end token."""
    try:
        same = _are_equal(_probed(texts), _probed(replace(texts, accepts_unpadded=True)))
    except MemeryError:  # it only takes padded texts
        same = False
    return replace(texts, accepts_unpadded=same)


def _probed(texts: Texts) -> NDArray[np.float32]:
    import numpy as np

    runner = TextEncoder(texts)
    return np.stack([runner.encode(text) for text in _PROBES])


def _are_equal(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    """Whether corresponding rows have the same direction."""
    import numpy as np

    if one.shape != other.shape:
        return False
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return bool(np.all((one * other).sum(axis=1) >= _COSINE_MIN * norms))


def _drop(file: Path) -> None:
    for part in file.parent.glob(f"{file.name}*"):
        part.unlink()
