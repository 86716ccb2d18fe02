"""Small networks of every kind that people bring, as questions to the command line with their right answers.

Writes the further cases of `tests/fixtures/cases` (those that end in -1 came from elsewhere and stay as they are). Graphs are written node by node; logits and
probabilities are onnxruntime's, or ONNX's reference evaluator's where onnxruntime has no such operator; gradients are central differences of the
reference evaluator in float64; occlusion, Shapley values, integrated gradients and Grad-CAM are their papers' formulas over these; pictures are
Pillow's. Needs numpy, onnx, onnxruntime and Pillow alone.
"""

import io
import itertools
import json
import shutil
from math import factorial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from PIL import Image

onnxruntime.set_default_logger_severity(3)

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "cases"
FLOAT, HALF, DOUBLE = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE
INT64, INT32, UINT8, INT8, BOOL, STRING = (
    TensorProto.INT64, TensorProto.INT32, TensorProto.UINT8, TensorProto.INT8, TensorProto.BOOL, TensorProto.STRING,
)  # fmt: skip


# --- graphs --------------------------------------------------------------------------------------


class Graph:
    """A graph, built node by node. Arrays among a node's inputs become initialisers."""

    def __init__(self, opset=17, **domains):
        self.opsets = [helper.make_opsetid("", opset)]
        self.opsets += [helper.make_opsetid(name.replace("_", "."), version) for name, version in domains.items()]
        self.nodes, self.inits, self.inputs, self.outputs, self.count = [], [], [], [], 0

    def input(self, name, shape, kind=FLOAT):
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def value(self, array):
        array = np.asarray(array)
        array = array.astype(np.float32) if array.dtype == np.float64 else array
        name = f"c{len(self.inits)}"
        self.inits.append(numpy_helper.from_array(array, name))
        return name

    def __call__(self, operator, *inputs, out=None, count=1, domain="", **attributes):
        names = [i if isinstance(i, str) else "" if i is None else self.value(i) for i in inputs]
        self.count += 1
        outs = out if isinstance(out, list) else [out or f"{operator.lower()}{self.count}"]
        outs += [f"{outs[0]}_{k}" for k in range(1, count)]
        self.nodes.append(helper.make_node(operator, names, outs, domain=domain, **attributes))
        return outs[0] if len(outs) == 1 else outs

    def output(self, name, shape, kind=FLOAT):
        self.outputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def model(self):
        graph = helper.make_graph(self.nodes, "g", self.inputs, self.outputs, self.inits)
        return helper.make_model(graph, opset_imports=self.opsets, ir_version=8)


def rng(name):
    return np.random.default_rng(list(name.encode()))


def feeds(model, x, also):
    """The inputs by name; `x` is that of the first, or of the name that it comes with."""
    name = model.graph.input[0].name
    types = {i.name: helper.tensor_dtype_to_np_dtype(i.type.tensor_type.elem_type) for i in model.graph.input}
    values = {name: x} | also
    return {name: np.asarray(value).astype(types[name]) for name, value in values.items()}


def run(model, x, /, output=None, reference=False, **also):
    """An output's values: onnxruntime's, or the reference evaluator's where onnxruntime has no such operator."""
    given = feeds(model, x, also)
    wanted = [output or model.graph.output[0].name]
    if reference:
        return ReferenceEvaluator(model).run(wanted, given)[0]
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(wanted, given)[0]


def widened(model):
    """The same network in float64."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    small = (FLOAT, HALF)
    for info in (*model.graph.input, *model.graph.output):
        if info.type.tensor_type.elem_type in small:
            info.type.tensor_type.elem_type = DOUBLE
    for tensor in model.graph.initializer:
        if tensor.data_type in small:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name))
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name == "to" and attribute.i in small:
                attribute.i = DOUBLE
            if attribute.type == onnx.AttributeProto.TENSOR and attribute.t.data_type in small:
                attribute.t.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(attribute.t).astype(np.float64)))
    return model


def showing(model, value):
    """The same network with one of its real values among its outputs."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    if value not in [output.name for output in model.graph.output]:
        model.graph.output.append(helper.make_tensor_value_info(value, FLOAT, None))
    return model


def exact(model, /, output=None, **also):
    """The network in float64, as a function of its first input: the reference evaluator, held against onnxruntime at its first use."""
    model = model if output is None else showing(model, output)
    wide = widened(model)
    evaluator = ReferenceEvaluator(wide)
    wanted = [output or wide.graph.output[0].name]
    held = []

    def function(x):
        y = np.asarray(evaluator.run(wanted, feeds(wide, x, also))[0])
        if not held:
            half = any(tensor.data_type == HALF for tensor in model.graph.initializer)
            theirs = np.asarray(run(model, x, wanted[0], **also), np.float64)
            np.testing.assert_allclose(y, theirs, rtol=0, atol=(2e-2 if half else 1e-4) * max(np.abs(theirs).max(), 1e-3))
            held.append(True)
        return y

    return function


def gradient(function, x, target, step=1e-5):
    """d function(x)[target] / dx by central differences; `target` counts within a sample, or takes a function's own number."""
    x = np.asarray(x, np.float64)
    result = np.zeros_like(x)
    for at in np.ndindex(x.shape):
        ends = []
        for sign in (1, -1):
            y = x.copy()
            y[at] += sign * step
            ends.append(np.asarray(function(y)).ravel()[target])
        result[at] = (ends[0] - ends[1]) / (2 * step)
    return result


def nudged(model, layer, /, **inputs):
    """The output as a function of what is added to a layer, the inputs being as they are."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    at = next(k for k, node in enumerate(model.graph.node) if layer in node.output)
    node = model.graph.node[at]
    node.output[list(node.output).index(layer)] = layer + "_before"
    model.graph.node.insert(at + 1, helper.make_node("Add", [layer + "_before", "nudge"], [layer]))
    model.graph.input.insert(0, helper.make_tensor_value_info("nudge", FLOAT, None))
    return exact(model, **inputs)


def activations(model, x, layer):
    """The values of a layer in float64."""
    return exact(model, layer)(x)


def grad_cam(model, x, layer, target, to_map=lambda a: a, size=None):
    """relu(sum_k mean(d score / d A_k) A_k) of a layer (Selvaraju et al. 2017), enlarged to `size` as PyTorch does (half-pixel corners)."""
    a = activations(model, x, layer)
    slope = to_map(gradient(nudged(model, layer, **{model.graph.input[0].name: x}), 0 * a, target))
    a = to_map(a)
    places = tuple(range(2, a.ndim))
    cam = np.maximum((slope.mean(places, keepdims=True) * a).sum(1, keepdims=True), 0)
    return cam if size is None or cam.shape[2:] == size else enlarged(cam, size)


def enlarged(maps, size):
    """Linear interpolation along each axis, pixels counted by their centres."""
    for axis, wanted in enumerate(size, maps.ndim - len(size)):
        have = maps.shape[axis]
        at = np.clip((np.arange(wanted) + 0.5) * have / wanted - 0.5, 0, have - 1)
        low = np.floor(at).astype(int)
        high = np.minimum(low + 1, have - 1)
        share = (at - low).reshape([-1 if k == axis else 1 for k in range(maps.ndim)])
        maps = np.take(maps, low, axis) * (1 - share) + np.take(maps, high, axis) * share
    return maps


def shapley(score, x, parts, hidden):
    """Every part's Shapley value, by all its coalitions; `parts` are masks over `x`, `hidden` is shown where they are absent."""
    n = len(parts)
    value = {}
    for chosen in itertools.product((0, 1), repeat=n):
        shown = np.any([mask for mask, on in zip(parts, chosen) if on], axis=0) if any(chosen) else np.zeros(x.shape, bool)
        value[chosen] = score(np.where(shown, x, hidden))
    result = []
    for i in range(n):
        total = 0.0
        for chosen in value:
            if not chosen[i]:
                size = sum(chosen)
                weight = factorial(size) * factorial(n - size - 1) / factorial(n)
                total += weight * (value[chosen[:i] + (1,) + chosen[i + 1 :]] - value[chosen])
        result.append(total)
    return np.array(result)


def each(x):
    """A mask for each value of one sample."""
    masks = []
    for at in np.ndindex(x.shape[1:]):
        mask = np.zeros(x.shape, bool)
        mask[(slice(None), *at)] = True
        masks.append(mask)
    return masks


def drops(score, x, masks, hidden=0.0):
    """How far the score falls where each mask is hidden."""
    whole = score(x)
    return np.array([whole - score(np.where(mask, hidden, x)) for mask in masks])


def squares(x, side, height_axis):
    """The drop of each square of `side`, at its pixels: masks, and a function that lays a number for each out as a map."""
    height, width = x.shape[height_axis : height_axis + 2]
    masks, boxes = [], []
    for top in range(0, height, side):
        for left in range(0, width, side):
            mask = np.zeros(x.shape, bool)
            box = [slice(None)] * x.ndim
            box[height_axis : height_axis + 2] = slice(top, top + side), slice(left, left + side)
            mask[tuple(box)] = True
            masks.append(mask)
            boxes.append((top, left))

    def lay(values):
        result = np.zeros((height, width))
        for (top, left), value in zip(boxes, values):
            result[top : top + side, left : left + side] = value
        return result

    return masks, lay


