"""Metrics of explanations by Quantus, Captum, scikit-image, scipy, and RISE's game written out. Writes tests/fixtures/metrics.

Ten maps on the tiny network, four of them degenerate, and two on the ImageNet networks. What the libraries leave
undefined (the correlation of a constant map, the entropy of an empty one) is set as the engine documents it.
"""

import json
import warnings

import numpy as np
import quantus
import skimage.metrics
import torch
import torch.nn.functional as F
from captum.attr import Saliency
from captum.metrics import infidelity, sensitivity_max
from quantus.functions.perturb_func import noisy_linear_imputation
from scipy.ndimage import gaussian_filter
from scipy.stats import entropy, pearsonr, spearmanr

import common
from common import OnnxNet, Preprocessing

SIDE = 32
STEPS = (100, 224)
SAMPLES = 12
RADIUS = 0.05
CASES = [
    # input, map, map to compare with, aggregation
    ("a", "a_gradient_top", "a_integrated_gradients_black", "max_abs"),
    ("a", "a_integrated_gradients_black", "a_gradient_top", "sum_abs"),
    ("a", "a_agi_path", "a_integrated_gradients_black", "mean"),
    ("a", "zeros", "a_gradient_top", "sum_abs"),
    ("a", "one_pixel", "a_gradient_top", "sum_abs"),
    ("b", "b_gradient_top", "b_gradient_other", "max_abs"),
    ("b", "b_integrated_gradients_black", "b_agi_path", "sum_abs"),
    ("b", "b_agi_path", "b_agi_straight", "mean"),
    ("b", "ones", "b_agi_path", "mean"),
    ("b", "one_pixel", "one_pixel", "mean"),
]


def named_map(name, shape):
    """A stored map, or a degenerate one."""
    if name in ("zeros", "ones"):
        return np.full(shape, float(name == "ones"), dtype=np.float32)
    if name == "one_pixel":
        value = np.zeros(shape, dtype=np.float32)
        value[0, :, 12, 20] = 1.0
        return value
    return np.load(common.FIXTURES / "tiny" / f"{name}.npy")


def aggregate(value, rule):
    channels = [np.abs(channel) for channel in value[0]] if rule != "mean" else list(value[0])
    if rule == "max_abs":
        return np.maximum.reduce(channels)
    total = channels[0]
    for channel in channels[1:]:
        total = total + channel
    return total / np.float32(len(channels)) if rule == "mean" else total


def noise(samples, features):
    """Numbers from -1 to 1 that another program finds again: ((17 k + 7919 k^2) mod 2003 - 1001) / 1001 at flat index k."""
    k = np.arange(samples * features, dtype=np.int64)
    return (((17 * k + 7919 * k * k) % 2003 - 1001) / 1001).reshape(samples, features)


# --- RISE's game ---------------------------------------------------------------------------------


