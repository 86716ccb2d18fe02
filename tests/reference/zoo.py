"""Every kind of torchvision classifier, with generated weights: a skeleton, logits and input gradients each.

Writes tests/fixtures/zoo.

python zoo.py                    # all of them, about 8 minutes on one core
python zoo.py resnet18 vit_b_16  # some of them; the others' entries are kept
"""

import copy
import io
import json
import sys
import time
import warnings
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
import torch
import torchvision
from torch.fx.experimental.optimization import fuse

from common import FIXTURES, save, write_json
from generated import Filler, Mapping, distinct, filled, picture, skeleton

FOLDER = FIXTURES / "zoo"
CLASSES = 1000
BATCH = 3
TARGETS = (17, 281, 954)  # the class that each sample's gradient is taken of
SAMPLES, STRIDE = 4096, 7919
# Inputs are looked for whose gradients hardly change (1 - cosine) when the input is shaken by 1e-6 of its deviation.
CANDIDATES, SHAKEN, STEADY = 10, 1e-6, 1e-5


@dataclass
class Network:
    """How a network is built and exported."""

    name: str
    exporter: str  # "torchscript" or "dynamo"
    opset: int
    # "default": the exporter's own optimisations. Both fold batch normalisation into convolutions, so it is folded in the module
    # beforehand and the weights in the file are the module's. "plain": the file has every layer as it is.
    form: str = "plain"
    size: int = 224
    model: str = ""  # torchvision's name, where it differs


NETWORKS = (
    Network("alexnet", "torchscript", 7),
    Network("vgg16", "torchscript", 9),
    Network("vgg16_bn", "torchscript", 11, "default"),
    Network("vgg19", "torchscript", 13),
    Network("vgg19_bn", "dynamo", 18, "default"),
    Network("resnet18", "torchscript", 9),
    Network("resnet34", "dynamo", 18, "default"),
    Network("resnet50", "torchscript", 13, "default"),
    Network("resnet152", "torchscript", 17),
    Network("inception_v3", "torchscript", 12, size=299),
    Network("googlenet", "dynamo", 20, "default"),
    Network("densenet121", "torchscript", 11),
    Network("squeezenet1_0", "torchscript", 8),
    Network("squeezenet1_1", "dynamo", 18, "default"),
    Network("mobilenet_v2", "torchscript", 13, "default"),
    Network("mobilenet_v3_small", "torchscript", 11, "default"),
    Network("mobilenet_v3_large", "torchscript", 17),
    Network("efficientnet_b0", "torchscript", 17, "default"),
    Network("efficientnet_v2_s", "dynamo", 20, "default"),
    Network("convnext_tiny", "torchscript", 17),
    Network("convnext_tiny_dynamo", "dynamo", 18, "default", model="convnext_tiny"),
    Network("regnet_x_400mf", "torchscript", 16),
    Network("regnet_y_400mf", "dynamo", 18, "default"),
    Network("mnasnet1_0", "torchscript", 15, "default"),
    Network("shufflenet_v2_x1_0", "torchscript", 13),
    Network("shufflenet_v2_x1_0_dynamo", "dynamo", 18, "default", model="shufflenet_v2_x1_0"),
    Network("vit_b_16", "torchscript", 17),
    Network("vit_b_16_dynamo", "dynamo", 18, "default", model="vit_b_16"),
    Network("swin_t", "torchscript", 14),
    Network("swin_t_dynamo", "dynamo", 18, model="swin_t"),
)


def build(network):
    options = {"weights": None, "num_classes": CLASSES}
    name = network.model or network.name
    if name in ("googlenet", "inception_v3"):
        options.update(aux_logits=False, init_weights=False)
    elif name.startswith("vgg"):
        options.update(init_weights=False)
    module = getattr(torchvision.models, name)(**options).eval()
    return fuse(module) if network.form == "default" else module


def export(module, inputs, exporter, opset, names=("input",), outputs=("logits",), dynamic=None, plain=True):
    """The exported model, its weights inside; the batch stays open. `plain` keeps the exporter from optimising."""
    module, mode = copy.deepcopy(module), torch.onnx.TrainingMode
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if exporter == "torchscript":
            axes = dynamic or {name: {0: "batch"} for name in (*names, *outputs)}
            torch.onnx.export(
                module, inputs, stream, dynamo=False, opset_version=opset, input_names=list(names), output_names=list(outputs),
                dynamic_axes=axes, training=mode.PRESERVE if plain else mode.EVAL, do_constant_folding=not plain,
            )  # fmt: skip
            return onnx.load_from_string(stream.getvalue())
        shapes = dynamic or tuple({0: torch.export.Dim("batch", min=1, max=64)} for _ in names)
        program = torch.onnx.export(
            module, inputs, dynamo=True, opset_version=opset, input_names=list(names), output_names=list(outputs),
            dynamic_shapes=shapes, optimize=not plain, verbose=False,
        )  # fmt: skip
        return program.model_proto