def softmax(z, axis=-1):
    e = np.exp(z - z.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


# --- cases ---------------------------------------------------------------------------------------

WRITTEN = []


def case(name, expects, model, inputs, args, checks, refusal="poor", note=None):
    """Writes a case. `inputs` are arrays (as float32) and files by name, `checks` as case.json has them, with arrays for numbers."""
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    assert not name.endswith("-1"), name
    onnx.save(model, folder / "model.onnx")
    for file, content in inputs.items():
        if isinstance(content, bytes):
            (folder / file).write_bytes(content)
        elif isinstance(content, dict):
            (folder / file).write_text(json.dumps(content) + "\n")
        else:
            np.save(folder / file, np.ascontiguousarray(content, "<f4"))
    count = 0

    def stored(right, inside=16):
        nonlocal count
        if np.size(right) <= inside:
            return np.round(np.asarray(right, np.float64), 9).tolist()
        count += 1
        np.save(folder / f"right{count}.npy", np.ascontiguousarray(right, "<f4"))
        return f"right{count}.npy"

    def written(check):
        check = dict(check)
        if "right" in check:
            check["right"] = stored(check["right"])
        if "like" in check:
            check["like"] = [stored(like, inside=0) for like in check["like"]]
        if "or" in check:
            check["or"] = written(check["or"])
        return check

    kind = name.rsplit("-", 1)[0]
    content = {"id": name, "kind": kind, "expects": expects, "args": args, "checks": [written(c) for c in checks], "refusal": refusal}
    if note:
        content["note"] = note
    (folder / "case.json").write_text(json.dumps(content, indent=1) + "\n")
    WRITTEN.append(name)


def params(values):
    return [word for key, value in values.items() for word in ("--param", f"{key}={value}")]


def explain(method, target=None, *more, file="input.npy", **values):
    args = ["explain", "--model", "model.onnx", "--input", file, "--out", "out.npy", "--json", "out.json", "--method", method]
    return args + ([] if target is None else ["--target", str(target)]) + list(more) + params(values)


def classify(top=None, *more, file="input.npy"):
    return ["classify", "--model", "model.onnx", "--input", file, *more] + ([] if top is None else ["--top", str(top)])


def logits(*more, file="input.npy"):
    return ["logits", "--model", "model.onnx", "--input", file, "--out", "out.npy", *more]


def gradients(target, *more):
    return ["gradient", "--model", "model.onnx", "--input", "input.npy", "--out", "out.npy", "--target", str(target), *more]


def near(right, atol=1e-4, rtol=0.0, read="out", **more):
    return {"read": read, "right": right, "atol": atol, "rtol": rtol, **more}


def shares(probabilities, atol=1e-4):
    """The probability of every class, and which is on top."""
    flat = np.ravel(probabilities)
    top = {"read": "top.class", "right": int(flat.argmax()), "atol": 0, "rtol": 0.0}
    clear = flat.size > 1 and np.diff(np.sort(flat)[-2:])[0] > 0.01
    return [top] * int(clear) + [near(float(p), atol, read=f"class:{k}.probability") for k, p in enumerate(flat)]


def told(name, expects, graph, x, probabilities=None, **more):
    """A case of `classify`: every probability as the network gives it."""
    model = graph.model()
    p = run(model, x, reference=more.pop("reference", False)) if probabilities is None else probabilities
    case(name, expects, model, {"input.npy": x}, classify(np.size(p)), shares(p), **more)


# --- scores and what they mean -------------------------------------------------------------------


def last_activations():
    """Softmax in every place and spelling."""
    # The default axis: all from 1 on before operator set 13, the last since.
    r = rng("default axis")
    g = Graph(9)
    x = g.input("x", ["N", 3, 2, 2])
    z = g("GlobalAveragePool", g("Conv", x, r.normal(size=(5, 3, 1, 1)) * 2))
    g.output(g("Flatten", g("Softmax", z), out="y"), ["N", 5])
    told("softmax-default-axis-2", "The softmax of [N, 5, 1, 1] in operator set 9 is one of five classes; flattened behind it, they are still.", g, r.normal(size=(1, 3, 2, 2)))

    g = Graph(11)
    x = g.input("x", ["N", 4])
    z = g("Unsqueeze", g("MatMul", x, r.normal(size=(4, 4)) * 2), axes=[2, 3])
    g.output(g("LogSoftmax", z, out="y"), ["N", 4, 1, 1])
    x = r.normal(size=(1, 4))
    told("softmax-default-axis-3", "The logarithms of four probabilities of [N, 4, 1, 1] are shown as those probabilities.", g, x, np.exp(run(g.model(), x)))

    g = Graph(13)
    x = g.input("x", ["N", 2, 3])
    g.output(g("Softmax", g("MatMul", x, r.normal(size=(3, 3)) * 2), out="y"), ["N", 2, 3])
    told("softmax-default-axis-4", "Since operator set 13 the softmax of [N, 2, 3] is over the last axis: each of two tokens has three probabilities.", g, r.normal(size=(1, 2, 3)))

    # Over several axes at once.
    r = rng("several axes")
    g = Graph(11)
    x = g.input("x", ["N", 1, 2, 2])
    g.output(g("Softmax", g("Conv", x, r.normal(size=(2, 1, 1, 1)) * 2), axis=1, out="y"), ["N", 2, 2, 2])
    told("softmax-over-several-axes-2", "A softmax of operator set 11 at axis 1 shares one unit among all eight values of [N, 2, 2, 2].", g, r.normal(size=(1, 1, 2, 2)))

    g = Graph(17)
    x = g.input("x", ["N", 4])
    z = g("Reshape", g("MatMul", x, r.normal(size=(4, 6)) * 2), np.array([-1, 2, 3]))
    p = g("Softmax", g("Flatten", z), axis=1)
    g.output(g("Reshape", p, np.array([-1, 2, 3]), out="y"), ["N", 2, 3])
    told("softmax-over-several-axes-3", "Flattened, a softmax, and shaped back: one unit is shared among the six places.", g, r.normal(size=(1, 4)))

    g = Graph(12)
    x = g.input("x", ["N", 4])
    z = g("Reshape", g("MatMul", x, r.normal(size=(4, 6)) * 2), np.array([-1, 2, 3]))
    g.output(g("Softmax", z, axis=-2, out="y"), ["N", 2, 3])
    told("softmax-over-several-axes-4", "In operator set 12 a softmax at axis -2 of three is over both last axes.", g, r.normal(size=(1, 4)))

    g = Graph(18)
    x = g.input("x", ["N", 4])
    e = g("Exp", g("Reshape", g("MatMul", x, r.normal(size=(4, 6))), np.array([-1, 2, 3])))
    g.output(g("Div", e, g("ReduceSum", e, np.array([1, 2]), keepdims=1), out="y"), ["N", 2, 3])
    told("softmax-over-several-axes-5", "Written out as exp(z) over its sum along both axes, a softmax of six.", g, r.normal(size=(1, 4)))

    g = Graph(9)
    x = g.input("x", [1, 5])
    g.output(g("Softmax", g("Reshape", g("MatMul", x, r.normal(size=(5, 4)) * 2), np.array([4])), axis=0, out="y"), [4])
    told("softmax-over-several-axes-6", "The scores lost their batch axis: a softmax of [4] at axis 0.", g, r.normal(size=(1, 5)))

    # A softmax for each place or token.
    r = rng("per place")
    g = Graph(11)
    x = g.input("x", ["N", 2, 2, 2])
    z = g("Transpose", g("Conv", x, r.normal(size=(3, 2, 1, 1)) * 2), perm=[0, 2, 3, 1])
    g.output(g("Transpose", g("Softmax", z, axis=3), perm=[0, 3, 1, 2], out="y"), ["N", 3, 2, 2])
    told("softmax-per-place-2", "Pixels in the last axes again after a softmax over channels at the end: each pixel has three probabilities.", g, r.normal(size=(1, 2, 2, 2)))

    g = Graph(17)
    x = g.input("x", ["N", 3, 4])
    g.output(g("Softmax", g("MatMul", x, r.normal(size=(4, 2)) * 2), axis=-1, out="y"), ["N", 3, 2])
    told("softmax-per-place-3", "Each of three steps has its own probabilities of two classes.", g, r.normal(size=(1, 3, 4)))

    g = Graph(17)
    x = g.input("x", ["N", 1, 2, 2])
    p = g("Softmax", g("Conv", x, r.normal(size=(2, 1, 1, 1)) * 2), axis=1)
    g.output(g("Resize", p, None, np.array([1, 1, 1, 2], np.float32), mode="nearest", out="y"), ["N", 2, 2, 4])
    told("softmax-per-place-4", "A map of probabilities is enlarged after its softmax; its values are the probabilities.", g, r.normal(size=(1, 1, 2, 2)))

    g = Graph(17)
    x = g.input("x", ["N", 2, 2, 2])
    g.output(g("Sigmoid", g("Conv", x, r.normal(size=(1, 2, 1, 1)) * 2), out="y"), ["N", 1, 2, 2])
    told("softmax-per-place-5", "A mask of one channel: each pixel's own probability.", g, r.normal(size=(1, 2, 2, 2)))

    g = Graph(13)
    x = g.input("x", ["N", 2, 2, 2])
    z = g("Conv", x, r.normal(size=(3, 2, 1, 1)) * 2)
    e = g("Exp", g("Sub", z, g("ReduceMax", z, axes=[1], keepdims=1)))
    g.output(g("Div", e, g("ReduceSum", e, np.array([1]), keepdims=1), out="y"), ["N", 3, 2, 2])
    told("softmax-per-place-6", "Written out over the channels: each pixel has three probabilities.", g, r.normal(size=(1, 2, 2, 2)))

    g = Graph(17)
    x = g.input("x", ["N", 4, 3])
    z = g("Transpose", g("MatMul", x, r.normal(size=(3, 2)) * 2), perm=[0, 2, 1])
    g.output(g("Softmax", z, axis=1, out="y"), ["N", 2, 4])
    told("softmax-per-place-7", "Tokens in the last axis: each of four has two probabilities.", g, r.normal(size=(1, 4, 3)))

    # Written out.
    r = rng("written out")
    x4 = r.normal(size=(1, 4))

    def dense(opset, classes=3):
        g = Graph(opset)
        return g, g("Gemm", g.input("x", ["N", 4]), r.normal(size=(4, classes)) * 1.5, r.normal(size=(classes,)))

    g, z = dense(17)
    e = g("Exp", z)
    g.output(g("Div", e, g("ReduceSum", e, np.array([1]), keepdims=1), out="y"), ["N", 3])
    told("softmax-written-out-2", "exp(z) over its sum is a softmax.", g, x4)

    g, z = dense(11)
    e = g("Exp", g("Sub", z, g("ReduceMax", z, axes=[-1], keepdims=1)))
    g.output(g("Div", e, g("ReduceSum", e, axes=[-1], keepdims=1), out="y"), ["N", 3])
    told("softmax-written-out-3", "A softmax written out with its greatest value taken off first, in operator set 11.", g, x4)

    g, z = dense(17)
    g.output(g("Exp", g("Sub", z, g("ReduceLogSumExp", z, axes=[1], keepdims=1)), out="y"), ["N", 3])
    told("softmax-written-out-4", "exp(z - log sum exp z) is a softmax.", g, x4)

    g, z = dense(17)
    g.output(g("Sub", z, g("ReduceLogSumExp", z, axes=[1], keepdims=1), out="y"), ["N", 3])
    told("softmax-written-out-5", "z - log sum exp z is the logarithm of a softmax.", g, x4, np.exp(run(g.model(), x4)))

    g, z = dense(13)
    e = g("Exp", z)
    g.output(g("Mul", e, g("Reciprocal", g("ReduceSum", e, np.array([-1]), keepdims=1)), out="y"), ["N", 3])
    told("softmax-written-out-6", "exp(z) times the reciprocal of its sum is a softmax.", g, x4)

    g, z = dense(17)
    g.output(g("Log", g("Softmax", z, axis=-1), out="y"), ["N", 3])
    told("softmax-written-out-7", "The logarithm of a softmax is shown as the probabilities.", g, x4, np.exp(run(g.model(), x4)))

    g, z = dense(17)
    one = np.ones((1, 1))
    g.output(g("Div", one, g("Add", one, g("Exp", g("Neg", z))), out="y"), ["N", 3])
    told("softmax-written-out-8", "1 / (1 + exp(-z)) is a sigmoid: each class for itself.", g, x4)

    # As tf2onnx writes JAX's and TensorFlow's: without keepdims, shaped and expanded back.
    g, z = dense(15)
    top = g("Max", np.float32(-np.inf), g("ReduceMax", z, axes=[1], keepdims=0))
    back = lambda value: g("Expand", g("Reshape", value, np.array([-1, 1])), np.array([1, 3]))
    e = g("Exp", g("Sub", z, back(top)))
    g.output(g("Div", e, back(g("ReduceSum", e, np.array([1]), keepdims=0)), out="y"), ["N", 3])
    told("softmax-written-out-9", "A softmax written out with sums that lose their axis, and are shaped and expanded back.", g, x4)

    g, z = dense(13)
    e = g("Exp", g("Sub", z, g("ReduceMax", z, axes=[1], keepdims=1)))
    g.output(g("Div", e, g("MatMul", e, np.ones((3, 1))), out="y"), ["N", 3])
    told("softmax-written-out-10", "The sum of a softmax that is written out is a product with ones.", g, x4)

    g, z = dense(17)
    g.output(g("Exp", g("LogSoftmax", z, axis=1), out="y"), ["N", 3])
    told("softmax-written-out-11", "exp of a logarithmic softmax is a softmax.", g, x4)

    g, z = dense(17, 2)
    half = np.float32(0.5)
    g.output(g("Mul", half, g("Add", g("Tanh", g("Mul", half, z)), np.float32(1)), out="y"), ["N", 2])
    told("softmax-written-out-12", "(tanh(z / 2) + 1) / 2 is a sigmoid.", g, x4)

    # Behind the softmax.
    g, z = dense(17)
    g.output(g("Clip", g("Softmax", z, axis=1), np.float32(1e-7), np.float32(1 - 1e-7), out="y"), ["N", 3])
    told("behind-the-softmax-2", "Probabilities kept from 0 and 1 by a clip are probabilities.", g, x4)

    g, z = dense(17)
    z = g("Unsqueeze", z, np.array([2, 3]))
    g.output(g("Squeeze", g("Softmax", z, axis=1), np.array([2, 3]), out="y"), ["N", 3])
    told("behind-the-softmax-3", "A softmax of [N, 3, 1, 1], squeezed.", g, x4)

    g, z = dense(17)
    p = g("Softmax", g("Cast", z, to=HALF), axis=1)
    g.output(g("Identity", g("Cast", p, to=FLOAT), out="y"), ["N", 3])
    told("behind-the-softmax-4", "A softmax in half precision, cast back.", g, x4)

    g, z = dense(17)
    p = g("Softmax", g("Div", z, np.float32(2.5)), axis=1)
    g.output(g("Reshape", g("Dropout", p), np.array([0, -1]), out="y"), ["N", 3])
    told("behind-the-softmax-5", "A softmax at a temperature, with a dropout and a reshaping behind it.", g, x4)

    g, z = dense(9)
    p = g("Softmax", z, axis=1)
    g.output(g("Clip", p, min=0.0, max=1.0, out="y"), ["N", 3])
    told("behind-the-softmax-6", "Probabilities clipped to 0...1 by attributes, as operator set 9 has them.", g, x4)

    # Probabilities of other making.
    r = rng("other making")
    g, z = dense(17, 1)
    p = g("Sigmoid", z)
    g.output(g("Concat", p, g("Add", g("Neg", p), np.ones(1)), axis=1, out="y"), ["N", 2])
    told("probabilities-without-softmax-2", "Two classes, p and -p + 1.", g, x4)

    g, z = dense(17)
    other = g("Gemm", "x", r.normal(size=(4, 3)))
    mean = g("Mul", g("Add", g("Softmax", z, axis=1), g("Softmax", other, axis=1)), np.float32(0.5))
    g.output(g("Identity", mean, out="y"), ["N", 3])
    told("probabilities-without-softmax-3", "The mean of two softmaxes is shown as it is.", g, x4)

    g, z = dense(12)
    mean = g("Mean", *[g("Softmax", g("MatMul", "x", r.normal(size=(4, 3)) * 2), axis=1) for _ in range(3)], out="y")
    g.output(mean, ["N", 3])
    told("probabilities-without-softmax-4", "The mean of three softmaxes by the operator Mean.", g, x4)

    g, z = dense(17, 4)
    p = g("Softmax", z, axis=1)
    g.output(g("Slice", p, np.array([1]), np.array([4]), np.array([1]), out="y"), ["N", 3])
    told("probabilities-without-softmax-5", "The first class of a softmax, the background, is cut off: three probabilities that sum to less than 1.", g, x4)

    g, z = dense(17)
    g.output(g("Gather", g("Softmax", z, axis=1), np.array([2, 0, 1]), axis=1, out="y"), ["N", 3])
    told("probabilities-without-softmax-6", "A softmax whose classes are put into another order.", g, x4)

    g, z = dense(17)
    coarse = g("Softmax", g("Gemm", "x", r.normal(size=(4, 2))), axis=1)
    fine = g("Softmax", g("Reshape", g("Gemm", "x", r.normal(size=(4, 4)) * 2), np.array([-1, 2, 2])), axis=2)
    joint = g("Mul", g("Unsqueeze", coarse, np.array([2])), fine)
    g.output(g("Reshape", joint, np.array([-1, 4]), out="y"), ["N", 4])
    told("probabilities-without-softmax-7", "A hierarchy: the class's share of its group times the group's probability.", g, x4)

    g, z = dense(17)
    p = g("Sigmoid", z)
    g.output(g("Div", p, g("ReduceSum", p, np.array([1]), keepdims=1), out="y"), ["N", 3])
    told("probabilities-without-softmax-8", "Sigmoids divided by their sum are probabilities.", g, x4)

    g, z = dense(17)
    confusion = softmax(r.normal(size=(3, 3)) * 2)
    g.output(g("MatMul", g("Softmax", z, axis=1), confusion, out="y"), ["N", 3])
    told("probabilities-without-softmax-9", "A softmax is corrected by a matrix of confusions whose rows sum to 1.", g, x4)

    g, z = dense(17)
    g.output(g("Sigmoid", z, out="y"), ["N", 3])
    told("probabilities-without-softmax-10", "Several labels, each with its own sigmoid.", g, x4)

    g, z = dense(17, 1)
    p = g("Squeeze", g("Sigmoid", z), np.array([1]))
    q = g("Sub", np.ones(1), p)
    g.output(g("Concat", g("Unsqueeze", q, np.array([1])), g("Unsqueeze", p, np.array([1])), axis=-1, out="y"), ["N", 2])
    told("probabilities-without-softmax-11", "1 - p and p are stacked along a new axis.", g, x4)

    g, z = dense(17, 2)
    p = g("HardSigmoid", z, alpha=0.25, beta=0.5)
    g.output(g("Identity", p, out="y"), ["N", 2])
    told("probabilities-without-softmax-12", "Two labels by piecewise linear sigmoids, which are between 0 and 1.", g, x4)

    g, z = dense(17, 6)
    p = g("Softmax", g("Reshape", z, np.array([-1, 2, 3])), axis=2)
    g.output(g("ReduceMean", p, axes=[1], keepdims=0, out="y"), ["N", 3])
    told("probabilities-without-softmax-13", "The probabilities of two crops are averaged inside of the network.", g, x4)


def given_probabilities():
    """Values of probabilities that the network itself gives."""
    r = rng("given probabilities")
    x = r.normal(size=(1, 4))

    def explained(name, expects, g, target, method="kernel_shap", inputs=x, **extra):
        model = g.model()
        score = lambda y: float(np.ravel(run(model, y))[target])
        if method == "kernel_shap":
            right = shapley(score, inputs, each(inputs), 0.0)
        else:
            right = drops(score, inputs, each(inputs))
        case(name, expects, model, {"input.npy": inputs}, explain(method, target, score="probability"), [near(right, 1e-3 if method == "kernel_shap" else 1e-4)], **extra)

    g = Graph(17)
    g.input("x", ["N", 4])
    soft = [g("Softmax", g("Gemm", "x", r.normal(size=(4, 3)) * 2), axis=1) for _ in range(2)]
    g.output(g("Mul", g("Add", *soft), np.float32(0.5), out="y"), ["N", 3])
    explained("values-of-given-probabilities-2", "The Shapley values of a mean of two softmaxes, with zeros for what is hidden, sum to the change of that mean.", g, 2)

    g = Graph(11)
    z = g("Gemm", g.input("x", ["N", 4]), r.normal(size=(4, 3)) * 2)
    e = g("Exp", g("Sub", z, g("ReduceMax", z, axes=[1], keepdims=1)))
    g.output(g("Div", e, g("ReduceSum", e, axes=[1], keepdims=1), out="y"), ["N", 3])
    explained("values-of-given-probabilities-3", "The Shapley values of a softmax that is written out.", g, 0)

    g = Graph(17)
    p = g("Sigmoid", g("Gemm", g.input("x", ["N", 4]), r.normal(size=(4, 1)) * 2))
    g.output(g("Concat", g("Sub", np.ones((1, 1)), p), p, axis=1, out="y"), ["N", 2])
    explained("values-of-given-probabilities-4", "Occlusion of a row, one feature after the other: the drop of the probability that the network gives.", g, 1, "occlusion")

    g = Graph(17)
    p = g("Sigmoid", g("Gemm", g.input("x", ["N", 4]), r.normal(size=(4, 1)) * 2))
    g.output(p, ["N", 1])
    explained("values-of-given-probabilities-5", "The Shapley values of a single sigmoid's probability.", g, 0)

    # Slopes of the probability.
    g = Graph(17)
    g.input("x", ["N", 4])
    soft = [g("Softmax", g("Gemm", "x", r.normal(size=(4, 3))), axis=1) for _ in range(2)]
    g.output(g("Mean", *soft, out="y"), ["N", 3])
    model = g.model()
    case("values-of-given-probabilities-6", "The gradient of the probability that a mean of two softmaxes gives.", model, {"input.npy": x},
         gradients(1, "--score", "probability"), [near(gradient(exact(model), x, 1))])  # fmt: skip

    g = Graph(12)
    z = g("Gemm", g.input("x", ["N", 4]), r.normal(size=(4, 4)), out="z")
    g.output(g("Softmax", g("Reshape", z, np.array([-1, 4, 1, 1])), out="y"), ["N", 4, 1, 1])
    model = g.model()
    # The reference evaluator takes this softmax for one of operator set 13.
    exact_scores = exact(model, "z")
    case("values-of-given-probabilities-7", "The gradient of a probability behind a softmax over [N, 4, 1, 1] in operator set 12.", model, {"input.npy": x},
         gradients(2, "--score", "probability"), [near(gradient(lambda y: softmax(exact_scores(y)), x, 2))])  # fmt: skip

    g = Graph(17)
    z = g("Gemm", g.input("x", ["N", 4]), r.normal(size=(4, 3)), out="z")
    g.output(g("Softmax", z, axis=1, out="y"), ["N", 3])
    model = g.model()
    case("activation-left-as-it-is-2", "With --activation none the softmax stays, and its output is the score.", model, {"input.npy": x},
         logits("--activation", "none"), [near(run(model, x))])  # fmt: skip
    case("activation-left-as-it-is-3", "With --activation none the gradient is that of the network's output.", model, {"input.npy": x},
         gradients(1, "--activation", "none"), [near(gradient(exact(model), x, 1))])  # fmt: skip


def single_outputs():
    """One number: a regression, a probability, an energy."""
    r = rng("single")
    x = r.normal(size=(1, 3)) + 1
    w = r.normal(size=(3, 1))

    g = Graph(17)
    g.output(g("Squeeze", g("Gemm", g.input("x", ["N", 3]), w), np.array([1]), out="y"), ["N"])
    case("single-output-2", "A regression whose output is [N]: each value times its weight.", g.model(), {"input.npy": x}, explain("input_x_gradient"), [near(x * w.T, 1e-5)])

    g = Graph(17)
    g.output(g("Sigmoid", g("Gemm", g.input("x", ["N", 3]), w), out="y"), ["N", 1])
    model = g.model()
    case("single-output-3", "The gradient of a single probability.", model, {"input.npy": x}, gradients(0, "--score", "probability"), [near(gradient(exact(model), x, 0))])
    case("single-output-4", "A single sigmoid's probability is shown as it is.", model, {"input.npy": x}, classify(), [near(run(model, x).item(), read="any.probability")])

    g = Graph(17)
    g.output(g("Gemm", g.input("x", ["N", 3]), w, out="y"), ["N", 1])
    model = g.model()
    case("single-output-5", "KernelSHAP of a regression, by its defaults: each value times its weight.", model, {"input.npy": x}, explain("kernel_shap"), [near(x * w.T, 1e-3)])
    case("single-output-6", "Occlusion of a regression, by its defaults: what each value adds.", model, {"input.npy": x}, explain("occlusion"), [near(x * w.T)])

    g = Graph(17)
    h = g("Tanh", g("Gemm", g.input("x", [1, 3]), r.normal(size=(3, 4))))
    g.output(g("ReduceSum", g("Mul", h, h), keepdims=0, out="y"), [])
    model = g.model()
    case("single-output-7", "An energy without any axis, []: its gradient.", model, {"input.npy": x}, gradients(0), [near(gradient(exact(model), x, 0))])

    g = Graph(17)
    h = g("Relu", g("Conv", g.input("x", ["N", 1, 4, 4]), r.normal(size=(2, 1, 3, 3)), pads=[1, 1, 1, 1]))
    g.output(g("GlobalAveragePool", g("Conv", h, r.normal(size=(1, 2, 1, 1))), out="y"), ["N", 1, 1, 1])
    model, picture = g.model(), r.normal(size=(1, 1, 4, 4))
    case("single-output-8", "A picture's one number, [N, 1, 1, 1]: its gradient.", model, {"input.npy": picture}, explain("saliency"),
         [near(gradient(exact(model), picture, 0))])  # fmt: skip

    # Two samples: each has its own number.
    g = Graph(17)
    g.output(g("Squeeze", g("Gemm", g.input("x", ["N", 3]), w), np.array([1]), out="y"), ["N"])
    model, two = g.model(), r.normal(size=(2, 3))
    case("single-output-9", "Two rows given to a regression of output [N] have a number each.", model, {"input.npy": two}, logits(), [near(run(model, two))])

    g = Graph(17)
    z = g("Gemm", g.input("x", ["N", 3]), w)
    g.output(g("Sigmoid", z, out="y"), ["N", 1])
    model = g.model()
    case("single-output-10", "Integrated gradients of a single sigmoid from zero: its share of the logit, or of the probability, each value times its weight.", model, {"input.npy": x},
         explain("integrated_gradients", steps=300),
         [near(x * w.T, 1e-3, **{"or": near(x * w.T / (x @ w).item() * (sigmoid((x @ w).item()) - 0.5), 1e-3)})])  # fmt: skip

    # One frame's probability, averaged over the frames, as a voice detector has it.
    g = Graph(16)
    h = g("Conv", g.input("x", ["N", 2, 3]), r.normal(size=(1, 2, 3)), r.normal(size=(1,)))
    mean = g("ReduceMean", g("Squeeze", g("Sigmoid", h), np.array([1])), axes=[1], keepdims=0)
    g.output(g("Unsqueeze", mean, np.array([1]), out="y"), ["N", 1])
    model, frames = g.model(), r.normal(size=(1, 2, 3))
    case("single-output-11", "The mean of one frame's sigmoid is a probability: its gradient.", model, {"input.npy": frames},
         gradients(0, "--score", "probability"), [near(gradient(exact(model), frames, 0))])  # fmt: skip

    # A branch that another input decides.
    def branches(name, rate, expects):
        low, high = (helper.make_graph(
            [helper.make_node("MatMul", ["x", weights], [out])], out, [], [helper.make_tensor_value_info(out, FLOAT, None)]
        ) for weights, out in (("w8", "low"), ("w16", "high")))  # fmt: skip
        g = Graph(16)
        g.input("x", ["N", 3])
        g.input("rate", [], INT64)
        g("Identity", np.round(r.normal(size=(3, 2)), 3), out="w8")
        g("Identity", np.round(r.normal(size=(3, 2)), 3), out="w16")
        g("If", g("Equal", "rate", np.array(16000)), out="y", then_branch=high, else_branch=low)
        g.output("y", ["N", 2])
        model = g.model()
        right = run(model, x, rate=np.array(rate))
        case(name, expects, model, {"input.npy": x}, logits("--input-name", "x", "--also", f"rate={rate}"), [near(right)])

    branches("other-inputs-10", 16000, "A branch is decided by another input, 16000, given as a number.")
    branches("other-inputs-11", 8000, "A branch is decided by another input, 8000, given as a number.")

    # The other branch would not even fit the input.
    g = Graph(16)
    g.input("x", ["N", 4])
    g.input("rate", [], INT64)
    g("Identity", r.normal(size=(4, 2)), out="w")
    wide = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["fits"])], "fits", [], [helper.make_tensor_value_info("fits", FLOAT, None)])
    bad = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["never"])], "never", [], [helper.make_tensor_value_info("never", FLOAT, None)]
    )  # fmt: skip
    g("If", g("Equal", "rate", np.array(16000)), out="y", then_branch=wide, else_branch=bad)
    g.output("y", ["N", 2])
    model, row = g.model(), r.normal(size=(1, 4))
    weights = numpy_helper.to_array(model.graph.initializer[0])
    case("other-inputs-12", "The branch that another input decides against does not fit the input, and does not matter.", model, {"input.npy": row},
         logits("--input-name", "x", "--also", "rate=16000"), [near(row @ weights)])  # fmt: skip


