"""Small networks whose tokens are [texts, tokens] or [tokens, texts], as exporters write them, and one that mixes texts.

Writes tests/fixtures/text_axes. The weights are seeded; the vocabulary is that of tests/fixtures/text. Logits are onnxruntime's, of tokens in the
file's own order; occlusion replaces each word by the padding token and asks onnxruntime again.
"""

import json
import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
FOLDER = FIXTURES / "text_axes"
SEED, WIDTH, HIDDEN, FIXED = 19, 6, 5, 7
TEXTS = ["A warm, great film!", "the story is dull and too long"]


class Net:
    """A graph of nodes with seeded weights, from tokens to logits."""

    def __init__(self, seed, words):
        self.random, self.words, self.nodes, self.weights = np.random.default_rng(seed), words, [], []

    def node(self, operator, *inputs, outputs=1, name=None, **attributes):
        made = [name or f"{operator.lower()}_{len(self.nodes)}"] + [f"{operator.lower()}_{len(self.nodes)}_{i}" for i in range(1, outputs)]
        self.nodes.append(helper.make_node(operator, list(inputs), made, name=f"{operator}_{len(self.nodes)}", **attributes))
        return made[0] if outputs == 1 else made

    def weight(self, *shape, gain=1.0):
        return self.constant((self.random.normal(0, gain, shape) / np.sqrt(shape[-1])).astype(np.float32))

    def constant(self, value):
        name = f"weight_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def whole(self, *values):
        return self.constant(np.array(values, np.int64))

    def rows(self, tokens="tokens"):
        return self.node("Gather", self.weight(self.words, WIDTH, gain=2.0), tokens)

    def head(self, x, width, name="logits"):
        return self.node("Gemm", x, self.weight(width, 3, gain=2.0), self.constant(np.array([0.1, -0.1, 0.0], np.float32)), name=name)

    def recurrent(self, operator, x, directions=1, **attributes):
        gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[operator]
        shapes = [(directions, gates * HIDDEN, WIDTH), (directions, gates * HIDDEN, HIDDEN), (directions, 2 * gates * HIDDEN)]
        weights = [self.weight(*shape, gain=1.5) for shape in shapes]
        kind = "bidirectional" if directions == 2 else "forward"
        return self.node(operator, x, *weights, *attributes.pop("more", []), outputs=2, hidden_size=HIDDEN, direction=kind, **attributes)

    def last(self, operator, x, **attributes):
        return self.head(self.node("Squeeze", self.recurrent(operator, x, **attributes)[1], self.whole(0)), HIDDEN)

    def mean(self, x, axis):
        return self.node("ReduceMean", x, axes=[axis], keepdims=0)

    def save(self, name, shape, others=()):
        inputs = [helper.make_tensor_value_info("tokens", TensorProto.INT64, shape)]
        inputs += [helper.make_tensor_value_info(other, TensorProto.INT64, sizes) for other, sizes in others]
        output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3])
        graph = helper.make_graph(self.nodes, name, inputs, [output], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="adversight")
        model.ir_version = 8
        onnx.checker.check_model(model)
        onnx.save(model, FOLDER / f"{name}.onnx")


