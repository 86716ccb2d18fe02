"""What the methods that draw tend to on the tiny network, by the same programs with all there is to draw, or with very many draws.
Writes tests/fixtures/limits.
"""

import itertools
import math
import warnings

import numpy as np
import torch
from lime.lime_base import LimeBase
from skimage.transform import resize
from sklearn.linear_model import LinearRegression
from sklearn.metrics import pairwise_distances

import common
import paths
import perturbation
import relex

IMAGE = "tiny/a.png"


def noisy(net, x, target):
    """The mean of the squares and the variance of the gradients at 4000 noisy copies."""
    found = common.smoothgrad(net, x, target, 4000, 0.15, seed=1)
    yield "smoothgrad", {"noise_level": 0.15, "squared": True}, found.square().mean(0, keepdim=True)
    yield "vargrad", {"noise_level": 0.15}, found.var(0, unbiased=False, keepdim=True)


def expected_gradients(net, x, target, space, points=1000):
    """The mean over the backgrounds of integrated gradients, by the midpoint rule."""
    total = torch.zeros_like(x)
    for background in paths.backgrounds(x, space).split(1):
        for k in range(points):
            total += common.gradient(net, background + (k + 0.5) / points * (x - background), target) * (x - background)
    yield "expected_gradients", {}, total / points / 3


def lime(case):
    """The lime package's regression on all ways to hide nine cells, without the ridge, which many samples outweigh."""
    samples = np.array(list(itertools.product([1.0, 0.0], repeat=9)))
    answers = perturbation.answers(case, perturbation.grid(case, 3), samples)
    distances = pairwise_distances(samples, samples[:1], metric="cosine").ravel()
    base = LimeBase(lambda d: np.sqrt(np.exp(-(d**2) / 0.25**2)), verbose=False)
    regression = LinearRegression()
    _, weights, _, _ = base.explain_instance_with_data(
        samples, answers[:, None], distances, 0, num_features=9, feature_selection="none", model_regressor=regression
    )
    yield "lime", {"segmentation": "grid", "segments": 9}, np.array([weight for _, weight in sorted(weights)])


def kernel_shap(case):
    """shap's exact values of sixteen cells."""
    perturbation.exact_shapley(case, 4)
    yield "kernel_shap", {"segmentation": "grid", "segments": 16}, case.found


def rise(case, count=40000, side=4, p1=0.3):
    """RISE's mean over many masks, with numpy's random numbers."""
    random = np.random.default_rng(3)
    height, width = case.rgb.shape[:2]
    cells = [math.ceil(height / side), math.ceil(width / side)]
    total = torch.zeros(1, 1, height, width, dtype=torch.float64)
    for _ in range(count // 500):
        masks = np.empty((500, 1, height, width))
        for mask in masks:
            grid = (random.random((side, side)) < p1).astype(np.float64)
            whole = resize(grid, [(side + 1) * cell for cell in cells], order=1, mode="reflect", anti_aliasing=False)
            down, right = (int(random.integers(cell)) for cell in cells)
            mask[0] = whole[down : down + height, right : right + width]
        masks = torch.from_numpy(masks)
        total += (case.scores(case.x * masks)[:, None, None, None] * masks).sum(0, keepdim=True)
    yield "rise", {"grid": side, "probability": p1}, total / (count // 500 * 500) / p1


def one_step(net, x, target):
    """RelEx's mask after one long step with very many copies."""
    mask, _ = relex.relex(net, x, target, 0.5, iterations=1, samples=4000, learning_rate=10.0)
    yield "relex", {"iterations": 1, "learning_rate": 10.0}, mask


class Kept(perturbation.Case):
    def add(self, suffix, value, *_, **__):
        self.found = value


def make():
    warnings.simplefilter("ignore")
    family = common.Family("limits")
    case, entry = perturbation.prepared(family, "tiny", IMAGE)
    case.__class__ = Kept
    at = (case.net, case.x, case.target)
    sources = (noisy(*at), expected_gradients(*at, case.space), lime(case), kernel_shap(case), one_step(*at), rise(case))
    for method, params, value in itertools.chain(*sources):
        family.add(f"{method}.npy", value, model="tiny", image=IMAGE, method=method, target=case.target, params=params)
        print(method, family.cases[-1]["norm"], flush=True)
    family.write(networks={"tiny": entry})


if __name__ == "__main__":
    make()