def rise_kernel(length=11, sigma=5):
    point = np.zeros((length, length))
    point[length // 2, length // 2] = 1
    return gaussian_filter(point, sigma)


def substrate(kind, x):
    if kind == "blank":
        return torch.zeros_like(x)
    kernel = torch.from_numpy(rise_kernel()).to(x.dtype).expand(x.shape[1], 1, 11, 11)
    return F.conv2d(x, kernel, padding=5, groups=x.shape[1])


def game(net, order, start, finish, target, step):
    scores, now = [], start.clone()
    steps = -(-len(order) // step)
    for i in range(steps + 1):
        scores.append(torch.softmax(net(now), dim=1)[0, target].item())
        if i < steps:
            coordinates = torch.from_numpy(order[step * i : step * (i + 1)].copy())
            now = now.clone()
            now.reshape(1, x_channels(now), -1)[0, :, coordinates] = finish.reshape(1, x_channels(now), -1)[0, :, coordinates]
    scores = np.array(scores)
    return scores, (scores.sum() - scores[0] / 2 - scores[-1] / 2) / (len(scores) - 1)


def x_channels(x):
    return x.shape[1]


def games(net, x, pixels, target, step, kinds=("blank", "blur")):
    most, least = np.argsort(-pixels.ravel(), kind="stable"), np.argsort(pixels.ravel(), kind="stable")
    result = {"step": step}
    for kind in kinds:
        empty = substrate(kind, x)
        curve, score = game(net, most, empty, x, target, step)
        result[f"insertion_{kind}"] = score
        result[f"insertion_{kind}_curve"] = [float(v) for v in curve]
        result[f"deletion_{kind}"] = game(net, most, x, empty, target, step)[1]
        result[f"preservation_{kind}"] = game(net, least, x, empty, target, step)[1]
    p, d = result["preservation_blank"], result["deletion_blank"]
    result["feature_relevance"] = 2 / (1 / p + 1 / (1 - d))
    return result


# --- the other metrics ---------------------------------------------------------------------------


def road(net, x, pixels, target, steps):
    order, scores = np.argsort(-pixels.ravel(), kind="stable"), []
    for i in range(1, steps + 1):
        removed = order[: len(order) * i // (steps + 1)]
        picture = noisy_linear_imputation(x[0].numpy(), removed, noise=0.0)
        scores.append(torch.softmax(net(torch.from_numpy(picture)[None]), dim=1)[0, target].item())
    return scores


def ablation(net, x, value, target, sigma):
    """Segments: a grid of 8 by 8 squares; the ten with the highest mean magnitude."""
    labels = (np.arange(SIDE)[:, None] // 4 * 8 + np.arange(SIDE)[None] // 4).ravel()
    magnitude = np.abs(value[0]).astype(np.float64).sum(0).ravel()
    chosen = np.argsort(-np.bincount(labels, magnitude) / 16, kind="stable")[:10]
    blurred = np.stack([gaussian_filter(channel, sigma) for channel in x[0].numpy()])
    drops, p = [], lambda picture: torch.softmax(net(picture), dim=1)
    before = p(x)[0, target].item()
    for part in (chosen[:5], chosen[5:]):
        hit = np.isin(labels, part).reshape(SIDE, SIDE)
        after = p(torch.from_numpy(np.where(hit, blurred, x[0].numpy()))[None])
        drops.append([before - after[0, target].item(), float(after.argmax().item() == target)])
    return {"chosen": chosen.tolist(), "first": drops[0], "second": drops[1]}


def captum_infidelity(net, x, value, target, normalise):
    perturbations = torch.from_numpy(noise(SAMPLES, x.numel())).reshape(SAMPLES, *x.shape[1:]) * 0.1
    disturb = lambda inputs: (perturbations, inputs - perturbations)
    return infidelity(net, disturb, x, torch.from_numpy(value).double(), n_perturb_samples=SAMPLES, target=target, normalize=normalise).item()


def captum_sensitivity(net, x, target):
    moved = torch.from_numpy(noise(SAMPLES, x.numel())).reshape(SAMPLES, *x.shape[1:]) * RADIUS
    explain = lambda inputs, **rest: Saliency(net).attribute(inputs, target=target, abs=False)
    return sensitivity_max(explain, x, perturb_func=lambda inputs: inputs + moved, n_perturb_samples=SAMPLES).item()


def retrieval(net, x, value, target, raw):
    if raw:
        mask = torch.from_numpy(value).double().clamp(0, 1)
    else:
        m = np.abs(value[0]).sum(0)
        low, high = m.min(), np.percentile(m, 99)
        mask = torch.from_numpy(np.clip((m - low) / (high - low), 0, 1) if high > low else np.zeros_like(m)).double()
    p = torch.softmax(net(mask * x), dim=1)[0]
    return [float(p.argmax().item() == target), p[target].item()]


def compare(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    constant = a.min() == a.max() or b.min() == b.max()
    same = float(np.array_equal(a, b))
    unit = lambda m: (m - m.min()) / (m.max() - m.min()) if m.max() > m.min() else np.zeros_like(m)
    top = lambda m: set(np.argsort(-m.ravel(), kind="stable")[:100].tolist())
    return {
        "spearman": same if constant else float(spearmanr(a.ravel(), b.ravel()).statistic),
        "pearson": same if constant else float(pearsonr(a.ravel(), b.ravel()).statistic),
        "ssim": float(skimage.metrics.structural_similarity(
            unit(a), unit(b), gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1.0)),
        "top_100": len(top(a) & top(b)) / 100,
    }  # fmt: skip


def simple(pixels):
    magnitudes = np.abs(pixels).astype(np.float64).ravel()
    if not magnitudes.any():
        return {"sparseness": 0.0, "complexity": 0.0}
    settings = dict(disable_warnings=True, abs=True, normalise=False)
    # Quantus adds 1e-7 to each value, which a large scale makes harmless (Gini's index does not depend on it), and 1e-12 inside the logarithm.
    scaled = {quantus.Sparseness: 1e6 * magnitudes / magnitudes.max(), quantus.Complexity: magnitudes / magnitudes.sum()}
    theirs = [float(metric(**settings).evaluate_batch(x_batch=x[None], a_batch=x[None].copy())[0]) for metric, x in scaled.items()]
    assert abs(theirs[1] - entropy(magnitudes)) < 1e-6, (theirs, entropy(magnitudes))
    return {"sparseness": theirs[0], "complexity": theirs[1]}


def localised(pixels):
    """The object: rows 8 to 19, columns 12 to 27."""
    mask = np.zeros((1, SIDE, SIDE), dtype=bool)
    mask[0, 8:20, 12:28] = True
    settings = dict(disable_warnings=True, abs=False, normalise=False)
    value = pixels.astype(np.float64)
    if value.min() == value.max():
        hit = 0.0  # a constant map points nowhere
    else:
        hit = float(quantus.PointingGame(**settings).evaluate_batch(a_batch=value[None], s_batch=mask)[0])
    order = np.argsort(-value.ravel(), kind="stable")[: mask.sum()]
    hits = int(mask.ravel()[order].sum())
    positive = np.maximum(value, 0)
    if positive.any():
        mass = float(quantus.RelevanceMassAccuracy(**settings).evaluate_batch(a_batch=positive[None], s_batch=mask)[0])
    else:
        mass = 0.0
    return {"pointing_game": hit, "iou": hits / (2 * int(mask.sum()) - hits), "rank": hits / int(mask.sum()), "mass": mass}


def completeness(net, space, x, value, target):
    black = space.to_model(torch.zeros_like(x))
    change = (net(x) - net(black))[0, target].item()
    return {"change": change, "gap": abs(float(value.astype(np.float64).sum()) - change)}


def convergence(net, space, x, target, rule):
    """Integrated gradients of 2, 4, 8 and 16 points: the rank correlation with the last."""
    black = space.to_model(torch.zeros_like(x))
    maps = [common.integrated_gradients(net, x, black, target, steps) for steps in (2, 4, 8, 16)]
    maps = [aggregate(m.numpy(), rule).ravel() for m in maps]
    return [float(spearmanr(m, maps[-1]).statistic) for m in maps]


# --- the cases -----------------------------------------------------------------------------------


def tiny_case(net, space, name, map_name, other, rule):
    x = torch.from_numpy(np.load(common.FIXTURES / "tiny" / f"{name}.model.npy")).double()
    target = net(x).argmax().item()
    value, reference = named_map(map_name, tuple(x.shape)), named_map(other, tuple(x.shape))
    pixels = aggregate(value, rule)
    case = {
        "input": name, "map": map_name, "reference": other, "channels": rule, "target": target,
        "games": [games(net, x, pixels, target, step) for step in STEPS],
        "road": road(net, x, pixels, target, 4),
        "ablation": ablation(net, x, value, target, 3.0),
        "infidelity": captum_infidelity(net, x, value, target, False),
        "infidelity_normalised": captum_infidelity(net, x, value, target, True) if value.any() else None,
        "retrieval": {"scaled": retrieval(net, x, value, target, False), "raw": retrieval(net, x, value, target, True)},
        "compare": compare(pixels, aggregate(reference, rule)),
        "simple": simple(pixels),
        "localised": localised(pixels),
        "completeness": completeness(net, space, x, value, target),
    }  # fmt: skip
    if map_name.endswith("gradient_top"):
        case["max_sensitivity"] = captum_sensitivity(net, x, target)
        case["convergence"] = convergence(net, space, x, target, "sum_abs")
    return case


def imagenet_case(network, side):
    """A map that falls with the distance from a point, so that it need not be stored."""
    path = common.MODELS / f"{network}.onnx"
    declared = json.loads((common.MODELS / f"{network}.json").read_text())["preprocessing"]
    net, space = OnnxNet(path, torch.float32), Preprocessing(declared)
    x = space.to_model(space.pixels(common.FIXTURES / "images" / f"chelsea_{side}.png").float())
    target = net(x).argmax().item()
    row, column = np.mgrid[:side, :side].astype(np.float64)
    pixels = -((row - 90.25) ** 2 + (column - 120.5) ** 2 * 1.001)
    return {
        "network": network, "image": f"images/chelsea_{side}.png", "target": target,
        "preprocessing": {k: declared[k] for k in ("do_rescale", "image_mean", "image_std", "channel_order")},
        "games": games(net, x, pixels, target, 2000),
    }  # fmt: skip


def make():
    warnings.simplefilter("ignore")
    folder = common.FIXTURES / "metrics"
    folder.mkdir(parents=True, exist_ok=True)
    declared = json.loads((common.FIXTURES / "tiny.json").read_text())
    net, space = OnnxNet(common.FIXTURES / "tiny.onnx"), Preprocessing(declared)
    cases = [tiny_case(net, space, *case) for case in CASES]
    photographs = [imagenet_case(network, side) for network, side in (("squeezenet1_1", 227), ("efficientnet_lite0", 224))]
    head = {"quantus": quantus.__version__, "samples": SAMPLES, "radius": RADIUS, "infidelity_scale": 0.1}
    common.write_json(folder / "index.json", dict(head, cases=cases, photographs=photographs))


if __name__ == "__main__":
    make()
