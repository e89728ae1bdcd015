"""Rewrites of ONNX graphs. The one module that imports onnx; what it makes is proven elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnx import GraphProto, ModelProto, NodeProto

_BATCH = "batch"
_ONCE = (1, 0)
"""The first side of what is there once; 0 where shape inference cannot tell."""


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
