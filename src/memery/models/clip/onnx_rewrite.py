"""Reads and rewrites ONNX graphs: the one module that imports onnx.

What the rewriting makes is proven elsewhere.
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
"""The first side of what is there once; 0 where shape inference cannot tell."""


def external_files(network: Path) -> list[str]:
    """The names of the files beside a network that its tensors lie in, as the network states them.

    Every tensor counts, wherever it stands: in subgraphs, functions and training graphs too.

    Raises:
        ModelError: it is no network, or one whose nodes name files.
        OSError: it cannot be read.
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
            f"The model file {network} is damaged or no ONNX network: check it with memery models"
            " verify."
        ) from error
    for message in _messages(model):
        if isinstance(message, onnx.TensorProto):
            names += [entry.value for entry in message.external_data if entry.key == "location"]
        elif isinstance(message, onnx.NodeProto) and message.op_type == "EPContext":
            raise ModelError(
                f"The model file {network} is compiled for one device (EPContext) and names files"
                " that only that device reads: use the original network."
            )
    return list(dict.fromkeys(names))


def _mentions(file: Path, words: tuple[bytes, ...]) -> bool:
    """Whether a file contains one of the words."""
    with file.open("rb") as stream:
        if not file.stat().st_size:  # which cannot be mapped
            return False
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return any(content.find(word) >= 0 for word in words)


def _messages(message: Message) -> Iterator[Message]:
    """A message and all that it consists of."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in (value,) if hasattr(value, "ListFields") else value:
                yield from _messages(part)


def free_batch(source: Path, target: Path) -> None:
    """Write a network of a fixed batch of 1 as one that takes any; its weights go to a file beside.

    Shapes that begin with the batch are told to copy it. Where a graph has the batch elsewhere, the
    result is wrong or does not run: whoever calls this compares the two.
    """
    import onnx

    model = onnx.load(str(source))
    sides = _sides(onnx.shape_inference.infer_shapes(model, data_prop=True).graph)
    _name_batch(model)
    _free_reshapes(model.graph)
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
    """The shape of every value that has one."""
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


def _free_reshapes(graph: GraphProto) -> None:
    """In every constant shape that begins with 1, let 0 stand there: it copies the input's side."""
    from onnx import numpy_helper

    shapes = {node.input[1] for node in graph.node if node.op_type == "Reshape"}
    for tensor in graph.initializer:
        if tensor.name in shapes:
            tensor.CopyFrom(
                numpy_helper.from_array(_freed(numpy_helper.to_array(tensor)), tensor.name)
            )
    for node in graph.node:
        if node.op_type == "Constant" and node.output[0] in shapes:
            for attribute in node.attribute:
                if attribute.name == "value":
                    freed = _freed(numpy_helper.to_array(attribute.t))
                    attribute.t.CopyFrom(numpy_helper.from_array(freed, attribute.t.name))


def _repeat_constants(graph: GraphProto, sides: Mapping[str, list[int]]) -> None:
    """Repeat what is joined to each picture, such as the class token, for as many as there are.

    An exporter that knows the batch to be 1 joins the constant itself.
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
    """Nodes that repeat a constant of so many axes along the first, as often as `like` is long."""
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


def _freed(shape: NDArray[np.int64]) -> NDArray[np.int64]:
    freed = shape.copy()
    if len(freed) > 1 and freed[0] == 1:
        freed[0] = 0
    return freed
