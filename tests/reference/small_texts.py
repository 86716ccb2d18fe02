"""Two small networks that read text, with their tokenizers: a transformer with an attention mask, and convolutions over a fixed number of words.

Writes tests/fixtures/text. The weights are seeded; the table of words is made so that a few of them speak for or against. Logits are onnxruntime's.
Integrated gradients start at the padding token, as Captum's LayerIntegratedGradients does at an embedding: slopes are central differences of ONNX's
reference evaluator in float64, of the same network with the vectors of the words as its input. Occlusion and Shapley values replace tokens by the mask
token (the padding token where there is none) and ask onnxruntime.
"""

import itertools
import json
import math
import re

import numpy as np
import onnx
import onnxruntime
import tokenizers
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from tokenizers import models, normalizers, pre_tokenizers, processors

from common import FIXTURES

FOLDER = FIXTURES / "text"
SEED, WIDTH, HEADS, PLACES, HIDDEN, POINTS, STEP = 11, 16, 2, 24, 24, 50, 1e-5
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PIECES = (
    "it ' s a an and the one at that this is not film movie sitcom story long short very too never bore ##dom un ##fun ##ny glor ##ified fun "
    "##damental great warm dull bad good , . ! ? - of for with from to be was who people love ##ly hate ##ful year ##s"
).split()
GOOD = "great warm good fun love ##ly".split()
BAD = "bore ##dom un ##ny dull bad hate glor too".split()
SENTENCES = [
    "It's a glorified sitcom, and a long, unfunny one at that.",
    "A warm, lovely film!",
    "dull",
    "a great story for people who hate sitcoms — not 🎬",
]
PAIR = ["A great film.", "The story is dull and too long."]
LENGTH = 14


class Builder:
    """The same network in 32 and in 64 bits, from tokens or from what they are looked up as."""

    def __init__(self, random, kind):
        self.random, self.kind, self.nodes, self.weights = random, kind, [], {}

    def node(self, operator, *inputs, name=None, **attributes):
        output = name or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=f"{operator}_{len(self.nodes)}", **attributes))
        return output

    def weight(self, name, value, kind=None):
        value = np.asarray(value)
        if kind is None:
            # Numbers that float16 holds, so that both precisions are the same function.
            value = value.astype(np.float16).astype(self.kind)
        self.weights[name] = value if kind is None else value.astype(kind)
        return name

    def dense(self, name, x, inputs, outputs, gain=1.0):
        weight = self.random.normal(0, gain / math.sqrt(inputs), (inputs, outputs))
        product = self.node("MatMul", x, self.weight(f"{name}.weight", weight))
        return self.node("Add", product, self.weight(f"{name}.bias", self.random.normal(0, 0.1, outputs)))

    def model(self, inputs, opset=17):
        real = TensorProto.FLOAT if self.kind == np.float32 else TensorProto.DOUBLE
        graph = helper.make_graph(
            self.nodes,
            "text",
            [helper.make_tensor_value_info(name, real if kind is None else kind, shape) for name, kind, shape in inputs],
            [helper.make_tensor_value_info("logits", real, ["batch", 2])],
            [numpy_helper.from_array(value, name) for name, value in self.weights.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], producer_name="adversight")
        model.ir_version = 8
        onnx.checker.check_model(model, full_check=True)
        return model


def table(random, words):
    """Vectors of which the first number says whether a word is good or bad."""
    rows = random.normal(0, 0.4, (len(words), WIDTH))
    for row, word in zip(rows, words):
        row[0] = 1.5 if word in GOOD else -1.5 if word in BAD else 0.1 * row[0]
    rows[0] = 0
    return rows


