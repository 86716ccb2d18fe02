"""Trains two small networks for the page: www/public/models/wine, of a row of a table, and www/public/models/machine, of a series.

`wine` tells three cultivars by the 13 measurements of scikit-learn's wine table (UCI, CC BY 4.0): a hidden layer of 16, the scaling inside of the
graph. A fifth of the rows is held back and is what the page explains; the others are the background.

`machine` tells a machine's state from three sensors over 96 rows. The series are made up by `series` below, and said to be: nothing was measured.
Two convolutions over time, the mean over time, a linear layer; the scaling inside of the graph.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_wine

import bundle

SEED = 3
WINE = {
    "title": "Wines by their chemistry",
    "kind": "table",
    "columns": "columns.json",
    "background": "background.csv",
    "labels": "labels.json",
    "examples": "examples.json",
    "licence": "CC BY 4.0 (the table)",
    "source": "trained on the wine table of scikit-learn 1.9.1 (UCI, Aeberhard and Forina 1991)",
}
MACHINE = {
    "title": "A machine's sensors (made up)",
    "kind": "series",
    "columns": "columns.json",
    "background": "background.csv",
    "labels": "labels.json",
    "examples": "examples.json",
    "licence": "MIT OR Apache-2.0",
    "source": "made up by xtask/models/tables.py: no machine was measured",
}
# The words of scikit-learn's names, spelt out.
NAMES = {"od280/od315_of_diluted_wines": "OD280/OD315 of diluted wines", "alcalinity_of_ash": "alkalinity of ash"}
CHANNELS, LENGTH = ("vibration", "temperature", "load"), 96
STATES = ("steady", "knocking", "overheating")


def number(value: float) -> str:
    return f"{value:.6g}"


def table(header: list[str], rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def fit(network: torch.nn.Module, x: np.ndarray, y: np.ndarray, rounds: int, decay: float) -> None:
    inputs, answers = torch.from_numpy(x), torch.from_numpy(y)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-2, weight_decay=decay)
    for _ in range(rounds):
        optimiser.zero_grad()
        F.cross_entropy(network(inputs), answers).backward()
        optimiser.step()


def model(name: str, nodes: list, inputs: tuple[str, list], classes: int, weights: dict[str, np.ndarray]) -> bytes:
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info(inputs[0], TensorProto.FLOAT, ["batch", *inputs[1]])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", classes])],
        [numpy_helper.from_array(np.ascontiguousarray(value, np.float32), key) for key, value in weights.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made)
    return made.SerializeToString()


def accuracy(made: bytes, x: np.ndarray, y: np.ndarray) -> float:
    session = onnxruntime.InferenceSession(made, providers=["CPUExecutionProvider"])
    found = session.run(None, {session.get_inputs()[0].name: x.astype(np.float32)})[0]
    return round(float((found.argmax(1) == y).mean()), 4)


def wine(out: Path) -> None:
    data = load_wine()
    names = [NAMES.get(name, name.replace("_", " ")) for name in data.feature_names]
    order = np.random.default_rng(SEED).permutation(len(data.target))
    held, learned = np.sort(order[:36]), np.sort(order[36:])
    x, y = data.data.astype(np.float32), data.target.astype(np.int64)
    mean, std = x[learned].mean(0), x[learned].std(0)
    torch.manual_seed(SEED)
    network = torch.nn.Sequential(torch.nn.Linear(13, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))
    fit(network, (x[learned] - mean) / std, y[learned], 150, 0.3)
    w1, b1, w2, b2 = (value.detach().numpy() for value in network.parameters())
    nodes = [
        helper.make_node("Sub", ["measurements", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "std"], ["scaled"]),
        helper.make_node("Gemm", ["scaled", "w1", "b1"], ["hidden"], transB=1),
        helper.make_node("Relu", ["hidden"], ["active"]),
        helper.make_node("Gemm", ["active", "w2", "b2"], ["logits"], transB=1),
    ]
    weights = {"mean": mean, "std": std, "w1": w1, "b1": b1, "w2": w2, "b2": b2}
    made = model("wine", nodes, ("measurements", [13]), 3, weights)
    folder = out / "wine"
    folder.mkdir(parents=True, exist_ok=True)
    labels = [f"cultivar {number + 1}" for number in range(3)]

    def rows(which: np.ndarray) -> list[list[str]]:
        return [[*map(number, data.data[row]), labels[data.target[row]]] for row in which]

    (folder / "rows.csv").write_bytes(table([*names, "cultivar"], rows(held)))
    (folder / "background.csv").write_bytes(table([*names, "cultivar"], rows(learned)))
    columns = {"columns": [{"name": name} for name in names]}
    (folder / "columns.json").write_text(json.dumps(columns, indent=1) + "\n")
    # Two of each cultivar.
    chosen = [row for kind in range(3) for row in np.flatnonzero(y[held] == kind)[:2]]
    examples = [
        {"file": "rows.csv", "row": int(row), "title": f"Wine {row}, {labels[y[held][row]]}"} for row in chosen
    ]
    about = {**WINE, "rows": {"learned": len(learned), "held": len(held)}}
    about["accuracy"] = {"learned": accuracy(made, x[learned], y[learned]), "held": accuracy(made, x[held], y[held])}
    print("wine", about["accuracy"])
    bundle.write(folder, made, about, labels, examples)


def series(random: np.random.Generator, state: int) -> np.ndarray:
    """Three sensors over 96 rows: noise and a slow load; knocks are short swings of the vibration, overheating a rise of the temperature that
    does not follow the load. A distraction of each kind (one weak knock, a rise that follows the load) is in all states."""
    time = np.arange(LENGTH)
    load = 50 + 15 * np.sin(2 * np.pi * (time / LENGTH * random.uniform(0.5, 1.5) + random.uniform())) + random.normal(0, 1.5, LENGTH)
    vibration = 0.02 * load + random.normal(0, 0.15, LENGTH)
    temperature = 40 + 0.25 * load + random.normal(0, 0.4, LENGTH)

    def knock(size: float) -> None:
        at, width = random.integers(8, LENGTH - 16), random.integers(5, 9)
        swing = np.sin(np.arange(width) * 2.2) * np.exp(-np.arange(width) / 5)
        vibration[at : at + width] += size * swing

    if state == 1:
        for _ in range(random.integers(1, 3)):
            knock(random.uniform(1.6, 2.4))
    elif random.uniform() < 0.5:
        knock(0.4)
    if state == 2:
        start = random.integers(20, 60)
        temperature[start:] += random.uniform(0.25, 0.45) * np.minimum(time[start:] - start, 36)
    return np.stack([vibration, temperature, load]).astype(np.float32)


def machine(out: Path) -> None:
    random = np.random.default_rng(SEED)
    y = np.arange(1500) % 3
    # As many digits as the tables have.
    x = np.round(np.stack([series(random, state) for state in y]), 3).astype(np.float32)
    learned, held = slice(0, 1200), slice(1200, 1500)
    mean, std = x[learned].mean((0, 2))[:, None], x[learned].std((0, 2))[:, None]
    torch.manual_seed(SEED)
    network = torch.nn.Sequential(
        torch.nn.Conv1d(3, 8, 7, padding=3), torch.nn.ReLU(),
        torch.nn.Conv1d(8, 16, 7, stride=2, padding=3), torch.nn.ReLU(),
        torch.nn.AdaptiveMaxPool1d(1), torch.nn.Flatten(), torch.nn.Linear(16, 3),
    )  # fmt: skip
    fit(network, (x[learned] - mean) / std, y[learned].astype(np.int64), 200, 0.05)
    k1, b1, k2, b2, w, b = (value.detach().numpy() for value in network.parameters())
    nodes = [
        helper.make_node("Sub", ["sensors", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "std"], ["scaled"]),
        helper.make_node("Conv", ["scaled", "k1", "b1"], ["conv1"], pads=[3, 3]),
        helper.make_node("Relu", ["conv1"], ["active1"]),
        helper.make_node("Conv", ["active1", "k2", "b2"], ["conv2"], pads=[3, 3], strides=[2]),
        helper.make_node("Relu", ["conv2"], ["active2"]),
        helper.make_node("GlobalMaxPool", ["active2"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], ["logits"], transB=1),
    ]
    weights = {"mean": mean, "std": std, "k1": k1, "b1": b1, "k2": k2, "b2": b2, "w": w, "b": b}
    made = model("machine", nodes, ("sensors", [3, LENGTH]), 3, weights)
    folder = out / "machine"
    folder.mkdir(parents=True, exist_ok=True)

    def rows(one: np.ndarray) -> list[list[str]]:
        return [[str(at), *map(number, step)] for at, step in enumerate(one.T)]

    header = ["time", *CHANNELS]
    examples = []
    for place in (1201, 1202, 1200, 1204, 1205, 1203):
        name = f"series/{STATES[y[place]]}-{place}.csv"
        (folder / "series").mkdir(exist_ok=True)
        (folder / name).write_bytes(table(header, rows(x[place])))
        examples.append({"file": name, "row": 0, "title": f"{STATES[y[place]].capitalize()} {place % 1200 // 3 + 1}"})
    # What is usual: steady machines of those that were learned from.
    usual = [x[place] for place in range(0, 60, 3)]
    (folder / "background.csv").write_bytes(table(header, [row for one in usual for row in rows(one)]))
    columns = {"columns": [{"name": name} for name in CHANNELS]}
    (folder / "columns.json").write_text(json.dumps(columns, indent=1) + "\n")
    about = {**MACHINE, "series": {"learned": 1200, "held": 300, "rows": LENGTH}}
    about["accuracy"] = {"learned": accuracy(made, x[learned], y[learned]), "held": accuracy(made, x[held], y[held])}
    print("machine", about["accuracy"])
    bundle.write(folder, made, about, list(STATES), examples)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, help="where packages are kept; none is needed beside those that are installed")
    parser.add_argument("--out", type=Path, required=True, help="the folder of the page's networks")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    wine(arguments.out)
    machine(arguments.out)


if __name__ == "__main__":
    main()
