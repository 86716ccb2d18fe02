"""Networks that nobody has thought of: drawn block by block, exported, with PyTorch's logits and gradient in 64 bits.

Writes tests/fixtures/random_networks: the first 64 seeds. `python random_networks.py FIRST COUNT FOLDER [--exporter dynamo]` draws as many others
as wanted, for `ADVERSIGHT_RANDOM_NETWORKS=FOLDER cargo test --test it random_networks::`.

A gradient counts only where it agrees with slopes by differences: PyTorch 2.15's own is wrong behind an instance normalisation whose output is
transposed, for one.
"""

import argparse
import contextlib
import copy
import io
import json
import logging
import math
import random
import shutil
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from torch import nn

from common import FIXTURES

FOLDER = FIXTURES / "random_networks"
COUNT = 64
FROM_DYNAMO = (5074, 5221)
"""Recurrent layers that the newer exporter writes out step by step: the steps were once taken for samples."""
LARGEST = 24_000
"""Bytes that a committed file may have."""

draw = random.Random()


class Apply(nn.Module):
    """A function as a layer, with the layers that it needs."""

    def __init__(self, function, *layers):
        super().__init__()
        self.function, self.layers = function, nn.ModuleList(layers)

    def forward(self, x):
        return self.function(x, *self.layers)


# --- layers ----------------------------------------------------------------------------------------


def activation():
    kinds = [
        nn.ReLU, nn.ReLU, nn.GELU, lambda: nn.GELU(approximate="tanh"), nn.SiLU, nn.Hardswish, nn.ReLU6, nn.ELU, nn.SELU, nn.CELU, nn.Mish,
        nn.Softplus, nn.Tanh, nn.Sigmoid, nn.LeakyReLU, nn.PReLU, nn.Hardsigmoid, nn.Hardtanh, nn.Softsign, nn.LogSigmoid, nn.Tanhshrink,
        lambda: nn.Threshold(0.1, -0.2),
    ]  # fmt: skip
    return draw.choice(kinds)()


class RMSNorm(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(channels) + 0.5)

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * self.weight


class Block(nn.Module):
    """A block of a transformer, with attention written as its users write it."""

    def __init__(self, width, heads, form):
        super().__init__()
        self.projection, self.out, self.heads, self.form = nn.Linear(width, 3 * width), nn.Linear(width, width), heads, form
        self.first, self.second = draw.choice([nn.LayerNorm, RMSNorm])(width), nn.LayerNorm(width)
        self.rest = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.normalises_first = draw.random() < 0.6

    def attend(self, x):
        samples, tokens, width = x.shape
        size = width // self.heads
        q, k, v = self.projection(x).reshape(samples, tokens, 3, self.heads, size).permute(2, 0, 3, 1, 4)
        match self.form:
            case "function":
                y = F.scaled_dot_product_attention(q, k, v)
            case "einsum":
                scores = torch.einsum("bhid,bhjd->bhij", q, k) * size**-0.5
                y = torch.einsum("bhij,bhjd->bhid", scores.softmax(-1), v)
            case "causal":
                hidden = torch.full((tokens, tokens), float("-inf")).triu(1)
                y = (q @ k.transpose(-2, -1) * size**-0.5 + hidden).softmax(-1) @ v
            case _:
                y = (q @ k.transpose(-2, -1) / math.sqrt(size)).softmax(-1) @ v
        return self.out(y.transpose(1, 2).reshape(samples, tokens, width))

    def forward(self, x):
        if self.normalises_first:
            x = x + self.attend(self.first(x))
            return x + self.rest(self.second(x))
        x = self.first(x + self.attend(x))
        return self.second(x + self.rest(x))