# --- axes ----------------------------------------------------------------------------------------


def recurrent_weights(r, gates, features, hidden, directions=1):
    return [r.normal(size=(directions, gates * hidden, size)) * 0.7 for size in (features, hidden)] + [r.normal(size=(directions, 2 * gates * hidden)) * 0.3]


def recurrent():
    """Time before the batch, and after it."""
    r = rng("recurrent")

    def network(operator, shape, read, opset=17, directions=1, before=None, **attributes):
        gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[operator]
        g = Graph(opset)
        x = g.input("x", shape)
        direction = {"direction": "bidirectional"} if directions == 2 else {}
        outs = g(operator, before(g, x) if before else x, *recurrent_weights(r, gates, 3, 4, directions), count=3 if operator == "LSTM" else 2, hidden_size=4, **direction, **attributes)
        g.output(g("Gemm", read(g, outs), r.normal(size=(4 * directions, 2)), r.normal(size=(2,)), out="scores"), ["N", 2])
        return g.model()

    last = lambda g, outs: g("Gather", g("Squeeze", outs[0], np.array([1])), np.array(-1), axis=0)
    state = lambda g, outs: g("Squeeze", outs[1], np.array([0]))
    mean = lambda g, outs: g("ReduceMean", g("Squeeze", outs[0], np.array([1])), axes=[0], keepdims=0)

    def product(name, expects, model, x, target, **more):
        right = x * gradient(exact(model), x, target)
        case(name, expects, model, {"input.npy": x}, explain("input_x_gradient", target), [near(right, 1e-5)], refusal=["axis"], **more)

    def scored(name, expects, model, x, refusal=("axis",), **more):
        right = run(model, x, reference=more.pop("reference", False))
        case(name, expects, model, {"input.npy": x}, logits(), [near(right, 1e-5)], refusal=list(refusal) if refusal else "poor", **more)

    x = r.normal(size=(6, 1, 3))
    model = network("GRU", ["T", "N", 3], state)
    scored("scores-of-time-before-batch-2", "A GRU takes [T, N, 3]; six steps of one sequence give one row of two scores.", model, x)
    product("time-before-batch-2", "A GRU takes [T, N, 3]; each value times its gradient has the input's shape, for one class of one sequence.", model, x, 1)
    model = network("RNN", [None, 1, 3], mean)
    scored("scores-of-time-before-batch-3", "A plain recurrent network of [T, 1, 3] whose mean over time is scored: one row.", model, x)
    product("time-before-batch-3", "A plain recurrent network of [T, 1, 3] whose mean over time is scored.", model, x, 0)
    model = network("LSTM", ["seq", "batch", 3], last)
    two = r.normal(size=(5, 2, 3))
    scored("scores-of-time-before-batch-4", "Two sequences of five steps, [5, 2, 3], have a row of scores each.", model, two)
    both = network("LSTM", [6, 1, 3], lambda g, outs: g("Reshape", g("Transpose", outs[1], perm=[1, 0, 2]), np.array([-1, 8])), directions=2)
    scored("scores-of-time-before-batch-5", "A bidirectional LSTM of [6, 1, 3]: one row of two scores.", both, x)
    # Batch first, by a transposition: two sequences are two rows.
    turn = lambda g, x: g("Transpose", x, perm=[1, 0, 2])
    model = network("LSTM", ["N", 5, 3], last, before=turn)
    rows = r.normal(size=(2, 5, 3))
    scored("scores-of-batch-before-time-2", "The network turns [N, 5, 3] to time before batch; two sequences have a row of scores each.", model, rows, refusal=None)
    one = r.normal(size=(1, 5, 3))
    right = one * gradient(exact(model), one, 1)
    case("scores-of-batch-before-time-3", "The network turns [N, 5, 3] to time before batch; each value times its gradient.", model, {"input.npy": one},
         explain("input_x_gradient", 1), [near(right, 1e-5)])  # fmt: skip
    score = lambda y: float(run(model, y)[0, 0])
    masks = [np.broadcast_to((np.arange(5) == t)[None, :, None], one.shape) for t in range(5)]
    case("scores-of-batch-before-time-4", "Occlusion hides one step of [N, 5, 3] after the other.", model, {"input.npy": one},
         explain("occlusion", 0, score="logit"), [near(drops(score, one, masks))])  # fmt: skip
    # layout 1 of operator set 14.
    # layout 1 of operator set 14, which onnxruntime does not compute: the same weights with time first are.
    state_of_rows = r.bit_generator.state
    model = network("GRU", ["N", "T", 3], lambda g, outs: g("Squeeze", outs[1], np.array([1])), layout=1)
    r.bit_generator.state = state_of_rows
    same = network("GRU", ["T", "N", 3], state)
    right = run(same, rows.transpose(1, 0, 2))
    case("scores-of-batch-before-time-5", "A GRU of layout 1 takes [N, T, 3]; two sequences have a row of scores each.", model, {"input.npy": rows}, logits(), [near(right, 1e-5)])
    # Without a recurrent operator: what is averaged is time.
    g = Graph(18)
    h = g("Relu", g("MatMul", g.input("x", ["T", 1, 3]), r.normal(size=(3, 4))))
    g.output(g("Gemm", g("ReduceMean", h, np.array([0]), keepdims=0), r.normal(size=(4, 2)), out="scores"), [1, 2])
    model = g.model()
    scored("scores-of-time-before-batch-6", "The mean over the first axis of [T, 1, 3] is scored: one row of two scores.", model, x)
    product("time-before-batch-4", "The mean over the first axis of [T, 1, 3] is scored: each value times its gradient.", model, x, 1)
    # Attention over the first axis, as nn.Transformer has it unless batch_first is said.
    g = Graph(17)
    x = g.input("x", ["T", "N", 4])
    q, k, v = (g("Transpose", g("MatMul", x, r.normal(size=(4, 4))), perm=[1, 0, 2]) for _ in range(3))
    a = g("Softmax", g("MatMul", q, g("Transpose", k, perm=[0, 2, 1])), axis=-1)
    back = g("Transpose", g("MatMul", a, v), perm=[1, 0, 2])
    g.output(g("Gemm", g("Gather", back, np.array(0), axis=0), r.normal(size=(4, 2)), out="scores"), ["N", 2])
    model, tokens = g.model(), r.normal(size=(5, 1, 4))
    scored("scores-of-time-before-batch-7", "Attention over the first axis of [T, N, 4], and the first token is scored: one row of two scores.", model, tokens)
    product("time-before-batch-5", "Attention over the first axis of [T, N, 4], and the first token is scored.", model, tokens, 0)


