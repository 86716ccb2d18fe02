"""The two ImageNet networks on photographs: logits, gradients and every method. Writes tests/fixtures/imagenet.

Needs the networks of www/public/models (cargo xtask models).
"""

import json

import numpy as np
import torch

import common
import images
from common import OnnxNet, Preprocessing, agreement

NETWORKS = {"squeezenet1_1": 227, "efficientnet_lite0": 224}
CLASSES = [0, 250, 500]
KINKED = ("efficientnet_lite0_coffee",)  # rectifiers lie 3e-7 from zero there: one run in float32 is luck
OTHER = 500  # the class, never the predicted one, whose gradient is taken too
TRACED = 250  # the false class whose curves are stored step by step
TRACED_STEPS = {"path": 5, "reference": 3}
DETAILED = "chelsea"  # the photograph with individual maps, curves and smoothgrad


def write_curve(path, signs):
    """The signs of each step, five to a byte: sum of (sign + 1) * 3^k over the five in order. Every step starts a byte."""
    steps = [sign.numpy().ravel().astype(np.int64) + 1 for sign in signs]
    padded = np.stack([np.pad(step, (0, -step.size % 5)) for step in steps])
    path.write_bytes((padded.reshape(-1, 5) @ 3 ** np.arange(5)).astype(np.uint8).tobytes())


def photograph(family, network, space, name, side):
    path = common.MODELS / f"{network}.onnx"
    exact, single = OnnxNet(path), OnnxNet(path, torch.float32)
    image = f"images/{name}_{side}.png"
    pixels = space.pixels(common.FIXTURES / image)
    x = space.to_model(pixels)
    pixels32, x32 = pixels.float(), space.to_model(pixels.float())
    reference = common.onnxruntime_logits(path, x)
    target = int(reference.argmax())
    assert target not in (*CLASSES, OTHER)
    stem = f"{network}_{name}"

    def add(suffix, value, **case):
        family.add(f"{stem}_{suffix}.npy", value, model=network, image=image, **case)

    logits = exact(x).detach()
    add("logits", reference, method="logits", float64=agreement(logits, reference), by="onnxruntime")

    for suffix, c in (("gradient_top", target), ("gradient_other", OTHER)):
        g = common.gradient(exact, x, c)
        g32 = common.gradient(single, x32, c)
        if stem in KINKED:
            g32 = common.worst_of_four(lambda net: common.gradient(net, x32, c), single, g)
        add(suffix, g, sampled=True, method="gradient", target=c, float32=agreement(g32, g))
    family.again(f"{stem}_gradient_top.npy", model=network, image=image, method="saliency", params={"score": "logit"}, target=target)

    steps = 50
    black, black32 = space.to_model(torch.zeros_like(pixels)), space.to_model(torch.zeros_like(pixels32))
    ig = common.integrated_gradients(exact, x, black, target, steps)
    ig32 = common.integrated_gradients(single, x32, black32, target, steps)
    difference = (exact(x) - exact(black))[0, target].item()
    add(
        "integrated_gradients", ig, sampled=True, method="integrated_gradients",
        params={"steps": steps, "baseline": "black", "score": "logit"}, target=target,
        completeness_gap=difference - ig.sum().item(), logit_difference=difference,
        float32=agreement(ig32, ig), captum=common.captum_comparison(exact, x, black, target, steps, ig),
    )  # fmt: skip

    for mode in ("path", "reference", "straight"):
        for steps in (1, 20) if mode == "path" else (20,):
            runs = common.agi(exact, space, pixels, target, CLASSES, mode, steps)
            runs32 = common.agi(single, space, pixels32, target, CLASSES, mode, steps)
            whole = f"agi_{mode}" if steps == 20 else f"agi_{mode}_{steps}"
            parts = [(whole, CLASSES, runs, runs32)]
            if name == DETAILED and steps == 20:
                alone = [(f"{whole}_{c}", [c], [r], [r32]) for c, r, r32 in zip(CLASSES, runs, runs32)]
                parts += alone if mode == "path" else [part for part in alone if part[1] == [TRACED]]
            for suffix, classes, part, part32 in parts:
                a, a32 = common.total(part), common.total(part32)
                add(
                    suffix, a, sampled=True, method="agi", target=target,
                    params={"mode": mode, "classes": classes, "steps": steps, "step_size": 0.05},
                    steps_taken=[len(r.signs) for r in part],
                    float32=dict(agreement(a32, a), steps_taken=[len(r.signs) for r in part32]),
                )  # fmt: skip
            if name == DETAILED and steps == 20 and mode in TRACED_STEPS:
                signs = runs[CLASSES.index(TRACED)].signs[: TRACED_STEPS[mode]]
                a, same = common.agi_along(exact, space, pixels, target, TRACED, mode, signs)
                assert all(share == 1.0 for share in same)
                a32, same32 = common.agi_along(single, space, pixels32, target, TRACED, mode, signs)
                curve = f"{stem}_curve_{mode}.signs"
                write_curve(family.folder / curve, signs)
                add(
                    f"curve_{mode}", a, sampled=True, method="agi_curve", target=target, curve=curve,
                    params={"mode": mode, "classes": [TRACED], "steps": len(signs), "step_size": 0.05},
                    float32=dict(agreement(a32, a), same_signs=same32),
                )  # fmt: skip

    if name == DETAILED:
        samples = common.smoothgrad(single, x32, target, 100, 0.15, seed=1).double()
        blocks = samples.reshape(4, 25, *x.shape[1:]).mean(dim=1)
        rest = [(blocks.sum(0) - block) / 3 for block in blocks]
        add(
            "smoothgrad", samples.mean(0, keepdim=True), sampled=True, method="smoothgrad", target=target,
            params={"samples": 100, "noise_level": 0.15, "squared": False},
            block_of_25_with_the_rest=[agreement(block, other)["cosine"] for block, other in zip(blocks, rest)],
            block_of_25_norm=[block.norm().item() for block in blocks],
        )  # fmt: skip
    print(stem, "done", flush=True)


def make():
    images.photographs()
    family = common.Family("imagenet")
    networks = {}
    for network, side in NETWORKS.items():
        declared = json.loads((common.MODELS / f"{network}.json").read_text())["preprocessing"]
        networks[network] = {
            "file": f"www/public/models/{network}.onnx",
            "sha256": common.sha256(common.MODELS / f"{network}.onnx"),
            "preprocessing": {k: declared[k] for k in ("do_rescale", "image_mean", "image_std", "channel_order")},
        }
        for name in images.PHOTOGRAPHS:
            photograph(family, network, Preprocessing(declared), name, side)
    family.write(networks=networks)


if __name__ == "__main__":
    make()
