"""What all oracles share: a small ONNX interpreter in PyTorch, the attribution methods written out
plainly from their definitions, and the format of the fixtures.

Nothing here is derived from the Rust engine. Maps are computed in float64 and stored as float32: each
float32 implementation is then compared with the exact answer and not with another one's rounding.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from captum.attr import IntegratedGradients
from PIL import Image
from scipy.stats import spearmanr

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests" / "fixtures"
MODELS = ROOT / "www" / "public" / "models"

SAMPLES, STRIDE = 8192, 7919

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)


# --- the network ---------------------------------------------------------------------------------


class OnnxNet:
    """An ONNX graph run by PyTorch, differentiable with respect to its input. The weights never ask for gradients."""

    def __init__(self, path, dtype=torch.float64):
        model = onnx.load(str(path))
        self.nodes = model.graph.node
        self.input = model.graph.input[0].name
        self.output = model.graph.output[0].name
        self.dtype = dtype
        self.weights = {}
        for tensor in model.graph.initializer:
            value = torch.from_numpy(onnx.numpy_helper.to_array(tensor).copy())
            self.weights[tensor.name] = value.to(dtype) if value.is_floating_point() else value

    def __call__(self, x, taps=None):
        """The logits. `taps` maps names of values to functions through which those values go on their way."""
        taps = taps or {}
        values = dict(self.weights)
        values[self.input] = x
        for node in self.nodes:
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            inputs = [values[name] if name else None for name in node.input]
            value = OPERATORS[node.op_type](self, inputs, attributes)
            values[node.output[0]] = taps.get(node.output[0], lambda v: v)(value)
        return values[self.output]


class Shaken:
    """A network whose input is multiplied by 1 + 3e-7 times normal noise: off by a few units in the last place of float32."""

    def __init__(self, net, seed):
        self.net, self.generator = net, torch.Generator().manual_seed(seed)

    def __call__(self, x, taps=None):
        noise = torch.randn(x.shape, generator=self.generator, dtype=torch.float64)
        return self.net(x * (1 + 3e-7 * noise).to(x.dtype), taps)


def worst_of_four(compute, net, exact):
    """What `compute` makes of the float32 network and of three shaken ones: the map that is furthest from the exact one.

    Where activations lie near their kinks a single run may be lucky.
    """
    maps = [compute(net), *(compute(Shaken(net, seed)) for seed in (1, 2, 3))]
    return max(maps, key=lambda map: agreement(map, exact)["relative_l2"])


def padding(spatial, attributes, kernel):
    """The (begin, end) padding of each spatial axis, from explicit pads or auto_pad."""
    strides = attributes.get("strides", [1] * len(kernel))
    dilations = attributes.get("dilations", [1] * len(kernel))
    auto = attributes.get("auto_pad", b"NOTSET").decode()
    if auto in ("NOTSET", "VALID"):
        pads = attributes.get("pads", [0] * 2 * len(kernel)) if auto == "NOTSET" else [0] * 2 * len(kernel)
        return list(zip(pads[: len(kernel)], pads[len(kernel) :]))
    result = []
    for size, k, stride, dilation in zip(spatial, kernel, strides, dilations):
        total = max((-(-size // stride) - 1) * stride + dilation * (k - 1) + 1 - size, 0)
        small, large = total // 2, total - total // 2
        result.append((small, large) if auto == "SAME_UPPER" else (large, small))
    return result


def pad(x, pads, value):
    flat = [p for begin_end in reversed(pads) for p in begin_end]
    return F.pad(x, flat, value=value) if any(flat) else x


def conv(net, inputs, attributes):
    x, weight = inputs[0], inputs[1]
    bias = inputs[2] if len(inputs) > 2 else None
    x = pad(x, padding(x.shape[2:], attributes, weight.shape[2:]), 0.0)
    return F.conv2d(
        x,
        weight,
        bias,
        stride=tuple(attributes.get("strides", (1, 1))),
        dilation=tuple(attributes.get("dilations", (1, 1))),
        groups=attributes.get("group", 1),
    )


def max_pool(net, inputs, attributes):
    assert not attributes.get("ceil_mode", 0)
    kernel = attributes["kernel_shape"]
    x = pad(inputs[0], padding(inputs[0].shape[2:], attributes, kernel), -float("inf"))
    return F.max_pool2d(x, tuple(kernel), tuple(attributes.get("strides", (1, 1))))


def gemm(net, inputs, attributes):
    a, b = inputs[0], inputs[1]
    a = a.T if attributes.get("transA", 0) else a
    b = b.T if attributes.get("transB", 0) else b
    result = attributes.get("alpha", 1.0) * (a @ b)
    return result + attributes.get("beta", 1.0) * inputs[2] if len(inputs) > 2 else result


def cast(net, inputs, attributes):
    assert attributes["to"] == onnx.TensorProto.FLOAT
    return inputs[0].to(net.dtype)


OPERATORS = {
    "Conv": conv,
    "MaxPool": max_pool,
    "Gemm": gemm,
    "Cast": cast,
    "Relu": lambda net, i, a: torch.relu(i[0]),
    "Clip": lambda net, i, a: torch.clamp(i[0], i[1], i[2]),
    "Add": lambda net, i, a: i[0] + i[1],
    "Concat": lambda net, i, a: torch.cat(i, dim=a["axis"]),
    "Flatten": lambda net, i, a: torch.flatten(i[0], a.get("axis", 1)),
    "GlobalAveragePool": lambda net, i, a: i[0].mean(dim=(2, 3), keepdim=True),
}


def onnxruntime_logits(path, x):
    """The logits of a float32 input, by onnxruntime, with its graph optimisations."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x.numpy().astype(np.float32)})[0]


