"""Every method once on ten photographs and both ImageNet networks, by the programs of the other scripts. Writes tests/fixtures/photographs.

    python photographs.py                    # everything
    python photographs.py lime mask          # these settings again; the others stay

Of a map, 512 numbers are kept that all of its pixels have a part in (`sketch`); of a method of segments, each segment's value.
"""

import contextlib
import json
import os
import sys
import warnings

import numpy as np
import torch
from captum.attr import IntegratedGradients, Saliency

import cam
import common
import images
import paths
import perturbation
import relex
import rules
import segments
from common import agreement

FOLDER = common.FIXTURES / "photographs"
NAMES = (*images.PHOTOGRAPHS, *images.FURTHER)
SIDES = {"squeezenet1_1": 227, "efficientnet_lite0": 224}
BUCKETS = 512


def sketch(map):
    """The map's values, each with a sign that a counter decides, summed in 512 buckets that it decides too.

    The l2 distance of two sketches is that of the maps, on average over such draws, with a standard deviation of 3 %.
    """
    flat = np.asarray(map, dtype=np.float64).ravel()
    drawn = common.mixed(flat.size, 9)
    signs = 1.0 - 2.0 * (drawn & np.uint64(1)).astype(np.float64)
    return np.bincount((drawn >> np.uint64(23)).astype(np.int64), signs * flat, BUCKETS)


class Look(perturbation.Case):
    """A network, a photograph and the class that the one sees in the other."""

    def __init__(self, network, photograph):
        self.head, self.network, self.photograph = network, network.name, photograph
        self.path, self.space = common.ROOT / network.head["file"], network.space
        file, side = common.FIXTURES / "images" / f"{photograph}_227.png", SIDES[network.name]
        self.pixels = self.space.pixels(file, side)
        self.rgb = segments.rgb(file, side)
        self.x = self.space.to_model(self.pixels)
        self.net, self.single = network.exact, network.single
        self.target = int(self.net(self.x).argmax())

    def in_single_precision(self, memory=torch.contiguous_format):
        """The same in float32."""
        other = object.__new__(Look)
        other.__dict__ = dict(self.__dict__, net=self.single)
        other.pixels = self.pixels.float().contiguous(memory_format=memory)
        other.x = self.space.to_model(other.pixels)
        return other

    def black(self):
        return self.space.to_model(torch.zeros_like(self.x))

    def add(self, suffix, value, method, params, **case):
        """What the functions of perturbation.py hand their results to."""
        self.found = dict(case, value=value, params=params)

    def kept(self, suffix, given):
        return given


# --- gradients -----------------------------------------------------------------------------------


def saliency(at):
    return Saliency(at.net).attribute(rules.leaf(at.x), at.target, abs=False).detach()


def integrated_gradients(at, steps):
    """Captum's, at the points of methods.md: both ends included, with equal weights."""
    points = ([1.0 / steps] * steps, torch.linspace(0.0, 1.0, steps, dtype=torch.float64).tolist())
    method = IntegratedGradients(at.net)
    return method._attribute((at.x,), (at.black(),), target=at.target, n_steps=steps, step_sizes_and_alphas=points)[0].detach()


def noisy(kind):
    return lambda at, samples, noise_level, squared=False: paths.noisy(kind, at.net, at.x, at.target, samples, noise_level)


def deep_lift(at, baseline):
    start = at.black() if baseline == "black" else torch.zeros_like(at.x)
    return rules.deep_lift_map(at.path, at.x, start, at.target)


def lrp(at, rule, epsilon, gamma):
    return rules.PROPAGATIONS[rule](at.path, at.x, at.target)


def class_activation(method):
    return lambda at, layer=None: cam.METHODS[method](at.net, layer or cam.LAYERS[at.network][0], at.x, at.target)


def masked(at, start, **params):
    return relex.relex(at.net, at.x, at.target, start, **params)[0]


def agi(at, mode, classes, steps, step_size):
    assert at.target not in classes
    return common.total(common.agi(at.net, at.space, at.pixels, at.target, classes, mode, steps, step_size))


# --- the methods ---------------------------------------------------------------------------------

