"""A tiny seeded network with every operator of the two ImageNet networks, and all that is computed with it.

Writes tests/fixtures/tiny.onnx, tiny_f16.onnx, tiny.json and the folder tiny. The maps are stored whole. The weights are numbers that float16 holds exactly, so
that tiny.onnx and tiny_f16.onnx are the same function and share their figures.
"""

import numpy as np
import onnx
import skimage.data
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

import common
from common import OnnxNet, Preprocessing, agreement

SEED = 7
CLASSES = 10
SIDE = 32
INPUTS = ("a", "b")
DECLARED = {
    "do_resize": True, "size": {"height": SIDE, "width": SIDE}, "resample": 2, "do_center_crop": False,
    "do_rescale": True, "rescale_factor": 0.00392156862745098,
    "do_normalize": True, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25], "channel_order": "RGB",
}  # fmt: skip


class Builder:
    """Collects nodes and weights; every method adds one node and returns the name of its output."""

    def __init__(self):
        self.random = np.random.default_rng(SEED)
        self.nodes, self.weights = [], {}

    def node(self, kind, inputs, **attributes):
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def weight(self, name, value):
        self.weights[name] = np.asarray(value, dtype=np.float16).astype(np.float32)
        return name

    def conv(self, x, channels, outputs, kernel, group=1, gain=1.0, **attributes):
        fan = channels // group * kernel * kernel
        name = f"conv_{len(self.nodes)}"
        weight = self.random.normal(0.0, gain * np.sqrt(2.0 / fan), (outputs, channels // group, kernel, kernel))
        inputs = [x, self.weight(f"{name}.weight", weight), self.weight(f"{name}.bias", self.random.normal(0.0, 0.1, outputs))]
        return self.node("Conv", inputs, kernel_shape=[kernel, kernel], group=group, **attributes)

    def clip(self, x):
        return self.node("Clip", [x, self.weight("clip.low", 0.0), self.weight("clip.high", 6.0)])


def network():
    """The graph with the bias of its last layer still 0."""
    b = Builder()
    same = {"auto_pad": "SAME_UPPER"}
    x = b.node("Relu", [b.conv("input", 3, 8, 3, strides=[2, 2], **same)])  # 16x16, padded by 0 and 1
    squeezed = b.node("Relu", [b.conv(x, 8, 4, 1, **same)])
    narrow = b.node("Relu", [b.conv(squeezed, 4, 8, 1, **same)])
    wide = b.node("Relu", [b.conv(squeezed, 4, 8, 3, **same)])
    x = b.node("Concat", [narrow, wide], axis=1)
    x = b.clip(b.conv(x, 16, 16, 5, group=16, gain=1.4, strides=[2, 2], pads=[1, 1, 2, 2]))  # depthwise, 8x8
    inner = b.clip(b.conv(x, 16, 32, 1, gain=1.4, pads=[0, 0, 0, 0]))
    inner = b.clip(b.conv(inner, 32, 32, 3, group=32, gain=1.4, pads=[1, 1, 1, 1]))
    x = b.node("Add", [x, b.conv(inner, 32, 16, 1, gain=0.7)])
    x = b.node("Relu", [b.conv(x, 16, 16, 3, group=4, gain=1.2, pads=[1, 1, 1, 1])])
    x = b.node("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2])  # 3x3
    x = b.node("Relu", [b.conv(x, 16, 24, 1, gain=1.2)])
    x = b.node("Flatten", [b.node("GlobalAveragePool", [x])], axis=1)
    weight = b.weight("gemm.weight", b.random.normal(0.0, np.sqrt(1.0 / 24), (CLASSES, 24)))
    b.node("Gemm", [x, weight, b.weight("gemm.bias", np.zeros(CLASSES))], transB=1)
    return b


def write(b, path, half):
    """Writes the graph; with `half` the weights (not the biases and bounds) are float16, each with a Cast behind it."""
    nodes, initialisers = [], []
    for name, value in b.weights.items():
        if half and name.endswith(".weight"):
            initialisers.append(numpy_helper.from_array(value.astype(np.float16), f"{name}_f16"))
            nodes.append(helper.make_node("Cast", [f"{name}_f16"], [name], name=f"{name}_cast", to=TensorProto.FLOAT))
        else:
            initialisers.append(numpy_helper.from_array(value, name))
    for node in b.nodes:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        if node is b.nodes[-1]:
            copy.output[0] = "logits"
        nodes.append(copy)
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", CLASSES])],
        initialisers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="adversight tests")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def calibrate(b, path, space):
    """Scales and shifts the last layer so that over patches of photographs each logit has mean 0 and deviation 2."""
    write(b, path, half=False)
    patches = []
    for name in ("astronaut", "coffee", "rocket", "chelsea"):
        photograph = getattr(skimage.data, name)()
        for y in range(0, photograph.shape[0] - 128, 48):
            for x in range(0, photograph.shape[1] - 128, 48):
                patches.append(photograph[y : y + 128 : 4, x : x + 128 : 4])
    pixels = torch.from_numpy(np.stack(patches).transpose(0, 3, 1, 2).copy()).double() / 255.0
    logits = OnnxNet(path)(space.to_model(pixels)).numpy()
    scale = 2.0 / logits.std(axis=0)
    b.weight("gemm.weight", b.weights["gemm.weight"] * scale[:, None])
    b.weight("gemm.bias", -logits.mean(axis=0) * scale)


def image(name):
    if name == "a":
        return Image.fromarray(skimage.data.chelsea()).crop((110, 20, 300, 210)).resize((SIDE, SIDE), 3)
    return Image.fromarray(skimage.data.coffee()).crop((120, 20, 480, 380)).resize((SIDE, SIDE), 3)


def explain(family, path, space, name):
    exact, single = OnnxNet(path), OnnxNet(path, torch.float32)
    image(name).save(family.folder / f"{name}.png", optimize=True)
    pixels = space.pixels(family.folder / f"{name}.png")
    x = space.to_model(pixels)
    pixels32, x32 = pixels.float(), x.float()
    common.save(family.folder / f"{name}.pixels.npy", pixels)
    common.save(family.folder / f"{name}.model.npy", x)
    reference = common.onnxruntime_logits(path, x)
    assert np.array_equal(reference, common.onnxruntime_logits(path.with_name("tiny_f16.onnx"), x))
    order = np.argsort(-reference[0])
    target, second = int(order[0]), int(order[1])

    def add(suffix, value, **case):
        family.add(f"{name}_{suffix}.npy", value, image=f"tiny/{name}.png", **case)

    add("logits", reference, method="logits", by="onnxruntime", float64=agreement(exact(x), reference))
    probabilities = torch.softmax(exact(x), dim=1)[0]
    for suffix, c, score in (("gradient_top", target, "logit"), ("gradient_other", int(order[-1]), "logit"), ("gradient_probability", target, "probability")):
        g, g32 = common.gradient(exact, x, c, score), common.gradient(single, x32, c, score)
        if score == "logit":
            add(suffix, g, method="gradient", target=c, float32=agreement(g32, g))
        if c == target:
            stored = {"params": {"score": score}, "target": target}
            if score == "logit":
                family.again(f"{name}_{suffix}.npy", image=f"tiny/{name}.png", method="saliency", **stored)
            else:
                add(suffix, g, method="saliency", float32=agreement(g32, g), **stored)

    steps = 50
    baselines = {"black": torch.zeros_like(pixels), "white": torch.ones_like(pixels)}
    for baseline, at in baselines.items():
        start = space.to_model(at)
        ig = common.integrated_gradients(exact, x, start, target, steps)
        ig32 = common.integrated_gradients(single, x32, start.float(), target, steps)
        difference = (exact(x) - exact(start))[0, target].item()
        add(
            f"integrated_gradients_{baseline}", ig, method="integrated_gradients",
            params={"steps": steps, "baseline": baseline, "score": "logit"}, target=target,
            completeness_gap=difference - ig.sum().item(), logit_difference=difference,
            float32=agreement(ig32, ig), captum=common.captum_comparison(exact, x, start, target, steps, ig),
        )  # fmt: skip

    others = [c for c in range(CLASSES) if c != target]
    for mode in ("path", "reference", "straight"):
        cases = [("", target, others)]
        cases += [(f"_{c}", target, [c]) for c in ([second, int(order[-1])] if mode == "path" else [second])]
        if mode == "path":
            # A class explained that is not the predicted one: against the predicted one no step is taken.
            cases.append(("_second", second, [target, int(order[2])]))
        for suffix, explained, classes in cases:
            runs = common.agi(exact, space, pixels, explained, classes, mode)
            runs32 = common.agi(single, space, pixels32, explained, classes, mode)
            a, a32 = common.total(runs), common.total(runs32)
            taken, taken32 = ([len(run.signs) for run in r] for r in (runs, runs32))
            add(
                f"agi_{mode}{suffix}", a, method="agi", target=explained,
                params={"mode": mode, "classes": classes, "steps": 20, "step_size": 0.05},
                steps_taken=taken, float32=dict(agreement(a32, a), steps_taken=taken32),
            )  # fmt: skip

    samples = common.smoothgrad(exact, x, target, 4000, 0.15, seed=1)
    blocks = samples.reshape(160, 25, *x.shape[1:]).mean(dim=1)
    mean = samples.mean(0, keepdim=True)
    cosines = [agreement(block, mean)["cosine"] for block in blocks]
    add(
        "smoothgrad", mean, method="smoothgrad", target=target, params={"samples": 4000, "noise_level": 0.15, "squared": False},
        halves=agreement(samples[:2000].mean(0), samples[2000:].mean(0)),
        block_of_25_with_the_mean={"least": min(cosines), "mean": sum(cosines) / len(cosines)},
    )  # fmt: skip
    print(f"tiny {name}: probabilities {probabilities.numpy().round(3)}", flush=True)


def make():
    family = common.Family("tiny")
    path = common.FIXTURES / "tiny.onnx"
    space = Preprocessing(DECLARED)
    built = network()
    calibrate(built, path, space)
    write(built, path, half=False)
    write(built, common.FIXTURES / "tiny_f16.onnx", half=True)
    common.write_json(common.FIXTURES / "tiny.json", DECLARED)
    for name in INPUTS:
        explain(family, path, space, name)
    family.write(networks={"tiny": {"file": "tests/fixtures/tiny.onnx", "sha256": common.sha256(path), "preprocessing": DECLARED}})


if __name__ == "__main__":
    make()