def places():
    """Bands, signals, pictures without channels, volumes."""
    r = rng("bands")

    def banded(name, bands, before, shape, weights, **more):
        g = Graph(more.pop("opset", 17))
        x = g.input("x", shape)
        h = before(g, x)
        g.output(g("Gemm", g("Flatten", g("GlobalAveragePool", h)), r.normal(size=(4, 3)), out="y"), ["N", 3])
        model, x = g.model(), r.normal(size=(1, 16, 16, bands))
        masks, lay = squares(x, 4, 1)
        score = lambda y: float(run(model, y)[0, 1])
        case(name, f"Pictures of {bands} bands come as [N, 16, 16, {bands}]; occlusion covers squares of 4 x 4 pixels in all bands.", model, {"input.npy": x},
             explain("occlusion", 1, window=4, stride=4, score="logit"), [near(lay(drops(score, x, masks)))], refusal=["layout"])  # fmt: skip

    conv = lambda bands: lambda g, x: g("Relu", g("Conv", g("Transpose", x, perm=[0, 3, 1, 2]), r.normal(size=(4, bands, 3, 3)), pads=[1, 1, 1, 1]))
    banded("bands-last-2", 2, conv(2), ["N", 16, 16, 2], None)
    banded("bands-last-3", 6, conv(6), ["N", "H", "W", 6], None)
    # The channels are mixed where they are, and turned for the pooling alone.
    dense = lambda g, x: g("Transpose", g("Relu", g("MatMul", x, r.normal(size=(4, 4)))), perm=[0, 3, 1, 2])
    banded("bands-last-4", 4, dense, ["N", 16, 16, 4], None)
    # Normalised first.
    scaled = lambda g, x: conv(5)(g, g("Div", g("Sub", x, r.normal(size=(5,))), np.abs(r.normal(size=(5,))) + 1))
    banded("bands-last-5", 5, scaled, ["N", 16, 16, 5], None)

    r = rng("signals")

    def stepped(name, expects, g, x, axis, target=1, **more):
        model = g.model()
        score = lambda y: float(np.ravel(run(model, y))[target])
        masks = []
        for at in range(x.shape[axis]):
            mask = np.zeros(x.shape, bool)
            mask[(slice(None),) * axis + (at,)] = True
            masks.append(mask)
        case(name, expects, model, {"input.npy": x}, explain("occlusion", target, *more.pop("more", ()), score="logit"), [near(drops(score, x, masks))], refusal=["layout"], **more)

    g = Graph(17)
    h = g("Relu", g("MatMul", r.normal(size=(6, 2)), g.input("x", ["N", 2, 30])))
    g.output(g("Gemm", g("ReduceMean", h, axes=[2], keepdims=0), r.normal(size=(6, 3)), out="y"), ["N", 3])
    stepped("channels-before-time-2", "Two channels of [N, 2, 30] are mixed by a product from the left, and time is averaged; occlusion hides one moment after the other.", g, r.normal(size=(1, 2, 30)), 2)

    g = Graph(17)
    t = g("Transpose", g.input("x", ["N", 3, 20]), perm=[2, 0, 1])
    outs = g("LSTM", t, *recurrent_weights(r, 4, 3, 4), count=3, hidden_size=4)
    g.output(g("Gemm", g("Squeeze", outs[1], np.array([0])), r.normal(size=(4, 3)), out="y"), ["N", 3])
    stepped("channels-before-time-3", "A signal of [N, 3, 20] is turned to time, batch and channels for a recurrent layer; occlusion hides one moment after the other.", g, r.normal(size=(1, 3, 20)), 2)

    g = Graph(17)
    t = g("Transpose", g.input("x", ["N", 24, 3]), perm=[0, 2, 1])
    h = g("Relu", g("Conv", t, r.normal(size=(5, 3, 3)), pads=[1, 1]))
    g.output(g("Gemm", g("Flatten", g("GlobalMaxPool", h)), r.normal(size=(5, 3)), out="y"), ["N", 3])
    stepped("time-before-channels-2", "Steps of [N, 24, 3] are turned for a convolution over time; occlusion hides one step after the other.", g, r.normal(size=(1, 24, 3)), 1)

    g = Graph(17)
    h = g("Relu", g("Conv", g("Pad", g.input("x", ["N", 2, 24]), np.array([0, 0, 2, 0, 0, 2])), r.normal(size=(5, 2, 5))))
    g.output(g("Gemm", g("Flatten", g("GlobalAveragePool", h)), r.normal(size=(5, 3)), out="y"), ["N", 3])
    stepped("channels-before-time-4", "A signal of [N, 2, 24] is padded, then convolved; occlusion hides one moment after the other.", g, r.normal(size=(1, 2, 24)), 2)

    g = Graph(17)
    picture = g("Unsqueeze", g.input("x", ["N", 2, 24]), np.array([2]))
    h = g("Relu", g("Conv", picture, r.normal(size=(5, 2, 1, 5)), pads=[0, 2, 0, 2]))
    g.output(g("Gemm", g("Flatten", g("GlobalAveragePool", h)), r.normal(size=(5, 3)), out="y"), ["N", 3])
    stepped("channels-before-time-5", "A signal of [N, 2, 24] becomes [N, 2, 1, 24] for a convolution of pictures; occlusion hides one moment after the other.", g, r.normal(size=(1, 2, 24)), 2)

    g = Graph(17)
    h = g("Relu", g("MatMul", g.input("x", ["N", 9, 3]), r.normal(size=(3, 5))))
    g.output(g("Gemm", g("ReduceMax", h, axes=[1], keepdims=0), r.normal(size=(5, 3)), out="y"), ["N", 3])
    stepped("time-before-channels-3", "Steps of [N, 9, 3] are read by a dense layer each, and the greatest over time counts; occlusion hides one step after the other.", g, r.normal(size=(1, 9, 3)), 1)

    # Pictures without channels.
    r = rng("no channels")
    g = Graph(17)
    h = g("Relu", g("Conv", g("Unsqueeze", g.input("x", ["N", 12, 12]), np.array([1])), r.normal(size=(3, 1, 3, 3)), pads=[1, 1, 1, 1], out="conv"), out="stage")
    g.output(g("Gemm", g("Flatten", g("GlobalAveragePool", h)), r.normal(size=(3, 2)), out="y"), ["N", 2])
    model, x = g.model(), r.normal(size=(1, 12, 12))
    masks, lay = squares(x, 4, 1)
    score = lambda y: float(run(model, y)[0, 1])
    right = near(lay(drops(score, x, masks)))
    case("picture-without-channel-axis-2", "The network gives pictures of [N, 12, 12] a channel itself, for a convolution: occlusion covers squares of 4 x 4 pixels.", model, {"input.npy": x},
         explain("occlusion", 1, window=4, stride=4, score="logit"), [right], refusal=["layout"])  # fmt: skip
    case("picture-without-channel-axis-3", "Pictures of [N, 12, 12], said to be pictures: occlusion covers squares of 4 x 4 pixels.", model, {"input.npy": x},
         explain("occlusion", 1, "--layout", "picture", window=4, stride=4, score="logit"), [right])  # fmt: skip
    case("picture-without-channel-axis-4", "Grad-CAM of a network that takes pictures as [N, 12, 12] is that of its convolution's maps.", model, {"input.npy": x},
         explain("grad_cam", 0), [near(grad_cam(model, x, "stage", 0), 1e-5)], refusal=["layout"])  # fmt: skip

    # Volumes and clips.
    r = rng("volume")
    g = Graph(17)
    h = g("Relu", g("Conv", g.input("x", ["N", 2, 4, 4, 6]), r.normal(size=(3, 2, 3, 3, 3)), pads=[1] * 6, strides=[1, 2, 2]), out="stage")
    g.output(g("Gemm", g("Flatten", g("GlobalAveragePool", h)), r.normal(size=(3, 2)), out="y"), ["N", 2])
    model, x = g.model(), r.normal(size=(1, 2, 4, 4, 6))
    case("volume-2", "Grad-CAM of a clip, [N, 2, 4, 4, 6], whose last maps are half as high and wide, or a refusal.", model, {"input.npy": x},
         explain("grad_cam", 1), [near(grad_cam(model, x, "stage", 1, size=(4, 4, 6)), 1e-5)], refusal="fine")  # fmt: skip
    case("volume-3", "The gradient of a clip, [N, 2, 4, 4, 6].", model, {"input.npy": x}, gradients(1), [near(gradient(exact(model), x, 1), 1e-5)])
    case("volume-4", "Integrated gradients of a clip from zero sum to the change of the score.", model, {"input.npy": x},
         explain("integrated_gradients", 1, steps=400), [near(float(run(model, x)[0, 1] - run(model, 0 * x)[0, 1]), 2e-2, 1e-2, read="out.sum")])  # fmt: skip

    # More than six axes.
    r = rng("axes")
    g = Graph(18)
    cut = g("Reshape", g.input("x", ["N", 2, 2, 2, 4, 4, 4]), np.array([0, 8, 64]))
    h = g("Relu", g("MatMul", cut, r.normal(size=(64, 2))))
    g.output(g("Gemm", g("Flatten", h), r.normal(size=(16, 3)), out="y"), ["N", 3])
    model, x = g.model(), r.normal(size=(1, 2, 2, 2, 4, 4, 4))
    words = ["dimension", "axes", "rank"]
    case("more-than-six-axes-2", "An input of seven axes: the network computes, or the message says that it has too many.", model, {"input.npy": x}, logits(), [near(run(model, x))], refusal=words)

    g = Graph(17)
    h = g("Conv", g.input("x", ["N", 1, 2, 4, 4]), r.normal(size=(8, 1, 1, 1, 1)))
    cut = g("Reshape", h, np.array([0, 1, 2, 2, 2, 2, 4, 4]))
    turned = g("Transpose", cut, perm=[0, 1, 5, 2, 6, 3, 7, 4])
    big = g("Reshape", turned, np.array([0, 1, 4, 8, 8]))
    w = r.normal(size=(4, 1, 3, 3, 3))
    g.output(g("Gemm", g("ReduceMax", g("Relu", g("Conv", big, w)), axes=[2, 3, 4], keepdims=0), r.normal(size=(4, 3)), out="y"), ["N", 3])
    model, x = g.model(), r.normal(size=(1, 1, 2, 4, 4))
    case("more-than-six-axes-3", "A volume is enlarged by shuffling channels into places, by way of eight axes: its gradient.", model, {"input.npy": x},
         gradients(2), [near(gradient(exact(model), x, 2))], refusal=words)  # fmt: skip

    g = Graph(13)
    cut = g("Reshape", g.input("x", ["N", 4, 4, 4, 2]), np.array([-1, 2, 2, 2, 2, 2, 2, 2]))
    mean = g("ReduceMean", g("Relu", g("MatMul", cut, r.normal(size=(2, 3)))), axes=[2, 4, 6], keepdims=0)
    g.output(g("Gemm", g("Flatten", mean), r.normal(size=(24, 3)), out="y"), ["N", 3])
    model, x = g.model(), r.normal(size=(1, 4, 4, 4, 2))
    case("more-than-six-axes-4", "A volume is averaged in blocks, by three of eight axes: its gradient.", model, {"input.npy": x},
         gradients(0), [near(gradient(exact(model), x, 0))], refusal=words)  # fmt: skip


