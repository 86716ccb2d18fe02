"""Rows of tables by SHAP and Captum: the page's network of wines, and a small one of numbers, a one-hot group and labels.

Writes tests/fixtures/tables. `mixed.onnx` takes five numbers: two columns, scaled, and a category as one-hot; `labels.onnx` takes the same
category as the number of its label; `inputs.onnx` has an input for each column, as skl2onnx writes a ColumnTransformer's. The tables beside them
are drawn at random. Answers: SHAP's KernelExplainer over every subset of columns with the background's rows, its PermutationExplainer with the
orders that it drew, its values with the mean row, and Captum's integrated gradients (Gauss-Legendre, 200 steps) from the mean row.
"""

import csv
import io
import json
import warnings

import numpy as np
import onnx
import onnxruntime
import shap
import torch
from captum.attr import IntegratedGradients
from onnx import TensorProto, helper, numpy_helper
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType

from common import FIXTURES, MODELS

FOLDER = FIXTURES / "tables"
COLOURS = ["red", "green", "blue"]


def read(path):
    rows = list(csv.reader(io.StringIO(path.read_text())))
    return rows[0], rows[1:]


def write(path, header, rows, separator=","):
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    path.write_text(text.getvalue())


def session(model):
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


def softmax(logits):
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    return shifted / shifted.sum(1, keepdims=True)


def evenly(rows, most=100):
    """The rows that are kept of more than a hundred: spread evenly."""
    kept = min(len(rows), most)
    return [rows[number * len(rows) // kept] for number in range(kept)]


def explained(scores, background, row, mean=False, orders=4, seed=0):
    """What SHAP says of a row of numbers, or of numbers that stand for categories, which have no `mean`: `scores` takes rows of them."""
    background, row = np.asarray(background, float), np.asarray(row, float)
    n = row.size
    kept = np.asarray(evenly(background))
    explain = lambda data: shap.KernelExplainer(scores, data, silent=True).shap_values(
        row[None], nsamples=2**n, l1_reg=False, silent=True
    )[0]  # fmt: skip
    drawn = []
    shuffle = np.random.shuffle

    def noted(order):
        shuffle(order)
        drawn.append(order.tolist())

    np.random.seed(seed)
    np.random.shuffle = noted
    try:
        masker = shap.maskers.Independent(kept, max_samples=len(kept))
        permutation = shap.explainers.PermutationExplainer(scores, masker)
        walked = permutation(row[None], max_evals=orders * (2 * n + 1), silent=True).values[0]
    finally:
        np.random.shuffle = shuffle
    return {
        "kernel": explain(kept).tolist(),
        **({"kernel_mean": explain(background.mean(0, keepdims=True)).tolist()} if mean else {}),
        "permutation": np.asarray(walked).tolist(),
        "orders": drawn,
    }


def wine():
    folder = MODELS / "wine"
    model = onnx.load(folder / "model.onnx")
    run = session((folder / "model.onnx").read_bytes())
    header, rows = read(folder / "rows.csv")
    background = np.array([row[:13] for row in read(folder / "background.csv")[1]], float)
    weights = {tensor.name: torch.tensor(numpy_helper.to_array(tensor), dtype=torch.float64) for tensor in model.graph.initializer}

    def network(x):
        hidden = torch.relu((x - weights["mean"]) / weights["std"] @ weights["w1"].T + weights["b1"])
        return hidden @ weights["w2"].T + weights["b2"]

    cases = []
    for number in (3, 20):
        row = np.array(rows[number][:13], float)
        logits = run.run(None, {"measurements": row[None].astype(np.float32)})[0]
        target = int(logits.argmax())
        assert np.abs(network(torch.tensor(row[None])).numpy() - logits).max() < 1e-3
        scores = lambda data: network(torch.tensor(np.asarray(data, float))).softmax(1)[:, target].numpy()  # noqa: B023
        start = torch.tensor(background.mean(0, keepdims=True))
        gradients = IntegratedGradients(network).attribute(
            torch.tensor(row[None]), start, target=target, n_steps=200, method="gausslegendre"
        )
        found = explained(scores, background, row, mean=True)
        cases.append({
            "row": number, "target": target, "logits": logits[0].tolist(), **found, "integrated_gradients": gradients[0].tolist(),
        })  # fmt: skip
    return cases


def graph(name, nodes, inputs, weights):
    made = helper.make_graph(
        nodes, name,
        [helper.make_tensor_value_info(key, kind, ["batch", width]) for key, (kind, width) in inputs.items()],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(np.asarray(value, np.float32), key) for key, value in weights.items()],
    )  # fmt: skip
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    (FOLDER / f"{name}.onnx").write_bytes(model.SerializeToString())
    return session(model.SerializeToString())


def mixed():
    """Two columns that are scaled before the network and a category, as one-hot in `mixed` and as a label in `labels`."""
    random = np.random.default_rng(5)
    header = ["height", "colour", "weight", "kind"]
    rows = [
        [round(float(random.normal(170, 10)), 1), COLOURS[random.integers(3)], round(float(random.normal(70, 12)), 2), "x"]
        for _ in range(24)
    ]
    # As a program with decimal commas writes it.
    write(FOLDER / "mixed.csv", header, [[str(a).replace(".", ","), b, str(c).replace(".", ","), d] for a, b, c, d in rows], ";")
    scales = {"height": (170.0, 10.0), "weight": (70.0, 12.0)}
    number = lambda name, at=None: {"name": name, "mean": scales[name][0], "std": scales[name][1]} | ({} if at is None else {"at": at})
    declared = {
        "mixed": [number("weight", 3), {"name": "colour", "categories": COLOURS, "at": 0}, number("height", 4)],
        "labels": [{"name": "colour", "categories": COLOURS, "encoding": "label"}, number("height"), number("weight")],
    }
    for name, columns in declared.items():
        (FOLDER / f"{name}.json").write_text(json.dumps({"columns": columns}, indent=1) + "\n")
    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["hidden"]),
        helper.make_node("Tanh", ["hidden"], ["active"]),
        helper.make_node("Gemm", ["active", "w2", "b2"], ["scores"]),
    ]
    answers = {}
    for name, width in (("mixed", 5), ("labels", 3)):
        weights = {
            "w1": random.normal(size=(width, 6)), "b1": random.normal(size=6) / 2,
            "w2": random.normal(size=(6, 2)), "b2": random.normal(size=2) / 2,
        }  # fmt: skip
        graph(name, nodes, {"x": (TensorProto.FLOAT, width)}, weights)
        weights = {key: np.asarray(value, np.float32).astype(float) for key, value in weights.items()}

        def encode(raw, name=name):
            """Rows of height, number of the colour, weight: as the JSON's columns are."""
            raw = np.asarray(raw, float)
            height, colour, weight = (raw[:, 0] - 170) / 10, raw[:, 1], (raw[:, 2] - 70) / 12
            if name == "mixed":
                return np.column_stack([np.eye(3)[colour.astype(int)], weight, height])
            return np.column_stack([colour, height, weight])

        def logits(x, weights=weights):
            tensors = {key: torch.tensor(value) for key, value in weights.items()}
            return torch.tanh(x @ tensors["w1"] + tensors["b1"]) @ tensors["w2"] + tensors["b2"]

        raw = np.array([[a, COLOURS.index(b), c] for a, b, c, _ in rows])
        asked, others = raw[4], np.delete(raw, 4, 0)
        scores = lambda data: logits(torch.tensor(encode(data))).softmax(1)[:, 1].numpy()  # noqa: B023
        x, start = torch.tensor(encode(asked[None])), torch.tensor(encode(others).mean(0, keepdims=True))
        gradients = IntegratedGradients(logits).attribute(x, start, target=1, n_steps=200, method="gausslegendre")[0].numpy()
        groups = {"mixed": {"colour": [0, 1, 2], "weight": [3], "height": [4]}, "labels": {"colour": [0], "height": [1], "weight": [2]}}
        found = explained(scores, others, asked)
        answers[name] = {
            "row": 4,
            "target": 1,
            "logits": logits(x)[0].tolist(),
            "columns": ["height", "colour", "weight"],
            **found,
            "integrated_gradients": {key: float(gradients[at].sum()) for key, at in groups[name].items()},
        }
    return answers


