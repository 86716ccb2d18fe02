"""Gradients on other paths and samples: blur and guided IG by PAIR's package, expected gradients by SHAP, VarGrad and input x
gradient by Captum. Writes tests/fixtures/paths.

Needs the networks of www/public/models (cargo xtask models).
"""

from contextlib import contextmanager
from unittest import mock

import numpy as np
import saliency.core as pair
import torch
from captum.attr import InputXGradient, NoiseTunnel, Saliency
from shap import GradientExplainer

import common
from common import normal, worst_of_four

OTHER = {"tiny": 2, "squeezenet1_1": 500, "efficientnet_lite0": 500}
SEED = 5


def gradients(net, target, dtype):
    """The gradient of a logit in the form that PAIR's package asks for: [N,H,W,C] in and out."""

    def call(batch, call_model_args=None, expected_keys=None):
        x = torch.from_numpy(np.ascontiguousarray(np.moveaxis(np.asarray(batch), -1, 1))).to(dtype)
        found = common.gradient(net, x, target)
        return {pair.INPUT_OUTPUT_GRADIENTS: np.moveaxis(found.numpy(), 1, -1).astype(np.float64)}

    return call


def pictured(x):
    return np.moveaxis(x[0].numpy(), 0, -1)


def unpictured(map):
    return torch.from_numpy(np.moveaxis(map, -1, 0).copy())[None]


def blur_ig(net, x, target, **params):
    found = pair.BlurIG().GetMask(pictured(x), gradients(net, target, x.dtype), **params)
    return unpictured(found)


def guided_ig(net, x, target, space, steps, fraction=0.25, max_dist=0.02):
    """From black. numpy has renamed the argument of `quantile` that PAIR's package uses."""
    black = space.to_model(torch.zeros_like(x))
    renamed = lambda *a, interpolation, **k: quantile(*a, method=interpolation, **k)  # noqa: E731
    quantile = np.quantile
    with mock.patch("numpy.quantile", renamed):
        found = pair.GuidedIG().GetMask(
            pictured(x), gradients(net, target, x.dtype), x_baseline=pictured(black), x_steps=steps, fraction=fraction,
            max_dist=max_dist,
        )  # fmt: skip
    return unpictured(found)


@contextmanager
def default_dtype(dtype):
    """SHAP keeps its samples in PyTorch's default type."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


class Logit(torch.nn.Module):
    def __init__(self, net, target):
        super().__init__()
        self.net, self.target = net, target

    def forward(self, x):
        return self.net(x)[:, self.target : self.target + 1]


def backgrounds(x, space):
    """Black, white and the mean: the engine's own background."""
    black = space.to_model(torch.zeros_like(x))
    white = space.to_model(torch.ones_like(x))
    return torch.cat([black, white, torch.zeros_like(x)])


def expected_gradients(net, x, target, space, samples):
    with default_dtype(x.dtype):
        explainer = GradientExplainer(Logit(net, target), backgrounds(x, space), batch_size=10)
        found = explainer.shap_values(x, nsamples=samples, rseed=SEED)
    return torch.from_numpy(np.asarray(found).reshape(x.shape))


def draws(samples):
    """What SHAP draws with the seed: the background's number and the position, which counts from the background."""
    np.random.seed(SEED)
    return [[int(np.random.choice(3)), float(np.random.uniform())] for _ in range(samples)]


def noisy(kind, net, x, target, samples, noise_level):
    """NoiseTunnel over the plain gradient, with noise of ours in place of torch.normal's."""
    noise = normal(samples * x.numel(), 2).reshape(samples, *x.shape[1:]).to(x.dtype)

    def given(mean, std):
        return std * noise

    sigma = noise_level * (x.max() - x.min()).item()
    with mock.patch("torch.normal", given):
        tunnel = NoiseTunnel(Saliency(net))
        return tunnel.attribute(x, nt_type=kind, nt_samples=samples, stdevs=sigma, target=target, abs=False).detach()


def input_x_gradient(net, x, target):
    return InputXGradient(net).attribute(x.clone().requires_grad_(True), target).detach()


def cases(family, network, image, first):
    x, x32, top = network.read(image)
    space, exact, single = network.space, network.exact, network.single
    add = lambda suffix, *maps, **more: network.add(family, image, suffix, *maps, **more)  # noqa: E731

    for suffix, target in (("", top), ("_other", OTHER[network.name])):
        map = input_x_gradient(exact, x, target)
        map32 = worst_of_four(lambda net: input_x_gradient(net, x32, target), single, map)  # noqa: B023
        add(f"input_x_gradient{suffix}", map, map32, method="input_x_gradient", target=target, by="captum")

    for method, kind, more in (("vargrad", "vargrad", {}), ("smoothgrad", "smoothgrad_sq", {"squared": True})):
        params = {"samples": 5, "noise_level": 0.15}
        map = noisy(kind, exact, x, top, **params)
        map32 = worst_of_four(lambda net: noisy(kind, net, x32, top, **params), single, map)  # noqa: B023
        add(kind, map, map32, method=method, target=top, params=params | more, by="captum")

    params = {"samples": 40}
    map = expected_gradients(exact, x, top, space, **params)
    map32 = worst_of_four(lambda net: expected_gradients(net, x32, top, space, **params), single, map)
    scores = exact(torch.cat([x, backgrounds(x, space)]))[:, top]
    change = (scores[0] - scores[1:].mean()).item()
    add(
        "expected_gradients", map, map32, method="expected_gradients", target=top, params=params, draws=draws(**params),
        logit_difference=change, by="shap",
    )  # fmt: skip

    settings = [{"steps": 20}, {"steps": 10, "max_sigma": 8.0, "sqrt": True}]
    for params in settings if first else settings[:1]:
        map = blur_ig(exact, x, top, **params)
        map32 = worst_of_four(lambda net: blur_ig(net, x32, top, **params), single, map)  # noqa: B023
        name = "blur_ig_sqrt" if "sqrt" in params else "blur_ig"
        add(name, map, map32, method="blur_ig", target=top, params=params, by="saliency (PAIR)")

    free = {"steps": 20, "max_dist": 1.0, "fraction": 0.1}
    short = {"steps": 2, "max_dist": 0.25, "fraction": 0.1}
    settings = {
        "tiny": {"guided_ig_short": short, "guided_ig": {"steps": 20}, "guided_ig_free": free},
        "squeezenet1_1": {"guided_ig_line": {"steps": 10, "max_dist": 0.0}},
        "efficientnet_lite0": {"guided_ig_line": {"steps": 10, "max_dist": 0.0}, "guided_ig_short": short},
    }[network.name]
    for name in settings:
        params = settings[name]
        map = guided_ig(exact, x, top, space, **params)
        map32 = worst_of_four(lambda net: guided_ig(net, x32, top, space, **params), single, map)  # noqa: B023
        add(name, map, map32, method="guided_ig", target=top, params=params, by="saliency (PAIR)")


def make():
    family = common.Family("paths")
    heads = {}
    for network, images in common.networks():
        heads[network.name] = network.head
        for image in images:
            cases(family, network, image, image == images[0])
    family.write(networks=heads)


if __name__ == "__main__":
    make()