def windows(channels):
    """Attention in windows of 2 x 2, shifted or not, as Swin's."""
    shift = draw.choice([0, 1])

    def run(x, block):
        samples, _, height, width = x.shape
        x = x.permute(0, 2, 3, 1)
        x = torch.roll(x, (-shift, -shift), (1, 2)) if shift else x
        x = x.reshape(samples, height // 2, 2, width // 2, 2, channels).permute(0, 1, 3, 2, 4, 5).reshape(-1, 4, channels)
        x = block(x).reshape(samples, height // 2, width // 2, 2, 2, channels).permute(0, 1, 3, 2, 4, 5)
        x = x.reshape(samples, height, width, channels)
        x = torch.roll(x, (shift, shift), (1, 2)) if shift else x
        return x.permute(0, 3, 1, 2)

    return Apply(run, Block(channels, 1, "written"))


def branches(channels):
    """Two ways that meet again."""
    joins = {
        "sum": lambda a, b: F.silu(a) + b,
        "product": lambda a, b: a * torch.sigmoid(b),
        "channels": lambda a, b: torch.cat([a, F.relu(b)], 1),
        "maximum": torch.maximum,
        "glu": lambda a, b: F.glu(torch.cat([a, b], 1), 1),
        "difference": lambda a, b: a - F.gelu(b),
        "quotient": lambda a, b: a / (1 + b.abs()),
        "choice": lambda a, b: torch.where(b > 0, a, b),
    }
    join = joins[draw.choice(list(joins))]
    other = draw.choice([lambda: nn.Conv2d(channels, channels, 1), lambda: nn.AvgPool2d(3, 1, 1), nn.Identity, lambda: nn.MaxPool2d(3, 1, 1)])
    return Apply(lambda x, a, b: join(a(x), b(x)), nn.Conv2d(channels, channels, 3, padding=1), other())


def squeeze(channels):
    less = max(1, channels // 2)
    gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, less, 1), nn.ReLU(), nn.Conv2d(less, channels, 1), nn.Sigmoid())
    return Apply(lambda x, gate: x * gate(x), gate)


def response(channels):
    """ConvNeXt V2's global response normalisation."""

    def run(x, scale):
        size = torch.norm(x, p=2, dim=(2, 3), keepdim=True)
        return scale(x * (size / (size.mean(dim=1, keepdim=True) + 1e-6))) + x

    return Apply(run, nn.Conv2d(channels, channels, 1, groups=channels))


def spatial():
    """CBAM's attention to places."""
    both = lambda x: torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
    return Apply(lambda x, convolution: x * torch.sigmoid(convolution(both(x))), nn.Conv2d(2, 1, 3, padding=1))


def convolution(channels, height, width):
    kernel, stride, dilation = draw.choice([1, 3, 3, 5]), draw.choice([1, 1, 2]), draw.choice([1, 1, 2])
    padding, mode = draw.choice([0, 1, "same", 2]), draw.choice(["zeros", "zeros", "reflect", "replicate", "circular"])
    filters = draw.choice([4, 6, 8])
    padding = 1 if padding == "same" and stride != 1 else padding
    groups = draw.choice([1, 1, 2]) if channels % 2 == 0 and filters % 2 == 0 else 1
    return nn.Conv2d(channels, filters, kernel, stride, padding, dilation, groups, draw.random() < 0.7, mode)


def layer(channels, height, width):
    """A layer for feature maps of this shape."""
    even = height % 2 == 0 and width % 2 == 0
    choices = {
        "convolution": lambda: convolution(channels, height, width),
        "depthwise": lambda: nn.Conv2d(channels, channels * draw.choice([1, 2]), 3, 1, 1, groups=channels),
        "transposed": lambda: nn.ConvTranspose2d(channels, 4, draw.choice([2, 3]), 2, draw.choice([0, 1]), output_padding=draw.choice([0, 1])),
        "batch norm": lambda: nn.BatchNorm2d(channels),
        "layer norm": lambda: Apply(lambda x, norm: norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2), nn.LayerNorm(channels)),
        "instance norm": lambda: nn.InstanceNorm2d(channels, affine=draw.random() < 0.5),
        "response norm": lambda: response(channels),
        "local norm": lambda: nn.LocalResponseNorm(3),
        "activation": activation,
        "squeeze": lambda: squeeze(channels),
        "spatial": spatial,
        "branches": lambda: branches(channels),
        "padding": lambda: draw.choice([nn.ZeroPad2d, nn.ReflectionPad2d, nn.ReplicationPad2d])(draw.choice([1, (1, 0, 2, 1)])),
        "statistics": lambda: Apply(draw.choice([
            lambda x: x - x.mean(1, keepdim=True),
            lambda x: x / (1e-3 + x.std((2, 3), keepdim=True)),
            lambda x: x * x.amax((2, 3), keepdim=True).tanh(),
            lambda x: F.normalize(x, dim=1),
            lambda x: x.clamp(-1, 1.5),
            lambda x: x.flip(3),
        ])),
    }  # fmt: skip
    if channels % 2 == 0:
        halves = lambda x: torch.cat([x.chunk(2, 1)[1], F.relu(x.chunk(2, 1)[0])], 1)
        shuffled = lambda x: x.reshape(x.shape[0], 2, channels // 2, height, width).transpose(1, 2).reshape(x.shape[0], channels, height, width)
        choices |= {"group norm": lambda: nn.GroupNorm(2, channels), "halves": lambda: Apply(halves), "shuffle": lambda: Apply(shuffled)}
    if channels % 4 == 0:
        choices["pixel shuffle"] = lambda: nn.PixelShuffle(2)
    if min(height, width) >= 8:
        choices["pooling"] = lambda: draw.choice([
            lambda: nn.MaxPool2d(2),
            lambda: nn.MaxPool2d(3, 2, 1),
            lambda: nn.MaxPool2d(3, 2, ceil_mode=True),
            lambda: nn.AvgPool2d(2),
            lambda: nn.AvgPool2d(3, 2, 1, count_include_pad=draw.random() < 0.5, ceil_mode=draw.random() < 0.5),
            lambda: nn.LPPool2d(2, 2),
        ])()  # fmt: skip
        if even:
            corners = lambda x: torch.cat([x[..., a::2, b::2] for a in (0, 1) for b in (0, 1)], 1)
            choices["space to depth"] = lambda: Apply(corners)
    if max(height, width) <= 16:
        choices["resize"] = lambda: nn.Upsample(**draw.choice([
            {"scale_factor": 2, "mode": "nearest"},
            {"scale_factor": 2, "mode": "bilinear", "align_corners": False},
            {"size": (height + 3, width + 2), "mode": "bilinear", "align_corners": True},
            {"scale_factor": 2, "mode": "bicubic", "align_corners": False},
        ]))  # fmt: skip
    if even and height * width <= 160:
        choices["windows"] = lambda: windows(channels)
    weighted = list(choices) + ["convolution"] * 3 + ["activation", "branches"]
    return choices[draw.choice(weighted)]()


# --- networks --------------------------------------------------------------------------------------


class Recurrent(nn.Module):
    def __init__(self, channels, classes):
        super().__init__()
        kind, self.both = draw.choice([nn.LSTM, nn.GRU, nn.RNN]), draw.random() < 0.4
        self.time_first = draw.random() < 0.25
        self.layers = kind(channels, 5, draw.choice([1, 2]), batch_first=not self.time_first, bidirectional=self.both)
        self.head, self.taken = nn.Linear(10 if self.both else 5, classes), draw.choice(["last", "mean", "maximum", "state"])

    def forward(self, x):
        time = 0 if self.time_first else 1
        y, state = self.layers(x.transpose(0, 1) if self.time_first else x)
        state = state[0] if isinstance(state, tuple) else state
        match self.taken:
            case "last":
                z = y.select(time, -1)
            case "mean":
                z = y.mean(time)
            case "maximum":
                z = y.amax(time)
            case _:
                z = torch.cat([state[-2], state[-1]], 1) if self.both else state[-1]
        return self.head(z)


class Patches(nn.Module):
    """A transformer over patches of 2 x 2, with a class token."""

    def __init__(self, channels, height, width, classes):
        super().__init__()
        tokens = (height // 2) * (width // 2)
        form = draw.choice(["written", "function", "einsum"])
        self.patches, self.head = nn.Conv2d(channels, 8, 2, 2), nn.Linear(8, classes)
        self.first, self.places = nn.Parameter(torch.randn(1, 1, 8)), nn.Parameter(0.3 * torch.randn(1, tokens + 1, 8))
        self.blocks = nn.Sequential(*[Block(8, 2, form) for _ in range(draw.choice([1, 2]))])
        self.takes_first = draw.random() < 0.5

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = self.blocks(torch.cat([self.first.expand(x.shape[0], -1, -1), x], 1) + self.places)
        return self.head(x[:, 0] if self.takes_first else x[:, 1:].mean(1))


def picture(classes):
    channels, (height, width) = draw.choice([1, 3, 3, 3, 4]), draw.choice([(12, 12), (16, 16), (16, 12), (20, 16), (17, 13)])
    last = draw.random() < 0.15
    shape = (height, width, channels) if last else (channels, height, width)
    layers = [Apply(lambda x: x.permute(0, 3, 1, 2))] if last else []
    for _ in range(draw.choice([2, 3, 4, 6, 8])):
        new = layer(channels, height, width)
        try:
            with torch.no_grad():
                after = nn.Sequential(*layers, new).eval()(torch.zeros((2, *shape))).shape
        except RuntimeError:
            continue  # it does not fit maps of this size
        if min(after[2:]) < 4 or after[1:].numel() > 20_000:
            continue
        layers.append(new)
        channels, height, width = after[1:]
    heads = [
        [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)],
        [nn.Flatten(), nn.Linear(channels * height * width, classes)],
        [nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, classes, 1), nn.Flatten()],
        [nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(channels, classes)],
        [nn.Conv2d(channels, classes, 1), Apply(lambda x: x.mean((2, 3)))],
        [nn.Conv2d(channels, classes, 1), Apply(lambda x: x.flatten(2).logsumexp(2))],
        [Apply(lambda x: x.permute(0, 2, 3, 1).mean((1, 2))), nn.Linear(channels, classes)],
        [Apply(lambda x: x.permute(0, 3, 1, 2).flatten(2)), Recurrent(channels * height, classes)],
        [Patches(channels, height, width, classes)],
    ]
    return layers + draw.choice(heads), shape