def batches():
    """The batch that a file fixes."""
    r = rng("batch")
    for number, size in ((2, 2), (3, 3)):
        g = Graph(17)
        h = g("Relu", g("Conv", g.input("x", [size, 2, 4, 4]), r.normal(size=(3, 2, 3, 3))))
        flat = g("Reshape", g("GlobalAveragePool", h), np.array([size, 3]))
        g.output(g("Gemm", flat, r.normal(size=(3, 3)), out="y"), [size, 3])
        model, x = g.model(), r.normal(size=(size, 2, 4, 4))
        case(f"batch-fixed-in-the-file-{number}", f"A file fixes its batch to {size}; {size} pictures are given, and have their scores.", model, {"input.npy": x}, logits(), [near(run(model, x))])
    case("batch-fixed-in-the-file-4", "A file fixes its batch to three; the gradient of each picture's score by that picture.", model, {"input.npy": x},
         gradients(1), [near(sum(gradient(exact(model), x, 3 * k + 1) for k in range(3)))], refusal=["batch"])  # fmt: skip
    one = x[:1]
    whole = np.repeat(one, 3, axis=0)
    right = run(model, whole)[:1]
    case("batch-fixed-in-the-file-5", "A file fixes its batch to three, and one picture is given: its scores, or a message that names the batch.", model, {"input.npy": one},
         logits(), [near(right)], refusal=["batch"])  # fmt: skip
    masks, lay = squares(one, 2, 2)
    score = lambda y: float(run(model, np.repeat(y, 3, axis=0))[0, 2])
    case("batch-fixed-in-the-file-6", "A file fixes its batch to three, and one picture is explained by occlusion, or a message names the batch.", model, {"input.npy": one},
         explain("occlusion", 2, window=2, stride=2, score="logit"), [near(lay(drops(score, one, masks)))], refusal=["batch"])  # fmt: skip

    g = Graph(17)
    g.output(g("Gemm", g("Reshape", g.input("x", [1, 2, 3]), np.array([1, 6])), r.normal(size=(6, 2)), out="y"), [1, 2])
    model, x = g.model(), r.normal(size=(3, 2, 3))
    right = np.concatenate([run(model, x[k : k + 1]) for k in range(3)])
    case("batch-fixed-in-the-file-7", "A file fixes its batch to one; three samples are given, and have their scores.", model, {"input.npy": x}, logits(), [near(right)], refusal=["batch"])


# --- types ---------------------------------------------------------------------------------------


def types():
    """Half precision and whole numbers."""
    r = rng("half")

    def half(g, x, dense):
        h = g("Relu", g("Conv", x, r.normal(size=(4, 3, 3, 3)).astype(np.float16), pads=[1, 1, 1, 1]))
        return g("Gemm", g("Flatten", g("GlobalAveragePool", h)), r.normal(size=(4, 3)).astype(np.float16), **dense)

    x = r.normal(size=(1, 3, 6, 6)).astype(np.float16).astype(np.float64)
    g = Graph(17)
    z = half(g, g.input("x", ["N", 3, 6, 6], HALF), {})
    g.output(g("Softmax", z, axis=1, out="y"), ["N", 3], HALF)
    model = g.model()
    case("half-precision-input-2", "A classifier in half precision: its probabilities, up to that precision.", model, {"input.npy": x}, classify(3), shares(exact(model)(x), 2e-3))
    score = lambda y: float(softmax(np.log(exact(model)(y)))[0, 0])
    masks, lay = squares(x, 2, 2)
    case("half-precision-input-3", "Occlusion of a classifier in half precision: the drop of the probability, up to that precision.", model, {"input.npy": x},
         explain("occlusion", 0, window=2, stride=2), [near(lay(drops(score, x, masks)), 2e-3)])  # fmt: skip
    g = Graph(17)
    g.output(g("Cast", half(g, g("Cast", g.input("x", ["N", 3, 6, 6]), to=HALF), {}), to=FLOAT, out="y"), ["N", 3])
    model = g.model()
    case("half-precision-input-4", "A network of single precision at its ends and half precision inside: its gradient.", model, {"input.npy": x},
         gradients(1), [near(gradient(exact(model), x, 1), 1e-3, 1e-2)])  # fmt: skip

    r = rng("whole numbers")

    def network(shape, kind, before, opset=17):
        g = Graph(opset)
        first = before(g, g.input("image", shape, kind))
        h = g("Relu", g("Conv", first, r.normal(size=(4, 3, 3, 3)), pads=[1, 1, 1, 1]))
        g.output(g("Gemm", g("Flatten", g("GlobalAveragePool", h)), r.normal(size=(4, 3)), out="y"), ["N", 3])
        return g.model()

    def real(model, x):
        """The network with the pixels as real numbers: casts and all, in float64."""
        wide = widened(model)
        wide.graph.input[0].type.tensor_type.elem_type = DOUBLE
        evaluator = ReferenceEvaluator(wide)
        return lambda y: evaluator.run(["y"], {"image": np.asarray(y, np.float64)})[0]

    pixels = r.integers(0, 256, size=(1, 3, 8, 8)).astype(np.float64)
    scaled = lambda g, x: g("Div", g("Sub", g("Div", g("Cast", x, to=FLOAT), np.float32(255)), np.array([0.5, 0.4, 0.3]).reshape(1, 3, 1, 1)), np.array([0.2, 0.3, 0.25]).reshape(1, 3, 1, 1))
    model = network(["N", 3, 8, 8], UINT8, scaled)
    case("pixels-as-whole-numbers-2", "Pixels of [N, 3, 8, 8] as bytes, with the whole preprocessing inside: the gradient by real pixels.", model, {"input.npy": pixels},
         gradients(1), [near(gradient(real(model, pixels), pixels, 1, 1e-4), 1e-6)])  # fmt: skip
    case("pixels-as-whole-numbers-3", "The scores of pixels given as bytes.", model, {"input.npy": pixels}, logits(), [near(run(model, pixels))])
    masks, lay = squares(pixels, 4, 2)
    score = lambda y: float(run(model, y)[0, 2])
    mean = np.array([0.5, 0.4, 0.3]).reshape(1, 3, 1, 1) * 255
    zero = near(lay(drops(score, pixels, masks, 0.0)))
    average = near(lay(drops(lambda y: float(real(model, y)(y)[0, 2]), pixels, masks, mean)))
    case("pixels-as-whole-numbers-4", "Occlusion of pixels given as bytes: hidden squares are black.", model, {"input.npy": pixels},
         explain("occlusion", 2, window=4, stride=4, score="logit", hidden="black"), [zero], refusal=["black"])  # fmt: skip
    model = network(["N", 8, 8, 3], INT32, lambda g, x: g("Cast", g("Transpose", x, perm=[0, 3, 1, 2]), to=FLOAT))
    small = r.integers(0, 4, size=(1, 8, 8, 3)).astype(np.float64)
    slope = gradient(real(model, small), small, 0, 1e-4)
    case("pixels-as-whole-numbers-5", "Whole numbers of 32 bits, turned before they are made real: the gradient by real pixels, in either order.", model, {"input.npy": small},
         gradients(0), [near(slope, 1e-5, **{"or": near(slope.transpose(0, 3, 1, 2), 1e-5)})])  # fmt: skip
    linear = lambda g, x: g("DequantizeLinear", x, np.float32(0.05), np.int8(-3))
    model = network(["N", 3, 8, 8], INT8, linear, 19)
    signed = r.integers(-128, 128, size=(1, 3, 8, 8)).astype(np.float64)
    slope = gradient(nudged(model, "dequantizelinear1", image=signed), 0 * signed, 1)
    case("pixels-as-whole-numbers-6", "Signed bytes, dequantised first: the gradient by the dequantised values, or by the bytes as reals.", model, {"input.npy": signed},
         gradients(1), [near(slope, 1e-5, **{"or": near(slope * 0.05, 1e-6)})])  # fmt: skip
    model = network(["N", 3, 8, 8], INT8, linear, 19)
    case("pixels-as-whole-numbers-7", "The scores of signed bytes that are dequantised first.", model, {"input.npy": signed}, logits(), [near(run(model, signed), 1e-3)])
    half = lambda g, x: g("Cast", g("Mul", g("Cast", x, to=HALF), np.float16(1 / 64)), to=FLOAT)
    model = network(["N", 3, 8, 8], UINT8, half)
    case("pixels-as-whole-numbers-8", "Bytes made real in half precision first: the gradient by real pixels.", model, {"input.npy": pixels},
         gradients(1), [near(gradient(real(model, pixels), pixels, 1, 1e-2), 1e-4, 2e-3)])  # fmt: skip


# --- inputs and outputs --------------------------------------------------------------------------


def several_inputs():
    r = rng("inputs")
    g = Graph(17)
    ids, mask = g.input("input_ids", ["N", 5], INT64), g.input("attention_mask", ["N", 5], INT64)
    e = g("Gather", r.normal(size=(10, 4)), ids, axis=0, out="embedded")
    m = g("Unsqueeze", g("Cast", mask, to=FLOAT), np.array([2]))
    mean = g("Div", g("ReduceSum", g("Mul", e, m), np.array([1]), keepdims=0), g("ReduceSum", m, np.array([1]), keepdims=0))
    g.output(g("Gemm", mean, r.normal(size=(4, 3)), out="y"), ["N", 3])
    model, tokens = g.model(), np.array([[1, 7, 3, 9, 2]])
    right = softmax(run(model, tokens, attention_mask=np.ones((1, 5))))
    told_so = {"read": "text", "says": ["attention_mask"]}
    case("other-inputs-2", "Token numbers without their attention mask: it is taken as ones, and told, or asked for by name.", model, {"input.npy": tokens},
         classify(3, "--input-name", "input_ids"), [told_so, *shares(right)], refusal=["attention_mask"])  # fmt: skip
    masked = np.array([[1, 1, 1, 0, 0]])
    right = softmax(run(model, tokens, attention_mask=masked))
    case("other-inputs-3", "Token numbers and their attention mask are given.", model, {"input.npy": tokens, "mask.npy": masked},
         classify(3, "--input-name", "input_ids", "--also", "attention_mask=mask.npy"), shares(right))  # fmt: skip

    g = Graph(17)
    g.input("photo", ["N", 2, 4, 4])
    age = g.input("age", ["N", 1])
    j = g("Concat", g("Flatten", g("GlobalAveragePool", "photo")), age, axis=1)
    g.output(g("Gemm", j, r.normal(size=(3, 2)), out="y"), ["N", 2])
    model, photo, number = g.model(), r.normal(size=(1, 2, 4, 4)), np.array([[0.7]])
    case("other-inputs-4", "A photograph and a number are given: the scores of both.", model, {"input.npy": photo, "age.npy": number},
         logits("--input-name", "photo", "--also", "age=age.npy"), [near(run(model, photo, age=number))])  # fmt: skip
    case("other-inputs-5", "Without the number that the network also reads, the message asks for it by name, or tells what was taken.", model, {"input.npy": photo},
         explain("saliency", 1, "--input-name", "photo"), [{"read": "text", "says": ["age"]}], refusal=["age"])  # fmt: skip
    case("other-inputs-6", "The number is explained, the photograph given beside it.", model, {"input.npy": number, "photo.npy": photo},
         gradients(1, "--input-name", "age", "--also", "photo=photo.npy"), [near(gradient(lambda y: exact(model, age=y)(photo), number, 1))])  # fmt: skip

    g = Graph(17)
    x, h0 = g.input("x", [5, 1, 3]), g.input("h0", [1, 1, 4])
    outs = g("GRU", x, *recurrent_weights(r, 3, 3, 4), None, h0, count=2, hidden_size=4)
    g.output(g("Gemm", g("Squeeze", outs[1], np.array([0])), r.normal(size=(4, 2)), out="y"), [1, 2])
    model, x = g.model(), r.normal(size=(5, 1, 3))
    case("other-inputs-7", "A recurrent network without its first state: it is taken as zeros, and told, or asked for by name.", model, {"input.npy": x},
         classify(2, "--input-name", "x"), [{"read": "text", "says": ["h0"]}, *shares(softmax(run(model, x, h0=np.zeros((1, 1, 4)))))], refusal=["h0"])  # fmt: skip
    state = r.normal(size=(1, 1, 4))
    case("other-inputs-8", "A recurrent network with its first state given.", model, {"input.npy": x, "h0.npy": state},
         logits("--input-name", "x", "--also", "h0=h0.npy"), [near(run(model, x, h0=state))])  # fmt: skip

    g = Graph(17)
    a, b = g.input("left", ["N", 3]), g.input("right", ["N", 3])
    g.output(g("Gemm", g("Mul", a, b), r.normal(size=(3, 2)), out="y"), ["N", 2])
    model, left, right = g.model(), r.normal(size=(1, 3)), r.normal(size=(1, 3))
    case("other-inputs-9", "Two rows are multiplied: the gradient by the one, with the other given.", model, {"input.npy": left, "right.npy": right},
         gradients(0, "--input-name", "left", "--also", "right=right.npy"), [near(gradient(exact(model, right=right), left, 0))])  # fmt: skip


