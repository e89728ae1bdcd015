"""A thin builder of ONNX graphs: nodes and weights get their names here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17  # the first with LayerNormalization
IR_VERSION = 8  # what belongs to opset 17: older ONNX Runtimes can read it


class Graph:
    """Collects nodes and weights.

    With `half`, weights are stored as float16 and cast; with `byte_tables`, tables of vectors as
    int8 with a scale for each row.
    """

    FLOAT = TensorProto.FLOAT

    def __init__(self, *, half: bool = False, byte_tables: bool = False) -> None:
        self._half = half
        self._byte_tables = byte_tables
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []
        self._scalars: dict[float, str] = {}

    def node(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """Adds a node; returns the name of its output, or a list of names if `outputs` > 1."""
        names = [f"{operator}_{len(self._nodes)}_{i}" for i in range(outputs)]
        self._nodes.append(helper.make_node(operator, inputs, names, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, array: np.ndarray) -> str:
        """An array stored as it is."""
        name = f"w{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def scalar(self, value: float) -> str:
        """A float32 scalar; equal ones are shared."""
        if value not in self._scalars:
            self._scalars[value] = self.constant(np.float32(value))
        return self._scalars[value]

    def ints(self, values: Sequence[int]) -> str:
        """An int64 vector: axes, shapes, bounds."""
        return self.constant(np.asarray(values, np.int64))

    def weight(self, array: np.ndarray) -> str:
        """A trained float array, kept in half precision if the graph asks for it."""
        array = np.asarray(array, np.float32)
        if not self._half:
            return self.constant(array)
        return self.node("Cast", self.constant(array.astype(np.float16)), to=self.FLOAT)

    def linear(self, x: str, weight: np.ndarray, bias: np.ndarray | None = None) -> str:
        """Multiplies x [..., n] by weight [n, m], adds bias [m]."""
        y = self.node("MatMul", x, self.weight(weight))
        return y if bias is None else self.node("Add", y, self.weight(bias))

    def rows(self, table: np.ndarray, ids: str) -> str:
        """The rows of table [n, m] that ids [...] name: float32 [..., m]."""
        if not self._byte_tables:
            return self.node("Gather", self.weight(table), ids)
        scales = np.maximum(np.abs(table).max(axis=1, keepdims=True), 1e-12) / 127
        bytes_ = self.constant(np.rint(table / scales).astype(np.int8))
        row = self.node("Cast", self.node("Gather", bytes_, ids), to=self.FLOAT)
        scale = self.node("Gather", self.constant(scales.astype(np.float32)), ids)
        return self.node("Mul", row, scale)

    def unit(self, x: str) -> str:
        """Divides x by its L2 norm over the last axis; a zero vector stays zero."""
        norm = self.node("ReduceL2", x, axes=[-1], keepdims=1)
        return self.node("Div", x, self.node("Max", norm, self.scalar(1e-12)))

    def model(
        self,
        inputs: dict[str, tuple[int, list[str | int]]],
        outputs: dict[str, tuple[str, list[str | int]]],
    ) -> onnx.ModelProto:
        """The finished model.

        `inputs`: name -> (element type, shape); `outputs`: name -> (internal name, shape), all
        float32.
        """
        renamed = [
            helper.make_node("Identity", [inner], [name]) for name, (inner, _) in outputs.items()
        ]
        graph = helper.make_graph(
            self._nodes + renamed,
            "starter",
            [helper.make_tensor_value_info(n, t, s) for n, (t, s) in inputs.items()],
            [helper.make_tensor_value_info(n, self.FLOAT, s) for n, (_, s) in outputs.items()],
            self._weights,
        )
        model = helper.make_model(
            graph,
            producer_name="memery-training",
            ir_version=IR_VERSION,
            opset_imports=[helper.make_opsetid("", OPSET)],
        )
        onnx.checker.check_model(model)
        return model


def save(model: onnx.ModelProto, path: Path) -> None:
    """Writes the model; the bytes depend on nothing but the model."""
    path.write_bytes(model.SerializeToString(deterministic=True))
