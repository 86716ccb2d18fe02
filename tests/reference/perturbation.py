"""Methods that attack, hide or mask, on the two ImageNet networks, by other people's programs where there are any.

LIME by the lime package, KernelSHAP by shap, occlusion and the attacks by Captum, XRAI by PAIR's saliency, segments by
scikit-image; AXAI and MASK in PyTorch and RISE with scikit-image's resize, from their definitions. Random draws are replaced
by `segments.uniform`, which the tests compute too. Writes tests/fixtures/perturbation.
"""

import json
import math
import warnings

import numpy as np
import saliency.core as pair
import shap
import torch
import torch.nn.functional as F
from captum.attr import Occlusion
from captum.robust import FGSM, PGD
from lime.lime_base import LimeBase
from saliency.core import xrai as pair_xrai
from skimage.transform import resize
from sklearn.metrics import pairwise_distances

import common
import segments
from common import OnnxNet, Preprocessing, agreement, worst_of_four
from segments import uniform

NETWORKS = {"squeezenet1_1": 227, "efficientnet_lite0": 224}
PHOTOGRAPHS = ("chelsea", "coffee")


class Case:
    """A network and a photograph."""

    def __init__(self, family, network, path, declared, image):
        self.family, self.network, self.image = family, network, image
        self.name = image.split("/")[1].split("_")[0].split(".")[0]
        self.net, self.single = OnnxNet(path), OnnxNet(path, torch.float32)
        self.space = Preprocessing(declared)
        self.x = self.space.to_model(self.space.pixels(common.FIXTURES / self.image))
        self.rgb = segments.rgb(common.FIXTURES / self.image)
        self.target = int(self.net(self.x).argmax())

    def add(self, suffix, value, method, params, **case):
        head = {"model": self.network, "image": self.image, "method": method, "target": self.target, "params": params}
        self.family.add(f"{self.network}_{self.name}_{suffix}.npy", value, **head, **case)

    def kept(self, suffix, given):
        """Stores what an oracle drew, and tells in which files."""
        files = {name: f"{self.network}_{self.name}_{suffix}_{name}.npy" for name in given}
        for name, tensor in given.items():
            common.save(self.family.folder / files[name], tensor)
        return files

    def scores(self, points, kind="probability"):
        """The target's score for each point, in batches."""
        with torch.no_grad():
            logits = torch.cat([self.net(chunk) for chunk in points.split(25)])
        return (torch.softmax(logits, dim=1) if kind == "probability" else logits)[:, self.target]


# --- AXAI ----------------------------------------------------------------------------------------


def axai_change(net, x, target, alpha, epsilon, steps):
    """Untargeted PGD in the l2 norm on the cross-entropy of the predicted label, from no change at all."""
    delta = torch.zeros_like(x)
    for _ in range(steps):
        at = (x + delta).detach().requires_grad_(True)
        loss = F.cross_entropy(net(at), torch.tensor([target]))
        (gradient,) = torch.autograd.grad(loss, at)
        delta = delta + alpha * gradient / gradient.norm()
        delta = delta * min(1.0, epsilon / delta.norm().item())
    return delta[0].numpy()


def axai_densities(delta, labels):
    low, high = np.percentile(delta, 15, axis=(1, 2), keepdims=True), np.percentile(delta, 85, axis=(1, 2), keepdims=True)
    attacked = np.where((delta < low) | (delta >= high), delta, 0.0).sum(axis=0) != 0
    return np.array([attacked[labels == label].mean() for label in range(labels.max() + 1)])


AXAI = [
    ("axai", {"attack": "pgd", "kernel_size": 8, "max_dist": 10, "ratio": 0.1}),
    ("axai_fgm", {"attack": "fgm", "segmentation": "slic", "segments": 100, "compactness": 10.0}),
]