def outputs():
    r = rng("outputs")
    x = r.normal(size=(1, 3))
    w = r.normal(size=(3, 3))

    g = Graph(17)
    z = g("Gemm", g.input("x", ["N", 3]), w)
    g.output(g("Cast", g("ArgMax", z, axis=1, keepdims=1), to=INT32, out="class"), ["N", 1], INT32)
    g.output(g("Softmax", z, axis=1, out="scores"), ["N", 3])
    model = g.model()
    case("label-output-first-2", "A label of 32 bits comes first, then the probabilities, which are shown.", model, {"input.npy": x}, classify(3), shares(run(model, x, "scores")), refusal=["scores"])

    g = Graph(17)
    z = g("Gemm", g.input("x", ["N", 3]), w)
    g.output(g("Greater", g("ReduceMax", z, axes=[1], keepdims=0), np.float32(0), out="sure"), ["N"], BOOL)
    g.output(g("Identity", z, out="scores"), ["N", 3])
    model = g.model()
    case("label-output-first-3", "A truth value comes first, then the scores, whose gradient is taken.", model, {"input.npy": x}, gradients(2), [near(w[:, 2][None])], refusal=["scores"])

    g = Graph(17)
    z = g("Gemm", g.input("x", ["N", 3]), w)
    p = g("Softmax", z, axis=1, out="scores")
    best = g("TopK", p, np.array([2]), axis=1, count=2, out=["values", "classes"])
    g.output("classes", ["N", 2], INT64)
    g.output("scores", ["N", 3])
    model = g.model()
    model.graph.node[-1].output[:] = ["values", "classes"]
    case("label-output-first-4", "The best two classes' numbers come first, then all probabilities.", model, {"input.npy": x}, classify(3), shares(run(model, x, "scores")), refusal=["scores"])

    # An operator that nobody knows, beside the explained output.
    def beside(name, expects, build, args, checks, opset=17, **domains):
        g = Graph(opset, **domains)
        z = g("Gemm", g.input("x", ["N", 3]), w)
        build(g, z)
        model = g.model()
        case(name, expects, model, {"input.npy": x}, args, checks)

    right = softmax(x @ w)

    def weird(g, z):
        g.output(g("Softmax", z, axis=1, out="probabilities"), ["N", 3])
        g.output(g("Explain", z, domain="com.example", out="why"), ["N", 3])

    beside("parts-beside-the-explained-output-2", "A branch holds an operator of somebody's own; the first output does not need it.", weird, classify(3), shares(right), com_example=1)

    def strings(g, z):
        names = g("LabelEncoder", g("ArgMax", z, axis=1, keepdims=0), domain="ai.onnx.ml", keys_int64s=[0, 1, 2], values_strings=["a", "b", "c"], default_string="?", out="label")
        g.output(names, ["N"], STRING)
        g.output(g("Softmax", z, axis=1, out="probabilities"), ["N", 3])

    beside("parts-beside-the-explained-output-3", "A branch writes the class's name as text and comes first; the probabilities are named.", strings,
           classify(3, "--output-name", "probabilities"), shares(right), ai_onnx_ml=2)  # fmt: skip

    def zipped(g, z):
        p = g("Softmax", z, axis=1, out="probabilities")
        g.output(p, ["N", 3])
        g.output(g("ArrayFeatureExtractor", np.array([[0.5, 1.5, 2.5]]), g("ArgMax", z, axis=1, keepdims=0), domain="ai.onnx.ml", out="price"), None)

    beside("parts-beside-the-explained-output-4", "A looked-up price stands beside the probabilities, which come first.", zipped, gradients(1), [near(w[:, 1][None])], ai_onnx_ml=1)

    def random(g, z):
        g.output(g("Identity", z, out="scores"), ["N", 3])
        g.output(g("Multinomial", z, sample_size=1, dtype=INT32, out="drawn"), ["N", 1], INT32)

    beside("parts-beside-the-explained-output-5", "A branch draws a class at random; the scores do not need it.", random, gradients(0), [near(w[:, 0][None])])

    # Very many classes.
    g = Graph(17)
    k = g("Range", np.float32(0), np.float32(90000), np.float32(1))
    row = g("Unsqueeze", g("Mul", g("Abs", g("Sub", k, np.float32(61803))), np.float32(-0.5)), np.array([0]))
    g.output(g("Sigmoid", g("MatMul", g.input("x", ["N", 1]), row), out="y"), ["N", 90000])
    model = g.model()
    case("very-many-classes-2", "90,000 labels, each for itself: the best and its probability.", model, {"input.npy": np.array([[1.5]])}, classify(1),
         [{"read": "top.class", "right": 61803, "atol": 0, "rtol": 0.0}, near(0.5, read="top.probability")])  # fmt: skip
    g = Graph(13)
    k = g("Range", np.float32(0), np.float32(150000), np.float32(1))
    row = g("Unsqueeze", g("Mul", g("Abs", g("Sub", k, np.float32(31415))), np.float32(-0.5)), np.array([0]))
    g.output(g("MatMul", g.input("x", ["N", 2]), g("Concat", row, row, axis=0), out="y"), ["N", 150000])
    model = g.model()
    right = softmax(run(model, np.array([[1.0, 0.5]])).astype(np.float64)).max()
    case("very-many-classes-3", "150,000 scores without a softmax: the best class's probability.", model, {"input.npy": np.array([[1.0, 0.5]])}, classify(1),
         [{"read": "top.class", "right": 31415, "atol": 0, "rtol": 0.0}, near(float(right), 2e-4, read="top.probability")])  # fmt: skip
    case("very-many-classes-4", "150,000 scores: the gradient of one.", model, {"input.npy": np.array([[1.0, 0.5]])}, gradients(31417), [near(np.array([[-1.0, -1.0]]))])


# --- Grad-CAM's place ----------------------------------------------------------------------------


def stages():
    r = rng("stages")
    picture = lambda size=8, channels=3: r.normal(size=(1, channels, size, size))

    def conv(g, x, inside, outside, side=3, **attributes):
        pad = side // 2
        return g("Conv", x, r.normal(size=(outside, inside, side, side)) * 0.5, r.normal(size=(outside,)) * 0.1, pads=[pad] * 4, **attributes)

    def head(g, a, channels, classes=2):
        g.output(g("Gemm", g("Flatten", g("GlobalAveragePool", a)), r.normal(size=(channels, classes)), out="y"), ["N", classes])

    def cam(name, expects, g, layer, target=0, size=(8, 8), x=None, to_map=lambda a: a, more=(), atol=1e-5, **extra):
        model, x = g.model(), picture() if x is None else x
        right = grad_cam(model, x, layer, target, to_map, size)
        assert right.max() > 0, name
        case(name, expects, model, {"input.npy": x}, explain("grad_cam", target, **dict(more)), [near(right, atol)], **extra)

    g = Graph(17)
    a = g("Relu", conv(g, g.input("x", ["N", 3, 8, 8]), 3, 4))
    b = conv(g, g("Relu", conv(g, a, 4, 4)), 4, 4)
    head(g, g("Relu", g("Add", a, b), out="stage"), 4)
    cam("last-stage-of-several-branches-2", "A residual block: Grad-CAM looks at the rectified sum, which the average pools, not at the last convolution.", g, "stage")

    g = Graph(17)
    a = g("Relu", conv(g, g.input("x", ["N", 3, 8, 8]), 3, 4))
    weight = g("Sigmoid", conv(g, g("Relu", conv(g, g("GlobalAveragePool", a), 4, 2, 1)), 2, 4, 1))
    head(g, g("Mul", a, weight, out="stage"), 4)
    cam("last-stage-of-several-branches-3", "Squeeze and excitation at the end: Grad-CAM looks at the scaled maps, not at the excitation's convolution of one place.", g, "stage", 1)

    g = Graph(17)
    a = conv(g, g.input("x", ["N", 3, 8, 8]), 3, 4)
    j = g("Concat", a, conv(g, g("Relu", a), 4, 3), axis=1)
    norm = g("BatchNormalization", j, np.abs(r.normal(size=7)) + 0.5, r.normal(size=7), r.normal(size=7) * 0.1, np.abs(r.normal(size=7)) + 0.5)
    head(g, g("Relu", norm, out="stage"), 7)
    cam("last-stage-of-several-branches-4", "A dense block: what is joined is normalised and rectified, and that is what Grad-CAM looks at.", g, "stage")

    g = Graph(17)
    a = g("Relu", conv(g, g.input("x", ["N", 3, 8, 8]), 3, 4), out="stage")
    head(g, a, 4)
    side = g("Relu", conv(g, a, 4, 2))
    g.output(g("Gemm", g("Flatten", g("GlobalAveragePool", side)), r.normal(size=(2, 2)), out="other"), ["N", 2])
    cam("last-stage-of-several-branches-5", "A second head has the last convolution; Grad-CAM of the first looks at what the first reads.", g, "stage")

    g = Graph(17)
    a = g("MaxPool", g("Relu", conv(g, g.input("x", ["N", 3, 8, 8]), 3, 4)), kernel_shape=[2, 2], strides=[2, 2])
    parts = [g("Relu", conv(g, a, 4, 2, side)) for side in (1, 3, 5)]
    head(g, g("Concat", *parts, g("Relu", conv(g, g("MaxPool", a, kernel_shape=[3, 3], pads=[1] * 4), 4, 2, 1)), axis=1, out="stage"), 8)
    cam("last-stage-of-several-branches-6", "An inception block of four branches on maps of 4 x 4, enlarged to the picture.", g, "stage", 1)

    g = Graph(18)
    a = g("Relu", conv(g, g.input("x", ["N", 3, 8, 8]), 3, 4))
    b = g("Relu", conv(g, a, 4, 4))
    s = g("Sum", a, b, g("Relu", conv(g, b, 4, 4)), out="stage")
    g.output(g("Gemm", g("ReduceMean", s, np.array([2, 3]), keepdims=0), r.normal(size=(4, 2)), out="y"), ["N", 2])
    cam("last-stage-of-several-branches-7", "Three stages are added up before the mean over height and width.", g, "stage", 1)

    # Channels last inside.
    r = rng("channels last inside")

    def norm(g, a, channels):
        return g("LayerNormalization", a, np.abs(r.normal(size=channels)) + 0.5, r.normal(size=channels) * 0.2, axis=-1)

    first = lambda a: a.transpose(0, 3, 1, 2)

    g = Graph(17)
    a = g("Relu", conv(g, g.input("x", ["N", 3, 8, 8]), 3, 6))
    t = g("Transpose", a, perm=[0, 2, 3, 1])
    t = g("Add", t, g("MatMul", g("Relu", g("MatMul", norm(g, t, 6), r.normal(size=(6, 12)))), r.normal(size=(12, 6))), out="stage")
    mean = g("ReduceMean", t, axes=[1, 2], keepdims=0)
    g.output(g("Gemm", mean, r.normal(size=(6, 3)), out="y"), ["N", 3])
    cam("map-with-channels-last-inside-2", "A last stage with its channels last, averaged over axes 1 and 2: Grad-CAM named that stage is as with the channels first, or refused.", g, "stage", 1,
        to_map=first, more={"layer": "stage"}, refusal="fine")  # fmt: skip
    cam("map-with-channels-last-inside-3", "The same without a name: Grad-CAM looks at the last stage, whose channels are last.", g, "stage", 2, to_map=first)

    g = Graph(17)
    x = conv(g, g.input("x", ["N", 3, 8, 8]), 3, 6)
    t = norm(g, g("Transpose", g("Conv", x, r.normal(size=(6, 1, 3, 3)), pads=[1] * 4, group=6), perm=[0, 2, 3, 1]), 6)
    t = g("MatMul", g("Relu", g("MatMul", t, r.normal(size=(6, 12)))), r.normal(size=(12, 6)))
    a = g("Add", x, g("Transpose", t, perm=[0, 3, 1, 2]), out="stage")
    head(g, a, 6, 3)
    cam("map-with-channels-last-inside-4", "A ConvNeXt block: dense layers with the channels last, turned back and added; Grad-CAM looks at the sum.", g, "stage")

    # Swin: tokens of windows, mean over tokens.
    g = Graph(17)
    a = g("Conv", g.input("x", ["N", 3, 8, 8]), r.normal(size=(6, 3, 2, 2)), strides=[2, 2])
    tokens = g("Transpose", g("Reshape", a, np.array([0, 6, 16])), perm=[0, 2, 1])
    tokens = norm(g, g("Add", tokens, g("MatMul", g("Relu", g("MatMul", tokens, r.normal(size=(6, 12)))), r.normal(size=(12, 6)))), 6)
    turned = g("Transpose", tokens, perm=[0, 2, 1], out="turned")
    g.output(g("Gemm", g("Flatten", g("GlobalAveragePool", turned)), r.normal(size=(6, 3)), out="y"), ["N", 3])
    model, x = g.model(), picture()
    likes = [grad_cam(model, x, layer, 1, lambda a: a.reshape(1, 6, 4, 4), (8, 8)) for layer in ("turned",)]
    likes += [grad_cam(model, x, layer, 1, lambda a: a.transpose(0, 2, 1).reshape(1, 6, 4, 4), (8, 8)) for layer in ("layernormalization10",) if layer in str(model)]
    case("tokens-as-a-map-2", "Tokens of 4 x 4 patches without a class token, averaged at the end: Grad-CAM lays them out as a map.", model, {"input.npy": x},
         explain("grad_cam", 1), [{"read": "out", "like": likes, "at_least": 0.95}], refusal="fine")  # fmt: skip

    def vit(name, expects, rows, columns, spare, spare_last=False, pooled=False, opset=17, target=1):
        g = Graph(opset)
        a = g("Conv", g.input("x", [1, 3, 4 * rows, 4 * columns]), r.normal(size=(8, 3, 4, 4)) * 0.3, strides=[4, 4])
        count = rows * columns
        patches = g("Transpose", g("Reshape", a, np.array([0, 8, count])), perm=[0, 2, 1])
        if spare:
            extra = g.value(r.normal(size=(1, spare, 8)))
            patches = g("Concat", *((patches, extra) if spare_last else (extra, patches)), axis=1)
        t = g("Add", patches, r.normal(size=(1, count + spare, 8)) * 0.3)
        layers = []
        for block in range(2):
            layers = [t]
            n = norm(g, t, 8)
            layers.append(n)
            q, k, v = (g("MatMul", n, r.normal(size=(8, 8)) * 0.5) for _ in range(3))
            mixed = g("MatMul", g("Softmax", g("MatMul", q, g("Transpose", k, perm=[0, 2, 1])), axis=-1), v)
            t = g("Add", t, g("MatMul", mixed, r.normal(size=(8, 8)) * 0.5))
            t = g("Add", t, g("MatMul", g("Relu", g("MatMul", norm(g, t, 8), r.normal(size=(8, 16)) * 0.5)), r.normal(size=(16, 8)) * 0.5))
        places = slice(0, count) if spare_last else slice(spare, None)
        t = norm(g, t, 8)
        if pooled:
            layers = [t] + layers
            kept = g("Slice", t, np.array([spare]), np.array([count + spare]), np.array([1])) if spare else t
            read = g("ReduceMean", kept, axes=[1], keepdims=0)
        else:
            read = g("Gather", t, np.array(count if spare_last else 0), axis=1)
        g.output(g("Gemm", read, r.normal(size=(8, 3)), out="scores"), [1, 3])
        model, x = g.model(), r.normal(size=(1, 3, 4 * rows, 4 * columns))
        lay = lambda a: a[:, places].transpose(0, 2, 1).reshape(1, 8, rows, columns)
        likes = [grad_cam(model, x, layer, target, lay, (4 * rows, 4 * columns)) for layer in layers]
        likes = [like for like in likes if like.max() > 0]
        assert likes, name
        case(name, expects, model, {"input.npy": x}, explain("grad_cam", target), [{"read": "out", "like": likes, "at_least": 0.95}], refusal="fine")

    vit("tokens-as-a-map-3", "A class token and two registers come before the 4 x 4 patches: Grad-CAM leaves them out.", 4, 4, 3)
    vit("tokens-as-a-map-4", "Patches of a picture twice as wide as high, 2 x 4, with a class token.", 2, 4, 1)
    vit("tokens-as-a-map-5", "The class token comes after the 4 x 4 patches.", 4, 4, 1, spare_last=True)
    vit("tokens-as-a-map-6", "The patches are averaged at the end, without the class token.", 4, 4, 1, pooled=True)
    vit("tokens-as-a-map-7", "Nine patches and a class token, 10 tokens: 3 x 3.", 3, 3, 1)

    # Detectors.
    r = rng("detectors")

    def detector(name, expects, transposed, scales, anchors_first=False, kind="grad_cam", sigmoid_scores=True):
        g = Graph(17)
        a = g("Relu", conv(g, g.input("x", ["N", 3, 8, 8]), 3, 6))
        outs, places, base = [], [], a
        for scale in range(scales):
            if scale:
                base = g("Relu", conv(g, base, 6, 6, strides=[2, 2]))
            b, c = conv(g, g("Relu", conv(g, base, 6, 6)), 6, 4, 1), conv(g, g("Relu", conv(g, base, 6, 6)), 6, 3, 1)
            n = (8 >> scale) ** 2
            c = g("Sigmoid", c) if sigmoid_scores else c
            outs.append(g("Reshape", g("Concat", b, c, axis=1), np.array([0, 7, n])))
            places.append(n)
        y = g("Concat", *outs, axis=2) if scales > 1 else g("Identity", outs[0])
        total = sum(places)
        if transposed:
            g.output(g("Transpose", y, perm=[0, 2, 1], out="y"), ["N", total, 7])
        else:
            g.output(g("Identity", y, out="y"), ["N", 7, total])
        model, x = g.model(), picture()
        scores = np.ravel(run(model, x)).reshape((total, 7) if transposed else (7, total))
        scores = scores if transposed else scores.T
        place, klass = np.unravel_index(scores[: places[0], 4:].argmax(), (places[0], 3))
        target = int(place * 7 + 4 + klass if transposed else (4 + klass) * total + place)
        row, column = divmod(int(place), 8)
        case(name, expects, model, {"input.npy": x}, explain(kind, target),
             [{"read": "out.max", "above": 0}], refusal="poor")  # fmt: skip

    detector("detector-element-2", "Boxes and class scores of two scales in [N, 7, 80]; a class score at its best place is explained by Grad-CAM: the map is not empty.", False, 2)
    detector("detector-element-3", "Boxes first, [N, 64, 7]; a class score at its best place is explained by Grad-CAM: the map is not empty.", True, 1)
    detector("detector-element-4", "Boxes first and scores without a sigmoid, of two scales, [N, 80, 7]: Grad-CAM's map is not empty.", True, 2, sigmoid_scores=False)
    detector("detector-element-5", "The same by LayerCAM: the map is not empty.", False, 2, kind="layer_cam")


