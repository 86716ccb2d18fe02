"""Small networks with what onnxruntime makes of them: one file each, numbers in an index."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests" / "fixtures"


def session(model):
    """Runs a model as it is written, without optimisations."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    model = model.SerializeToString() if isinstance(model, onnx.ModelProto) else str(model)
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class Collection:
    """A folder of networks with an index.json: inputs and outputs of each."""

    def __init__(self, name):
        self.folder = FIXTURES / name
        self.folder.mkdir(parents=True, exist_ok=True)
        for stale in [*self.folder.glob("*.onnx"), *self.folder.glob("*.json")]:
            stale.unlink()
        self.cases = []

    def add(self, name, model, inputs, steps=0, relative=1e-5, skip=()):
        """Stores a network. Values may differ by `relative` of the largest; whole numbers of quantised outputs by `steps`.
        Outputs of text, and those in `skip`, are left out."""
        model.producer_name = ""
        onnx.save(model, self.folder / f"{name}.onnx")
        ran = session(model)
        names = [output.name for output in ran.get_outputs()]
        outputs = []
        for at, value in enumerate(ran.run(None, inputs)):
            if names[at] in skip or not isinstance(value, np.ndarray) or value.dtype.kind in "UO":
                continue
            outputs.append(dict(value_of(value), output=at))
        self.cases.append({
            "name": name, "file": f"{name}.onnx", "steps": steps, "relative": relative,
            "operators": sorted({node.op_type for node in model.graph.node}),
            "inputs": {key: value_of(value) for key, value in inputs.items()}, "outputs": outputs,
        })  # fmt: skip
        print(name, [output["shape"] for output in outputs], flush=True)

    def write(self):
        head = {"versions": {module.__name__: module.__version__ for module in (np, onnx, onnxruntime)}, "cases": self.cases}
        (self.folder / "index.json").write_text(json.dumps(head) + "\n")


def value_of(value):
    value = np.asarray(value)
    kind = {"f": "float", "b": "bool"}.get(value.dtype.kind, "int")
    # JSON has no word for what is no number.
    data = value.ravel().tolist() if kind != "float" else [None if np.isnan(number) else float(f"{number:.9g}") for number in value.ravel()]
    if kind == "bool":
        data = [int(number) for number in data]
    return {"kind": kind, "shape": list(value.shape), "data": data}