# --- spaces --------------------------------------------------------------------------------------


def opened(path, side=None):
    """A photograph as bytes [H,W,3]; of a larger one than `side`, the central square, by torchvision's rule."""
    image = Image.open(path).convert("RGB")
    if side is not None:
        x, y = round((image.width - side) / 2), round((image.height - side) / 2)
        image = image.crop((x, y, x + side, y + side))
    return np.asarray(image)


class Preprocessing:
    """The affine map between pixel space, [0,1], and model space. `declared` has the keys of preprocessor_config.json."""

    def __init__(self, declared):
        rescale = declared["rescale_factor"] if declared["do_rescale"] else 1.0
        mean = torch.tensor(declared["image_mean"], dtype=torch.float64).reshape(1, 3, 1, 1)
        std = torch.tensor(declared["image_std"], dtype=torch.float64).reshape(1, 3, 1, 1)
        self.scale = 255.0 * rescale / std
        self.shift = -mean / std
        self.order = declared.get("channel_order", "RGB")

    def pixels(self, path, side=None):
        """A photograph, or its central square, as pixel-space tensor [1,3,H,W] in the model's own channel order, float64."""
        rgb = opened(path, side)
        chosen = rgb if self.order == "RGB" else rgb[..., ::-1]
        return torch.from_numpy(chosen.transpose(2, 0, 1).copy())[None].to(torch.float64) / 255.0

    def to_model(self, pixels):
        return pixels * self.scale.to(pixels.dtype) + self.shift.to(pixels.dtype)


# --- the methods ---------------------------------------------------------------------------------


def gradient(net, x, target, score="logit"):
    """d score_target / dx in model space: the signed saliency map."""
    x = x.detach().requires_grad_(True)
    logits = net(x)
    value = logits if score == "logit" else torch.softmax(logits, dim=1)
    return torch.autograd.grad(value[:, target].sum(), x)[0]


def integrated_gradients(net, x, baseline, target, steps, score="logit"):
    """(x - baseline) * the plain mean of the gradients at `steps` points of the straight line, both ends included."""
    total = torch.zeros_like(x)
    for alpha in torch.linspace(0.0, 1.0, steps, dtype=torch.float64).tolist():
        total += gradient(net, baseline + alpha * (x - baseline), target, score)
    return (x - baseline) * total / steps


def smoothgrad(net, x, target, samples, noise_level, seed):
    """The gradient at each of `samples` noisy copies, [samples,3,H,W]."""
    sigma = noise_level * (x.max() - x.min()).item()
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(samples, *x.shape[1:], generator=generator, dtype=torch.float32).to(x.dtype)
    return torch.cat([gradient(net, x + sigma * noise[k : k + 1], target) for k in range(samples)])


def probability_gradients(net, space, pixels, classes):
    """At a pixel-space point: the predicted class, and d p_c / d pixels for each class c."""
    at = pixels.detach().requires_grad_(True)
    p = torch.softmax(net(space.to_model(at)), dim=1)
    return p.argmax().item(), [torch.autograd.grad(p[0, c], at, retain_graph=True)[0] for c in classes]