def sequence(classes):
    channels, steps, channels_first = draw.choice([3, 5, 8]), draw.choice([12, 20, 24]), draw.random() < 0.5
    shape = (channels, steps) if channels_first else (steps, channels)
    layers = []
    if channels_first:
        for _ in range(draw.choice([1, 2, 3])):
            filters = draw.choice([4, 6, 8])
            norm = draw.choice([lambda: nn.BatchNorm1d(filters), nn.Identity, lambda: nn.GroupNorm(2, filters)])
            layers += [
                nn.Conv1d(channels, filters, draw.choice([3, 5]), draw.choice([1, 2]), draw.choice([1, 2]), draw.choice([1, 1, 2])),
                norm(),
                activation(),
            ]
            channels = filters
        layers.append(Apply(lambda x: x.transpose(1, 2)))
    taken = draw.choice([lambda x: x.mean(1), lambda x: x[:, -1], lambda x: x[:, 0]])
    form = draw.choice(["written", "function", "einsum", "causal"])
    statistics = lambda x: torch.cat([x.mean(1), x.std(1), x.amax(1)], 1)
    heads = [
        [Recurrent(channels, classes)],
        [Recurrent(channels, classes)],
        [nn.Linear(channels, 8), Block(8, draw.choice([1, 2]), form), Apply(taken), nn.Linear(8, classes)],
        [nn.Linear(channels, 8), activation(), Apply(lambda x: x.mean(1)), nn.Linear(8, classes)],
        [Apply(statistics), nn.Linear(3 * channels, classes)],
        [Apply(lambda x, weight: (weight(x).softmax(1) * x).sum(1), nn.Linear(channels, 1)), nn.Linear(channels, classes)],
    ]
    return layers + draw.choice(heads), shape


