"""Writes the tests of the newest ONNX's operators, which its package computes instead of holding them as files.

The folders are as in older packages: `model.onnx`, and `input_0.pb` and so on for each set of data.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.loader import load_node_model_tests


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the folder to write into")
    out: Path = parser.parse_args().out
    # Some tests draw their figures, and some divide by zero on purpose.
    np.random.seed(0)
    with np.errstate(all="ignore"):
        tests = load_node_model_tests()
    for test in tests:
        graph = test.model.graph
        folder = out / test.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.onnx").write_bytes(test.model.SerializeToString())
        for number, (inputs, outputs) in enumerate(test.data_sets):
            data = folder / f"test_data_set_{number}"
            data.mkdir(exist_ok=True)
            for kind, values, declared in (("input", inputs, graph.input), ("output", outputs, graph.output)):
                for index, (value, info) in enumerate(zip(values, declared, strict=False)):
                    # Sequences and the like are outside of what the engine is tested by.
                    if info.type.HasField("tensor_type"):
                        (data / f"{kind}_{index}.pb").write_bytes(_tensor(value, info.name).SerializeToString())


def _tensor(value: onnx.TensorProto | np.ndarray, name: str) -> onnx.TensorProto:
    if isinstance(value, onnx.TensorProto):
        return value
    return numpy_helper.from_array(np.asarray(value), name)


if __name__ == "__main__":
    main()
