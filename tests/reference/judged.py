"""Metrics of explanations beyond tests/reference/metrics.py, by Quantus' own code. Writes tests/fixtures/metrics/judged.json.

Quantus hides single values of an input; the engine hides pixels, all channels of one at once. Here Quantus is given a picture of
one channel, a mask of ones, and a network that shows the photograph where the mask is 1 and nothing (0, the data set's mean) where
it is 0: all that Quantus does, choosing, ordering, summing and correlating, is then done on pixels. What is drawn at random is
replaced by numbers that the test finds again. Xplique's mu-fidelity and average drop, AIX360's monotonicity, SaCo and DiffID need
TensorFlow or have no package: they are written out from their code or paper. Equal values are ordered as they stand.
"""

import functools
import warnings

import numpy as np
import onnx
import quantus
import torch
from captum.attr import Saliency
from quantus.functions.similarity_func import correlation_pearson, correlation_spearman
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

import common
from common import OnnxNet
from metrics import CASES, SIDE, aggregate, game, named_map, noise, substrate

np.trapz = np.trapezoid  # numpy 2.4 has the new name alone
np.argsort = functools.partial(np.argsort, kind="stable")
PIXELS = SIDE * SIDE
SAMPLES = 12
RADIUS = 0.05
GROUPS = 50
GRID = 9
SETTINGS = dict(disable_warnings=True, abs=False, normalise=False)


class Masked:
    """The network of a mask. A value of -s, s from 1, shows the fill numbered s."""

    def __init__(self, net, x, fills=None, softmax=False):
        self.net, self.x, self.fills, self.softmax = net, x, fills, softmax

    def shape_input(self, x, shape, channel_first=None, batched=True):
        return x

    def predict(self, masks):
        rows = []
        for mask in masks.reshape(-1, 1, SIDE, SIDE):
            mask = torch.from_numpy(np.asarray(mask, dtype=np.float64))
            row = self.x[0] * (mask == 1)
            for s in range(0 if self.fills is None else len(self.fills)):
                row = row + self.fills[s] * (mask == -(s + 1))
            rows.append(row)
        logits = self.net(torch.stack(rows))
        return (torch.softmax(logits, 1) if self.softmax else logits).numpy()


class Plain:
    """The network itself."""

    def __init__(self, net):
        self.net = net

    def shape_input(self, x, shape, channel_first=None, batched=True):
        return x

    def predict(self, x):
        return self.net(torch.from_numpy(np.asarray(x, dtype=np.float64))).numpy()


def chosen(sample, size, parts):
    """A choice of `size` parts that the test finds again: those with the smallest ((k + 1) (2 s + 3) 7919) mod 10007."""
    key = (np.arange(1, parts + 1, dtype=np.int64) * (2 * sample + 3) * 7919) % 10007
    return np.argsort(key)[:size]


def finite(value):
    """The engine's word for the correlation of a constant list."""
    return 0.0 if np.isnan(value) else float(value)


def ranks(a, b, batched):
    """Quantus' correlation_spearman, which fails where scipy has no value."""
    return np.array([spearmanr(a[0], b[0])[0]])


def correlation(metric_class, model, pixels, target, size, runs, similarity, seed=0):
    """Quantus' faithfulness correlation, with the choices of `chosen`."""
    numbers = iter(range(seed, seed + runs))
    draw, np.random.choice = np.random.choice, lambda n, k, replace: chosen(next(numbers), k, n)
    try:
        metric = metric_class(similarity_func=similarity, nr_runs=runs, subset_size=size, perturb_baseline=0.0, return_aggregate=False, **SETTINGS)
        return finite(metric.evaluate_batch(model, np.ones((1, 1, SIDE, SIDE)), np.array([target]), pixels[None, None].astype(np.float64))[0])
    finally:
        np.random.choice = draw


def mu_fidelity(model, pixels, target, samples):
    """Xplique 2.0.2, metrics/fidelity.py: MuFidelity."""
    cells = (np.arange(SIDE) + 0.5) * GRID // SIDE
    cells = (cells[:, None] * GRID + cells[None]).astype(int)
    masks = []
    for sample in range(samples):
        mask = np.ones(GRID * GRID)
        mask[chosen(sample, 16, GRID * GRID)] = 0
        masks.append(mask[cells])
    masks = np.stack(masks)
    base = model.predict(np.ones((1, 1, SIDE, SIDE)))[0, target]
    pred = base - model.predict(masks[:, None])[:, target]
    attr = (pixels[None] * (1.0 - masks)).sum((1, 2))
    return finite(spearmanr(pred, attr)[0])