def transformer(words, kind, vectors):
    b = Builder(np.random.default_rng(SEED), kind)
    whole = np.int64
    rows = table(b.random, words)
    x = "vectors" if vectors else b.node("Gather", b.weight("words.weight", rows), "input_ids")
    length = b.node("Slice", b.node("Shape", "attention_mask"), b.weight("one", [1], whole), b.weight("two", [2], whole))
    places = b.node("Slice", b.weight("places.weight", b.random.normal(0, 0.2, (PLACES, WIDTH))), b.weight("zero", [0], whole), length,
                    b.weight("first", [0], whole))  # fmt: skip
    x = b.node("Add", b.node("Add", x, places), b.node("Gather", b.weight("types.weight", b.random.normal(0, 0.2, (2, WIDTH))), "token_type_ids"))
    mask = b.node("Cast", "attention_mask", to=TensorProto.FLOAT if kind == np.float32 else TensorProto.DOUBLE)
    hidden = b.node("Mul", b.node("Sub", b.weight("unit", 1.0), mask), b.weight("far", -1e4))
    hidden = b.node("Unsqueeze", hidden, b.weight("axes", [1, 2], whole))

    def heads(name, x, order):
        split = b.node("Reshape", b.dense(name, x, WIDTH, WIDTH), b.weight("split", [0, 0, HEADS, WIDTH // HEADS], whole))
        return b.node("Transpose", split, perm=order)

    def normalised(name, x):
        scale, shift = b.weight(f"{name}.scale", 1 + b.random.normal(0, 0.1, WIDTH)), b.weight(f"{name}.shift", b.random.normal(0, 0.1, WIDTH))
        return b.node("LayerNormalization", x, scale, shift, epsilon=1e-5)

    x = normalised("norm0", x)
    scores = b.node("MatMul", heads("query", x, [0, 2, 1, 3]), heads("key", x, [0, 2, 3, 1]))
    scores = b.node("Add", b.node("Div", scores, b.weight("root", math.sqrt(WIDTH // HEADS))), hidden)
    mixed = b.node("MatMul", b.node("Softmax", scores, axis=-1), heads("value", x, [0, 2, 1, 3]))
    mixed = b.node("Reshape", b.node("Transpose", mixed, perm=[0, 2, 1, 3]), b.weight("join", [0, 0, WIDTH], whole))
    x = normalised("norm1", b.node("Add", x, b.dense("out", mixed, WIDTH, WIDTH)))
    x = normalised("norm2", b.node("Add", x, b.dense("down", b.node("Relu", b.dense("up", x, WIDTH, HIDDEN, 1.4)), HIDDEN, WIDTH)))
    # The mean of all that is no padding, and the first number of each word beside it.
    weights = b.node("Unsqueeze", mask, b.weight("last", [2], whole))
    total = b.node("ReduceSum", b.node("Mul", x, weights), b.weight("positions", [1], whole), keepdims=0)
    mean = b.node("Div", total, b.node("ReduceSum", weights, "positions", keepdims=0))
    head = b.random.normal(0, 0.3, (WIDTH, 2))
    head[0] = [-3, 3]
    b.node("Add", b.node("MatMul", mean, b.weight("head.weight", head)), b.weight("head.bias", [0.1, -0.1]), name="logits")
    ids = TensorProto.INT64
    first = ("vectors", None, ["batch", "length", WIDTH]) if vectors else ("input_ids", ids, ["batch", "length"])
    return b.model([first, ("attention_mask", ids, ["batch", "length"]), ("token_type_ids", ids, ["batch", "length"])])


def convolutions(words, kind, vectors):
    """Kim's convolutions over 14 words, of which the missing ones are padding; no mask."""
    b = Builder(np.random.default_rng(SEED + 1), kind)
    rows = table(b.random, words)
    x = "vectors" if vectors else b.node("Gather", b.weight("words.weight", rows), b.node("Cast", "tokens", to=TensorProto.INT64))
    x = b.node("Unsqueeze", x, b.weight("axis", [1], np.int64))
    found = []
    for window in (2, 3):
        weight = b.random.normal(0, 1 / math.sqrt(window * WIDTH), (10, 1, window, WIDTH))
        weight[:, :, :, 0] *= 4
        made = b.node("Conv", x, b.weight(f"conv{window}.weight", weight), b.weight(f"conv{window}.bias", b.random.normal(0, 0.1, 10)))
        made = b.node("Softplus", made)
        found.append(b.node("GlobalAveragePool", made))
    flat = b.node("Flatten", b.node("Concat", *found, axis=1))
    b.node("Gemm", flat, b.weight("head.weight", b.random.normal(0, 0.5, (20, 2))), b.weight("head.bias", [0.0, 0.0]), name="logits")
    first = ("vectors", None, ["batch", LENGTH, WIDTH]) if vectors else ("tokens", TensorProto.INT32, ["batch", LENGTH])
    return b.model([first])


def wordpiece():
    tokenizer = tokenizers.Tokenizer(models.WordPiece({word: number for number, word in enumerate(SPECIAL + PIECES)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(SPECIAL)
    pair = "[CLS] $A [SEP] $B:1 [SEP]:1"
    numbers = [(name, SPECIAL.index(name)) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair=pair, special_tokens=numbers)
    return tokenizer


def words_of(units):
    """Lists of places, one a word, in their order."""
    found = {}
    for place, unit in enumerate(units):
        if unit is not None:
            found.setdefault(unit, []).append(place)
    return list(found.values())


def slopes(evaluator, inputs, name, points, target):
    """The gradient of a logit at each of several points, by central differences."""
    count, features = len(points), points[0].size
    gradients = np.zeros((count, features))
    for row, point in enumerate(points):
        shifted = np.repeat(point.reshape(1, -1), 2 * features, 0)
        shifted[np.arange(features), np.arange(features)] += STEP
        shifted[features + np.arange(features), np.arange(features)] -= STEP
        feed = {key: np.repeat(value, 2 * features, 0) for key, value in inputs.items()}
        logits = evaluator.run(None, {**feed, name: shifted.reshape(-1, *point.shape)})[0][:, target]
        gradients[row] = (logits[:features] - logits[features:]) / (2 * STEP)
    return gradients


def case(session, evaluator, rows, text, ids, others, words, special, padding, mask):
    """What is known of one text; `others` are the inputs beside the tokens."""
    name = session.get_inputs()[0].name
    kind = np.int32 if session.get_inputs()[0].type == "tensor(int32)" else np.int64

    def ask(batch):
        feed = {key: np.repeat(value, len(batch), 0) for key, value in others.items()}
        return session.run(None, {name: np.asarray(batch, kind), **feed})[0].astype(np.float64)

    logits = ask([ids])[0]
    target = int(logits.argmax())
    probability = lambda batch: (lambda e: e[:, target] / e.sum(1))(np.exp((z := ask(batch)) - z.max(1, keepdims=True)))
    vectors = rows[ids][None].astype(np.float64)
    start = vectors.copy()
    for places in words:
        start[0, places] = rows[padding]
    alphas = np.arange(POINTS) / (POINTS - 1)
    points = [start[0] + alpha * (vectors[0] - start[0]) for alpha in alphas]
    map_ = (vectors[0] - start[0]) * slopes(evaluator, others, "vectors", points, target).mean(0).reshape(start[0].shape)
    hide = lambda hidden: [mask if any(place in words[word] for word in hidden) else number for place, number in enumerate(ids)]
    whole = probability([ids])[0]
    occlusion = whole - probability([hide([word]) for word in range(len(words))])
    found = {
        "text": text,
        "ids": ids,
        "words": words,
        "special": special,
        "logits": logits.tolist(),
        "target": target,
        "integrated_gradients": [float(map_[places].sum()) for places in words],
        "occlusion": occlusion.tolist(),
    }
    if len(words) <= 11:
        subsets = list(itertools.product([0, 1], repeat=len(words)))
        values = dict(zip(subsets, probability([hide([w for w, shown in enumerate(s) if not shown]) for s in subsets])))
        n = len(words)
        shapley = np.zeros(n)
        for subset in subsets:
            for word in range(n):
                if not subset[word]:
                    with_it = subset[:word] + (1,) + subset[word + 1 :]
                    size = sum(subset)
                    shapley[word] += math.factorial(size) * math.factorial(n - size - 1) / math.factorial(n) * (values[with_it] - values[subset])
        found["shapley"] = shapley.tolist()
    return found


def make():
    FOLDER.mkdir(exist_ok=True)
    words = SPECIAL + PIECES
    tokenizer = wordpiece()
    tokenizer.save(str(FOLDER / "tokenizer.json"))
    plain = ["<pad>", "<unk>"] + [word for word in PIECES if not word.startswith("##")] + ["unfunny", "glorified", "it's", "lovely"]
    (FOLDER / "vocabulary.txt").write_text("\n".join(plain) + "\n")
    cases = []
    for name, build, vocabulary in (("transformer", transformer, words), ("convolutions", convolutions, plain)):
        onnx.save(build(vocabulary, np.float32, False), FOLDER / f"{name}.onnx")
        session = onnxruntime.InferenceSession(FOLDER / f"{name}.onnx", providers=["CPUExecutionProvider"])
        evaluator = ReferenceEvaluator(build(vocabulary, np.float64, True))
        rows = table(np.random.default_rng(SEED + (name == "convolutions")), vocabulary).astype(np.float16).astype(np.float64)
        for text in SENTENCES + ([PAIR] if name == "transformer" else []):
            if name == "transformer":
                found = tokenizer.encode(*text) if isinstance(text, list) else tokenizer.encode(text)
                units = [None if word is None else (part, word) for part, word in zip(found.sequence_ids, found.word_ids)]
                others = {"attention_mask": np.array([found.attention_mask]), "token_type_ids": np.array([found.type_ids])}
                entry = case(session, evaluator, rows, text, found.ids, others, words_of(units), found.special_tokens_mask, 0, 4)
            else:
                cut = re.findall(r"[\w']+|[^\w\s]", text.lower())[:LENGTH]
                ids = [plain.index(word) if word in plain else 1 for word in cut]
                units = list(range(len(ids))) + [None] * (LENGTH - len(ids))
                special = [0] * len(ids) + [1] * (LENGTH - len(ids))
                ids += [0] * (LENGTH - len(ids))
                entry = case(session, evaluator, rows, text, ids, {}, words_of(units), special, 0, 0)
            cases.append({"network": name, **entry})
    about = {"points": POINTS, "width": WIDTH, "places": PLACES, "length": LENGTH, "cases": cases}
    (FOLDER / "index.json").write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    make()
