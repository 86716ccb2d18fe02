"""A small BERT that gives each token a class, and what Captum's LayerIntegratedGradients says of one token's logit.

Writes tests/fixtures/token_labels: model.onnx, tokenizer.json, config.json (labels) and index.json. The weights are seeded (transformers 5.23.0, torch
2.15.0, captum 0.9.0, all in float64 for the gradients), the file is PyTorch's export, and onnxruntime must agree with it. The baseline is the padding
token in place of each word; what the tokenizer adds stays. 200 steps, each taken in its middle.
"""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from captum.attr import LayerIntegratedGradients
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertForTokenClassification

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "token_labels"
SEED, STEPS = 23, 200
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PIECES = "Anna Paul Par ##is Lon ##don Rome lives in works for went to from the a river bank and met Bank of Eng ##land . , ?".split()
LABELS = ["O", "B-PER", "B-LOC", "B-ORG", "I-ORG"]
# (sentence, the word that is asked about, the number of its first token)
ASKED = [("Anna lives in Paris.", "Paris", 4), ("Paul met Anna from London and went to Paris, the river.", "Anna", 3), ("Paris", "Paris", 1)]


def tokenizer():
    words = SPECIAL + PIECES
    made = Tokenizer(models.WordPiece({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=False)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.add_special_tokens(SPECIAL)
    numbers = [(name, words.index(name)) for name in ("[CLS]", "[SEP]")]
    made.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=numbers)
    return made


class Named(torch.nn.Module):
    """With the names and the one output that Optimum gives such files."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.net(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids).logits


def make():
    FOLDER.mkdir(exist_ok=True)
    torch.manual_seed(SEED)
    words = tokenizer()
    words.save(str(FOLDER / "tokenizer.json"))
    config = BertConfig(
        vocab_size=len(SPECIAL + PIECES), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, max_position_embeddings=24,
        initializer_range=0.4, num_labels=len(LABELS), id2label=dict(enumerate(LABELS)), label2id={label: at for at, label in enumerate(LABELS)},
        attn_implementation="eager",
    )  # fmt: skip
    net = BertForTokenClassification(config).eval()
    # Classes are level on average, so that tokens differ in theirs.
    with torch.no_grad():
        found = [torch.tensor([words.encode(text).ids]) for text, _, _ in ASKED]
        net.classifier.weight *= 3
        net.classifier.bias -= torch.cat([net(input_ids=ids).logits[0] for ids in found]).mean(0)
    (FOLDER / "config.json").write_text(json.dumps({"id2label": dict(enumerate(LABELS))}, indent=1) + "\n")
    example = (torch.ones(1, 6, dtype=torch.long), torch.ones(1, 6, dtype=torch.long), torch.zeros(1, 6, dtype=torch.long))
    names = ["input_ids", "attention_mask", "token_type_ids"]
    axes = {name: {0: "batch", 1: "sequence"} for name in [*names, "logits"]}
    path = FOLDER / "model.onnx"
    torch.onnx.export(Named(net), example, str(path), input_names=names, output_names=["logits"], dynamic_axes=axes, opset_version=17, dynamo=False)
    onnx.checker.check_model(str(path))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    exact = BertForTokenClassification(config).double().eval()
    exact.load_state_dict({name: value.double() for name, value in net.state_dict().items()})
    cases = []
    for text, word, place in ASKED:
        found = words.encode(text)
        feed = {"input_ids": found.ids, "attention_mask": found.attention_mask, "token_type_ids": found.type_ids}
        logits = session.run(None, {name: np.array([values], np.int64) for name, values in feed.items()})[0][0]
        inner = {name: torch.tensor([values]) for name, values in feed.items()}
        with torch.no_grad():
            theirs = exact(**inner).logits[0].numpy()
        assert np.abs(theirs - logits).max() < 1e-4, "onnxruntime says something else"
        target = int(logits[place].argmax())

        def at_token(ids, mask, types):
            return exact(input_ids=ids, attention_mask=mask.expand_as(ids), token_type_ids=types.expand_as(ids)).logits[:, place]

        base = torch.tensor([[number if special else 0 for number, special in zip(found.ids, found.special_tokens_mask)]])
        layer = LayerIntegratedGradients(at_token, exact.bert.embeddings.word_embeddings)
        maps = layer.attribute(
            inner["input_ids"], base, target=target, n_steps=STEPS, method="riemann_middle", internal_batch_size=1,
            additional_forward_args=(inner["attention_mask"], inner["token_type_ids"]),
        )[0].detach().numpy()  # fmt: skip
        places = {}
        for at, unit in enumerate(found.word_ids):
            if unit is not None:
                places.setdefault(unit, []).append(at)
        cases.append(
            {
                "text": text,
                "word": word,
                "token": place,
                "ids": found.ids,
                "tokens": found.tokens,
                "words": list(places.values()),
                "logits": logits.astype(np.float64).tolist(),
                "target": target,
                "integrated_gradients": [float(maps[at].sum()) for at in places.values()],
            }
        )
        print(text, found.tokens, logits.argmax(1).tolist(), np.round(cases[-1]["integrated_gradients"], 3))
    (FOLDER / "index.json").write_text(json.dumps({"steps": STEPS, "labels": LABELS, "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    make()