def monotonicity(model, pixels, target, step):
    """AIX360 0.3, metrics/local_metrics.py: monotonicity_metric, a group of pixels for a feature."""
    order, mask, scores = np.argsort(-pixels.ravel()), np.zeros(PIXELS), []
    groups = [order[i : i + step] for i in range(0, PIXELS, step)]
    for group in reversed(groups):
        mask[group] = 1
        scores.append(model.predict(mask.reshape(1, 1, SIDE, SIDE))[0, target])
    return {"all": float(np.all(np.diff(scores) >= 0)), "kept": float(np.mean(np.diff(scores) >= 0))}


def saco(model, pixels, target, k=10):
    """Algorithm 1 of the paper."""
    order, size = np.argsort(-pixels.ravel()), -(-PIXELS // k)
    ones = np.ones(PIXELS)
    p = lambda mask: model.predict(mask.reshape(1, 1, SIDE, SIDE))[0, target]
    said, cost = [], []
    for i in range(0, PIXELS, size):
        mask = ones.copy()
        mask[order[i : i + size]] = 0
        said.append(pixels.ravel()[order[i : i + size]].astype(np.float64).sum())
        cost.append(p(ones) - p(mask))
    kept = total = 0.0
    for i in range(len(said) - 1):
        for j in range(i + 1, len(said)):
            weight = said[i] - said[j] if cost[i] >= cost[j] else -(said[i] - said[j])
            kept, total = kept + weight, total + abs(weight)
    return kept / total if total else 0.0


def average_drop(net, x, value, target):
    """Xplique 2.0.2, metrics/fidelity.py: AverageDropMetric and AverageIncreaseMetric; the gain as in Opti-CAM, equation 12."""
    mask = np.abs(value[0].astype(np.float64)).mean(0)
    mask = (mask - mask.min()) / (mask.max() - mask.min() + 1e-8)
    p = lambda picture: torch.softmax(net(picture), 1)[0, target].item()
    base, after = p(x), p(x * torch.from_numpy(mask))
    return {"drop": max(base - after, 0) / (base + 1e-8), "increase": float(after > base), "gain": max(after - base, 0) / (1 - base + 1e-8)}


def hiding_case(net, x, value, pixels, target):
    logit, probability = Masked(net, x), Masked(net, x, softmax=True)
    ones, y, a = np.ones((1, 1, SIDE, SIDE)), np.array([target]), pixels[None, None].astype(np.float64)
    step = -(-PIXELS // GROUPS)
    case = {"faithfulness_correlation": correlation(quantus.FaithfulnessCorrelation, logit, pixels, target, 100, SAMPLES, correlation_pearson)}
    case["sensitivity_n"] = [correlation(quantus.FaithfulnessCorrelation, logit, pixels, target, n, SAMPLES, correlation_pearson, SAMPLES * i) for i, n in enumerate((1, 29, 819))]
    case["mu_fidelity"] = mu_fidelity(logit, pixels, target, SAMPLES)
    estimate = quantus.FaithfulnessEstimate(features_in_step=step, perturb_baseline=0.0, **SETTINGS)
    case["faithfulness_estimate"] = finite(estimate.evaluate_batch(logit, ones, y, a)[0])
    case["monotonicity"] = monotonicity(logit, pixels, target, step)

    fills = torch.from_numpy(2 * noise(4, x.numel()).reshape(4, *x.shape[1:]).astype(np.float32).astype(np.float64))
    calls = iter(range(10**9))

    def fill(arr, indices, **rest):
        arr = arr.copy()
        arr[np.arange(len(arr))[:, None], indices] = -(next(calls) % 4 + 1)
        return arr

    random = quantus.MonotonicityCorrelation(similarity_func=ranks, nr_samples=4, features_in_step=52, perturb_func=fill, **SETTINGS)
    case["monotonicity_correlation"] = finite(random.evaluate_batch(Masked(net, x, fills), ones, y, a)[0])

    squares = dict(patch_size=8, perturb_baseline=0.0, **SETTINGS)
    case["region_perturbation"] = quantus.RegionPerturbation(order="morf", regions_evaluation=10, **squares).evaluate_batch(probability, ones, y, a)[0].tolist()
    case["selectivity"] = quantus.Selectivity(**squares).evaluate_batch(probability, ones, y, a)[0].tolist()
    case["saco"] = saco(probability, pixels, target)

    # SLIC of the picture itself, and the network on the mask.
    labels = quantus.helpers.utils.get_superpixel_segments(np.moveaxis(x[0].numpy(), 0, -1).astype("double"), "slic")
    cut, quantus.helpers.utils.get_superpixel_segments = quantus.helpers.utils.get_superpixel_segments, lambda **rest: labels
    try:
        case["irof"] = float(quantus.IROF(perturb_baseline=0.0, return_aggregate=False, **SETTINGS).evaluate_batch(probability, ones, y, a)[0])
    finally:
        quantus.helpers.utils.get_superpixel_segments = cut
    case["segments"] = int(labels.max() + 1)

    case["average_drop"] = average_drop(net, x, value, target)
    order, empty = np.argsort(-pixels.ravel()), substrate("blank", x)
    case["diff_id"] = game(net, order, empty, x, target, 100)[1] - game(net, order, x, empty, target, 100)[1]

    magnitudes = np.abs(value[0].astype(np.float64)).sum(0)
    unit = magnitudes / (magnitudes.max() or 1.0)
    silent = quantus.NonSensitivity(features_in_step=1, eps=0.01, perturb_baseline=0.0, **SETTINGS)
    case["non_sensitivity"] = float(silent.evaluate_batch(logit, ones, y, unit[None, None])[0]) / PIXELS

    unit = np.abs(pixels.astype(np.float64)) / (np.abs(pixels).max() or 1.0)
    case["effective_complexity"] = int(quantus.EffectiveComplexity(eps=0.1, **SETTINGS).evaluate_batch(a_batch=unit[None])[0])
    mask = np.zeros((1, SIDE, SIDE), dtype=bool)
    mask[0, 8:20, 12:28] = True
    case["object_auc"] = float(quantus.AUC(**SETTINGS).evaluate_batch(a_batch=pixels[None].astype(np.float64), s_batch=mask)[0])
    assert abs(case["object_auc"] - roc_auc_score(mask.ravel(), pixels.ravel())) < 1e-9
    return case


# --- maps that are made again ----------------------------------------------------------------------


def gradient(net, x, target):
    return Saliency(lambda inputs: net(inputs)).attribute(torch.from_numpy(np.asarray(x, dtype=np.float64)), target=target, abs=False).detach().numpy()


def again_case(net, other, name, target):
    x = np.load(common.FIXTURES / "tiny" / f"{name}.model.npy").astype(np.float64)
    model, y = Plain(net), np.array([target])
    moved = noise(SAMPLES, x.size) * RADIUS
    calls = iter(range(10**9))
    near = lambda arr, indices, **rest: arr + moved[next(calls) % SAMPLES][None]
    explain = lambda model, x, y: gradient(net, x, int(y[0]))
    a = gradient(net, x, target)

    def run(metric):
        metric.explain_batch = explain
        return float(np.asarray(metric.evaluate_batch(model=model, x_batch=x, y_batch=y, a_batch=a.copy()))[0])

    settings = dict(nr_samples=SAMPLES, perturb_func=near, abs=False, normalise=False, disable_warnings=True)
    stable = dict(settings, return_nan_when_prediction_changes=False)
    case = {
        "input": name, "target": target,
        "max_sensitivity": run(quantus.MaxSensitivity(**settings)),
        "average_sensitivity": run(quantus.AvgSensitivity(**settings)),
        "local_lipschitz": run(quantus.LocalLipschitzEstimate(**settings)),
    }  # fmt: skip
    # Neighbours of another class are left out: Quantus leaves them in or has no value, so its value is of the others alone.
    classes = model.predict(x + moved.reshape(SAMPLES, *x.shape[1:])).argmax(1)
    kept = [i for i in range(SAMPLES) if classes[i] == model.predict(x).argmax()]
    calls_of_kept = iter(kept * 10)
    stable["perturb_func"] = lambda arr, indices, **rest: arr + moved[next(calls_of_kept)][None]
    stable["nr_samples"] = len(kept)
    case["relative_input_stability"] = run(quantus.RelativeInputStability(**stable))
    case["relative_output_stability"] = run(quantus.RelativeOutputStability(**stable))
    held = {}
    taps = {LAYER: lambda v: held.setdefault("value", v)}

    def hidden(inputs, names, indices):
        held.clear()
        net(torch.from_numpy(np.asarray(inputs, dtype=np.float64)), taps)
        return held["value"].numpy().reshape(len(inputs), -1)

    model.get_hidden_representations = hidden
    calls_of_kept = iter(kept * 10)
    representation = quantus.RelativeRepresentationStability.__new__(quantus.RelativeRepresentationStability)
    representation.__dict__.update(quantus.RelativeInputStability(**stable).__dict__)
    representation._layer_names, representation._layer_indices = None, None
    case["relative_representation_stability"] = run(representation)

    second = (target + 3) % 10
    case["other"] = second
    case["random_logit"] = float(correlation_spearman(aggregate(a, "sum_abs").ravel(), aggregate(gradient(net, x, second), "sum_abs").ravel()))
    case["randomisation"] = float(correlation_spearman(aggregate(a, "sum_abs").ravel(), aggregate(gradient(other, x, target), "sum_abs").ravel()))

    # Quantus' explain_smooth_batch_numpy with noise that the test finds again; the last input is without.
    def smooth(network):
        numbers = iter(range(10**9))
        draw, np.random.randn = np.random.randn, lambda *shape: moved[next(numbers)].reshape(shape)
        explain, quantus.explain = quantus.explain, lambda model, x, y, **rest: gradient(network, x, target)
        try:
            metric = quantus.SmoothMPRT(nr_samples=SAMPLES + 1, disable_warnings=True)
            return metric.explain_smooth_batch_numpy(network, x, y, 1.0)
        finally:
            np.random.randn, quantus.explain = draw, explain

    pair = [np.abs(aggregate(smooth(n), "sum_abs")).ravel() for n in (net, other)]
    case["smooth_randomisation"] = float(correlation_spearman(*pair))
    complexity = quantus.functions.complexity_func.discrete_entropy
    before, after = (complexity(a=aggregate(gradient(n, x, target), "sum_abs"), x=None) for n in (net, other))
    case["efficient_randomisation"] = float((after - before) / before)
    return case


LAYER = None


def forgotten(path):
    """The network with the values of each weight in the reverse order: it knows nothing any more."""
    model = onnx.load(str(common.FIXTURES / "tiny.onnx"))
    for tensor in model.graph.initializer:
        value = onnx.numpy_helper.to_array(tensor)
        if value.dtype.kind == "f":
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(value.ravel()[::-1].reshape(value.shape)), tensor.name))
    onnx.save(model, str(path))


def make():
    global LAYER
    warnings.simplefilter("ignore")
    folder = common.FIXTURES / "metrics"
    forgotten(folder / "forgotten.onnx")
    net, other = OnnxNet(common.FIXTURES / "tiny.onnx"), OnnxNet(folder / "forgotten.onnx")
    convolutions = [node for node in net.nodes if node.op_type == "Conv"]
    LAYER = convolutions[-1].output[0]
    hiding = []
    for name, map_name, _, rule in CASES:
        x = torch.from_numpy(np.load(common.FIXTURES / "tiny" / f"{name}.model.npy")).double()
        value = named_map(map_name, tuple(x.shape))
        target = net(x).argmax().item()
        hiding.append({"input": name, "map": map_name, "channels": rule, "target": target, **hiding_case(net, x, value, aggregate(value, rule), target)})
    again = [again_case(net, other, name, target) for name in ("a", "b") for target in (0, 3, 5, 6, 8)]
    head = {"quantus": quantus.__version__, "samples": SAMPLES, "radius": RADIUS, "groups": GROUPS, "grid": GRID, "layer": LAYER}
    common.write_json(folder / "judged.json", dict(head, cases=hiding, again=again))


if __name__ == "__main__":
    make()