# --- rules, references, segments -----------------------------------------------------------------


def rectifiers():
    r = rng("rectifiers")
    zero = np.float32(0)
    x = r.normal(size=(1, 4))

    spellings = {
        2: ("where the value is above 0, it, else 0", 17, lambda g, k: g("Where", g("Greater", k, zero), k, zero)),
        3: ("a clip without an upper end", 13, lambda g, k: g("Clip", k, zero)),
        4: ("the larger of 0 and a value, in operator set 8", 8, lambda g, k: g("Max", np.zeros(5), k)),
        5: ("a leaky rectifier that does not leak", 17, lambda g, k: g("LeakyRelu", k, alpha=0.0)),
        6: ("a thresholded rectifier with the threshold 0", 17, lambda g, k: g("ThresholdedRelu", k, alpha=0.0)),
        7: ("a parametric rectifier with slopes of 0", 17, lambda g, k: g("PRelu", k, np.zeros(5))),
        8: ("0 where the value is below 0, else it", 17, lambda g, k: g("Where", g("Less", k, zero), zero, k)),
        9: ("the value times whether it is above 0", 17, lambda g, k: g("Mul", k, g("Cast", g("Greater", k, zero), to=FLOAT))),
        10: ("a clip by an attribute, min 0, in operator set 6", 10, lambda g, k: g("Clip", k, min=0.0)),
    }  # fmt: skip
    for number, (words, opset, written) in spellings.items():
        w0, w1, w2, b = r.normal(size=(4, 6)), r.normal(size=(6, 5)), r.normal(size=(5, 3)), r.normal(size=5)
        g = Graph(opset)
        a = g("Relu", g("Gemm", g.input("x", ["N", 4]), w0, np.zeros(6)))
        g.output(g("Gemm", written(g, g("Gemm", a, w1, b)), w2, np.zeros(3), out="y"), ["N", 3])
        h = x @ w0
        k = np.maximum(h, 0) @ w1 + b
        back = w2[:, 1]
        guided = w0 @ (np.maximum(w1 @ (np.maximum(back, 0) * (k[0] > 0)), 0) * (h[0] > 0))
        case(f"rectifier-written-otherwise-{number}", f"A rectifier written as {words}: guided backpropagation is the same as with ReLU.", g.model(), {"input.npy": x},
             explain("guided_backprop", 1), [near(guided[None])])  # fmt: skip
        if number in (2, 3):
            deconvnet = w0 @ np.maximum(w1 @ np.maximum(back, 0), 0)
            case(f"rectifier-written-otherwise-{number + 9}", f"A rectifier written as {words}: the deconvolutional network is the same as with ReLU.", g.model(), {"input.npy": x},
                 explain("deconvnet", 1), [near(deconvnet[None])])  # fmt: skip
        if number in (2, 8):
            # DeepLIFT's rescale rule from zero: the slope of each rectifier between its two inputs.
            h0, k0 = np.zeros(6), b
            slope = lambda at, ref: (np.maximum(at, 0) - np.maximum(ref, 0)) / (at - ref)
            deep = x * (w0 @ (slope(h[0], h0) * (w1 @ (slope(k[0], k0) * back))))
            case(f"rectifier-written-otherwise-{13 if number == 2 else 14}", f"A rectifier written as {words}: DeepLIFT from a row of zeros.", g.model(), {"input.npy": x},
                 explain("deep_lift", 1), [near(deep)])  # fmt: skip


def references():
    r = rng("references")
    x, w = np.array([[0.5, -1.0, 2.0, 3.0]]), r.normal(size=(4, 2))

    def linear(shape, weights, read=lambda g, x: x):
        g = Graph(17)
        g.output(g("MatMul", read(g, g.input("x", shape)), weights, out="y"), ["N", weights.shape[1]])
        return g.model()

    row = linear(["N", 4], w)
    parts = x * w[:, 0]
    for number, method, values in ((2, "deep_lift", {}), (3, "kernel_shap", {"score": "logit"}), (4, "occlusion", {"score": "logit"}), (5, "guided_ig", {})):
        case(f"reference-of-a-row-{number}", f"{method} of a row under a linear network, by its defaults: each feature counts its weight times its value.", row, {"input.npy": x},
             explain(method, 0, **values), [near(parts, 1e-3)])  # fmt: skip
    steps = r.normal(size=(1, 5, 3))
    v = r.normal(size=(15, 2))
    case("reference-of-a-row-6", "Integrated gradients of steps and features under a linear network: each value times its weight.", linear(["N", 5, 3], v, lambda g, x: g("Flatten", x)),
         {"input.npy": steps}, explain("integrated_gradients", 1), [near(steps * v[:, 1].reshape(1, 5, 3))])  # fmt: skip
    sound = r.normal(size=(1, 1, 16)) * 0.3
    g = Graph(17)
    h = g("Conv", g.input("x", ["N", 1, 16]), r.normal(size=(2, 1, 3)), pads=[1, 1])
    g.output(g("Gemm", g("Flatten", g("GlobalAveragePool", h)), r.normal(size=(2, 2)), out="y"), ["N", 2])
    model = g.model()
    case("reference-of-a-row-7", "Integrated gradients of a sound start from silence: under a linear network each sample counts its slope times its value.", model, {"input.npy": sound},
         explain("integrated_gradients", 0), [near(sound * gradient(exact(model), sound, 0))])  # fmt: skip
    # The model's own scaling must not be mistaken for pixels.
    z = np.array([[0.2, 0.9, 0.4, 0.1]])
    case("reference-of-a-row-8", "A row whose values happen to lie between 0 and 1: integrated gradients from zero.", row, {"input.npy": z}, explain("integrated_gradients", 1), [near(z * w[:, 1])])

    mean = np.array([[0.25, 0.5, -1.0, 1.0]])
    apart = (x - mean) * w[:, 0]
    for number, method, values, name in (
        (2, "deep_lift", {}, "baseline"),
        (3, "guided_ig", {}, "baseline"),
        (4, "kernel_shap", {"score": "logit"}, "baseline"),
        (5, "occlusion", {"score": "logit"}, "baseline"),
        (6, "lime", {"score": "logit"}, "baseline"),
    ):
        checks = [near(apart, 1e-3)]
        if method == "lime":
            checks = [{"read": "out", "like": [apart], "at_least": 0.95}]
        case(f"reference-of-ones-own-{number}", f"A user gives the training data's mean row as the {name} of {method}; it is used, or the message says that it cannot be.", row,
             {"input.npy": x, "mean_row.npy": mean}, explain(method, 0, "--given", f"{name}=mean_row.npy", **values), checks, refusal="fine")  # fmt: skip
    case("reference-of-ones-own-7", "Of the wrong shape, a baseline is refused.", row, {"input.npy": x, "short.npy": mean[:, :3]},
         explain("integrated_gradients", 0, "--given", "baseline=short.npy"), [{"read": "text", "says": ["no answer will do"]}], refusal="fine")  # fmt: skip
    case("reference-of-ones-own-8", "A method without a baseline refuses one, or says that it ignores it.", row, {"input.npy": x, "mean_row.npy": mean},
         explain("saliency", 0, "--given", "baseline=mean_row.npy"), [{"read": "text", "says": ["baseline"]}], refusal="fine")  # fmt: skip


def small_pictures():
    r = rng("small")

    def single(name, expects, shape, at, args, above=0.01, weight=2.0, refusal="fine"):
        w = np.zeros((int(np.prod(shape)), 2))
        w[np.ravel_multi_index(at, shape), 0] = weight
        g = Graph(17)
        g.output(g("Gemm", g("Flatten", g.input("x", ["N", *shape])), w, out="y"), ["N", 2])
        x = np.abs(r.normal(size=(1, *shape))) * 0.3 + 0.2
        x[(0, *at)] = 1.5
        # One value a place, of channel 0.
        place = [0, 0, *at[1:]] if len(at) == 3 else [0, *at]
        case(name, expects, g.model(), {"input.npy": x}, args, [{"read": "out", "peak": place, "above": above}], refusal=refusal)

    lead = "The score of a picture of {} is twice the value of one pixel; "
    single("segments-of-small-pictures-2", lead.format("4 x 4") + "KernelSHAP's largest value is there.", (1, 4, 4), (0, 2, 1), explain("kernel_shap", 0))
    single("segments-of-small-pictures-3", lead.format("5 x 7") + "KernelSHAP's largest value is there.", (1, 5, 7), (0, 3, 6), explain("kernel_shap", 0))
    single("segments-of-small-pictures-4", lead.format("8 x 8") + "LIME's largest weight is there.", (1, 8, 8), (0, 4, 3), explain("lime", 0, score="logit"))
    single("segments-of-small-pictures-5", lead.format("16 x 16") + "KernelSHAP's largest value covers it.", (1, 16, 16), (0, 0, 0), explain("kernel_shap", 0, score="logit"))
    single("window-of-small-pictures-2", lead.format("4 x 4") + "occlusion finds it by its defaults.", (1, 4, 4), (0, 0, 0), explain("occlusion", 0), refusal="poor")
    single("window-of-small-pictures-3", lead.format("7 x 5") + "occlusion finds it by its defaults.", (1, 7, 5), (0, 3, 2), explain("occlusion", 0), refusal="poor")
    single("window-of-small-pictures-4", lead.format("12 x 12") + "occlusion finds it by its defaults.", (1, 12, 12), (0, 6, 6), explain("occlusion", 0, score="logit"), refusal="poor")
    # Three channels: the peak is the pixel in whatever channel.
    shape, at = (3, 8, 8), (5, 6)
    w = np.zeros((*shape, 2))
    w[:, at[0], at[1], 0] = 2.0
    g = Graph(17)
    g.output(g("Gemm", g("Flatten", g.input("x", ["N", *shape])), w.reshape(-1, 2), out="y"), ["N", 2])
    x = np.abs(r.normal(size=(1, *shape))) * 0.3 + 0.2
    x[0, :, at[0], at[1]] = 1.5
    for number, method in ((6, "kernel_shap"), (7, "lime")):
        case(f"segments-of-small-pictures-{number}", f"The score of a picture of 8 x 8 in colour is one pixel's; {method} finds it.", g.model(), {"input.npy": x},
             explain(method, 0, score="logit"), [{"read": "out", "peak": [0, 0, *at], "above": 0.01}], refusal="fine")  # fmt: skip


