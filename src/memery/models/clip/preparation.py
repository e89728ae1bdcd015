"""Looks at a model's folder and makes it ready to run; see `prepared` for what comes of it."""

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
    deciding_files,
    digest,
    drafted,
    place_of,
    remembered,
    stamps,
    variant_folder,
    weights_elsewhere,
    write_facts,
)
from memery.models.clip.encoders import ImageRunner, TextRunner
from memery.models.clip.layouts import Layout, read_layout
from memery.models.clip.text import CLEANINGS
from memery.models.runtime import Network, Port

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_EQUAL = 0.999999
"""Cosine from which a rewritten network counts as the same."""
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
    """What is remembered of a model, or a look at it.

    Args:
        folder: of the model, in one of the layouts.
        precision: "fp32", "int8", or "" for the better of what there is.

    Raises:
        ModelError: it is in no layout, is damaged, or lacks the precision.
    """
    folder = folder.resolve()
    layout = read_layout(folder)
    if precision == "int8" and "int8" not in _precisions(layout):
        layout = _with_variant(layout, variant_folder(prepare(folder, "fp32").fingerprint))
    precision = _chosen(folder, layout, precision)
    files = deciding_files(layout, precision)
    place = place_of(folder, precision)
    known = remembered(place, files)
    if known is not None:
        return known
    # Before the runtime opens any of them: what the networks name may lie anywhere.
    files = list(dict.fromkeys([*files, *weights_elsewhere(folder, layout, precision)]))
    stamped = stamps(files)
    logger.info("Looking at the model in %s for the first time; this takes a moment.", folder)
    with drafted(place) as draft:
        made = _look(folder, layout, precision, files)
        if draft is not None:
            made = _improved(made, draft, place)
            write_facts(draft, made, stamped)
    return made


def _precisions(layout: Layout) -> list[str]:
    """Of which there are both networks, the better one first."""
    return [k for k in ("fp32", "int8") if k in layout.image.files and k in layout.text.files]


def _with_variant(layout: Layout, variant: Path) -> Layout:
    """The layout with the int8 networks that were made here, if they were."""
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


def _look(folder: Path, layout: Layout, precision: str, files: list[Path]) -> Prepared:
    if layout.text.clean not in CLEANINGS:
        raise ModelError(f"The model in {folder} cleans texts by {layout.text.clean!r}: unknown.")
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
        raise ModelError(f"{file} takes {_listed(network.inputs)}, not one array of pictures.")
    (port,) = pictures
    last = port.shape[3] == _CHANNELS or (port.dtype == "uint8" and port.shape[1] != _CHANNELS)
    height, width = port.shape[1:3] if last else port.shape[2:4]
    resize = layout.image.resize
    size = resize.size or height
    if size is None or {height or size, width or size} != {size}:
        raise ModelError(
            f"{file} takes pictures of {width} × {height} pixels, its folder says {resize.size}."
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
        trims=fixed is None and layout.text.pad is None,
        paged=False,
        tokenizer=layout.text.tokenizer,
        clean=layout.text.clean,
        context=context,
        pad=layout.text.pad,
    )


def _output(file: Path, outputs: list[Port]) -> str:
    """The output that has one vector for each picture or text."""
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
    """Numbers per embedding, as both towers give them."""
    seen = ImageRunner(images).encode(_noise(images.resize.size)[:1]).shape
    read = TextRunner(texts).encode(_PROBES[0]).shape
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


def _improved(made: Prepared, draft: Path, place: Path) -> Prepared:
    """Rewrite what can be run better; what is not proven to be the same is not kept."""
    images, texts = made.images, made.texts
    if images.batch == 1:
        images = _with_free_batch(images, draft / IMAGE_FILE, place)
    if not texts.trims:
        texts = _trimmed(texts)
    texts = _with_paged_weights(texts, draft / TEXT_FILE, place)
    return replace(made, images=images, texts=texts)


def _with_free_batch(images: Images, file: Path, place: Path) -> Images:
    pictures = _noise(images.resize.size)
    try:
        onnx_rewrite.free_batch(images.file, file)
        freed = replace(images, file=file, batch=None)
        same = _are_equal(ImageRunner(images).encode(pictures), ImageRunner(freed).encode(pictures))
    except (MemeryError, OSError, ValueError) as error:
        logger.debug("The batch of %s stays fixed: %s", images.file, error)
        same = False
    if not same:
        _drop(file)
        return images
    return replace(freed, file=place / file.name)


def _with_paged_weights(texts: Texts, file: Path, place: Path) -> Texts:
    try:
        Network(texts.file, optimisation="disabled").save_paged(file)
        paged = replace(texts, file=file, paged=True)
        same = _are_equal(_probed(texts), _probed(paged))
    except (MemeryError, OSError) as error:
        logger.debug("The weights of %s stay where they are: %s", texts.file, error)
        same = False
    if not same:
        _drop(file)
        return texts
    return replace(paged, file=place / file.name)


def _trimmed(texts: Texts) -> Texts:
    """Leave the filling away where that makes no difference: a causal tower stops at the end."""
    try:
        same = _are_equal(_probed(texts), _probed(replace(texts, trims=True)))
    except MemeryError:  # it takes nothing but full texts
        same = False
    return replace(texts, trims=same)


def _probed(texts: Texts) -> NDArray[np.float32]:
    import numpy as np

    runner = TextRunner(texts)
    return np.stack([runner.encode(text) for text in _PROBES])


def _are_equal(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    """Whether the rows point the same way."""
    import numpy as np

    if one.shape != other.shape:
        return False
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return bool(np.all((one * other).sum(axis=1) >= _EQUAL * norms))


def _drop(file: Path) -> None:
    for part in file.parent.glob(f"{file.name}*"):
        part.unlink()
