"""Networks of others, taken from the packages that they are shipped in: silero-vad, magika and nudenet, by onnxruntime.

Writes `real_networks/`: inputs, outputs and what methods make of them. Outputs are onnxruntime's. Slopes are central differences of ONNX's reference
evaluator in float64, which must give onnxruntime's outputs; integrated gradients are their formula over such slopes (the plain mean over the points
of the line, both ends included), Shapley values all coalitions of a few segments (what SHAP's kernel estimator tends to, and is with all of them), occlusion the
drop of the score (Captum's FeatureAblation).

Where an input has very many values, slopes are taken along a few directions of signs alone (`uniform(n, stream) < 0.5` is -1): a map's products with
these, of which it has enough to be pinned down to a few parts in a thousand by their l2 distance. `steps_agree` tells how far the slopes
of two step sizes part, relative to their norm: what is left of truncation, rounding and kinks.
"""

import io
import itertools
import json
import sys
from math import factorial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from PIL import Image

onnxruntime.set_default_logger_severity(3)

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "xtask" / "models"))

import sources  # noqa: E402
import unpack_networks  # noqa: E402

FOLDER = ROOT / "tests" / "fixtures" / "real_networks"
DIRECTIONS = range(101, 117)
POINTS = 50


class GlobalMaxPool(OpRun):
    """The reference evaluator's own leaves out an axis."""

    def _run(self, x):
        return (x.max(axis=tuple(range(2, x.ndim)), keepdims=True),)


def widen(graph):
    """Makes a graph compute in float64."""
    small = (TensorProto.FLOAT, TensorProto.FLOAT16)
    for info in (*graph.input, *graph.output, *graph.value_info):
        if info.type.tensor_type.elem_type in small:
            info.type.tensor_type.elem_type = TensorProto.DOUBLE
    tensors = list(graph.initializer)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name == "to" and attribute.i in small:
                attribute.i = TensorProto.DOUBLE
            if attribute.type == onnx.AttributeProto.GRAPH:
                widen(attribute.g)
            if attribute.type == onnx.AttributeProto.TENSOR:
                tensors.append(attribute.t)
    for tensor in tensors:
        if tensor.data_type in small:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name))


def cut(model, start):
    """The rest of a network behind a value, which becomes its only input."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    needed, kept = {output.name for output in model.graph.output}, []
    for node in reversed(model.graph.node):
        if needed & set(node.output) and start not in node.output:
            needed |= set(node.input)
            kept.insert(0, node)
    del model.graph.node[:]
    model.graph.node.extend(kept)
    inputs = [info for info in model.graph.input if info.name in needed]
    del model.graph.input[:]
    model.graph.input.extend([*inputs, helper.make_tensor_value_info(start, TensorProto.FLOAT, None)])
    return model


class Network:
    """A network as a function of one of its values: `single` by onnxruntime, `exact` in float64."""

    def __init__(self, model, explained, others, output, chosen):
        self.others, self.explained, self.output, self.chosen = others, explained, output, chosen
        self.session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        wide = onnx.ModelProto.FromString(model.SerializeToString())
        widen(wide.graph)
        self.evaluator = ReferenceEvaluator(wide, new_ops=[GlobalMaxPool])

    def feeds(self, x, dtype):
        return {self.explained: x.astype(dtype)} | {
            name: value.astype(dtype) if value.dtype.kind == "f" else value for name, value in self.others(len(x)).items()
        }

    def single(self, x):
        return self.session.run([self.output], self.feeds(x, np.float32))[0]

    def exact(self, x):
        return self.evaluator.run([self.output], self.feeds(x, np.float64))[0]

    def score(self, x):
        """The explained number of every row."""
        return self.chosen(self.exact(x))

    def score_single(self, x):
        return np.asarray(self.chosen(self.single(x)), np.float64)

    def check(self, x):
        theirs = self.single(x)
        off = float(np.abs(self.exact(x) - theirs).max() / np.abs(theirs).max())
        assert off < 1e-5, off
        return off


def mixed(n, stream):
    """The numbers of `mixed` in common.py."""
    k = (np.arange(n, dtype=np.uint64) + np.uint64(stream) * np.uint64(0x9E3779B9)) & np.uint64(0xFFFFFFFF)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        k ^= k >> np.uint64(shift)
        k = (k * np.uint64(factor)) & np.uint64(0xFFFFFFFF)
    return k ^ (k >> np.uint64(16))


def uniform(n, stream):
    return (mixed(n, stream) >> np.uint64(8)).astype(np.float64) / 2**24


def signs(shape, stream):
    return np.where(uniform(int(np.prod(shape)), stream) < 0.5, -1.0, 1.0).reshape(shape)


def slope(network, x, directions, step, rows):
    """The slope of the score along each direction, by central differences."""
    ends = [x + sign * step * direction for direction in directions for sign in (1, -1)]
    scores = np.concatenate([network.score(np.concatenate(ends[k : k + rows])) for k in range(0, len(ends), rows)])
    return (scores[::2] - scores[1::2]) / (2 * step)


def slopes(network, x, directions, step, rows=64):
    """The slopes, and how far those of twice the step part from them."""
    results = [slope(network, x, directions, h, rows) for h in (step, 2 * step)]
    return results[0], float(np.linalg.norm(results[1] - results[0]) / np.linalg.norm(results[0]))


def units(x):
    for k in range(x.size):
        unit = np.zeros(x.size)
        unit[k] = 1.0
        yield unit.reshape(x.shape)


def integrated(network, x, baseline, directions, step, rows=64):
    """The products of the integrated gradients' map with the directions; the two steps are compared at every tenth point."""
    weighed = [direction * (x - baseline) for direction in directions]
    total, agree = 0, 0.0
    for k, alpha in enumerate(np.linspace(0, 1, POINTS)):
        at = baseline + alpha * (x - baseline)
        if k % 10 == 0:
            part, apart = slopes(network, at, weighed, step, rows)
            agree = max(agree, apart)
        else:
            part = slope(network, at, weighed, step, rows)
        total = total + part / POINTS
    return total, agree