RULE = {"epsilon": rules.EPSILON, "gamma": rules.GAMMA}
NOISE = {"samples": 2, "noise_level": 0.15}
AGI = {"mode": "path", "step_size": 0.05}

# Name: method, by whom, parameters, and a function of a look and of the parameters, which gives a map.
GRADIENTS = {
    "saliency": ("saliency", "captum", {}, saliency),
    "input_x_gradient": ("input_x_gradient", "captum", {}, lambda at: paths.input_x_gradient(at.net, at.x, at.target)),
    "guided_backprop": ("guided_backprop", "captum", {}, lambda at: rules.guided_backprop(at.path, at.x, at.target)),
    "deconvnet": ("deconvnet", "captum", {}, lambda at: rules.deconvnet(at.path, at.x, at.target)),
    "grad_cam": ("grad_cam", "captum", {}, class_activation("grad_cam")),
    "grad_cam_plus_plus": ("grad_cam_plus_plus", "pytorch-grad-cam", {}, class_activation("grad_cam_plus_plus")),
    "layer_cam": ("layer_cam", "pytorch-grad-cam", {}, class_activation("layer_cam")),
    "deep_lift_mean": ("deep_lift", "captum", {"baseline": "mean"}, deep_lift),
    "deep_lift_black": ("deep_lift", "captum", {"baseline": "black"}, deep_lift),
    "lrp_epsilon": ("lrp", "captum", {"rule": "epsilon", **RULE}, lrp),
    "lrp_gamma": ("lrp", "zennit", {"rule": "gamma", **RULE}, lrp),
    "lrp_epsilon_plus": ("lrp", "zennit", {"rule": "epsilon_plus", **RULE}, lrp),
    "smoothgrad": ("smoothgrad", "captum", NOISE, noisy("smoothgrad")),
    "smoothgrad_squared": ("smoothgrad", "captum", {**NOISE, "squared": True}, noisy("smoothgrad_sq")),
    "vargrad": ("vargrad", "captum", NOISE, noisy("vargrad")),
    "agi_1": ("agi", "PyTorch, from methods.md", {**AGI, "classes": [0, 500], "steps": 1}, agi),
    "relex": (
        "relex", "PyTorch, from methods.md", {"iterations": 1, "samples": 2, "learning_rate": 10.0},
        lambda at, **params: masked(at, 0.5, **params),
    ),
    "integrated_gradients": ("integrated_gradients", "captum", {"steps": 6}, integrated_gradients),
    "expected_gradients": (
        "expected_gradients", "shap", {"samples": 5},
        lambda at, samples: paths.expected_gradients(at.net, at.x, at.target, at.space, samples),
    ),
    "blur_ig": (
        "blur_ig", "saliency (PAIR)", {"steps": 4, "max_sigma": 8.0, "sqrt": True},
        lambda at, **params: paths.blur_ig(at.net, at.x, at.target, **params),
    ),
    "guided_ig_line": (
        "guided_ig", "saliency (PAIR)", {"steps": 4, "max_dist": 0.0},
        lambda at, **params: paths.guided_ig(at.net, at.x, at.target, at.space, **params),
    ),
    "agi_4": ("agi", "PyTorch, from methods.md", {**AGI, "classes": [500], "steps": 4}, agi),
}  # fmt: skip

# With oneDNN or without, and the order of the channels in memory; of methods that take several passes, the first two.
WAYS = [
    (True, torch.contiguous_format),
    (False, torch.contiguous_format),
    (True, torch.channels_last),
    (False, torch.channels_last),
]