def table(classes):
    features = draw.choice([4, 7, 13])
    norm = draw.choice([lambda: nn.BatchNorm1d(8), lambda: nn.LayerNorm(8), lambda: RMSNorm(8), nn.Identity])
    return [nn.Linear(features, 8), norm(), activation(), nn.Linear(8, classes)], (features,)


class Whole(nn.Module):
    """The network with the activation that its file ends in."""

    def __init__(self, logits, last):
        super().__init__()
        self.logits, self.last = logits, last

    def forward(self, x):
        y = self.logits(x)
        match self.last:
            case "softmax":
                return y.softmax(-1)
            case "log softmax":
                return y.log_softmax(1)
            case "written softmax":
                e = (y - y.amax(1, keepdim=True)).exp()
                return e / e.sum(1, keepdim=True)
            case _:
                return y


# --- what becomes of them --------------------------------------------------------------------------


def slopes_agree(score, x, gradient):
    """Whether a gradient is the slope along random directions, where the score has one there."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(4):
        direction = torch.randn(x.shape, generator=generator, dtype=torch.float64)
        slope, finer = ((score(x + h * direction) - score(x - h * direction)) / (2 * h) for h in (1e-5, 1e-6))
        size = max(abs(float(slope)), float(gradient.norm()), 1e-9)
        if abs(float(slope - finer)) < 1e-4 * size and abs(float(slope - (gradient * direction).sum())) > 1e-3 * size:
            return False
    return True


def write(seed, folder, exporter):
    """Draws a network and writes it; says why where it cannot be one of the tests."""
    draw.seed(seed)
    torch.manual_seed(seed)
    classes = draw.choice([3, 5, 10])
    kind = draw.choice([picture] * 6 + [sequence] * 3 + [table])
    layers, shape = kind(classes)
    logits = nn.Sequential(*layers).eval()
    for module in logits.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.3)
    last = draw.choice(["none", "none", "softmax", "log softmax", "written softmax"])
    whole = Whole(logits, last).eval()
    x = torch.rand(1, *shape) if kind is picture else torch.randn(1, *shape)
    # A softmax is taken off; its logarithm is a score as it is.
    scores = whole if last == "log softmax" else logits
    exact = copy.deepcopy(scores).double()
    leaf = x.double().requires_grad_()
    y = exact(leaf)
    target = int(y.argmax())
    y[0, target].backward()
    single = x.clone().requires_grad_()
    scores(single)[0, target].backward()
    noise = float((single.grad - leaf.grad).norm() / leaf.grad.norm())
    if not math.isfinite(noise) or noise > 1e-4:
        return f"its gradient is lost in rounding ({noise:.1e})"
    with torch.no_grad():
        if not slopes_agree(lambda x: exact(x)[0, target], x.double(), leaf.grad):
            return "PyTorch's own gradient is not the slope"
    place = Path(folder) / f"{seed:04}"
    place.mkdir(parents=True)
    is_open = draw.random() < 0.7
    file = str(place / "model.onnx")
    names = {"input_names": ["input"], "output_names": ["output"]}
    with contextlib.redirect_stdout(io.StringIO()):
        if exporter == "dynamo":
            shapes = ({0: torch.export.Dim("N")},) if is_open else None
            opset = draw.choice([18, 20])
            torch.onnx.export(whole, (x,), file, opset_version=opset, dynamo=True, dynamic_shapes=shapes, external_data=False, **names)
        else:
            axes = {"input": {0: "N"}, "output": {0: "N"}} if is_open else None
            opset, folded = draw.choice([11, 13, 14, 16, 17, 18, 20]), draw.random() < 0.7
            torch.onnx.export(whole, (x,), file, opset_version=opset, dynamo=False, dynamic_axes=axes, do_constant_folding=folded, **names)
    # Where each node stood in which file is of no use, and most of what the newer exporter writes.
    model = onnx.load(file)
    for part in (model.graph, *model.graph.node, *model.graph.input, *model.graph.output, *model.graph.value_info, *model.graph.initializer):
        del part.metadata_props[:]
        part.ClearField("doc_string")
    onnx.save(model, file)
    for name, values in {"input": x, "logits": y.detach()[0], "gradient": leaf.grad}.items():
        np.save(place / f"{name}.npy", np.ascontiguousarray(values.float().numpy()))
    about = {"target": target, "kind": kind.__name__, "last": last, "noise": noise, "layers": str(logits)}
    (place / "about.json").write_text(json.dumps(about, indent=1) + "\n")
    return None


def run(first, count, folder, exporter="torchscript", largest=None):
    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)
    made, seed = 0, first
    while made < count:
        place = Path(folder) / f"{seed:04}"
        try:
            why = write(seed, folder, exporter)
        except Exception as error:  # the exporter cannot do everything, and says it in many ways
            why = f"{type(error).__name__}: {str(error).splitlines()[0][:120]}"
        if why is None and largest and (place / "model.onnx").stat().st_size > largest:
            why = "the file is too large to be kept"
        if why is None:
            made += 1
        else:
            shutil.rmtree(place, ignore_errors=True)
            print(f"{seed}: {why}")
        seed += 1


def make():
    shutil.rmtree(FOLDER, ignore_errors=True)
    run(0, COUNT, FOLDER, largest=LARGEST)
    for seed in FROM_DYNAMO:
        run(seed, 1, FOLDER, "dynamo")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("first", nargs="?", type=int)
    parser.add_argument("count", nargs="?", type=int)
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--exporter", default="torchscript", choices=["torchscript", "dynamo"])
    given = parser.parse_args()
    if given.folder:
        run(given.first, given.count, given.folder, given.exporter)
    else:
        make()
