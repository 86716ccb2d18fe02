"""A network that the page offers: a folder of www/public/models with the network, what goes with it, and about.json, which says what it is."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17


class Graph:
    """A network under construction: every method adds nodes and returns the name of the value that they make."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.nodes: list[onnx.NodeProto] = []
        self.initialisers: list[onnx.TensorProto] = []

    def constant(self, name: str, values: np.ndarray) -> str:
        """A constant as it is given: float32, int8 or int64."""
        self.initialisers.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def integers(self, name: str, *values: int) -> str:
        return self.constant(name, np.array(values, np.int64))

    def eight_bits(self, name: str, values: np.ndarray, axis: int) -> str:
        """A matrix as 8-bit integers with a scale for each row (axis 0) or column (axis 1), widened by a DequantizeLinear."""
        numbers, scale = quantised(values, axis)
        names = [self.constant(f"{name}_q", numbers), self.constant(f"{name}_s", scale)]
        return self.node("DequantizeLinear", names, name, axis=axis)

    def node(self, operator: str, inputs: list[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def model(self, inputs: dict[str, tuple[int, list[Any]]], outputs: dict[str, list[Any]], about: dict[str, Any]) -> bytes:
        """The network's file, checked. Inputs are types and shapes by name, outputs shapes of float32."""
        graph = helper.make_graph(
            self.nodes,
            self.name,
            [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
            self.initialisers,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="adversight")
        model.ir_version = 8
        helper.set_model_props(model, {key: about[key] for key in ("title", "licence", "source")})
        onnx.checker.check_model(model, full_check=True)
        return model.SerializeToString()


def quantised(values: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """A matrix as int8, the greatest of each row or column being 127, and the scales."""
    scale = np.abs(values).max(axis=1 - axis, keepdims=True).astype(np.float64) / 127
    scale = np.where(scale == 0, 1, scale).astype(np.float32)
    return np.rint(values / scale).astype(np.int8), scale.reshape(-1)


def write(folder: Path, model: bytes, about: dict[str, Any], labels: list[str], examples: Any) -> None:
    """Writes model.onnx, labels.json, examples.json and about.json, in which the network's hash stands."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(model)
    dump(folder / "labels.json", labels)
    dump(folder / "examples.json", examples)
    dump(folder / "about.json", {"name": folder.name, **about, "bytes": len(model), "sha256": hashlib.sha256(model).hexdigest()})
    print(f"  {folder.name}: {len(model) / 1e6:.2f} MB", flush=True)


def dump(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
