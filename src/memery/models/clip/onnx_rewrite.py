"""Inspection and rewriting of ONNX graphs: the only module that imports onnx.

Callers verify that a rewritten network gives the same results.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from memery.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    from google.protobuf.message import Message
    from numpy.typing import NDArray
    from onnx import GraphProto, ModelProto, NodeProto

_BATCH = "batch"
_ONCE = (1, 0)
"""First dimensions of a constant with a single row; 0 if shape inference cannot tell."""


def external_files(network: Path) -> list[str]:
    """List the names of the external data files of a network's tensors.

    This includes tensors in subgraphs, functions and training graphs.

    Raises:
        ModelError: the file is not an ONNX network, or has nodes that refer to files.
        OSError: the file cannot be read.
    """
    if not _mentions(network, (b"location", b"EPContext")):  # parsing takes twice its size
        return []
    import onnx
    from google.protobuf.message import DecodeError

    names = []
    try:
        model = onnx.load(str(network), load_external_data=False)
    except DecodeError as error:
        raise ModelError(
            f"The model file {network} is damaged or not an ONNX network. Check it with memery"
            " models verify."
        ) from error
    for message in _messages(model):
        if isinstance(message, onnx.TensorProto):
            names += [entry.value for entry in message.external_data if entry.key == "location"]
        elif isinstance(message, onnx.NodeProto) and message.op_type == "EPContext":
            raise ModelError(
                f"The model file {network} is compiled for one device (EPContext) and refers to"
                " files for that device only. Use the original network."
            )
    return list(dict.fromkeys(names))


def _mentions(file: Path, words: tuple[bytes, ...]) -> bool:
    """Whether a file contains one of the words."""
    with file.open("rb") as stream:
        if not file.stat().st_size:  # an empty file cannot be mapped
            return False
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return any(content.find(word) >= 0 for word in words)


def _messages(message: Message) -> Iterator[Message]:
    """Yield a message and all messages nested in it."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in (value,) if hasattr(value, "ListFields") else value:
                yield from _messages(part)


def make_batch_dynamic(source: Path, target: Path) -> None:
    """Rewrite a network with a fixed batch of 1 for any batch; weights go to a separate file.

    Constant shapes that begin with the batch are changed to copy it. If a graph has the batch
    elsewhere, the result is wrong or does not run: the caller must compare the two networks.
    """
    import onnx

    model = onnx.load(str(source))
    sides = _sides(onnx.shape_inference.infer_shapes(model, data_prop=True).graph)
    _name_batch(model)
    _make_reshapes_dynamic(model.graph)
    _repeat_constants(model.graph, sides)
    del model.graph.value_info[:]
    onnx.save_model(
        model,
        str(target),
        save_as_external_data=True,
        location=f"{target.name}.data",
        size_threshold=1024,
    )


def _sides(graph: GraphProto) -> dict[str, list[int]]:
    """Return the shape of each value, if known."""
    sides = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    for value in graph.value_info:
        shape = value.type.tensor_type.shape
        if shape.dim:
            sides[value.name] = [side.dim_value for side in shape.dim]
    return sides


def _name_batch(model: ModelProto) -> None:
    for value in (*model.graph.input, *model.graph.output):
        shape = value.type.tensor_type.shape
        if shape.dim and shape.dim[0].dim_value == 1:
            shape.dim[0].dim_param = _BATCH


def _make_reshapes_dynamic(graph: GraphProto) -> None:
    """Replace the first 1 of constant shapes by 0, which copies the input's dimension."""
    from onnx import numpy_helper

    shapes = {node.input[1] for node in graph.node if node.op_type == "Reshape"}
    for tensor in graph.initializer:
        if tensor.name in shapes:
            tensor.CopyFrom(
                numpy_helper.from_array(
                    _with_copied_batch(numpy_helper.to_array(tensor)), tensor.name
                )
            )
    for node in graph.node:
        if node.op_type == "Constant" and node.output[0] in shapes:
            for attribute in node.attribute:
                if attribute.name == "value":
                    freed = _with_copied_batch(numpy_helper.to_array(attribute.t))
                    attribute.t.CopyFrom(numpy_helper.from_array(freed, attribute.t.name))


def _repeat_constants(graph: GraphProto, sides: Mapping[str, list[int]]) -> None:
    """Repeat constants that are concatenated to each image, such as the class token.

    Exporters with a fixed batch of 1 concatenate the constant without repeating it.
    """
    from onnx import helper

    constants = {tensor.name for tensor in graph.initializer}
    made: list[NodeProto] = []
    for node in graph.node:
        if all(name in constants for name in node.input):
            constants.update(node.output)
        beside = [name for name in node.input if name not in constants]
        if node.op_type == "Concat" and beside and helper.get_node_attr_value(node, "axis") != 0:
            for place, name in enumerate(node.input):
                if name in constants and sides.get(name, [-1])[0] in _ONCE:
                    node.input[place] = f"{node.output[0]}/{place}"
                    length = len(sides[name])
                    made += _repetition(graph, name, length, beside[0], node.input[place])
        made.append(node)
    del graph.node[:]
    graph.node.extend(made)


def _repetition(
    graph: GraphProto, name: str, length: int, like: str, output: str
) -> list[NodeProto]:
    """Make nodes that repeat a constant with `length` axes along its first, to match `like`."""
    import numpy as np
    from onnx import helper, numpy_helper

    for constant, values in (("start", [0]), ("end", [1]), ("rest", [1] * (length - 1))):
        array = np.array(values, dtype=np.int64)
        graph.initializer.append(numpy_helper.from_array(array, f"{output}/{constant}"))
    shape, batch, wanted = (f"{output}/{part}" for part in ("shape", "batch", "wanted"))
    return [
        helper.make_node("Shape", [like], [shape]),
        helper.make_node("Slice", [shape, f"{output}/start", f"{output}/end"], [batch]),
        helper.make_node("Concat", [batch, f"{output}/rest"], [wanted], axis=0),
        helper.make_node("Expand", [name, wanted], [output]),
    ]


def _with_copied_batch(shape: NDArray[np.int64]) -> NDArray[np.int64]:
    freed = shape.copy()
    if len(freed) > 1 and freed[0] == 1:
        freed[0] = 0
    return freed