# Where PyTorch's ways to convolve happen to stay on one side of a kink, and the engine does not. These are also computed with every
# intermediate value off by about half a unit in its last place, which is what rounding does to it anyway (Monte Carlo arithmetic).
LUCKY = {
    ("agi_1", "squeezenet1_1", "coffee"),
    ("agi_1", "efficientnet_lite0", "china"),
    ("agi_1", "efficientnet_lite0", "hubble_deep_field"),
    ("agi_4", "efficientnet_lite0", "china"),
    ("agi_4", "squeezenet1_1", "camera"),
    ("blur_ig", "efficientnet_lite0", "clock"),
    ("blur_ig", "squeezenet1_1", "clock"),
    ("integrated_gradients", "efficientnet_lite0", "coins"),
    ("mask", "squeezenet1_1", "astronaut"),
    ("smoothgrad", "efficientnet_lite0", "china"),
    ("smoothgrad", "efficientnet_lite0", "coffee"),
    ("smoothgrad", "squeezenet1_1", "clock"),
    ("vargrad", "efficientnet_lite0", "china"),
    ("vargrad", "efficientnet_lite0", "coffee"),
    ("vargrad", "efficientnet_lite0", "hubble_deep_field"),
    ("smoothgrad_squared", "efficientnet_lite0", "china"),
    ("smoothgrad_squared", "efficientnet_lite0", "coffee"),
    ("smoothgrad_squared", "efficientnet_lite0", "hubble_deep_field"),
    ("xrai", "efficientnet_lite0", "astronaut"),
}


class Shaken:
    """A network whose intermediate values are multiplied by 1 + 6e-8 times normal noise."""

    def __init__(self, net, generator):
        self.net, self.generator = net, generator

    def __call__(self, x):
        return self.net(x, self)

    def get(self, name, plain):
        return lambda value: value * (1 + 6e-8 * torch.randn(value.shape, generator=self.generator).to(value.dtype))


def shaken(look, compute, error):
    """How far eight such runs in float32 are off, whose input is shaken too."""
    own = []
    for seed in range(8):
        generator = torch.Generator().manual_seed(seed)
        single = look.in_single_precision()
        single.x = (look.x * (1 + 6e-8 * torch.randn(look.x.shape, generator=generator, dtype=torch.float64))).float()
        single.net = single.single = Shaken(look.single, generator)
        own.append(error(compute(single)))
    return own


def gradients(name, look):
    method, by, params, compute = GRADIENTS[name]
    exact = compute(look, **params)
    own = []

    def error(single):
        return agreement(single, exact)["relative_l2"]

    # PyTorch's ways to convolve in float32: where activations lie near their kinks, any of them may be lucky.
    for library, memory in WAYS[:2] if {"samples", "steps"} & params.keys() else WAYS:
        with torch.backends.mkldnn.flags(enabled=library):
            own.append(error(compute(look.in_single_precision(memory), **params)))
    if (name, look.network, look.photograph) in LUCKY:
        own += shaken(look, lambda at: compute(at, **params), error)
    found = {"value": exact, "params": params, "float32": own}
    if name == "relex":
        found["start"] = 0.5
    if name == "expected_gradients":
        found["draws"] = paths.draws(params["samples"])
    return found


def score_cam(at):
    layer = cam.SCORED[at.network]
    return {"value": cam.METHODS["score_cam"](at.net, layer, at.x, at.target), "params": {"layer": layer}}


def by_perturbation(function, *arguments, **settings):
    def compute(at):
        function(at, *arguments, **settings)
        return at.found

    return compute


def kernel_shap(at):
    params = {"segmentation": "slic", "segments": 20, "compactness": 10.0}
    labels = segments.by_slic(at.rgb, params["segments"], params["compactness"])
    perturbation.kernel_shap(at, 50, labels, params)
    given = at.found.pop("given")
    # A coalition has fewer than 24 members: its bits as one number.
    bits = given["samples"] @ 2.0 ** np.arange(given["samples"].shape[1])
    return dict(at.found, coalitions=bits.astype(int).tolist(), weights=[float(np.float32(w)) for w in given["weights"]])