def occlusion(network, x, labels):
    """The drop of the score where each segment is zero; `labels` has a number for every value of x."""
    whole = network.score_single(x)[0]
    return np.array([whole - network.score_single(np.where(labels == k, 0, x))[0] for k in range(labels.max() + 1)])


def shapley(network, x, labels):
    n = int(labels.max()) + 1
    coalitions = list(itertools.product((0, 1), repeat=n))
    value = {}
    for chosen in coalitions:
        value[chosen] = network.score_single(np.where(np.array(chosen)[labels] == 1, x, 0))[0]
    result = np.zeros(n)
    for i, chosen in ((i, chosen) for i in range(n) for chosen in coalitions if not chosen[i]):
        weight = factorial(sum(chosen)) * factorial(n - sum(chosen) - 1) / factorial(n)
        result[i] += weight * (value[chosen[:i] + (1,) + chosen[i + 1 :]] - value[chosen])
    return result


def voice(samples, rate=16000):
    """A vowel: pulses of a voice through three resonances, and some breath."""
    rng = np.random.default_rng(11)
    time = np.arange(samples) / rate
    pitch = 118 + 14 * np.sin(2 * np.pi * 3 * time)
    phase = np.cumsum(pitch) / rate
    source = (phase % 1 < 0.06).astype(float) - 0.06 + rng.normal(size=samples) * 0.02
    for formant, width in ((650, 90), (1100, 110), (2500, 170)):
        radius, angle = np.exp(-np.pi * width / rate), 2 * np.pi * formant / rate
        a1, a2 = -2 * radius * np.cos(angle), radius**2
        out = np.zeros(samples)
        for k in range(samples):
            out[k] = source[k] - a1 * out[k - 1] * (k > 0) - a2 * out[k - 2] * (k > 1)
        source = out / np.abs(out).max()
    return (source * 0.3).astype(np.float32)


class Fixtures:
    def __init__(self):
        FOLDER.mkdir(parents=True, exist_ok=True)
        for stale in FOLDER.iterdir():
            stale.unlink()
        self.networks, self.cases = {}, []

    def save(self, name, array):
        np.save(FOLDER / f"{name}.npy", np.ascontiguousarray(array, "<f4"))
        return f"{name}.npy"

    def add(self, network, what, values, **more):
        values = np.asarray(values, np.float64)
        file = self.save(f"{network}_{what}", values)
        self.cases.append({"network": network, "what": what, "file": file, **more})
        print(network, what, {k: v for k, v in more.items() if k == "steps_agree"}, flush=True)

    def write(self):
        versions = {module.__name__: module.__version__ for module in (np, onnx, onnxruntime)}
        content = {"versions": versions, "directions": list(DIRECTIONS), "points": POINTS, "networks": self.networks, "cases": self.cases}
        (FOLDER / "index.json").write_text(json.dumps(content, indent=1) + "\n")


