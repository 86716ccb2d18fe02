"""Shapley values of small networks by SHAP, whose exact explainer asks about every subset, and by ONNX Runtime alone.

Writes tests/fixtures/small_inputs: a network with a hidden layer over a picture of 4 x 3 pixels, the same over a row of eight features, inputs,
baselines of one's own, and each value's Shapley value for the second score; beside them the drop of that score when one value is hidden
(Captum's feature ablation, which is this difference). A third network has two inputs, a picture and a row, which are explained at once:
SHAP's exact values of all of their numbers, slopes by differences, and integrated gradients from those slopes.
"""

import json

import numpy as np
import onnx
import onnxruntime
import shap
from onnx import TensorProto, helper, numpy_helper

from common import FIXTURES

FOLDER = FIXTURES / "small_inputs"


def network(name, shape, seed):
    random = np.random.default_rng(seed)
    features = int(np.prod(shape))
    weights = {
        "w1": random.normal(size=(features, 8)).astype(np.float32) / np.sqrt(features, dtype=np.float32),
        "b1": random.normal(size=8).astype(np.float32) / 4,
        "w2": random.normal(size=(8, 2)).astype(np.float32),
        "b2": random.normal(size=2).astype(np.float32),
    }
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w1", "b1"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["active"]),
        helper.make_node("Gemm", ["active", "w2", "b2"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *shape])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(value, key) for key, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    (FOLDER / f"{name}.onnx").write_bytes(model.SerializeToString())
    return onnxruntime.InferenceSession(model.SerializeToString()), random


def case(name, shape, seed, own):
    session, random = network(name, shape, seed)
    features = int(np.prod(shape))
    x = random.normal(size=features).astype(np.float32)
    baseline = random.normal(size=features).astype(np.float32) if own else np.zeros(features, np.float32)

    def score(rows):
        rows = np.asarray(rows, np.float32).reshape(-1, *shape)
        return session.run(["scores"], {"x": rows})[0][:, 1].astype(np.float64)

    def shown(masks, x):
        return (np.where(np.asarray(masks, bool), np.asarray(x).ravel(), baseline),)

    explain = shap.explainers.ExactExplainer(score, lambda mask, x: shown(mask, x)[0].reshape(1, -1))
    values = explain(x.reshape(1, -1)).values[0]
    change = score(x)[0] - score(baseline)[0]
    assert abs(values.sum() - change) < 1e-5, (values.sum(), change)
    hidden = np.where(np.eye(features, dtype=bool), baseline, x)
    return {
        "model": f"{name}.onnx",
        "shape": [1, *shape],
        "input": x.tolist(),
        "baseline": baseline.tolist() if own else None,
        "shapley": values.tolist(),
        "drops": (score(x) - score(hidden)).tolist(),
        "change": change,
    }


def two_inputs():
    """A picture of 3 x 3 pixels, two of its channels made by a convolution, and a row of four features."""
    random = np.random.default_rng(8)
    normal = lambda *shape: random.normal(size=shape).astype(np.float32)
    weights = {
        "kernel": normal(2, 1, 2, 2) / 2,
        "w1": normal(8 + 4, 6) / 3,
        "b1": normal(6) / 4,
        "w2": normal(6, 3),
    }
    nodes = [
        helper.make_node("Conv", ["picture", "kernel"], ["maps"]),
        helper.make_node("Flatten", ["maps"], ["flat"]),
        helper.make_node("Concat", ["flat", "row"], ["all"], axis=1),
        helper.make_node("Gemm", ["all", "w1", "b1"], ["hidden"]),
        helper.make_node("Tanh", ["hidden"], ["active"]),
        helper.make_node("MatMul", ["active", "w2"], ["scores"]),
    ]
    shapes = {"picture": (1, 3, 3), "row": (4,)}
    real = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])
    graph = helper.make_graph(
        nodes,
        "two",
        [real(*item) for item in shapes.items()],
        [real("scores", (3,))],
        [numpy_helper.from_array(value, key) for key, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    (FOLDER / "two.onnx").write_bytes(model.SerializeToString())
    session = onnxruntime.InferenceSession(model.SerializeToString())

    def score(rows):
        rows = np.asarray(rows, np.float32).reshape(-1, 13)
        given = {"picture": rows[:, :9].reshape(-1, 1, 3, 3), "row": rows[:, 9:]}
        return session.run(["scores"], given)[0][:, 1].astype(np.float64)

    def slopes(at):
        step = 1e-2
        around = at + step * np.concatenate([np.eye(13), -np.eye(13)])
        up, down = np.split(score(around), 2)
        return (up - down) / (2 * step)

    x = normal(13)
    shown = lambda mask, row: np.where(np.asarray(mask, bool), row.ravel(), 0).reshape(1, -1)
    shapley = shap.explainers.ExactExplainer(score, shown)(x.reshape(1, -1)).values[0]
    steps = 64
    path = np.mean([slopes(x * (step + 0.5) / steps) for step in range(steps)], 0) * x
    change = score(x)[0] - score(np.zeros(13))[0]
    assert abs(shapley.sum() - change) < 1e-5 and abs(path.sum() - change) < 1e-3, (shapley.sum(), path.sum(), change)
    by_input = lambda values: {"picture": values[:9].tolist(), "row": values[9:].tolist()}
    return {
        "model": "two.onnx",
        "shapes": {name: [1, *shape] for name, shape in shapes.items()},
        "input": by_input(x),
        "gradient": by_input(slopes(x)),
        "integrated_gradients": by_input(path),
        "shapley": by_input(shapley),
        "steps": steps,
        "change": change,
    }


def make():
    FOLDER.mkdir(parents=True, exist_ok=True)
    cases = [case("picture", (1, 4, 3), 5, False), case("row", (8,), 6, False), case("row_of_ones_own", (8,), 7, True)]
    (FOLDER / "index.json").write_text(json.dumps({"cases": cases, "two": two_inputs()}, indent=1) + "\n")


if __name__ == "__main__":
    make()