def attention(net, x):
    """One layer of PyTorch's MultiheadAttention on [tokens, texts, width], two heads."""

    def heads(x, order):
        parts = net.node("Reshape", net.node("MatMul", x, net.weight(WIDTH, WIDTH, gain=1.5)), net.whole(0, -1, WIDTH // 2))
        return net.node("Transpose", parts, perm=order)

    weights = net.node("Softmax", net.node("MatMul", heads(x, [1, 0, 2]), heads(x, [1, 2, 0])), axis=-1)
    mixed = net.node("Transpose", net.node("MatMul", weights, heads(x, [1, 0, 2])), perm=[1, 0, 2])
    return net.node("Add", x, net.node("Reshape", mixed, net.whole(0, -1, WIDTH)))


def masked_mean(net, x, turned):
    """The mean of the tokens that a mask [texts, tokens] or [tokens, texts] shows; x is [tokens, texts, width]."""
    mask = net.node("Cast", "attention_mask", to=TensorProto.FLOAT)
    mask = net.node("Unsqueeze", net.node("Transpose", mask, perm=[1, 0]) if turned else mask, net.whole(2))
    total = net.node("ReduceSum", net.node("Mul", x, mask), net.whole(0), keepdims=0)
    return net.node("Div", total, net.node("ReduceSum", mask, net.whole(0), keepdims=0))


def networks(words):
    """(name, the axis of the texts, whether there is a mask and how it lies)"""
    made = []

    def add(name, axis, build, shape=None, mask=None):
        net = Net(SEED + len(made), words)
        build(net)
        open_shape = ["length", "batch"] if axis == 1 else ["batch", "length"]
        beside = [] if mask is None else [("attention_mask", ["batch", "length"] if mask == 0 else ["length", "batch"])]
        net.save(name, shape or open_shape, beside)
        made.append({"network": name, "batch_axis": axis, "mask": mask})

    order = [1, 0, 2]
    turn = lambda net, x, order=order: net.node("Transpose", x, perm=order)
    state = lambda net: net.constant(np.zeros((1, 1, HIDDEN), np.float32))
    add("lstm_time_first", 1, lambda net: net.last("LSTM", net.rows()))
    add("lstm_texts_first", 0, lambda net: net.last("LSTM", turn(net, net.rows())))
    add("gru_both_ways", 1, lambda net: net.head(turned_states(net), 2 * HIDDEN))
    add("gru_texts_first", 0, lambda net: net.last("GRU", turn(net, net.rows())))
    add("mean_time_first", 1, lambda net: net.head(net.mean(net.rows(), 0), WIDTH))
    add("mean_texts_first", 0, lambda net: net.head(net.mean(net.rows(), 1), WIDTH))
    add("convolution_after_turn", 1, lambda net: net.head(convolved(net, turn(net, net.rows(), [1, 2, 0])), HIDDEN))
    add("tokens_turned", 1, lambda net: net.head(net.mean(net.rows(net.node("Transpose", "tokens", perm=[1, 0])), 1), WIDTH))
    add("tokens_turned_to_time", 0, lambda net: net.last("RNN", net.rows(net.node("Transpose", "tokens", perm=[1, 0]))))
    add("lstm_fixed", 1, lambda net: net.last("LSTM", net.rows()), [FIXED, 1])
    add("lstm_texts_fixed", 0, lambda net: net.last("LSTM", turn(net, net.rows())), [1, FIXED])
    add("lstm_one_text", 1, lambda net: net.last("LSTM", net.rows(), more=["", state(net), state(net)]), ["length", 1])
    add("lstm_one_text_open", 1, lambda net: net.last("LSTM", net.rows(), more=["", state(net), state(net)]))
    add("attention_time_first", 1, lambda net: net.head(net.mean(attention(net, net.rows()), 0), WIDTH))
    add("mask_of_texts", 1, lambda net: net.head(masked_mean(net, net.rows(), True), WIDTH), mask=0)
    add("mask_of_tokens", 1, lambda net: net.head(masked_mean(net, net.rows(), False), WIDTH), mask=1)
    return made


def convolved(net, x):
    made = net.node("Conv", x, net.weight(HIDDEN, WIDTH, 3, gain=0.4), pads=[1, 1])
    return net.node("ReduceMax", net.node("Tanh", made), axes=[2], keepdims=0)


def turned_states(net):
    """The mean over time of both directions, as PyTorch's exporter lays them side by side."""
    found = net.recurrent("GRU", net.rows(), directions=2)[0]
    joined = net.node("Reshape", net.node("Transpose", found, perm=[0, 2, 1, 3]), net.whole(0, 0, -1))
    return net.mean(joined, 0)


def case(entry, words, text):
    session = onnxruntime.InferenceSession(FOLDER / f"{entry['network']}.onnx", providers=["CPUExecutionProvider"])
    found = re.findall(r"\w+(?:'\w+)*|[^\w\s]", text.lower())
    ids = [words.index(word) if word in words else 1 for word in found]
    if FIXED in session.get_inputs()[0].shape:
        ids = (ids + [0] * FIXED)[:FIXED]

    def ask(ids):
        tokens = np.array([ids], np.int64)
        feed = {"tokens": tokens.T if entry["batch_axis"] == 1 else tokens}
        if entry["mask"] is not None:
            ones = np.ones_like(tokens)
            feed["attention_mask"] = ones if entry["mask"] == 0 else ones.T
        return session.run(None, feed)[0].reshape(-1).astype(np.float64)

    chance = lambda logits: np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    logits = ask(ids)
    target = int(logits.argmax())
    hidden = [ask([0 if at == word else number for at, number in enumerate(ids)]) for word in range(min(len(found), len(ids)))]
    drops = [float(chance(logits)[target] - chance(one)[target]) for one in hidden]
    return {**entry, "text": text, "ids": ids, "logits": logits.tolist(), "target": target, "occlusion": drops}


def make():
    FOLDER.mkdir(exist_ok=True)
    words = (FIXTURES / "text" / "vocabulary.txt").read_text().split("\n")[:-1]
    cases = [case(entry, words, text) for entry in networks(len(words)) for text in TEXTS]
    # The tokens of all texts are added up, so that neither axis holds texts of their own.
    net = Net(SEED + 99, len(words))
    net.head(net.node("Unsqueeze", net.node("ReduceMean", net.rows(), axes=[0, 1], keepdims=0), net.whole(0)), WIDTH)
    net.save("mixed", ["one", "two"])
    (FOLDER / "index.json").write_text(json.dumps(cases, indent=1) + "\n")


if __name__ == "__main__":
    make()