# --- normalisation -------------------------------------------------------------------------------


def normalisations():
    r = rng("normalisation")
    x = r.normal(size=(1, 3, 6, 6))

    def head(g, h, channels=4):
        g.output(g("Gemm", g("Flatten", g("GlobalAveragePool", g("Relu", h))), r.normal(size=(channels, 3)), out="y"), ["N", 3])

    def scores(name, expects, g, target=None, x=x, **more):
        model = g.model()
        checks = [near(run(model, x, reference=more.get("reference", False)))] if target is None else [near(gradient(exact(model), x, target))]
        case(name, expects, model, {"input.npy": x}, logits() if target is None else gradients(target), checks)

    def trained(opset):
        g = Graph(opset)
        h = g("Conv", g.input("x", [1, 3, 6, 6]), r.normal(size=(4, 3, 3, 3)), pads=[1] * 4)
        attributes = {"training_mode": 1} if opset >= 14 else {}
        n = g("BatchNormalization", h, np.abs(r.normal(size=4)) + 0.5, r.normal(size=4), np.zeros(4), np.ones(4), count=3 if opset >= 14 else 1, epsilon=1e-5, **attributes)
        head(g, n[0] if isinstance(n, list) else n)
        return g

    scores("statistics-of-the-batch-2", "A batch normalisation in training mode uses the picture's own statistics.", trained(15), reference=True)
    scores("statistics-of-the-batch-3", "The gradient through a batch normalisation in training mode goes through the statistics too.", trained(14), 1)

    g = Graph(17)
    h = g("Conv", g.input("x", ["N", 3, 6, 6]), r.normal(size=(4, 3, 3, 3)))
    m = g("ReduceMean", h, axes=[2, 3], keepdims=1)
    d = g("Sub", h, m)
    v = g("ReduceMean", g("Mul", d, d), axes=[2, 3], keepdims=1)
    head(g, g("Div", d, g("Sqrt", g("Add", v, np.float32(1e-5)))))
    scores("statistics-of-the-batch-4", "An instance normalisation written out: the gradient goes through its statistics.", g, 2)

    g = Graph(17)
    h = g("Conv", g.input("x", ["N", 3, 6, 6]), r.normal(size=(4, 3, 3, 3)))
    head(g, g("InstanceNormalization", h, np.abs(r.normal(size=4)), r.normal(size=4)))
    scores("statistics-of-the-batch-5", "An instance normalisation: the gradient.", g, 0)

    # Weights that the file itself normalises.
    def weighted(opset, kernel):
        g = Graph(opset)
        x = g.input("x", ["N", 3, 6, 6])
        head(g, g("Conv", x, kernel(g), kernel_shape=[3, 3]))
        return g

    w = r.normal(size=(4, 3, 3, 3))

    def standardised(g):
        mean = g("ReduceMean", w, axes=[1, 2, 3], keepdims=1)
        d = g("Sub", w, mean)
        var = g("ReduceMean", g("Pow", d, np.float32(2)), axes=[1, 2, 3], keepdims=1)
        return g("Div", d, g("Sqrt", g("Add", var, np.float32(1e-6))))

    scores("weights-normalised-in-the-file-2", "A convolution's weights are standardised in the file, written out.", weighted(13, standardised))
    scores("weights-normalised-in-the-file-3", "The gradient through weights that are standardised in the file.", weighted(13, standardised), 1)
    normed = lambda g: g("Mul", g("Div", w, g("ReduceL2", w, axes=[1, 2, 3], keepdims=1)), np.abs(r.normal(size=(4, 1, 1, 1))))
    scores("weights-normalised-in-the-file-4", "Weight normalisation: a direction over its length, times a gain.", weighted(17, normed))
    flat = lambda g: g("Reshape", g("LpNormalization", w.reshape(4, 27), axis=1, p=2), np.array([4, 3, 3, 3]))
    scores("weights-normalised-in-the-file-5", "Weights of length 1 by the operator for it.", weighted(17, flat))

    def batch(g):
        n = g("BatchNormalization", w.reshape(1, 4, 27), np.abs(r.normal(size=4)), r.normal(size=4) * 0.1, np.zeros(4), np.ones(4), count=3, epsilon=1e-5, training_mode=1)
        return g("Reshape", n[0], np.array([4, 3, 3, 3]))

    scores("weights-normalised-in-the-file-6", "The gradient through weights that a batch normalisation of constants standardises.", weighted(15, batch), 0)


# --- pictures ------------------------------------------------------------------------------------


def pictures():
    r = rng("pictures")

    def quarters(height, width, channels=3):
        g = Graph(17)
        x = g.input("x", ["N", channels, height, width])
        half = [height // 2, width // 2]
        g.output(g("Flatten", g("AveragePool", x, kernel_shape=half, strides=half), out="y"), ["N", 4 * channels])
        return g.model()

    def smooth(height, width, bands):
        """A picture without hard edges, so that compression changes little."""
        y, x = np.mgrid[0:height, 0:width]
        waves = [np.sin(y / height * r.uniform(1, 5) + r.uniform(0, 6)) * np.cos(x / width * r.uniform(1, 5) + r.uniform(0, 6)) for _ in range(bands)]
        return np.clip(np.stack(waves, -1) * 110 + 128, 0, 255).astype(np.uint8)

    plain = {"do_resize": False, "do_rescale": True, "do_normalize": False}

    def read(name, expects, image, form, declared=plain, size=None, atol=1e-3, channels=3, right=None, refusal="poor", **saved):
        stream = io.BytesIO()
        image.save(stream, form.upper(), **saved)
        file = f"picture.{'jpg' if form == 'jpeg' else 'tif' if form == 'tiff' else form}"
        again = Image.open(io.BytesIO(stream.getvalue()))
        if right is None:
            right = np.asarray(again.convert("RGB" if channels == 3 else "L"), np.float64).reshape(again.height, again.width, channels) / 255
        model = quarters(*right.shape[:2], channels)
        means = run(model, right.transpose(2, 0, 1)[None].astype(np.float32))
        args = logits("--preprocessing", "preprocessor_config.json", file=file)
        case(name, expects, model, {file: stream.getvalue(), "preprocessor_config.json": declared}, args, [near(means, atol)], refusal=refusal)

    rgb = Image.fromarray(smooth(16, 16, 3))
    named = ["PNG", "png"]
    read("other-picture-files-2", "A WebP picture without loss is read, or the message says which formats are.", rgb, "webp", lossless=True, refusal=named)
    read("other-picture-files-3", "A GIF is read, or the message says which formats are.", rgb.quantize(32), "gif", refusal=named)
    read("other-picture-files-4", "A BMP picture is read, or the message says which formats are.", rgb, "bmp", refusal=named)
    read("other-picture-files-5", "A TIFF picture is read, or the message says which formats are.", rgb, "tiff", refusal=named)
    frames = [rgb.quantize(16), Image.fromarray(smooth(16, 16, 3)).quantize(16)]
    read("other-picture-files-6", "Of a GIF of two frames the first is read, or the message says which formats are.", frames[0], "gif", save_all=True, append_images=frames[1:], refusal=named)
    rgba = Image.fromarray(np.concatenate([smooth(16, 16, 3), smooth(16, 16, 1)], -1), "RGBA")
    read("other-picture-files-7", "A WebP picture with transparency, as Pillow's conversion to RGB has it.", rgba, "webp", lossless=True, exact=True, refusal=named)

    read("transparency-2", "Half transparent pixels keep their colour, as Pillow's conversion to RGB has it.", rgba, "png")
    palette = rgb.quantize(8)
    palette.info["transparency"] = 2
    read("transparency-3", "A palette with a transparent entry keeps that entry's colour.", palette, "png", transparency=2)
    read("transparency-4", "A PNG of true colour with one transparent colour keeps it.", rgb, "png", transparency=tuple(np.asarray(rgb)[3, 3].tolist()))
    grey = smooth(16, 16, 1)
    la = Image.merge("LA", [Image.fromarray(grey[..., 0]), Image.fromarray(smooth(16, 16, 1)[..., 0])])
    read("grey-with-alpha-2", "A grey picture, partly transparent, is grey.", la, "png")
    read("grey-with-alpha-3", "A plain grey PNG is grey in all three channels.", Image.fromarray(grey[..., 0]), "png")
    read("grey-with-alpha-4", "A PNG of black and white alone.", Image.fromarray(grey[..., 0]).convert("1"), "png")
    read("grey-with-alpha-5", "A grey JPEG is grey in all three channels.", Image.fromarray(grey[..., 0]), "jpeg", quality=95, atol=8e-3)

    cmyk = Image.merge("CMYK", [Image.fromarray(smooth(16, 16, 1)[..., 0]) for _ in range(4)])
    read("four-colour-jpeg-2", "A JPEG of four inks has the colours that Pillow's conversion to RGB gives.", cmyk, "jpeg", quality=95, atol=0.012)
    solid = Image.new("CMYK", (16, 16), (200, 30, 60, 20))
    read("four-colour-jpeg-3", "An even tone of four inks.", solid, "jpeg", quality=95, atol=0.012)

    deep = (smooth(16, 16, 1)[..., 0].astype(np.uint32) * 257).astype(np.uint16)
    wide = Image.fromarray(deep)
    read("sixteen-bits-2", "A grey PNG of 16 bits is scaled from 0...65535 to 0...1.", wide, "png", right=np.repeat(deep[..., None] / 65535.0, 3, -1), atol=4e-3)
    read("sixteen-bits-3", "A grey PNG of 16 bits for a network of one channel.", wide, "png", channels=1, right=deep[..., None] / 65535.0, atol=4e-3)

    for number, turn in enumerate((2, 3, 4, 5, 7, 8), 2):
        photograph = Image.fromarray(smooth(12, 20, 3))
        exif = photograph.getexif()
        exif[274] = turn
        stream = io.BytesIO()
        photograph.save(stream, "JPEG", quality=97, exif=exif)
        from PIL import ImageOps

        upright = ImageOps.exif_transpose(Image.open(io.BytesIO(stream.getvalue())))
        right = np.asarray(upright.convert("RGB"), np.float64) / 255
        read(f"turned-by-exif-{number}", f"A photograph whose orientation is {turn} is turned upright.", photograph, "jpeg", right=right, atol=8e-3, quality=97, exif=exif)

    # Sizes and grey preparation.
    def resized(name, expects, image, declared, right, channels=3, refusal="poor", atol=4e-3):
        read(name, expects, image, "png", {"do_rescale": True, "do_normalize": False} | declared, right=right, channels=channels, refusal=refusal, atol=atol)

    big = Image.fromarray(smooth(40, 60, 3))
    bilinear = {"do_resize": True, "resample": 2}
    array = lambda image: np.asarray(image, np.float64).reshape(image.height, image.width, -1) / 255
    resized("size-by-longest-edge-2", "The longest edge of a wide picture becomes 24, the shorter 16.", big, bilinear | {"size": {"longest_edge": 24}}, array(big.resize((24, 16), 2)), refusal=["longest_edge"])
    resized("size-by-longest-edge-3", "The shortest edge becomes 24, and the middle 24 x 24 pixels are cut out.", big, bilinear | {"size": {"shortest_edge": 24}, "do_center_crop": True, "crop_size": 24},
            array(big.resize((36, 24), 2).crop((6, 0, 30, 24))))  # fmt: skip
    resized("size-by-longest-edge-4", "A greatest height and width: the picture fits into 30 x 30.", big, bilinear | {"size": {"max_height": 30, "max_width": 30}}, array(big.resize((30, 20), 2)), refusal=["max_height"])
    resized("size-by-longest-edge-5", "A shortest edge bounded by a longest one.", big, bilinear | {"size": {"shortest_edge": 24, "longest_edge": 30}}, array(big.resize((30, 20), 2)), refusal=["longest_edge"])
    resized("size-by-longest-edge-6", "A height and a width.", big, bilinear | {"size": {"height": 20, "width": 12}}, array(big.resize((12, 20), 2)))

    shade = smooth(28, 28, 1)[..., 0]
    shaded = Image.fromarray(shade)
    case_of = lambda name, expects, image, declared, right: read(name, expects, image, "png", declared, right=right, channels=right.shape[2])
    one = (shade[..., None] / 255.0 - 0.1307) / 0.3081
    case_of("preprocessing-of-grey-2", "Mean and deviation as lists of one, for one channel.", shaded, plain | {"do_normalize": True, "image_mean": [0.1307], "image_std": [0.3081]}, one)
    colour = Image.fromarray(smooth(16, 16, 3))
    case_of("preprocessing-of-grey-3", "One number for mean and deviation, for three channels.", colour, plain | {"do_normalize": True, "image_mean": 0.5, "image_std": 0.25}, (array(colour) - 0.5) / 0.25)
    case_of("preprocessing-of-grey-4", "A coloured picture for a network of one channel is made grey.", colour, plain, np.asarray(colour.convert("L"), np.float64)[..., None] / 255)
    case_of("preprocessing-of-grey-5", "A normalisation without a deviation, which is 1.", shaded, plain | {"do_normalize": True, "image_mean": [0.5]}, shade[..., None] / 255.0 - 0.5)


def make():
    for group in (
        last_activations, given_probabilities, single_outputs, recurrent, places, batches, types, several_inputs, outputs, stages, rectifiers, references,
        small_pictures, normalisations, pictures,
    ):  # fmt: skip
        group()
        print(group.__name__, len(WRITTEN), flush=True)
    for folder in FOLDER.iterdir():
        if folder.is_dir() and not folder.name.endswith("-1") and folder.name not in WRITTEN:
            shutil.rmtree(folder)


if __name__ == "__main__":
    make()
