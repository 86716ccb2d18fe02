"""Attributions of words by PyTorch in float64, Captum and SHAP, on the page's two networks of sentences.

Writes tests/fixtures/text_networks: index.json. The networks are read from their files (8-bit weights widened), and onnxruntime must agree with what is
made of them. Integrated gradients go from the baseline's vectors to the words' own, at the rows that are looked up in the table of words; 200 steps,
each taken in its middle. Hidden words are replaced by a token; Shapley values are exact, over all ways to hide words.
"""

import itertools
import json
import math
import sys
import warnings

import numpy as np
import onnx
import onnxruntime
import shap
import torch
from captum.attr import LayerIntegratedGradients
from onnx import numpy_helper
from tokenizers import Tokenizer

from common import FIXTURES, MODELS, ROOT

sys.path.insert(0, str(ROOT / "xtask" / "models"))

import kim  # noqa: E402
import minilm  # noqa: E402
import reviews  # noqa: E402

FOLDER = FIXTURES / "text_networks"
STEPS = 200
SENTENCES = [
    reviews.OF_THE_PAPER,
    "has an unmistakable, easy joie de vivre.",
    "the film virtually chokes on its own self-consciousness.",
    "not bad, and never dull.",
]


def weights(path):
    """The initialisers of a file, those of 8 bits widened, as float64."""
    found = {one.name: numpy_helper.to_array(one) for one in onnx.load(str(path)).graph.initializer}
    state = {name: torch.from_numpy(value.astype(np.float64)) for name, value in found.items() if value.dtype == np.float32 and value.ndim}
    for name, value in found.items():
        if name.endswith("_q"):
            scale = found[f"{name[:-2]}_s"].astype(np.float64)
            # A scale for each column of a layer, for each row of a table.
            state[name[:-2]] = torch.from_numpy(value * (scale[None] if name.startswith("layers.") else scale[:, None]))
    return state