# Name: method, by whom, whether in float32, and a function of a look.
OTHERS = {
    "occlusion": ("occlusion", "captum", True, by_perturbation(perturbation.occlusion, [("occlusion", "logit", 75, 50)])),
    "rise": ("rise", "numpy", True, by_perturbation(perturbation.rise, 24)),
    "lime": ("lime", "lime", True, by_perturbation(perturbation.lime, 40)),
    "kernel_shap": ("kernel_shap", "shap", True, kernel_shap),
    "score_cam": ("score_cam", "pytorch-grad-cam", True, score_cam),
    "axai": (
        "axai", "PyTorch, from methods.md", False,
        by_perturbation(perturbation.axai, [("axai", {**perturbation.AXAI[0][1], "steps": 4})]),
    ),
    "axai_fgm": ("axai", "PyTorch, from methods.md", False, by_perturbation(perturbation.axai, perturbation.AXAI[1:])),
    "xrai": ("xrai", "saliency (PAIR)", False, by_perturbation(perturbation.xrai, 3)),
    "mask": ("mask", "PyTorch, from methods.md", False, by_perturbation(perturbation.mask, [("mask", 3, 1e-4, 1e-2)])),
}  # fmt: skip


def rounding(name, look, compute, kept, norm):
    """How far float32 is off by the ways to convolve, of what is stored."""

    def error(found):
        single = found["value"] if "segments" in found else sketch(found["value"])
        return float(f"{np.linalg.norm(single - kept) / norm:.2e}")

    own = []
    for library, memory in WAYS[:1] if name == "xrai" else WAYS:  # PAIR's program is slow
        with torch.backends.mkldnn.flags(enabled=library):
            own.append(error(compute(look.in_single_precision(memory))))
    if (name, look.network, look.photograph) in LUCKY:
        own += shaken(look, compute, error)
    return own


def others(name, look):
    *_, single, compute = OTHERS[name]
    # What only asks the network for its answers has no kinks, and float32 is as good as float64 there.
    found = compute(look.in_single_precision() if single else look)
    kept = ("value", "params", "segments", "samples", "coalitions", "weights")
    result = {key: found[key] for key in kept if key in found}
    if not single:
        value = found["value"]
        kept = value if "segments" in found else sketch(value)
        result["float32"] = rounding(name, look, compute, kept, np.linalg.norm(value))
    return result


SETTINGS = {**{name: gradients for name in GRADIENTS}, **{name: others for name in OTHERS}}


# --- the fixtures --------------------------------------------------------------------------------


def entry(name, look):
    """What is written of one map: its values or its sketch, and its case."""
    found = SETTINGS[name](name, look)
    value = np.asarray(found.pop("value"), dtype=np.float64)
    kept = value.ravel() if "segments" in found else sketch(value)
    head = {"model": look.network, "photograph": look.photograph, "target": look.target, "count": kept.size}
    return kept, {**head, "norm": float(np.linalg.norm(value)), **found}


def write(settings, heads):
    """One case a line."""
    lines = []
    for name in SETTINGS:
        if name not in settings:
            continue
        setting = settings[name]
        head = {key: setting[key] for key in setting if key != "cases"}
        cases = ",\n  ".join(json.dumps(case) for case in setting["cases"])
        lines.append(f"{json.dumps(name)}: {json.dumps(head)[:-1]}, \"cases\": [\n  {cases}\n]}}")
    text = f'{{"networks": {json.dumps(heads)},\n"settings": {{\n' + ",\n".join(lines) + "\n}}\n"
    (FOLDER / "index.json").write_text(text)


def make(names=tuple(SETTINGS)):
    warnings.simplefilter("ignore")
    FOLDER.mkdir(parents=True, exist_ok=True)
    index = FOLDER / "index.json"
    settings = json.loads(index.read_text())["settings"] if index.exists() else {}
    networks = [network for network, _ in common.networks() if network.name != "tiny"]
    looks = [Look(network, photograph) for network in networks for photograph in NAMES]
    for name in names:
        kept, cases = [], []
        for look in looks:
            with open(os.devnull, "w") as nothing, contextlib.redirect_stderr(nothing):
                values, case = entry(name, look)
            kept.append(values)
            cases.append(case)
            print(name, look.network, look.photograph, *[f"{own:.1e}" for own in case.get("float32", [])], flush=True)
        common.save(FOLDER / f"{name}.npy", np.concatenate(kept))
        method, by, *_ = GRADIENTS.get(name) or OTHERS[name]
        settings[name] = {"method": method, "by": by, "cases": cases}
        write(settings, {network.name: network.head for network in networks})


if __name__ == "__main__":
    make(sys.argv[1:] or tuple(SETTINGS))
