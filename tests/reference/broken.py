"""Networks that must be refused, each with its own error. Writes tests/fixtures/broken.

A truncated file is made by the test itself, from a sound one.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from common import FIXTURES, write_json

FOLDER = FIXTURES / "broken"
SIDE = 32


def model(nodes, weights, output=("batch", 8, SIDE, SIDE), domains=()):
    """A network from [batch,3,32,32] to the value named "output"."""
    graph = helper.make_graph(
        nodes,
        "broken",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, list(output))],
        weights,
    )
    opsets = [helper.make_opsetid("", 13)] + [helper.make_opsetid(domain, 1) for domain in domains]
    made = helper.make_model(graph, opset_imports=opsets, producer_name="adversight tests")
    made.ir_version = 8
    return made


def weight(name, *shape):
    values = np.random.default_rng(3).normal(0.0, 0.1, shape).astype(np.float32)
    return numpy_helper.from_array(values, name)


def conv(inputs, output, name):
    return helper.make_node("Conv", inputs, [output], name=name, kernel_shape=[3, 3], pads=[1, 1, 1, 1])


def unknown_operator():
    """Sound ONNX that onnxruntime runs: noise, of which there is nothing to explain."""
    nodes = [
        helper.make_node("Relu", ["input"], ["r"], name="first"),
        helper.make_node("RandomNormalLike", ["r"], ["noise"], name="odd_one"),
        helper.make_node("GlobalAveragePool", ["noise"], ["output"], name="last"),
    ]
    made = model(nodes, [], output=("batch", 3, 1, 1))
    onnx.checker.check_model(made, full_check=True)
    return made


def custom_domain():
    nodes = [
        conv(["input", "w"], "c", "first"),
        helper.make_node("Twirl", ["c"], ["output"], name="odd_one", domain="com.example.odd"),
    ]
    return model(nodes, [weight("w", 8, 3, 3, 3)], domains=["com.example.odd"])


def missing_initialiser():
    return model([conv(["input", "absent"], "output", "odd_one")], [])


def cyclic():
    nodes = [
        helper.make_node("Add", ["input", "b"], ["a"], name="odd_one"),
        helper.make_node("Relu", ["a"], ["b"], name="odd_two"),
        helper.make_node("Relu", ["b"], ["output"], name="last"),
    ]
    return model(nodes, [], output=("batch", 3, SIDE, SIDE))


def wrong_shape():
    """The convolution wants 4 channels, the input has 3."""
    return model([conv(["input", "w"], "output", "odd_one")], [weight("w", 8, 4, 3, 3)])


def huge_claim():
    """A weight that says it holds 10 GB and holds nothing."""
    channels = 833_333_333
    claim = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[channels, 3, 1, 1], raw_data=b"")
    node = helper.make_node("Conv", ["input", "w"], ["output"], name="odd_one", kernel_shape=[1, 1])
    return model([node], [claim], output=("batch", channels, SIDE, SIDE))


# What makes it, what is wrong, the node at fault.
MODELS = (
    (unknown_operator, "an operator of the standard domain that the engine lacks", "odd_one"),
    (custom_domain, "an operator of a domain of its own", "odd_one"),
    (missing_initialiser, "a weight that is neither an initialiser nor a node's output", "odd_one"),
    (cyclic, "two nodes that wait for each other", "odd_one"),
    (wrong_shape, "a convolution whose weights do not fit its input", "odd_one"),
    (huge_claim, "a weight whose shape claims 10 GB and that has no data", "odd_one"),
)


def make():
    FOLDER.mkdir(parents=True, exist_ok=True)
    index = []
    for build, wrong, node in MODELS:
        file = f"{build.__name__}.onnx"
        (FOLDER / file).write_bytes(build().SerializeToString(deterministic=True))
        index.append({"file": file, "wrong": wrong, "node": node})
    (FOLDER / "not_onnx.onnx").write_bytes(np.random.default_rng(5).bytes(4096))
    (FOLDER / "empty.onnx").write_bytes(b"")
    index.append({"file": "not_onnx.onnx", "wrong": "random bytes", "node": None})
    index.append({"file": "empty.onnx", "wrong": "no bytes at all", "node": None})
    write_json(FOLDER / "index.json", {"cases": index})


if __name__ == "__main__":
    make()