def silero(fixtures, folder):
    sound = voice(16000)
    state = np.zeros((2, 1, 128), np.float32)
    context = np.zeros(64, np.float32)
    rate = np.array(16000, np.int64)
    session = onnxruntime.InferenceSession(str(folder / "silero_vad.onnx"), providers=["CPUExecutionProvider"])
    heard = []
    # As the package feeds it: 64 samples of the chunk before, and 512 new ones.
    for chunk in sound[: 16000 // 512 * 512].reshape(-1, 512)[:12]:
        x = np.concatenate([context, chunk])[None]
        before, (p, state) = state, session.run(None, {"input": x, "state": state, "sr": rate})
        context = chunk[-64:]
        heard.append((x, before, float(p[0, 0])))
    # Where the network is not quite sure, and no sample is silence, at which a spectrum has its kink.
    x, state, p = min(heard[1:], key=lambda item: abs(item[2] - 0.6))
    print("silero", [round(item[2], 4) for item in heard], "->", p)
    common = {"explained": "input", "input": fixtures.save("silero_input", x), "state": fixtures.save("silero_state", state)}
    for name in ("silero_vad", "silero_vad_16k_op15", "silero_vad_op18_ifless", "silero_vad_half"):
        model = onnx.load(folder / f"{name}.onnx")
        fixtures.networks[name] = {"file": f"{name}.onnx", **common}
        feeds = {"input": x, "state": state} | ({} if name == "silero_vad_half" else {"sr": rate})
        theirs = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(["output"], feeds)[0]
        fixtures.add(name, "probability", theirs)
    for name in ("silero_vad", "silero_vad_16k_op15"):
        others = lambda rows: {"state": np.repeat(state, rows, axis=1), "sr": rate}
        network = Network(onnx.load(folder / f"{name}.onnx"), "input", others, "output", lambda y: y[:, 0])
        off = network.check(x)
        gradient, agree = slopes(network, x, list(units(x)), 1e-7)
        fixtures.add(name, "gradient", gradient.reshape(x.shape), steps_agree=agree, onnxruntime=off)
        baseline = (uniform(x.size, 31).reshape(x.shape) - 0.5) * 0.02
        along, agree = integrated(network, x, baseline, [signs(x.shape, stream) for stream in DIRECTIONS[:3]] + [np.ones(x.shape)], 1e-7)
        fixtures.add(name, "integrated_gradients", along, steps_agree=agree, baseline={"stream": 31, "width": 0.02})
        windows = np.arange(576) * 16 // 576
        fixtures.add(name, "occlusion", occlusion(network, x, windows[None]), windows=16)
        windows = np.arange(576) * 8 // 576
        fixtures.add(name, "kernel_shap", shapley(network, x, windows[None]), windows=8)


SOURCE = """#include <stdio.h>
#include <string.h>

/* Counts the words of each line, and prints the longest. */
static int words(const char *line) {
    int count = 0, inside = 0;
    for (const char *c = line; *c != '\\0'; ++c) {
        if (*c == ' ' || *c == '\\t') inside = 0;
        else if (!inside) { inside = 1; count += 1; }
    }
    return count;
}
"""


def magika(fixtures, folder):
    rng = np.random.default_rng(5)
    names = ["width", "height", "count", "total", "offset", "buffer", "node", "edge", "left", "right", "depth", "limit"]
    types = ["int", "auto", "const char *", "std::size_t", "double"]
    text = SOURCE
    while len(text) < 2600:
        a, b, c = rng.choice(names, 3, replace=False)
        kind = rng.choice(types)
        text += f"{kind} {a}_{rng.integers(1000)}({kind} {b}, int {c}) {{ return {b} * {rng.integers(10_000)} + {c}; }}\n"
    # As the package reads a file: its first and last 1,024 bytes.
    data = text.encode()
    tokens = np.frombuffer(data[:1024] + data[-1024:], np.uint8).astype(np.int32)[None]
    model = onnx.load(folder / "magika.onnx")
    node = next(node for node in model.graph.node if node.op_type == "MatMul")
    at = node.output[0]
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    p = session.run(None, {"bytes": tokens})[0]
    labels = json.loads((folder / "magika.json").read_text())["target_labels_space"]
    order = p[0].argsort()[::-1]
    print("magika", [(labels[k], float(p[0, k])) for k in order[:4]])
    target = int(order[0])
    fixtures.networks["magika"] = {"file": "magika.onnx", "explained": "bytes", "at": at, "text": text, "target": target, "label": labels[target]}
    fixtures.add("magika", "probability", p)

    with_value = onnx.ModelProto.FromString(model.SerializeToString())
    with_value.graph.output.append(helper.make_tensor_value_info(at, TensorProto.FLOAT, None))
    embedded = onnxruntime.InferenceSession(with_value.SerializeToString(), providers=["CPUExecutionProvider"]).run([at], {"bytes": tokens})[0]
    rest = cut(model, at)
    others = lambda rows: {"bytes": np.repeat(tokens, rows, axis=0)} if any(i.name == "bytes" for i in rest.graph.input) else {}
    network = Network(rest, at, others, model.graph.output[0].name, lambda y: y[:, target])
    off = network.check(embedded)
    x = embedded.astype(np.float64)
    directions = [signs(x.shape, stream) for stream in DIRECTIONS]
    along, agree = slopes(network, x, directions, 1e-7, rows=1)
    fixtures.add("magika", "gradient", along, steps_agree=agree, onnxruntime=off)
    baseline = (uniform(x.size, 32).reshape(x.shape) - 0.5) * 0.2
    along, agree = integrated(network, x, baseline, directions[:3] + [np.ones(x.shape)], 1e-7, rows=1)
    fixtures.add("magika", "integrated_gradients", along, steps_agree=agree, baseline={"stream": 32, "width": 0.2})
    for method, count, values in (("occlusion", 16, occlusion), ("kernel_shap", 8, shapley)):
        windows = np.arange(2048) * count // 2048
        fixtures.add("magika", method, values(network, x, windows[None, :, None]), windows=count)


def nudenet(fixtures, folder):
    picture = Image.open(ROOT / "tests" / "fixtures" / "images" / "astronaut_224.png").convert("RGB").resize((96, 64), Image.Resampling.BICUBIC)
    x = (np.asarray(picture, np.float32) / 255).transpose(2, 0, 1)[None]
    model = onnx.load(folder / "nudenet.onnx")
    y = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {"images": x})[0]
    klass, place = np.unravel_index(y[0, 4:].argmax(), y[0, 4:].shape)
    target = int((4 + klass) * y.shape[2] + place)
    print("nudenet", y.shape, "class", klass, "place", place, y[0, 4 + klass, place])
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    (FOLDER / "nudenet_input.png").write_bytes(stream.getvalue())
    fixtures.networks["nudenet"] = {"file": "nudenet.onnx", "explained": "images", "input": "nudenet_input.png", "target": target}
    fixtures.add("nudenet", "output", y)
    network = Network(model, "images", lambda rows: {}, "output0", lambda y: y[:, 4 + klass, place])
    off = network.check(x)
    x = x.astype(np.float64)
    directions = [signs(x.shape, stream) for stream in DIRECTIONS]
    along, agree = slopes(network, x, directions, 1e-5)
    fixtures.add("nudenet", "gradient", along, steps_agree=agree, onnxruntime=off)
    along, agree = integrated(network, x, 0 * x, directions[:3] + [np.ones(x.shape)], 1e-5)
    fixtures.add("nudenet", "integrated_gradients", along, steps_agree=agree, baseline={"stream": 0, "width": 0.0})
    rows, columns = np.mgrid[0:64, 0:96]
    for method, height, width, values in (("occlusion", 16, 16, occlusion), ("kernel_shap", 32, 24, shapley)):
        labels = rows // height * (96 // width) + columns // width
        fixtures.add("nudenet", method, values(network, x, labels[None, None]), cell=[height, width])


def make():
    # Where `cargo xtask test` unpacks them too.
    folder = sources.cache().parent / "real-networks"
    unpack_networks.unpack(sources.cache(), folder)
    fixtures = Fixtures()
    silero(fixtures, folder)
    nudenet(fixtures, folder)
    magika(fixtures, folder)
    fixtures.write()


if __name__ == "__main__":
    make()
