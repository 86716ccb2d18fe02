"""Models beyond torchvision's: text, sound, sequences, detectors, several heads, quantised, unusual files.

Writes tests/fixtures/families. Every architecture is small but whole. Outputs and gradients are PyTorch's in 64 bits, once onnxruntime,
which has the file alone, agrees with the outputs.
"""

import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
import transformers
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.transformers.float16 import convert_float_to_float16
from torch import nn
from torch.fx.experimental.optimization import fuse

from common import FIXTURES, save, write_json
from generated import Filler, Mapping, distinct, filled, noise, picture, seed_of, skeleton, strip
from straight import StraightNet
from zoo import cosine, export, largest_difference, onnxruntime_outputs

FOLDER = FIXTURES / "families"
SAMPLES, STRIDE = 4096, 7919
VOCABULARY, LENGTH = 60, 12


# --- the architectures -----------------------------------------------------------------------------


def block(inputs, outputs, kernel=3, stride=1, activation=nn.ReLU):
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), activation())


def classifier(*last):
    """A small convolutional classifier of 24x24 pictures."""
    trunk = (block(3, 12, stride=2), block(12, 18), nn.MaxPool2d(2), block(18, 24), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(*trunk, nn.Linear(24, 6), *last)


class SeveralHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(block(3, 12, stride=2), block(12, 18, stride=2))
        self.kind, self.age = nn.Linear(18, 7), nn.Linear(18, 3)

    def forward(self, x):
        features = self.trunk(x).mean((2, 3))
        return self.kind(features), self.age(features)


class Sound(nn.Module):
    """A convolutional network over a waveform, as M5 (Dai et al. 2017)."""

    def __init__(self):
        super().__init__()
        self.first, self.norm1 = nn.Conv1d(1, 16, 40, stride=8), nn.BatchNorm1d(16)
        self.second, self.norm2 = nn.Conv1d(16, 24, 3, padding=2, dilation=2), nn.BatchNorm1d(24)
        self.third, self.norm3 = nn.Conv1d(24, 24, 3, groups=4), nn.BatchNorm1d(24)
        self.last = nn.Linear(24, 8)

    def forward(self, x):
        x = F.max_pool1d(F.relu(self.norm1(self.first(x))), 4)
        x = F.avg_pool1d(F.relu(self.norm2(self.second(x))), 2)
        x = F.relu(self.norm3(self.third(x)))
        return self.last(F.adaptive_avg_pool1d(x, 1).flatten(1))


class Sentences(nn.Module):
    """Kim 2014: convolutions of widths 3, 4 and 5 over word vectors, the maximum over time of each."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, 16)
        self.convolutions = nn.ModuleList(nn.Conv1d(16, 10, width) for width in (3, 4, 5))
        self.dropout, self.last = nn.Dropout(), nn.Linear(30, 2)

    def forward(self, words):
        x = self.words(words).transpose(1, 2)
        pooled = [F.relu(convolution(x)).amax(2) for convolution in self.convolutions]
        return self.last(self.dropout(torch.cat(pooled, 1)))


class Recurrent(nn.Module):
    """A recurrent layer over a sequence of vectors; the last states of both directions are classified."""

    def __init__(self, layer, **options):
        super().__init__()
        self.layer = layer(9, 8, batch_first=True, **options)
        self.last = nn.Linear(8 * (2 if options.get("bidirectional") else 1), 5)

    def forward(self, x):
        _, state = self.layer(x)
        state = state[0] if isinstance(state, tuple) else state
        count = 2 if self.layer.bidirectional else 1
        return self.last(state[-count:].transpose(0, 1).flatten(1))


class RecurrentWords(nn.Module):
    """Words, a bidirectional LSTM, the mean over time."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, 9)
        self.layer = nn.LSTM(9, 8, batch_first=True, bidirectional=True)
        self.last = nn.Linear(16, 3)

    def forward(self, words):
        return self.last(self.layer(self.words(words))[0].mean(1))


class Yolo(nn.Module):
    """YOLOv3-tiny's heads: a stride-1 pooling padded at one side, an upsampled branch, two grids of boxes."""

    def __init__(self, classes=4):
        super().__init__()
        leaky = partial(nn.LeakyReLU, 0.1)
        self.first = nn.Sequential(block(3, 8, activation=leaky), nn.MaxPool2d(2), block(8, 12, activation=leaky))
        self.second = nn.Sequential(
            nn.MaxPool2d(2), block(12, 16, activation=leaky), nn.ZeroPad2d((0, 1, 0, 1)), nn.MaxPool2d(2, 1)
        )
        self.narrow = block(16, 8, 1, activation=leaky)
        self.coarse = nn.Conv2d(8, 3 * (5 + classes), 1)
        self.up = nn.Sequential(block(8, 6, 1, activation=leaky), nn.Upsample(scale_factor=2, mode="nearest"))
        self.fine = nn.Conv2d(18, 3 * (5 + classes), 1)

    def boxes(self, x):
        batch, _, height, width = x.shape
        x = x.view(batch, 3, -1, height, width).permute(0, 1, 3, 4, 2)
        return torch.cat([torch.sigmoid(x[..., :2]), x[..., 2:4].exp(), torch.sigmoid(x[..., 4:])], -1)

    def forward(self, x):
        early = self.first(x)
        x = self.narrow(self.second(early))
        return self.boxes(self.coarse(x)), self.boxes(self.fine(torch.cat([self.up(x), early], 1)))


class CenterNet(nn.Module):
    """Zhou et al. 2019: a deconvolution, a heat map whose peaks are what a 3x3 maximum leaves, sizes and offsets beside it."""

    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(block(3, 10, stride=2), block(10, 16, stride=2))
        self.up = nn.ConvTranspose2d(16, 12, 4, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(12)
        self.heat, self.size, self.offset = (nn.Conv2d(12, channels, 1) for channels in (3, 2, 2))

    def forward(self, x):
        x = F.relu(self.norm(self.up(self.down(x))))
        heat = torch.sigmoid(self.heat(x))
        peaks = F.max_pool2d(heat, 3, stride=1, padding=1) == heat
        return heat * peaks.to(heat.dtype), self.size(x), self.offset(x)


class AnySize(nn.Module):
    """Fully convolutional; the skip connection is met by a resize whose size is read from the graph's own shapes."""

    def __init__(self, mode):
        super().__init__()
        self.first, self.second, self.last = block(3, 8, stride=2), block(8, 12, stride=2), nn.Conv2d(20, 5, 1)
        self.options = {"mode": mode} if mode == "nearest" else {"mode": mode, "align_corners": False}

    def forward(self, x):
        early = self.first(x)
        late = F.interpolate(self.second(early), size=early.shape[2:], **self.options)
        return F.adaptive_avg_pool2d(self.last(torch.cat([early, late], 1)), 1).flatten(1)


class Segmentation(nn.Module):
    """Scores for each pixel at the size of the picture."""

    def __init__(self):
        super().__init__()
        self.down, self.last = nn.Sequential(block(3, 8, stride=2), block(8, 12, stride=2)), nn.Conv2d(12, 4, 1)

    def forward(self, x):
        return F.interpolate(self.last(self.down(x)), size=x.shape[2:], mode="bilinear", align_corners=False)


class Answer(nn.Module):
    """A transformer of Hugging Face's as a function of ids and mask to one tensor."""

    def __init__(self, transformer):
        super().__init__()
        self.transformer = transformer

    def forward(self, input_ids, attention_mask):
        return self.transformer(input_ids=input_ids, attention_mask=attention_mask).logits


class SentenceEncoder(nn.Module):
    """MiniLM's way from tokens to a sentence: the mean over what the mask keeps, divided by its norm."""

    def __init__(self, transformer):
        super().__init__()
        self.transformer = transformer

    def forward(self, input_ids, attention_mask):
        states = self.transformer(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask[:, :, None].to(states.dtype)
        return F.normalize((states * mask).sum(1) / mask.sum(1).clamp(min=1e-9))


def bert_config(**more):
    sizes = {
        "vocab_size": VOCABULARY,
        "hidden_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "intermediate_size": 40,
    }
    return transformers.BertConfig(**sizes, max_position_embeddings=16, num_labels=3, **more)


def bert(attention):
    return Answer(transformers.BertForSequenceClassification(bert_config(attn_implementation=attention)))


def distilbert():
    config = transformers.DistilBertConfig(
        vocab_size=VOCABULARY, dim=24, n_layers=2, n_heads=3, hidden_dim=40, max_position_embeddings=16, num_labels=3,
        attn_implementation="eager",
    )  # fmt: skip
    return Answer(transformers.DistilBertForSequenceClassification(config))


def sentence_encoder():
    return SentenceEncoder(transformers.BertModel(bert_config(attn_implementation="eager"), add_pooling_layer=False))


# --- inputs ----------------------------------------------------------------------------------------


def words(name, batch=2):
    """Token ids, 1 to the vocabulary's size."""
    values = noise(seed_of(f"{name}/words"), batch * LENGTH, 0.5, 0.5).reshape(batch, LENGTH)
    return (1 + values * (VOCABULARY - 1)).astype(np.int64)


def words_and_mask(name, batch=2):
    """Sentences of different lengths, padded with the id 0."""
    ids, mask = words(name, batch), np.ones((batch, LENGTH), dtype=np.int64)
    for sample in range(1, batch):
        mask[sample, LENGTH - 4 * sample :] = 0
    return {"input_ids": ids * mask, "attention_mask": mask}


# --- from a module to a case -----------------------------------------------------------------------


class Cases:
    def __init__(self):
        FOLDER.mkdir(parents=True, exist_ok=True)
        self.entries = []

    def add(self, name, model, feeds, outputs, explained=None, file=None, **more):
        """A file, what goes into it, what comes out, and what is asked of an explanation."""
        file = file or f"{name}.onnx"
        if model is not None:
            (FOLDER / file).write_bytes(model.SerializeToString(deterministic=True))
            more["nodes"] = len(model.graph.node)
            more["opset"] = next(entry.version for entry in model.opset_import if not entry.domain)
        entry = {"name": name, "file": file, **more}
        entry["inputs"] = [described(name, key, value) for key, value in feeds.items()]
        entry["outputs"] = []
        for key, value in outputs.items():
            stored = f"{name}.{key}.npy"
            entry["outputs"].append({"name": key, "file": stored, **sampled(FOLDER / stored, value)})
        if explained:
            for key in ("scores", "gradient"):
                stored = f"{name}.{key}.npy"
                explained[key] = {"file": stored, **sampled(FOLDER / stored, explained[key])}
            entry["explained"] = explained
        self.entries.append(entry)
        print(f"{name}: {(FOLDER / file).stat().st_size / 1e3:.0f} kB, {[value.shape for value in outputs.values()]}", flush=True)

    def write(self):
        versions = {m.__name__: m.__version__ for m in (np, onnx, onnxruntime, torch, transformers)}
        sampling = {
            "count": SAMPLES,
            "stride": STRIDE,
            "index": "(k * stride) mod n for k in 0..count, into the flattened tensor; whole where n <= count",
        }
        write_json(FOLDER / "index.json", {"versions": versions, "sampling": sampling, "cases": self.entries})


def described(case, key, value):
    """Numbers small enough to read are listed; pictures come from the generator."""
    entry = {"name": key, "shape": list(value.shape)}
    if value.dtype == np.int64:
        return {**entry, "ints": value.ravel().tolist()}
    assert np.array_equal(value, picture(case, value.shape)), f"{case}: {key} does not come from the generator"
    return {**entry, "picture": case}


def sampled(path, value):
    flat = np.asarray(value, dtype=np.float64).ravel()
    save(path, flat if flat.size <= SAMPLES else flat[(np.arange(SAMPLES) * STRIDE) % flat.size])
    return {"shape": list(value.shape), "norm": float(np.linalg.norm(flat))}


class Nothing:
    """The mapping of a module whose file does not name its parameters."""

    def transposed(self, name):
        return False


def prepare(name, module, feeds, exporter, opset, outputs, plain=True, dynamic=None):
    """The module with its generated weights, and the skeleton of its file."""
    module = module.eval()
    distinct(module)
    arguments = tuple(torch.from_numpy(value) for value in feeds.values())
    exported = export(module, arguments, exporter, opset, names=tuple(feeds), outputs=outputs, dynamic=dynamic, plain=plain)
    mapping = Mapping(module, exported)
    filler = Filler(name, module, mapping)
    filler.calibrate(*arguments)
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    return module, skeleton(exported, mapping, filler.recipes)


def prepare_stored(name, module, feeds, exporter, opset, outputs):
    """The same where the exporter rearranges the parameters: the weights stay in the file."""
    module = module.eval()
    arguments = tuple(torch.from_numpy(value) for value in feeds.values())
    Filler(name, module, Nothing()).calibrate(*arguments)
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    return module, strip(export(module, arguments, exporter, opset, names=tuple(feeds), outputs=outputs, plain=False))


def first(module):
    """What is explained by default: the first output."""
    return lambda *inputs: outputs_of(module, *inputs)[0]


def outputs_of(module, *inputs):
    results = module(*inputs)
    return results if isinstance(results, tuple) else (results,)


def output(index):
    return lambda module: lambda *inputs: outputs_of(module, *inputs)[index]


def before_activation(module):
    """The logits, where the last layer turns them into probabilities."""
    return module[:-1]


@dataclass
class Explained:
    """The scores of a batch, and d scores[i, targets[i]] / d leaf for each sample i."""

    scores: np.ndarray
    gradient: np.ndarray


def explain(module, feeds, scores_of, targets, embedding=None, dtype=torch.float64):
    """The leaf is the first input or, where `embedding` is given, that layer's output."""
    module = module.to(dtype)
    inputs = [torch.from_numpy(value) for value in feeds.values()]
    inputs = [value.to(dtype) if value.is_floating_point() else value for value in inputs]
    leaves = []
    if embedding is None:
        leaves.append(inputs[0].requires_grad_(True))
    else:
        handle = embedding.register_forward_hook(lambda _, __, output: leaves.append(output.requires_grad_(True)))
    scores = scores_of(module)(*inputs).flatten(1)
    if embedding is not None:
        handle.remove()
    gradient = torch.autograd.grad(sum(scores[i, target] for i, target in enumerate(targets)), leaves[0])[0]
    return Explained(scores.detach().double().numpy(), gradient.double().numpy())


def evaluate(module, feeds):
    module = module.to(torch.float64)
    inputs = [torch.from_numpy(value) for value in feeds.values()]
    inputs = [value.double() if value.is_floating_point() else value for value in inputs]
    with torch.no_grad():
        return [result.numpy() for result in outputs_of(module, *inputs)]


def from_torch(
    cases, name, module, feeds, outputs=("logits",), exporter="torchscript", opset=17, targets=(1, 0), scores_of=first,
    embedding=None, plain=True, dynamic=None, options=None, activation="none",
):  # fmt: skip
    """A case from a PyTorch module. `scores_of` gives what is explained: logits behind an activation, or not the first output."""
    module, bare = prepare(name, module, feeds, exporter, opset, outputs, plain, dynamic)
    options = dict(options or {})
    layer = embedding and embedding(module)
    if layer:
        options["at"] = gather_of(bare, layer.weight.shape)
    check_and_add(cases, name, bare, module, feeds, outputs, targets, scores_of, layer, options, activation, exporter=exporter)
    return module, bare


def check_and_add(
    cases, name, bare, module, feeds, outputs, targets=(1, 0), scores_of=first, layer=None, options=None, activation="none",
    accepted=2e-6, file=None, write=True, **more,
):  # fmt: skip
    """Stores what PyTorch computes, once onnxruntime, which has the file alone, agrees with it."""
    ours = explain(module, feeds, scores_of, targets, layer)
    narrow = explain(module, feeds, scores_of, targets, layer, torch.float32)
    values = evaluate(module, feeds)
    for key, theirs, value in zip(outputs, onnxruntime_outputs(filled(bare), feeds), values):
        assert theirs.shape == value.shape, f"{name}: {key} {theirs.shape} {value.shape}"
        difference = largest_difference(theirs, value)
        assert difference < accepted, f"{name}: {key}: onnxruntime and PyTorch differ by {difference:.1e}"
    explained = {
        "options": options or {}, "activation": activation, "targets": list(targets),
        "float32": cosine(narrow.gradient, ours.gradient), "scores": ours.scores, "gradient": ours.gradient,
    }  # fmt: skip
    cases.add(name, bare if write else None, feeds, dict(zip(outputs, values)), explained, file=file, **more)


def gather_of(model, shape):
    """The node that looks the words up."""
    tables = {tensor.name for tensor in model.graph.initializer if list(tensor.dims) == list(shape)}
    found = [node.name for node in model.graph.node if node.op_type == "Gather" and node.input[0] in tables]
    assert len(found) == 1, found
    return found[0]


# --- the cases -------------------------------------------------------------------------------------


def texts(cases):
    def embedding(module):
        return next(layer for layer in module.modules() if isinstance(layer, nn.Embedding))

    batch_and_length = {"batch": torch.export.Dim("batch", min=1, max=16), "length": torch.export.Dim("length", min=2, max=16)}
    for name, module, exporter, opset, plain in (
        ("bert_torchscript", bert("eager"), "torchscript", 14, False),
        ("bert_sdpa", bert("sdpa"), "torchscript", 17, True),
        ("bert_dynamo", bert("eager"), "dynamo", 18, False),
        ("distilbert", distilbert(), "dynamo", 18, True),
        ("sentence_encoder", sentence_encoder(), "torchscript", 13, True),
    ):
        axes = {0: "batch", 1: "length"}
        if exporter == "torchscript":
            dynamic = {"input_ids": axes, "attention_mask": axes, "logits": {0: "batch"}}
        else:
            dynamic = tuple({0: batch_and_length["batch"], 1: batch_and_length["length"]} for _ in range(2))
        from_torch(
            cases, name, module, words_and_mask(name), exporter=exporter, opset=opset, plain=plain, dynamic=dynamic,
            embedding=embedding,
            options={"sizes": {"length": LENGTH} if plain else {"input_ids:1": LENGTH, "attention_mask:1": LENGTH}},
        )  # fmt: skip
    from_torch(cases, "sentence_cnn", Sentences(), {"words": words("sentence_cnn")}, opset=11, embedding=embedding)
    from_torch(cases, "words_lstm", RecurrentWords(), {"words": words("words_lstm")}, opset=14, embedding=embedding)


def sequences(cases):
    for name, layer, options, exporter, opset in (
        ("lstm", nn.LSTM, {}, "torchscript", 9),
        ("lstm_bidirectional", nn.LSTM, {"bidirectional": True, "num_layers": 2}, "torchscript", 14),
        ("lstm_dynamo", nn.LSTM, {"bidirectional": True}, "dynamo", 18),
        ("gru", nn.GRU, {}, "torchscript", 11),
        ("gru_bidirectional", nn.GRU, {"bidirectional": True}, "torchscript", 17),
        ("rnn", nn.RNN, {"bidirectional": True}, "torchscript", 13),
    ):
        from_torch(cases, name, Recurrent(layer, **options), {"input": picture(name, (2, 10, 9))}, exporter=exporter, opset=opset)
    # By default the exporter puts each layer's weights together, in ONNX's order of the gates.
    for name, layer in (("lstm_default", nn.LSTM), ("gru_default", nn.GRU)):
        feeds = {"input": picture(name, (2, 10, 9))}
        module, model = prepare_stored(name, Recurrent(layer, bidirectional=True), feeds, "torchscript", 14, ("logits",))
        check_and_add(cases, name, model, module, feeds, ("logits",), exporter="torchscript")


def pictures(cases):
    def feeds(name, size=24, batch=2):
        return {"input": picture(name, (batch, 3, size, size))}

    sound = picture("sound", (2, 1, 2000))
    from_torch(cases, "sound", Sound(), {"input": sound}, opset=13)
    from_torch(cases, "sound_dynamo", Sound(), {"input": picture("sound_dynamo", (2, 1, 2000))}, exporter="dynamo", opset=18)
    for head, index in (("kind", 0), ("age", 1)):
        name = f"heads_{head}"
        from_torch(
            cases, name, SeveralHeads(), feeds(name), outputs=("kind", "age"), options={"output": head},
            scores_of=output(index), targets=(2, 1),
        )  # fmt: skip
    from_torch(
        cases, "multi_label", classifier(nn.Sigmoid()), feeds("multi_label"), outputs=("probabilities",), activation="sigmoid",
        scores_of=before_activation,
    )  # fmt: skip
    for exporter, opset in (("torchscript", 9), ("torchscript", 13), ("dynamo", 20)):
        name = f"softmax_{exporter}_{opset}"
        from_torch(
            cases, name, classifier(nn.Softmax(dim=1)), feeds(name), outputs=("probabilities",), exporter=exporter, opset=opset,
            activation="softmax", scores_of=before_activation,
        )  # fmt: skip
    # A box is 9 numbers, of which the sixth is the first class's score; there are 3 boxes in each of 6x6 cells.
    from_torch(
        cases, "yolo", Yolo(), feeds("yolo"), outputs=("coarse", "fine"), opset=11, options={"output": "coarse"}, activation="none",
        targets=(9 * (36 + 15) + 5, 9 * (2 * 36 + 14) + 2),
    )  # fmt: skip
    from_torch(
        cases, "centernet", CenterNet(), feeds("centernet"), outputs=("heat", "size", "offset"), opset=13,
        options={"output": "size"}, scores_of=output(1), targets=(30, 221),
    )  # fmt: skip
    from_torch(
        cases, "centernet_dynamo", CenterNet(), feeds("centernet_dynamo"), outputs=("heat", "size", "offset"), exporter="dynamo",
        options={"output": "offset"}, scores_of=output(2), targets=(30, 221), opset=18,
    )  # fmt: skip
    from_torch(
        cases, "segmentation", Segmentation(), feeds("segmentation", 20), outputs=("scores",), opset=13, targets=(123, 1500)
    )
    open_axes = {"input": {0: "batch", 2: "height", 3: "width"}, "logits": {0: "batch"}}
    for mode, opset, size in (("nearest", 11, 24), ("bilinear", 13, 30), ("bilinear", 17, 27)):
        name = f"any_size_{mode}_{opset}"
        from_torch(
            cases,
            name,
            AnySize(mode),
            feeds(name, size),
            opset=opset,
            dynamic=open_axes,
            options={"sizes": {"height": size, "width": size}},
        )
    dims = (
        {
            0: torch.export.Dim("batch", min=1, max=16),
            2: torch.export.Dim("height", min=12, max=96),
            3: torch.export.Dim("width", min=12, max=96),
        },
    )
    from_torch(
        cases, "any_size_dynamo", AnySize("bilinear"), feeds("any_size_dynamo", 26), exporter="dynamo", opset=18, dynamic=dims,
        options={"sizes": {"input:2": 26, "input:3": 26}},
    )  # fmt: skip


# --- files that no exporter of PyTorch writes ------------------------------------------------------


def half(cases):
    """float16 inside, with float32 at the ends and without. The oracle is the same function of the rounded weights in 64 bits."""
    for name, keep in (("half", True), ("half_ends", False)):
        feeds = {"input": picture(name, (2, 3, 24, 24))}
        module, bare = prepare(name, classifier(), feeds, "torchscript", 17, ("logits",))
        narrow = strip(convert_float_to_float16(filled(bare), keep_io_types=keep))
        state = module.state_dict()
        module.load_state_dict(
            {key: value.half().float() if value.is_floating_point() else value for key, value in state.items()}
        )
        check_and_add(cases, name, narrow, module, feeds, ("logits",), accepted=5e-3, exporter="onnxruntime", rounded="float16")


class Calibration(CalibrationDataReader):
    def __init__(self, feeds):
        self.feeds = iter([feeds])

    def get_next(self):
        return next(self.feeds, None)


def quantised(cases):
    """onnxruntime's own quantisers. The gradient is that of the straight-through estimator (straight.py)."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "quantised.onnx"
        for name, form, per_channel in (
            ("int8_dynamic", None, False),
            ("int8_dynamic_per_channel", None, True),
            ("int8_qdq", QuantFormat.QDQ, False),
            ("int8_qdq_per_channel", QuantFormat.QDQ, True),
            ("int8_qoperator", QuantFormat.QOperator, False),
        ):
            feeds = {"input": picture(name, (2, 3, 24, 24))}
            # No pooling: of rounded values several are often the greatest, and their averages often lie midway.
            trunk = (block(3, 12, stride=2), block(12, 18, stride=2), block(18, 24), nn.AdaptiveAvgPool2d(1), nn.Flatten())
            _, bare = folded(name, nn.Sequential(*trunk, nn.Linear(24, 16), nn.ReLU(), Product(16, 6)), feeds)
            onnx.save(filled(bare), source)
            if form is None:
                quantize_dynamic(
                    source, target, weight_type=QuantType.QInt8 if per_channel else QuantType.QUInt8, per_channel=per_channel
                )
            else:
                options = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
                if form == QuantFormat.QOperator:
                    options["op_types_to_quantize"] = ["Conv", "MatMul"]  # the others have no operator of ONNX's own
                quantize_static(source, target, Calibration(feeds), quant_format=form, per_channel=per_channel, **options)
            rounded = strip(onnx.load(target))
            check_and_add(
                cases, name, rounded, StraightNet(rounded), feeds, ("logits",), accepted=1e-5, exporter="onnxruntime", rounded="int8"
            )  # fmt: skip


class Product(nn.Module):
    """A linear layer that is exported as MatMul and Add, whatever the rank."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.zeros(inputs, outputs)), nn.Parameter(torch.zeros(outputs))

    def forward(self, x):
        return x @ self.weight + self.bias


def folded(name, module, feeds):
    """Quantisers expect batch normalisation to be folded."""
    return prepare(name, fuse(module.eval()), feeds, "torchscript", 13, ("logits",), plain=False)


def weights_only(cases):
    """int8 weights, one scale a channel, each behind a DequantizeLinear: a float network whose weights PyTorch can hold exactly."""
    name = "int8_weights"
    feeds = {"input": picture(name, (2, 3, 24, 24))}
    module, bare = folded(name, classifier(), feeds)
    whole, state = filled(bare), {}
    nodes, initialisers = [], []
    for tensor in whole.graph.initializer:
        value = numpy_helper.to_array(tensor)
        if value.ndim < 2:
            initialisers.append(tensor)
            continue
        scale = (np.abs(value).reshape(len(value), -1).max(1) / 127.0).astype(np.float32)
        integers = np.round(value / scale.reshape(-1, *[1] * (value.ndim - 1))).astype(np.int8)
        state[key_of(module, value)] = torch.from_numpy(integers.astype(np.float32) * scale.reshape(-1, *[1] * (value.ndim - 1)))
        initialisers += [
            numpy_helper.from_array(integers, f"{tensor.name}_int8"),
            numpy_helper.from_array(scale, f"{tensor.name}_scale"),
            numpy_helper.from_array(np.zeros(len(value), np.int8), f"{tensor.name}_zero"),
        ]
        parts = [f"{tensor.name}_{part}" for part in ("int8", "scale", "zero")]
        nodes.append(helper.make_node("DequantizeLinear", parts, [tensor.name], axis=0))
    nodes += whole.graph.node
    graph = helper.make_graph(nodes, name, whole.graph.input, whole.graph.output, initialisers)
    model = strip(helper.make_model(graph, opset_imports=whole.opset_import, ir_version=8))
    module.load_state_dict(state, strict=False)
    check_and_add(cases, name, model, module, feeds, ("logits",), exporter="onnx.helper")


def key_of(module, value):
    return next(
        name
        for name, tensor in module.state_dict().items()
        if tensor.shape == value.shape and np.array_equal(tensor.numpy(), value)
    )


class Keras(nn.Module):
    """What a Keras network computes: pictures as [N,H,W,C], TensorFlow's "same" padding, ReLU6, a mean over the grid, softmax."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 8, 3, stride=2, bias=False), nn.BatchNorm2d(8, eps=1e-3)
        self.depthwise, self.pointwise = nn.Conv2d(8, 8, 5, stride=2, groups=8), nn.Conv2d(8, 14, 1)
        self.last = nn.Linear(14, 5)

    def logits(self, x):
        x = x.permute(0, 3, 1, 2)
        x = F.relu6(self.norm(self.first(F.pad(x, (0, 1, 0, 1)))))  # 24 to 12: one pixel of padding, at the end
        x = F.relu6(self.depthwise(F.pad(x, (1, 2, 1, 2))))  # 12 to 6: three pixels, the odd one at the end
        return self.last(F.relu6(self.pointwise(x)).permute(0, 2, 3, 1).mean((1, 2)))

    def forward(self, x):
        return torch.softmax(self.logits(x), 1)


def keras(cases):
    """The graph as tf2onnx writes it: transposes around each convolution, long names, "SAME_UPPER", MatMul and Add."""
    name = "keras"
    feeds = {"input_1": picture(name, (2, 24, 24, 3))}
    module = Keras().eval()
    filler = Filler(name, module, Nothing())
    filler.calibrate(torch.from_numpy(feeds["input_1"]))
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    scope = "StatefulPartitionedCall/model"
    nodes, weights = (
        [],
        {f"{scope}/{key}": value.numpy() for key, value in module.state_dict().items() if value.is_floating_point()},
    )
    weights[f"{scope}/last.weight"] = weights[f"{scope}/last.weight"].T.copy()
    weights |= {"zero": np.float32(0.0), "six": np.float32(6.0)}

    def node(kind, inputs, layer, **attributes):
        nodes.append(helper.make_node(kind, inputs, [f"{scope}/{layer}:0"], name=f"{scope}/{layer}", **attributes))
        return nodes[-1].output[0]

    def weight(*parts):
        return [f"{scope}/{part}" for part in parts]

    def convolution(x, layer, kernel, **attributes):
        x = node("Transpose", [x], f"{layer}/Conv2D__6", perm=[0, 3, 1, 2])
        bias = weight(f"{layer}.bias") if f"{scope}/{layer}.bias" in weights else []
        x = node(
            "Conv",
            [x, *weight(f"{layer}.weight"), *bias],
            f"{layer}/Conv2D",
            kernel_shape=[kernel, kernel],
            auto_pad="SAME_UPPER",
            **attributes,
        )
        if layer == "first":
            x = node(
                "BatchNormalization",
                [x, *weight("norm.weight", "norm.bias", "norm.running_mean", "norm.running_var")],
                "bn/FusedBatchNormV3",
                epsilon=1e-3,
            )
        x = node("Transpose", [x], f"{layer}/Conv2D__14", perm=[0, 2, 3, 1])
        return node("Clip", [x, "zero", "six"], f"{layer}/Relu6")

    x = convolution("input_1", "first", 3, strides=[2, 2])
    x = convolution(x, "depthwise", 5, strides=[2, 2], group=8)
    x = convolution(x, "pointwise", 1)
    x = node("ReduceMean", [x], "global_average_pooling2d/Mean", axes=[1, 2], keepdims=0)
    x = node("MatMul", [x, *weight("last.weight")], "predictions/MatMul")
    x = node("Add", [x, *weight("last.bias")], "predictions/BiasAdd")
    nodes.append(helper.make_node("Softmax", [x], ["predictions"], name=f"{scope}/predictions/Softmax", axis=-1))
    graph = helper.make_graph(
        nodes, "tf2onnx",
        [helper.make_tensor_value_info("input_1", TensorProto.FLOAT, ["unk__47", 24, 24, 3])],
        [helper.make_tensor_value_info("predictions", TensorProto.FLOAT, ["unk__48", 5])],
        [numpy_helper.from_array(np.asarray(value), key) for key, value in weights.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="tf2onnx", ir_version=7)
    onnx.checker.check_model(model, full_check=True)
    check_and_add(
        cases,
        name,
        model,
        module,
        feeds,
        ("predictions",),
        scores_of=lambda module: module.logits,
        activation="softmax",
        exporter="onnx.helper",
    )


def old(cases):
    """Opset 7, IR 3: every initialiser is an input too, Dropout and the batch normalisation of that time."""
    name = "opset_7"
    feeds = {"input": picture(name, (2, 3, 24, 24))}
    trunk = (
        block(3, 12, stride=2),
        nn.MaxPool2d(3, 2),
        nn.Dropout(),
        block(12, 18),
        nn.AvgPool2d(5),
        nn.Flatten(),
        nn.Dropout(),
        nn.Linear(18, 6),
    )
    module, bare = prepare(name, nn.Sequential(*trunk), feeds, "torchscript", 7, ("logits",))
    bare.ir_version = 3
    for tensor in bare.graph.initializer:
        bare.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))
    check_and_add(cases, name, bare, module, feeds, ("logits",), exporter="torchscript")


def outside(cases):
    """Weights in a file beside the model, at offsets, as `onnx.save(..., save_as_external_data=True)` writes them."""
    name = "external"
    feeds = {"input": picture(name, (2, 3, 24, 24))}
    module, bare = prepare(name, classifier(), feeds, "torchscript", 15, ("logits",))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.onnx"
        onnx.save(filled(bare), path, save_as_external_data=True, location=f"{name}.bin", size_threshold=256)
        for part in (f"{name}.onnx", f"{name}.bin"):
            (FOLDER / part).write_bytes((Path(folder) / part).read_bytes())
    read = onnx.load(FOLDER / f"{name}.onnx")
    check_and_add(
        cases, name, read, module, feeds, ("logits",), exporter="torchscript", write=False, external=f"{name}.bin", opset=15
    )


GROUPS = (texts, sequences, pictures, half, quantised, weights_only, keras, old, outside)


def make():
    for stale in FOLDER.glob("*"):
        stale.unlink()
    cases = Cases()
    for group in GROUPS:
        group(cases)
    cases.write()


if __name__ == "__main__":
    make()