def inputs():
    """An input for each column, as skl2onnx writes a pipeline of columns by name."""
    random = np.random.default_rng(6)
    header = ["age", "fare", "deck"]
    data = np.column_stack([random.normal(40, 12, 60).round(1), random.gamma(2, 20, 60).round(2), random.integers(0, 3, 60)])
    y = (data[:, 0] / 12 - data[:, 1] / 30 + (data[:, 2] == 1) + random.normal(0, 0.5, 60) > 2).astype(int)
    columns = ColumnTransformer([("scaled", StandardScaler(), [0, 1]), ("coded", OneHotEncoder(), [2])])
    fitted = make_pipeline(columns, LogisticRegression()).fit(data, y)
    write(FOLDER / "inputs.csv", ["passenger", *header], [[number, *row] for number, row in enumerate(data.tolist())])
    # The names of the columns as inputs of one number each.
    named = ColumnTransformer([("scaled", StandardScaler(), ["age", "fare"]), ("coded", OneHotEncoder(), ["deck"])])
    import pandas

    frame = pandas.DataFrame(data, columns=header)
    pipeline = make_pipeline(named, LogisticRegression()).fit(frame, y)
    kinds = [(name, FloatTensorType([None, 1])) for name in header]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = to_onnx(pipeline, initial_types=kinds, options={"zipmap": False}, target_opset={"": 17, "ai.onnx.ml": 3})
    (FOLDER / "inputs.onnx").write_bytes(model.SerializeToString())
    run = session(model.SerializeToString())

    def scores(rows):
        rows = np.asarray(rows, np.float32)
        found = run.run(["probabilities"], {name: rows[:, [at]] for at, name in enumerate(header)})[0]
        assert np.abs(found - fitted.predict_proba(rows)).max() < 1e-4
        return found[:, 1].astype(float)

    row = 7
    return {
        "row": row, "target": 1, "probability": float(scores(data[[row]])[0]), "columns": header,
        **explained(scores, np.delete(data, row, 0), data[row]),
    }  # fmt: skip


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    answers = {"wine": wine(), **mixed(), "inputs": inputs()}
    rounded = json.loads(json.dumps(answers), parse_float=lambda text: float(f"{float(text):.9g}"))
    (FOLDER / "index.json").write_text(json.dumps(rounded, indent=1) + "\n")


if __name__ == "__main__":
    main()
