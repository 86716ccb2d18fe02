"""Attacks by foolbox 3.3.4 and torchattacks 3.5.1 on the tiny network. Writes tests/fixtures/metrics/attacks.json.

Twenty inputs: the two pictures of the tiny network, moved around their edge by three columns at a time. The network is run in
float64. What the programs draw at random is replaced by numbers that the test finds again.
"""

import warnings

import foolbox
import numpy as np
import torch
import torchattacks

import common
from common import OnnxNet
from metrics import noise

INPUTS = 20
MEAN, STD = 0.5, 0.25


class Pixels(torch.nn.Module):
    """The network of pixels from 0 to 1."""

    def __init__(self, net):
        super().__init__()
        self.net = net
        self.nothing = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def forward(self, x):
        return self.net((x - MEAN) / STD)


def inputs():
    for i in range(INPUTS):
        pixels = np.load(common.FIXTURES / "tiny" / f"{'ab'[i % 2]}.pixels.npy").astype(np.float64).reshape(1, 3, 32, 32)
        yield torch.from_numpy(np.roll(pixels, 3 * (i // 2), axis=3))


def torchattack(make, draw=None):
    def run(model, x, label):
        rand = torch.rand
        if draw:
            torch.rand = draw()
        try:
            return make(model)(x, label)
        finally:
            torch.rand = rand
    return run  # fmt: skip


def foolattack(attack):
    def run(model, x, label):
        wrapped = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
        return attack.run(wrapped, x, foolbox.criteria.Misclassification(label))
    return run  # fmt: skip


def on_the_edge():
    """Numbers of which APGD makes a start: 2 u - 1 is `noise`."""
    return lambda shape: torch.from_numpy((noise(1, int(np.prod(shape))) + 1) / 2).reshape(*shape)


def one_by_one():
    """u_k = ((17 k + 7919 k^2) mod 2003 + 0.25) / 2003."""
    taken = iter(range(10**9))

    def draw(shape):
        numbers = np.array([next(taken) for _ in range(int(np.prod(shape)))], dtype=np.int64)
        return torch.from_numpy(((17 * numbers + 7919 * numbers * numbers) % 2003 + 0.25) / 2003).reshape(*shape)

    return draw


ATTACKS = {
    "mi_fgsm": ({"epsilon": 0.2, "step": 0.05, "steps": 6}, torchattack(lambda m: torchattacks.MIFGSM(m, eps=0.2 / 255, alpha=0.05 / 255, steps=6))),
    "apgd_linf": ({"epsilon": 0.2, "steps": 30}, torchattack(lambda m: torchattacks.APGD(m, norm="Linf", eps=0.2 / 255, steps=30), on_the_edge)),
    "apgd_l2": ({"epsilon": 6, "steps": 30}, torchattack(lambda m: torchattacks.APGD(m, norm="L2", eps=6 / 255, steps=30))),
    "square": ({"epsilon": 1, "queries": 200}, torchattack(lambda m: torchattacks.Square(m, norm="Linf", eps=1 / 255, n_queries=200), one_by_one)),
    "deep_fool_l2": ({}, foolattack(foolbox.attacks.L2DeepFoolAttack())),
    "deep_fool_linf": ({}, foolattack(foolbox.attacks.LinfDeepFoolAttack())),
    "carlini_wagner": ({"steps": 30, "searches": 4, "weight": 0.1, "step": 0.002}, foolattack(foolbox.attacks.L2CarliniWagnerAttack(binary_search_steps=4, steps=30, stepsize=0.002, initial_const=0.1))),
}  # fmt: skip


def make():
    warnings.simplefilter("ignore")
    model = Pixels(OnnxNet(common.FIXTURES / "tiny.onnx")).eval()
    result = {}
    for name, (params, run) in ATTACKS.items():
        cases = []
        for x in inputs():
            label = model(x).argmax(1)
            if name == "apgd_l2":
                # The start is drawn from the normal distribution there.
                randn, torch.randn = torch.randn, lambda shape: torch.from_numpy(noise(1, int(np.prod(shape)))).reshape(*shape)
            try:
                attacked = run(model, x, label).detach()
            finally:
                if name == "apgd_l2":
                    torch.randn = randn
            change = attacked - x
            turned = bool((model(attacked).argmax(1) != label).item())
            cases.append({"turned": turned, "linf": change.abs().max().item(), "l2": change.norm().item()})
        print(name, sum(case["turned"] for case in cases), np.mean([case["l2"] for case in cases]), flush=True)
        result[name] = {"params": params, "cases": cases}
    head = {"foolbox": foolbox.__version__, "torchattacks": "3.5.1"}
    common.write_json(common.FIXTURES / "metrics" / "attacks.json", dict(head, attacks=result))


if __name__ == "__main__":
    make()