def axai(case, settings=AXAI):
    for suffix, params in settings:
        own = {key: value for key, value in params.items() if key not in ("attack", "steps", "segmentation")}
        cut = segments.by_slic if params.get("segmentation") == "slic" else segments.by_quickshift
        labels = cut(case.rgb, **own)
        step = (0.001, 0.2, params.get("steps", 20)) if params["attack"] == "pgd" else (0.2, 0.2, 1)
        delta = axai_change(case.net, case.x, case.target, *step)
        change = lambda net: axai_change(net, case.x.float(), case.target, *step)  # noqa: B023, E731
        density = axai_densities(delta, labels)
        single = worst_of_four(lambda net: axai_densities(change(net), labels), case.single, density)  # noqa: B023
        chosen = [int(label) for label in np.flatnonzero(density >= np.sort(density)[::-1][4])]
        case.add(
            suffix, density, "axai", dict(params, k=5), segments=int(labels.max()) + 1, chosen=chosen,
            float32=agreement(single, density), change_float32=agreement(change(case.single), delta),
        )  # fmt: skip


# --- LIME and KernelSHAP -------------------------------------------------------------------------

LIMES = {"kernel_size": 4, "max_dist": 200, "ratio": 0.2}


def hidden(case, labels):
    """The model-space picture with every segment in its mean colour."""
    mean = case.x.clone()
    for label in range(labels.max() + 1):
        where = torch.from_numpy(labels == label)
        mean[0, :, where] = case.x[0][:, where].mean(dim=1, keepdim=True)
    return mean


def answers(case, labels, samples):
    """The target's probability with only the segments of each sample shown."""
    mean, index = hidden(case, labels), torch.from_numpy(labels)
    result = []
    for rows in torch.as_tensor(np.asarray(samples, dtype=np.float64)).split(25):
        shown = rows[:, index][:, None].to(case.x.dtype)
        result.append(case.scores(mean + (case.x - mean) * shown))
    return torch.cat(result).double().numpy()


def lime(case, count=80):
    labels = segments.by_quickshift(case.rgb, **LIMES)
    n = labels.max() + 1
    samples = (uniform(count * n, 2) < 0.5).astype(float).reshape(count, n)
    samples[0] = 1.0
    probabilities = answers(case, labels, samples)
    distances = pairwise_distances(samples, samples[:1], metric="cosine").ravel()
    base = LimeBase(lambda d: np.sqrt(np.exp(-(d**2) / 0.25**2)), verbose=False)
    _, weights, _, _ = base.explain_instance_with_data(samples, probabilities[:, None], distances, 0, num_features=100000)
    value = np.zeros(n)
    for label, weight in weights:
        value[label] = weight
    case.add("lime", value, "lime", {}, segments=int(n), samples=count, by="lime")


def kernel_shap(case, count=120, labels=None, params=None):
    labels = segments.by_quickshift(case.rgb, **LIMES) if labels is None else labels
    n = labels.max() + 1
    np.random.seed(5)
    explainer = shap.KernelExplainer(lambda z: answers(case, labels, z), np.zeros((1, n)))
    value = explainer.shap_values(np.ones((1, n)), nsamples=count, l1_reg=0, silent=True)[0]
    used = explainer.nsamplesAdded
    given = {"samples": explainer.maskMatrix[:used], "weights": explainer.kernelWeights[:used]}
    params = {"samples": int(used), **(params or {})}
    case.add("kernel_shap", value, "kernel_shap", params, segments=int(n), given=case.kept("kernel_shap", given), by="shap")