@dataclass
class Run:
    """AGI against one false class."""

    attribution: torch.Tensor  # A_i
    signs: list  # sign(grad p_i(x_j)) of every step taken
    adversarial: torch.Tensor  # where the curve ended, in pixel space


def agi_class(net, space, pixels, target, i, mode, steps, step_size):
    """A_i of methods.md, in pixel space."""
    attribution, at, signs = torch.zeros_like(pixels), pixels, []
    for _ in range(steps):
        predicted, (toward, explained) = probability_gradients(net, space, at, [i, target])
        if predicted == i:
            break
        signs.append(toward.sign())
        origin = pixels if mode == "reference" else at
        at = torch.clamp(origin + step_size * signs[-1], 0.0, 1.0)
        attribution += -explained * (at - origin)
    if mode == "straight":
        total = torch.zeros_like(pixels)
        for alpha in torch.linspace(0.0, 1.0, steps, dtype=torch.float64).tolist():
            total += probability_gradients(net, space, at + alpha * (pixels - at), [target])[1][0]
        attribution = (pixels - at) * total / steps
    return Run(attribution, signs, at)


def agi(net, space, pixels, target, classes, mode, steps=20, step_size=0.05):
    """One run a class, in order. The AGI map is the sum of their attributions."""
    return [agi_class(net, space, pixels, target, i, mode, steps, step_size) for i in classes]


def agi_along(net, space, pixels, target, i, mode, signs, step_size=0.05):
    """A_i along a given curve: the steps go where `signs` say. Also the share of the net's own signs that say the same, per step."""
    attribution, at, same = torch.zeros_like(pixels), pixels, []
    for sign in signs:
        _, (toward, explained) = probability_gradients(net, space, at, [i, target])
        same.append((toward.sign() == sign).double().mean().item())
        origin = pixels if mode == "reference" else at
        at = torch.clamp(origin + step_size * sign.to(pixels.dtype), 0.0, 1.0)
        attribution += -explained * (at - origin)
    return attribution, same


def total(runs):
    return sum(run.attribution for run in runs)


# --- comparing -----------------------------------------------------------------------------------


def agreement(a, b):
    """How far two maps agree: cosine, rank correlation, and the largest and the l2 difference relative to b."""
    a, b = (np.asarray(m, dtype=np.float64).ravel() for m in (a, b))
    difference = np.abs(a - b)
    return {
        "cosine": rounded(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)), 9),
        "rank_correlation": rounded(spearmanr(a, b).statistic, 9),
        "relative_max": rounded(difference.max() / np.abs(b).max(), 9),
        "relative_l2": rounded(np.linalg.norm(difference) / np.linalg.norm(b), 9),
    }


def rounded(value, digits):
    return round(float(value), digits)


def captum_comparison(net, x, baseline, target, steps, ours):
    """Captum with its own rules, and with the weights and points of ours: plain mean, both ends included."""
    method = IntegratedGradients(net)
    result = {}
    for rule in ("riemann_trapezoid", "gausslegendre"):
        theirs = method.attribute(x, baseline, target=target, n_steps=steps, method=rule, internal_batch_size=10)
        result[rule] = agreement(theirs.detach(), ours)
    points = ([1.0 / steps] * steps, torch.linspace(0.0, 1.0, steps, dtype=torch.float64).tolist())
    theirs = method._attribute((x,), (baseline,), target=target, n_steps=steps, step_sizes_and_alphas=points)[0]
    result["our_points"] = agreement(theirs.detach(), ours)
    return result


# --- numbers that both sides can make ------------------------------------------------------------


def mixed(n, stream):
    """`n` well mixed 32-bit numbers: MurmurHash3's finaliser over a counter. tests/common has the same."""
    k = (np.arange(n, dtype=np.uint64) + np.uint64(stream) * np.uint64(0x9E3779B9)) & np.uint64(0xFFFFFFFF)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        k ^= k >> np.uint64(shift)
        k = (k * np.uint64(factor)) & np.uint64(0xFFFFFFFF)
    return k ^ (k >> np.uint64(16))


def uniform(n, stream):
    """Numbers in [0,1) that float32 holds exactly."""
    return torch.from_numpy((mixed(n, stream) >> np.uint64(8)).astype(np.float64) / 2**24)


