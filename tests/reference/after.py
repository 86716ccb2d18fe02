"""Methods that came after the papers, written from theirs: IDGI, MFABA, HSIC and Sobol indices; DeepLIFT-SHAP by Captum. Writes tests/fixtures/after.

Needs the networks of www/public/models (cargo xtask models).
"""

from unittest import mock

import numpy as np
import torch
from captum.attr import DeepLiftShap
from captum.attr._core import deep_lift

import common
import rules
import segments
from common import agreement


def idgi(net, x, baseline, target, steps):
    """Algorithm 1: the change of the probability from each point to the next, by the squares of the gradient at the first."""
    points = [baseline + k / (steps - 1) * (x - baseline) for k in range(steps)]
    scores = [torch.softmax(net(point), 1)[0, target].item() for point in points]
    total = torch.zeros_like(x)
    for point, before, after in zip(points, scores, scores[1:]):
        squares = common.gradient(net, point, target, "probability").double() ** 2
        if squares.sum() > 0:
            total += ((after - before) * squares / squares.sum()).to(x.dtype)
    return total, scores[-1] - scores[0]


def mfaba(net, space, pixels, target, mode="sharp", steps=50, step_length=0.1, step_size=0.001, epsilon=0.3):
    """Down the gradient of the class's probability until another class is predicted; minus gradient times step, added up."""
    at, total, taken = pixels, torch.zeros_like(pixels), 0
    for _ in range(steps):
        leaf = at.clone().requires_grad_(True)
        (gradient,) = torch.autograd.grad(torch.softmax(net(space.to_model(leaf)), 1)[0, target], leaf)
        if mode == "sharp":
            moved = at - step_length * gradient / gradient.norm()
        else:
            moved = pixels + torch.clamp(at - step_size * gradient.sign() - pixels, -epsilon, epsilon)
        moved = torch.clamp(moved, 0, 1)
        total -= (moved - at) * gradient
        at, taken = moved, taken + 1
        if net(space.to_model(at)).argmax().item() != target:
            break
    return total, taken


def deep_lift_shap(path, x, backgrounds, target):
    method = DeepLiftShap(rules.Twin(path, x.dtype))
    with mock.patch.object(deep_lift.F, "max_unpool2d", rules.max_unpool2d):
        return method.attribute(rules.leaf(x), backgrounds, target).detach()


def grid(side, height, width):
    return (np.arange(height) * side // height)[:, None] * side + (np.arange(width) * side // width)[None]


def scores(net, x, target, labels, shown):
    """The class's probability with each segment dimmed to what `shown` says, towards zero."""
    weights = torch.as_tensor(shown, dtype=x.dtype)[:, torch.from_numpy(labels)][:, None]
    with torch.no_grad():
        return torch.cat([torch.softmax(net(x * chunk), 1)[:, target] for chunk in weights.split(50)]).double().numpy()


def drawn(count, salt):
    return segments.uniform(count, salt)


def hsic(net, x, target, labels, samples):
    """Equation 3 with its matrices: K says whether two samples agree, L how near their answers lie."""
    y = scores(net, x, target, labels, samples)
    p = len(y)
    width = np.sort(y)[int(np.round((p - 1) / 2))]
    centring = np.eye(p) - 1 / p
    near = np.exp(-((y[:, None] - y[None]) ** 2) / 2 / width**2)
    centred = centring @ near @ centring
    agree = lambda column: 1 - (column[:, None] - column[None]) ** 2  # noqa: E731
    values = [np.trace(agree(samples[:, i]) @ centred) / (p - 1) ** 2 for i in range(samples.shape[1])]
    return torch.from_numpy(np.array(values)[labels])[None, None]


def sobol(net, x, target, labels, designs):
    """Jansen's estimator of the total indices."""
    a, b = np.split(designs, 2)
    answers = scores(net, x, target, labels, a)
    values = []
    for i in range(a.shape[1]):
        c = a.copy()
        c[:, i] = b[:, i]
        values.append(((answers - scores(net, x, target, labels, c)) ** 2).sum() / (2 * len(a) * answers.var(ddof=1)))
    return torch.from_numpy(np.array(values)[labels])[None, None]


def make():
    family = common.Family("after")
    heads = {}
    for network, images in common.networks(("chelsea",)):
        if network.name == "efficientnet_lite0":
            continue
        heads[network.name] = network.head
        path = common.ROOT / network.head["file"]
        for image in images:
            x, x32, top = network.read(image)
            tiny = network.name == "tiny"

            def add(method, compute, suffix="", by="paper", **params):
                exact, single = compute(network.exact, x), compute(network.single, x32)
                more = {}
                if isinstance(exact, tuple):
                    (exact, more["logit_difference"]), single = exact, single[0]
                    if params.pop("told", True) is False:
                        more = {}
                network.add(
                    family, image, "_".join(part for part in (method, suffix) if part), exact, single, method=method, target=top,
                    params=params, by=by, **more,
                )  # fmt: skip

            black = lambda x: network.space.to_model(torch.zeros_like(x))  # noqa: E731
            steps = 200 if tiny else 30
            add("idgi", lambda net, x: idgi(net, x, black(x), top, steps), **({} if tiny else {"steps": steps}))
            pixels = lambda x: network.space.pixels(common.FIXTURES / image).to(x.dtype)  # noqa: E731
            for mode in ("sharp", "smooth"):
                walk = lambda net, x: mfaba(net, network.space, pixels(x), top, mode)[0]  # noqa: B023, E731
                add("mfaba", walk, mode, mode=mode)
            white = lambda x: network.space.to_model(torch.ones_like(x))  # noqa: E731
            both = lambda x: torch.cat([black(x), white(x), torch.zeros_like(x)])  # noqa: E731
            add("deep_lift_shap", lambda net, x: deep_lift_shap(path, x, both(x), top), by="captum")
            side, count = 5, 200 if tiny else 60
            labels = grid(side, *x.shape[2:])
            samples = (drawn(count * side * side, 7) < 0.5).reshape(count, -1).astype(np.float64)
            add("hsic", lambda net, x: hsic(net, x, top, labels, samples), grid=side, samples=count)
            if tiny:
                designs = drawn(2 * 16 * side * side, 8).reshape(32, -1)
                add("sobol", lambda net, x: sobol(net, x, top, labels, designs), grid=side, designs=16)
    family.write(networks=heads)


if __name__ == "__main__":
    make()