def grid(case, cells):
    height, width = case.rgb.shape[:2]
    return (np.arange(height) * cells // height)[:, None] * cells + np.arange(width) * cells // width


def exact_shapley(case, cells=3):
    """All ways to hide the cells of a grid: shap then finds the exact Shapley values."""
    labels = grid(case, cells)
    n = cells * cells
    explainer = shap.KernelExplainer(lambda z: answers(case, labels, z), np.zeros((1, n)))
    value = explainer.shap_values(np.ones((1, n)), nsamples=2**n - 2, l1_reg=0, silent=True)[0]
    params = {"samples": 2**n, "segmentation": "grid", "segments": n}
    case.add("shapley", value, "kernel_shap", params, segments=n, by="shap")


# --- occlusion, RISE -----------------------------------------------------------------------------


OCCLUSION = (("occlusion", "logit", 60, 40), ("occlusion_probability", "probability", 45, 45))


def occlusion(case, settings=OCCLUSION):
    for suffix, score, window, stride in settings:
        forward = case.net if score == "logit" else lambda x: torch.softmax(case.net(x), dim=1)
        with torch.no_grad():
            map = Occlusion(forward).attribute(
                case.x, sliding_window_shapes=(3, window, window), strides=(3, stride, stride),
                target=case.target, baselines=0.0, perturbations_per_eval=8,
            )  # fmt: skip
        assert torch.equal(map[:, 0], map[:, 1])
        params = {"window": window, "stride": stride, "hidden": "training_mean", "score": score}
        case.add(suffix, map[:, :1], "occlusion", params, sampled=True, by="captum")


def rise(case, count=40, side=8, p1=0.3):
    height, width = case.rgb.shape[:2]
    cells = [math.ceil(height / side), math.ceil(width / side)]
    grids = (uniform(count * side * side, 3) < p1).astype(np.float64).reshape(count, side, side)
    draws = uniform(count * 2, 4).reshape(count, 2)
    shifts = np.floor(draws * cells).astype(int)
    masks = np.empty((count, 1, height, width))
    for mask, grid, (down, right) in zip(masks, grids, shifts):
        whole = resize(grid, [(side + 1) * cell for cell in cells], order=1, mode="reflect", anti_aliasing=False)
        mask[0] = whole[down : down + height, right : right + width]
    masks = torch.from_numpy(masks)
    scores = case.scores(case.x * masks.to(case.x.dtype)).double()
    map = (scores[:, None, None, None] * masks).sum(0, keepdim=True) / count / p1
    params = {"samples": count, "grid": side, "probability": p1}
    case.add("rise", map, "rise", params, sampled=True, cells=cells)


# --- MASK ----------------------------------------------------------------------------------------


def blur_by_11(x, sigma=5.0):
    offsets = torch.arange(-5, 6, dtype=x.dtype)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = kernel / kernel.sum()
    whole = torch.outer(kernel, kernel).expand(3, 1, 11, 11)
    return F.conv2d(F.pad(x, (5, 5, 5, 5), mode="reflect"), whole, groups=3)


def mask_of(net, x, target, iterations, l1, tv, beta=3.0):
    blurred = blur_by_11(x)
    mask = torch.ones(1, 1, 28, 28, dtype=x.dtype, requires_grad=True)
    optimiser = torch.optim.Adam([mask], lr=0.1)

    def up():
        return F.interpolate(mask, size=x.shape[2:], mode="bilinear", align_corners=True)

    for _ in range(iterations):
        m = up()
        p = torch.softmax(net(x * m + blurred * (1 - m)), dim=1)[0, target]
        rows = (mask[:, :, 1:] - mask[:, :, :-1]).abs().pow(beta).mean()
        columns = (mask[:, :, :, 1:] - mask[:, :, :, :-1]).abs().pow(beta).mean()
        loss = l1 * (1 - mask).abs().mean() + tv * (rows + columns) + p
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        mask.data.clamp_(0, 1)
    return (1 - up()).detach()


MASK = (("mask_10", 10, 1e-4, 1e-2), ("mask_40", 40, 1e-2, 0.2))


def mask(case, settings=MASK):
    for suffix, iterations, l1, tv in settings:
        exact = mask_of(case.net, case.x, case.target, iterations, l1, tv)
        compute = lambda net: mask_of(net, case.x.float(), case.target, iterations, l1, tv)  # noqa: B023, E731
        single = worst_of_four(compute, case.single, exact)
        params = {"setting": "own", "iterations": iterations, "l1": l1, "tv": tv}
        case.add(suffix, exact, "mask", params, sampled=True, float32=agreement(single, exact))


# --- XRAI ----------------------------------------------------------------------------------------


def xrai(case, steps=10):
    def call(points, call_model_args=None, expected_keys=None):
        x = torch.from_numpy(points.transpose(0, 3, 1, 2)).to(case.x.dtype)
        return {pair.base.INPUT_OUTPUT_GRADIENTS: common.gradient(case.net, x, case.target).numpy().transpose(0, 2, 3, 1)}

    def picture(x):
        return x[0].numpy().transpose(1, 2, 0)

    black, white = (picture(case.space.to_model(torch.full_like(case.x, value))) for value in (0.0, 1.0))
    # Segmented at the photograph's own size: the program would scale it to 224 pixels a side first.
    regions = pair_xrai._get_segments_felzenszwalb(case.rgb, resize_image=False)
    parameters = pair.XRAIParameters(steps=steps, algorithm="full")
    map = pair.XRAI().GetMask(
        picture(case.x), call, baselines=[black, white], segments=regions, batch_size=5, extra_parameters=parameters
    )
    case.add("xrai", map[None, None], "xrai", {"steps": steps, "score": "logit"}, sampled=True, by="saliency")


# --- the attacks, on the tiny network ------------------------------------------------------------


def attacks(family):
    net = OnnxNet(common.FIXTURES / "tiny.onnx")
    x = torch.from_numpy(np.load(common.FIXTURES / "tiny" / "a.model.npy")).double()
    predicted = net(x).argmax(dim=1)
    loss = torch.nn.CrossEntropyLoss(reduction="none")
    low, high = -2.0, 2.0
    half = torch.zeros_like(x)
    half[..., :16] = 1.0
    pgd, fgsm = PGD(net, loss, low, high), FGSM(net, loss, -math.inf, math.inf)
    # Captum leaves features alone whose gradient is below 1e-6; the definition does not.
    pgd.fgsm.zero_thresh = fgsm.zero_thresh = 0.0
    other = (predicted + 3) % 10  # as tensors, which is how Captum hands them to the loss
    cases = [
        ("fgm_linf", {"steps": 1, "step": 0.03, "epsilon": 0.03}, fgsm.perturb(x, 0.03, predicted)),
        ("pgd_linf", {"steps": 7, "step": 0.01, "epsilon": 0.04, "range": [low, high]}, pgd.perturb(x, 0.04, 0.01, 7, predicted)),
        (
            "pgd_linf_targeted", {"steps": 7, "step": 0.01, "epsilon": 0.04, "range": [low, high], "targeted": True},
            pgd.perturb(x, 0.04, 0.01, 7, other, targeted=True),
        ),
        (
            "pgd_linf_half", {"steps": 5, "step": 0.01, "epsilon": 0.04, "range": [low, high], "half": True},
            pgd.perturb(x, 0.04, 0.01, 5, predicted, mask=half),
        ),
    ]  # fmt: skip
    for name, params, attacked in cases:
        target = other if "targeted" in params else predicted
        family.add(f"tiny_{name}.npy", attacked - x, image="tiny/a.png", method="attack", target=int(target), params=params, by="captum")
    # In l2 Captum steps along the sign; the definition steps along the gradient.
    delta = axai_change(net, x, int(predicted), 0.05, 0.12, 6)
    params = {"steps": 6, "step": 0.05, "epsilon": 0.12, "l2": True}
    family.add("tiny_pgd_l2.npy", delta[None], image="tiny/a.png", method="attack", target=int(predicted), params=params)


def prepared(family, network, image):
    """The case, and what the tests need to know of its network."""
    if network == "tiny":
        path, declared = common.FIXTURES / "tiny.onnx", json.loads((common.FIXTURES / "tiny.json").read_text())
    else:
        path = common.MODELS / f"{network}.onnx"
        declared = json.loads((common.MODELS / f"{network}.json").read_text())["preprocessing"]
    kept = {key: declared[key] for key in ("do_rescale", "image_mean", "image_std", "channel_order")}
    entry = {"file": str(path.relative_to(common.ROOT)), "preprocessing": kept}
    return Case(family, network, path, declared, image), entry


def make():
    warnings.simplefilter("ignore")
    family = common.Family("perturbation")
    networks = {}
    methods = [axai, lime, kernel_shap, occlusion, rise, mask, xrai]
    cases = [(network, f"images/{name}_{side}.png", methods) for network, side in NETWORKS.items() for name in PHOTOGRAPHS]
    for network, image, methods in [*cases, ("tiny", "tiny/a.png", [exact_shapley])]:
        case, networks[network] = prepared(family, network, image)
        for method in methods:
            method(case)
            print(case.network, case.name, method.__name__, flush=True)
    attacks(family)
    family.write(networks=networks)


if __name__ == "__main__":
    make()