def normal(n, stream):
    """The sum of three uniform numbers with mean 0 and variance 1, which float32 holds exactly: nearly normal."""
    thirds = (mixed(3 * n, stream) >> np.uint64(16)).reshape(n, 3).sum(1).astype(np.float64)
    return torch.from_numpy((2 * thirds - 196605) / 65536)


# --- the format of the fixtures ------------------------------------------------------------------


def sample_indices(n):
    indices = (np.arange(SAMPLES, dtype=np.int64) * STRIDE) % n
    assert len(np.unique(indices)) == SAMPLES
    return indices


class Family:
    """A folder of fixtures with an index.json: one entry a case."""

    def __init__(self, name):
        self.folder = FIXTURES / name
        self.folder.mkdir(parents=True, exist_ok=True)
        for stale in [file for end in ("npy", "signs", "json") for file in self.folder.glob(f"*.{end}")]:
            stale.unlink()
        self.cases = []

    def add(self, file, value, sampled=False, **case):
        """Stores a tensor, whole or sampled, and its entry. The figures are those of the whole tensor."""
        value = np.ascontiguousarray(np.asarray(value, dtype=np.float64))
        flat = value.ravel()
        entry = dict(case, file=file, shape=list(value.shape), sampled=sampled)
        entry.update(norm=float(np.linalg.norm(flat)), sum=float(flat.sum()), min=float(flat.min()), max=float(flat.max()))
        self.cases.append(entry)
        save(self.folder / file, flat[sample_indices(flat.size)] if sampled else value)

    def again(self, file, **case):
        """Another case whose result is a tensor stored already."""
        known = next(entry for entry in self.cases if entry["file"] == file)
        figures = ("file", "shape", "sampled", "norm", "sum", "min", "max")
        self.cases.append(dict(case, **{key: known[key] for key in figures}))

    def write(self, **head):
        versions = {m.__name__: m.__version__ for m in (np, onnx, onnxruntime, torch)}
        sampling = {"count": SAMPLES, "stride": STRIDE, "index": "(k * stride) mod n for k in 0..count, into the flattened tensor"}
        write_json(self.folder / "index.json", dict(head, versions=versions, sampling=sampling, cases=self.cases))


def save(path, array):
    np.save(path, np.ascontiguousarray(array, dtype="<f4"))


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n")


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


# --- the networks of the further families --------------------------------------------------------


class Network:
    """A network with its spaces, in float64 and in float32."""

    def __init__(self, name, path, declared):
        self.name, self.exact, self.single = name, OnnxNet(path), OnnxNet(path, torch.float32)
        self.space = Preprocessing(declared)
        keys = ("do_rescale", "rescale_factor", "image_mean", "image_std", "channel_order")
        preprocessing = {key: declared[key] for key in keys if key in declared}
        self.head = {"file": str(path.relative_to(ROOT)), "sha256": sha256(path), "preprocessing": preprocessing}

    def read(self, image):
        """The input in float64 and in float32, and the predicted class."""
        pixels = self.space.pixels(FIXTURES / image)
        x, x32 = self.space.to_model(pixels), self.space.to_model(pixels.float())
        return x, x32, int(self.exact(x).argmax())

    def add(self, family, image, suffix, exact, single, **case):
        """Stores the float64 map of a case, with the agreement of the float32 one."""
        stem = f"{self.name}_{image.split('/')[-1].split('_')[0].removesuffix('.png')}"
        family.add(
            f"{stem}_{suffix}.npy", exact, sampled=self.name != "tiny", model=self.name, image=image,
            float32=agreement(single, exact), **case,
        )  # fmt: skip
        print(stem, suffix, family.cases[-1]["float32"], flush=True)


def networks(photographs=("chelsea", "coffee")):
    """Each network with its images."""
    declared = json.loads((FIXTURES / "tiny.json").read_text())
    yield Network("tiny", FIXTURES / "tiny.onnx", declared), ["tiny/a.png", "tiny/b.png"]
    for name, side in (("squeezenet1_1", 227), ("efficientnet_lite0", 224)):
        declared = json.loads((MODELS / f"{name}.json").read_text())["preprocessing"]
        yield Network(name, MODELS / f"{name}.onnx", declared), [f"images/{p}_{side}.png" for p in photographs]
