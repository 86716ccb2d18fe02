"""RelEx with its noise and its first mask given, against PyTorch's autograd and optimiser. Writes tests/fixtures/relex.

Needs the networks of www/public/models (cargo xtask models).
"""

import torch

import common
from common import normal, uniform, worst_of_four

OTHER = {"tiny": 2, "squeezenet1_1": 500, "efficientnet_lite0": 500}


def relex(net, x, target, start, iterations=50, samples=50, noise_level=0.1, sparsity=1e-4, deletion=1.0, learning_rate=0.1):
    """RelEx (Lim, Lee, Kim 2021, equation 11), differentiated by autograd and stepped by torch.optim. Also the losses."""
    features = x.numel()
    mask = (uniform(features, 1) * start).reshape(x.shape).to(x.dtype).requires_grad_(True)
    optimiser = torch.optim.SGD([mask], lr=learning_rate, momentum=0.99)
    sigma = noise_level * (x.max() - x.min())
    noise = normal(iterations * samples * features, 2).reshape(iterations, samples, *x.shape[1:])
    losses = []
    for draw in noise:
        copies = x + sigma * draw.to(x.dtype)
        kept = torch.log_softmax(net(copies * mask), dim=1)[:, target]
        left = torch.softmax(net(copies * (1 - mask)), dim=1)[:, target]
        loss = (-kept + sparsity * mask.abs().sum() - deletion * torch.log(1 - left + 1e-7)).mean()
        optimiser.zero_grad()
        loss.backward()
        mask.grad /= mask.grad.norm()
        optimiser.step()
        mask.data.clamp_(0, 1)
        losses.append(loss.item())
    return mask.detach(), losses


# A single step that is so long that little is left of the mask that it started from.
RELEX = {
    "step": {"iterations": 1, "samples": 4, "learning_rate": 10.0},
    "wide": {"iterations": 1, "samples": 4, "learning_rate": 10.0},
    "short": {"iterations": 5, "samples": 4},
    "full": {"iterations": 50, "samples": 2},
}
RELEX_TINY = {
    **RELEX,
    "full": {"iterations": 50, "samples": 50},
    "hundred": {"iterations": 100, "samples": 10},
    "clean": {"iterations": 50, "samples": 1, "noise_level": 0.0},
    "keep": {"iterations": 50, "samples": 10, "deletion": 0.0},
    "other": {"iterations": 50, "samples": 10},
}


def cases(family, network, image, names):
    x, x32, top = network.read(image)
    for name in names:
        params = (RELEX_TINY if network.name == "tiny" else RELEX)[name]
        target = OTHER[network.name] if name == "other" else top
        start = 0.5 if name == "wide" else 0.01
        exact, losses = relex(network.exact, x, target, start, **params)
        compute = lambda net: relex(net, x32, target, start, **params)[0]  # noqa: B023, E731
        # Fifty steps on an ImageNet network end elsewhere anyway.
        far = network.name != "tiny" and params["iterations"] == 50
        single = compute(network.single) if far else worst_of_four(compute, network.single, exact)
        ends = [losses[0], losses[-1]]
        network.add(family, image, name, exact, single, method="relex", target=target, params=params, start=start, losses=ends)


def make():
    family = common.Family("relex")
    heads = {}
    for network, images in common.networks():
        heads[network.name] = network.head
        cases(family, network, images[0], RELEX_TINY if network.name == "tiny" else RELEX)
        cases(family, network, images[1], ["step", "wide", *(["short", "full"] if network.name == "tiny" else [])])
    family.write(networks=heads)


if __name__ == "__main__":
    make()