def onnxruntime_outputs(model, feeds):
    """With no graph optimisations: its fusion of a zero padding with a max pooling (1.31.1) pads with minus infinity."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    half = {value.name for value in session.get_inputs() if value.type == "tensor(float16)"}
    return session.run(None, {name: value.astype(np.float16) if name in half else value for name, value in feeds.items()})


def gradients(module, x, targets, dtype):
    """Logits, and d logits[i, targets[i]] / d x[i] for each sample i."""
    module = module.to(dtype)
    x = torch.from_numpy(x).to(dtype).requires_grad_(True)
    logits = module(x)
    gradient = torch.autograd.grad(sum(logits[i, target] for i, target in enumerate(targets)), x)[0]
    return logits.detach().double().numpy(), gradient.double().numpy()


def cosine(a, b):
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


def largest_difference(a, b):
    """Over the largest magnitude of b."""
    return float(np.abs(a - b).max() / np.abs(b).max())


def unsteadiness(module, x, target):
    """1 - the cosine of the gradients at x and at x shaken by what rounding in 32 bits amounts to; the worse of two draws.

    Half of 1 - the cosine of the gradients in 32 and in 64 bits where that is worse.

    A network with ReLUs or max pooling has kinks. Where one unit lies within rounding of its own, two sound implementations
    take different sides and their gradients part (by 7e-4 in one of AlexNet's): nothing could be learnt from comparing them.
    """
    _, gradient = gradients(module, x, (target,), torch.float32)
    worst = 0.0
    for seed in (1, 2):
        noise = np.random.default_rng(seed).normal(size=x.shape).astype(np.float32)
        _, other = gradients(module, x + np.float32(SHAKEN * x.std()) * noise, (target,), torch.float32)
        worst = max(worst, 1.0 - cosine(gradient, other))
    _, exact = gradients(module, x, (target,), torch.float64)
    return max(worst, (1.0 - cosine(gradient, exact)) / 2.0)


def steady_pictures(network, module):
    """The names of one input for each target, the first steady ones, or the steadiest."""
    shape, found, rest = (1, 3, network.size, network.size), [], []
    for index in range(CANDIDATES):
        name = f"{network.name}/{index}"
        worst = unsteadiness(module, picture(name, shape), TARGETS[len(found)])
        (found if worst < STEADY else rest).append((worst, name))
        if len(found) == BATCH:
            break
    chosen = found + sorted(rest)[: BATCH - len(found)]
    return [name for _, name in chosen], max(worst for worst, _ in chosen)


def make_one(network):
    started = time.time()
    module = build(network)
    distinct(module)
    sample = torch.from_numpy(picture(network.name, (BATCH, 3, network.size, network.size)))
    exported = export(module, (sample[:2],), network.exporter, network.opset, plain=network.form == "plain")
    mapping = Mapping(module, exported)
    filler = Filler(network.name, module, mapping)
    filler.calibrate(sample)
    bare = skeleton(exported, mapping, filler.recipes)
    del exported
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    pictures, worst = steady_pictures(network, module)
    x = np.concatenate([picture(name, (1, *sample.shape[1:])) for name in pictures])
    runtime = onnxruntime_outputs(filled(bare), {"input": x})[0]
    logits32, gradient32 = gradients(module, x, TARGETS, torch.float32)
    logits, gradient = gradients(module, x, TARGETS, torch.float64)
    agreement = largest_difference(runtime, logits)
    own = largest_difference(logits32, logits)
    assert agreement < 1e-5, f"{network.name}: onnxruntime and PyTorch differ by {agreement:.1e}"
    assert logits.std() > 0.1 and np.abs(logits).max() < 100.0, f"{network.name}: logits of deviation {logits.std()}"

    (FOLDER / f"{network.name}.onnx").write_bytes(bare.SerializeToString(deterministic=True))
    save(FOLDER / f"{network.name}.logits.npy", logits)
    flat = gradient.ravel()
    save(FOLDER / f"{network.name}.gradient.npy", flat[(np.arange(SAMPLES) * STRIDE) % flat.size])
    entry = {
        "name": network.name,
        "exporter": network.exporter,
        "opset": network.opset,
        "form": network.form,
        "nodes": len(bare.graph.node),
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
        "shape": list(x.shape),
        "pictures": pictures,
        "targets": list(TARGETS),
        "norm": [float(np.linalg.norm(sample)) for sample in gradient],
        # How far PyTorch in 32 bits agrees with itself in 64, and onnxruntime with both.
        "float32": {
            "cosine": [cosine(a, b) for a, b in zip(gradient32, gradient)],
            "relative_l2": [float(np.linalg.norm(a - b) / np.linalg.norm(b)) for a, b in zip(gradient32, gradient)],
            "logits": own,
        },
        "onnxruntime": agreement,
    }
    between = np.abs(logits[0] - logits[1]).max() / logits.std()
    print(
        f"{network.name}: {len(bare.graph.node)} nodes, {bare.ByteSize() / 1e3:.0f} kB, deviation {logits.std():.2f}, "
        f"between samples {between:.2f}, gradient {entry['norm'][0]:.2g}, onnxruntime {agreement:.0e}, "
        f"float32 {1 - min(entry['float32']['cosine']):.0e}, {pictures}, shaken {worst:.0e}, {time.time() - started:.0f} s",
        flush=True,
    )
    return entry


def make(names=()):
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / "index.json"
    old = {entry["name"]: entry for entry in json.loads(path.read_text())["networks"]} if path.exists() else {}
    for network in NETWORKS:
        if not names or network.name in names:
            old[network.name] = make_one(network)
            entries = [old[network.name] for network in NETWORKS if network.name in old]
            versions = {m.__name__: m.__version__ for m in (np, onnx, onnxruntime, torch, torchvision)}
            sampling = {
                "count": SAMPLES,
                "stride": STRIDE,
                "index": "(k * stride) mod n for k in 0..count, into the flattened tensor",
            }
            write_json(path, {"versions": versions, "sampling": sampling, "networks": entries})


if __name__ == "__main__":
    make(sys.argv[1:])