def session(path):
    """Without graph optimisations: with them onnxruntime multiplies 8-bit matrices by activations that it rounds to 8 bits too, and logits are 1e-2 off."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


class MiniLM:
    name = minilm.NAME

    def __init__(self):
        folder = MODELS / self.name
        state = weights(folder / "model.onnx")
        # What is kept as [in, out] in the file is [out, in] in the module.
        turned = {name: value.T if name.startswith("layers.") and value.ndim == 2 else value for name, value in state.items()}
        self.net = minilm.MiniLM.of_state(turned)
        self.table = self.net.words
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.session = session(folder / "model.onnx")
        number = self.tokenizer.token_to_id
        self.stand_ins = {"pad": number("[PAD]"), "mask": number("[MASK]")}

    def read(self, text):
        one = self.tokenizer.encode(text)
        return one.ids, one.tokens, one.word_ids

    def embedded(self, rows):
        return self.net.read(rows, torch.ones(rows.shape[:2], dtype=torch.int64))

    def run(self, ids):
        return self.session.run(["logits"], {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)})[0]

    def captum(self):
        class Net(torch.nn.Module):
            def __init__(self, net):
                super().__init__()
                self.net = net
                self.look_up = torch.nn.Embedding.from_pretrained(net.words.detach())

            def forward(self, ids):
                return self.net.read(self.look_up(ids), torch.ones_like(ids))

        return Net(self.net)


class Kim:
    name = kim.NAME

    def __init__(self):
        folder = MODELS / self.name
        state = weights(folder / "model.onnx")
        self.net = kim.Kim(state["table"].numpy()).double()
        names = {name: name.replace("table.weight", "table") for name in self.net.state_dict()}
        self.net.load_state_dict({name: state[found] for name, found in names.items()})
        self.net.eval()
        self.table = self.net.table.weight
        self.vocabulary = (folder / "vocabulary.txt").read_text(encoding="utf-8").split("\n")[:-1]
        self.number = {word: line for line, word in enumerate(self.vocabulary)}
        self.session = session(folder / "model.onnx")
        self.stand_ins = {"pad": self.number[kim.PAD], "unk": self.number[kim.UNKNOWN]}

    def read(self, text):
        words = kim.words(text)
        return [self.number.get(word, self.number[kim.UNKNOWN]) for word in words], words, list(range(len(words)))

    def embedded(self, rows):
        return self.net.read(rows)

    def run(self, ids):
        return self.session.run(["logits"], {"tokens": ids})[0]

    def captum(self):
        class Net(torch.nn.Module):
            def __init__(self, net):
                super().__init__()
                self.net = net
                self.look_up = net.table

            def forward(self, ids):
                return self.net.read(self.look_up(ids))

        return Net(self.net)


def integrated(net, rows, base, target):
    """Integrated gradients [T, D] of the target's logit, and by how much their sum misses the difference of logits."""
    total = torch.zeros_like(rows)
    for part in np.array_split(np.arange(STEPS), STEPS // 20):
        at = torch.from_numpy((part + 0.5) / STEPS).to(rows.dtype)[:, None, None]
        points = (base + at * (rows - base)).requires_grad_()
        net.embedded(points)[:, target].sum().backward()
        total += points.grad.sum(0)
    found = (rows - base) * total / STEPS
    with torch.no_grad():
        ends = net.embedded(torch.stack([rows, base]))[:, target]
    return found, float(ends[0] - ends[1] - found.sum())


def baselines(net, ids, word_ids):
    """The rows that integrated gradients start from. Special tokens stay where a token stands in for words, and go where vectors do."""
    table = net.table.detach()
    rows = table[ids]
    special = torch.tensor([word is None for word in word_ids])[:, None]
    found = {"zero": torch.zeros_like(rows), "mean": table.mean(0).expand_as(rows)}
    return found | {name: torch.where(special, rows, table[number]) for name, number in net.stand_ins.items()}


def by_captum(net, ids, word_ids, target, name):
    """Captum's own, of token numbers and for the baselines that are such."""
    wrapped = net.captum()
    layer = LayerIntegratedGradients(wrapped, wrapped.look_up)
    base = [[number if word is None else net.stand_ins[name] for number, word in zip(ids, word_ids)]]
    found = layer.attribute(
        torch.tensor([ids]), torch.tensor(base), target=target, n_steps=STEPS, method="riemann_middle", internal_batch_size=20
    )
    return found[0].detach()


def hidden(ids, word_ids, kept, stand_in):
    """The token numbers with every piece of a word replaced that is not kept."""
    return [number if word is None or kept[word] else stand_in for number, word in zip(ids, word_ids)]


def shapley(net, ids, word_ids, target, stand_in):
    """Exact Shapley values of the words, from the definition, beside those of SHAP's exact explainer."""
    count = len({word for word in word_ids if word is not None})
    every = np.array(list(itertools.product([0, 1], repeat=count)))

    def score(rows):
        tokens = torch.tensor([hidden(ids, word_ids, row, stand_in) for row in np.asarray(rows)])
        with torch.no_grad():
            return torch.cat([net.embedded(net.table[part])[:, target] for part in tokens.split(64)]).numpy()

    value = dict(zip(map(tuple, every.tolist()), score(every)))
    found = np.zeros(count)
    for row in every:
        for player in np.flatnonzero(row == 0):
            joined = row.copy()
            joined[player] = 1
            size = int(row.sum())
            share = math.factorial(size) * math.factorial(count - size - 1) / math.factorial(count)
            found[player] += share * (value[tuple(joined.tolist())] - value[tuple(row.tolist())])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        explainer = shap.explainers.Exact(score, np.zeros((1, count)))
        theirs = explainer(np.ones((1, count))).values[0]
    return found, float(np.abs(theirs - found).max())


def case(net, text):
    ids, tokens, word_ids = net.read(text)
    table = net.table.detach()
    rows = table[ids]
    logits = net.run(np.array([ids], np.int64))[0]
    leaf = rows[None].clone().requires_grad_()
    exact = net.embedded(leaf)
    target = int(exact[0].argmax())
    assert np.abs(exact[0].detach().numpy() - logits).max() < 1e-5, "onnxruntime says something else"
    exact[0, target].backward()
    found = {
        "text": text,
        "tokens": tokens,
        "ids": ids,
        "word_ids": word_ids,
        "logits": exact[0].detach().tolist(),
        "logits_onnxruntime": logits.tolist(),
        "target": target,
        "gradient_l2": leaf.grad[0].norm(dim=1).tolist(),
        "gradient_times_input": (leaf.grad[0] * rows).sum(1).tolist(),
        "integrated_gradients": {},
        "occlusion": {},
    }
    for name, base in baselines(net, ids, word_ids).items():
        values, gap = integrated(net, rows, base, target)
        entry = {"sums": values.sum(1).tolist(), "l2": float(values.norm()), "completeness_gap": gap}
        if name in net.stand_ins:
            theirs = by_captum(net, ids, word_ids, target, name)
            entry["captum"] = float((theirs - values).norm() / values.norm())
            assert entry["captum"] < 1e-6, f"Captum: {entry['captum']}"
        found["integrated_gradients"][name] = entry
    count = len({word for word in word_ids if word is not None})
    for name, stand_in in net.stand_ins.items():
        alone = [hidden(ids, word_ids, [word != hide for word in range(count)], stand_in) for hide in range(count)]
        with torch.no_grad():
            scores = net.embedded(table[torch.tensor(alone)])[:, target]
        found["occlusion"][name] = (exact[0, target].detach() - scores).tolist()
    return found


def make():
    index = {"steps": STEPS, "networks": []}
    for net in (MiniLM(), Kim()):
        cases = [case(net, text) for text in SENTENCES]
        # The shortest, all of whose coalitions can be asked about.
        short = cases[-1]
        short["shapley"] = {}
        for name, stand_in in net.stand_ins.items():
            values, apart = shapley(net, short["ids"], short["word_ids"], short["target"], stand_in)
            assert apart < 1e-9, f"SHAP: {apart}"
            short["shapley"][name] = values.tolist()
        index["networks"].append({"file": f"www/public/models/{net.name}/model.onnx", "stand_ins": net.stand_ins, "sentences": cases})
        for one in cases:
            print(net.name, one["tokens"], one["target"], [round(x, 3) for x in one["logits"]], np.round(one["integrated_gradients"]["pad"]["sums"], 2))
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "index.json").write_text(json.dumps(index, indent=1) + "\n")


if __name__ == "__main__":
    make()
