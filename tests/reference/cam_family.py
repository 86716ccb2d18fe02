"""The rest of the class activation mappings by pytorch-grad-cam and Captum, over the ONNX networks. Writes tests/fixtures/cam_family.

Needs the networks of www/public/models (cargo xtask models).
"""

from unittest import mock

import numpy as np
import onnx
import pytorch_grad_cam
import torch
from captum.attr import GuidedGradCam
from onnx import TensorProto, helper
from pytorch_grad_cam import AblationCAM, EigenCAM, EigenGradCAM, FinerCAM, FullGrad, GradCAM, GradCAMElementWise, ShapleyCAM, XGradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget, FinerWeightedTarget

import common
import rules
from cam import Tapped, by_pytorch_grad_cam, enlarged
from common import agreement

# The engine's own layer, and another one. Ablation-CAM asks for one without negative values: pytorch-grad-cam puts -1e7 in place of
# a channel where the layer has some, and the paper 0.
LAYERS = {"tiny": ("relu_21", "clip_12"), "squeezenet1_1": ("conv10", "fire5")}
ABLATED = {"tiny": ("relu_21", "clip_12"), "squeezenet1_1": ("fire9_squeeze1x1r",)}
common.OPERATORS.update(
    Sigmoid=lambda net, i, a: torch.sigmoid(i[0]),
    Mul=lambda net, i, a: i[0] * i[1],
    MatMul=lambda net, i, a: i[0] @ i[1],
)


def turned(projection, looked_at):
    """LAPACK leaves a singular vector's sign to chance. The engine's rule: the projection rises with the sum over the channels."""
    centred = looked_at - looked_at.mean(axis=(2, 3), keepdims=True)
    return projection if (projection[0] * centred[0].sum(axis=0)).sum() >= 0 else -projection


def eigen(kind, net, layer, x, target):
    """Before the positive part is taken, with the sign set."""
    model = Tapped(net, layer)
    with kind(model=model, target_layers=[model.tap]) as cam:
        outputs = cam.activations_and_grads(x.clone().requires_grad_(True))
        ClassifierOutputTarget(target)(outputs[0]).backward()
        maps, gradient = cam.activations_and_grads.activations[0].numpy(), cam.activations_and_grads.gradients[0].numpy()
        looked_at = maps if kind is EigenCAM else maps * gradient
        return enlarged(turned(cam.get_cam_image(x, model.tap, None, maps, gradient, False), looked_at), x)


def uncentred(net, layer, x):
    """Eigen-CAM as the paper has it: the first right singular vector of the maps themselves, by numpy."""
    kept = []
    net(x, {layer: lambda value: kept.append(value) or value})
    maps = kept[0][0].numpy()
    matrix = maps.reshape(maps.shape[0], -1).T
    projection = matrix @ np.linalg.svd(matrix, full_matrices=False)[2][0]
    if (projection * matrix.sum(axis=1)).sum() < 0:
        projection = -projection
    return enlarged(projection.reshape(1, *maps.shape[1:]), x)


def ablation_cam(net, layer, x, target):
    model = Tapped(net, layer)
    with AblationCAM(model=model, target_layers=[model.tap], batch_size=16) as cam, torch.no_grad():
        targets = [ClassifierOutputTarget(target)]
        kept = []
        net(x, {layer: lambda value: kept.append(value) or value})
        assert kept[0].min() == 0
        weights = cam.get_cam_weights(x, model.tap, targets, kept[0].numpy(), None)
        return enlarged((weights[:, :, None, None] * kept[0].numpy()).sum(axis=1), x)


class Biased(torch.nn.Module):
    """A network of which every convolution's output passes a module that says to be that convolution, with its bias."""

    def __init__(self, net):
        super().__init__()
        self.net, self.taps, found = net, {}, []
        for node in net.nodes:
            if node.op_type == "Conv" and len(node.input) > 2:
                bias = net.weights[node.input[2]]
                tap = torch.nn.Conv2d(1, len(bias), 1).to(bias.dtype)
                tap.bias.data = bias.clone()
                tap.forward = lambda value: value
                found.append(tap)
                self.taps[node.output[0]] = tap
        self.found = torch.nn.ModuleList(found)

    def forward(self, x):
        return self.net(x, self.taps)


def full_grad(net, x, target):
    """pytorch-grad-cam's, enlarged in 64 bits instead of with OpenCV in 32, before it is stretched."""

    def scaled(maps, size):
        flat = maps.reshape(-1, *maps.shape[2:])
        flat = flat - flat.min(axis=(1, 2), keepdims=True)
        flat = flat / (1e-7 + flat.max(axis=(1, 2), keepdims=True))
        flat = torch.from_numpy(flat)[None]
        return torch.nn.functional.interpolate(flat, size=size[::-1], mode="bilinear").reshape(*maps.shape[:2], *size[::-1]).numpy()

    model = Biased(net)
    with mock.patch.object(pytorch_grad_cam.fullgrad_cam, "scale_accross_batch_and_channels", scaled), FullGrad(model, []) as cam:
        leaf = x.clone().requires_grad_(True)
        outputs = cam.activations_and_grads(leaf)
        ClassifierOutputTarget(target)(outputs[0]).backward()
        return torch.from_numpy(cam.compute_cam_per_layer(leaf, None, False))


def finer_cam(net, layer, x, target, classes=None, alpha=1.0):
    model = Tapped(net, layer)
    finer = FinerCAM(model, [model.tap], base_method=GradCAM)
    cam = finer.base_cam
    with cam:
        outputs = cam.activations_and_grads(x.clone().requires_grad_(True))
        if classes is None:
            order = np.argsort(np.abs(outputs[0].detach().numpy() - outputs[0, target].item()), kind="stable")
            classes = [int(c) for c in order if c != target][:3]
        # In float64 the 1e-9 in the denominator would count where the other classes' probabilities are near it.
        aim = FinerWeightedTarget(target, classes, alpha)
        aim(outputs[0]).backward()
        maps, gradient = cam.activations_and_grads.activations[0].numpy(), cam.activations_and_grads.gradients[0].numpy()
        share = torch.softmax(outputs[0], 0)[classes].sum().item()
        return enlarged(cam.get_cam_image(x, model.tap, [aim], maps, gradient, False), x), share


def shapley_cam(net, layer, x, target):
    model = Tapped(net, layer)
    with ShapleyCAM(model=model, target_layers=[model.tap]) as cam:
        leaf = x.clone().requires_grad_(True)
        outputs = cam.activations_and_grads(leaf)
        loss = ClassifierOutputTarget(target)(outputs[0])
        torch.autograd.grad(loss, leaf, retain_graph=True, create_graph=True)
        maps, gradient = cam.activations_and_grads.activations[0], cam.activations_and_grads.gradients[0]
        image = cam.get_cam_image(x, model.tap, None, maps, gradient, False)
        return enlarged(image, x)


def guided_grad_cam(path, layer, x, target):
    """Captum's, enlarged as the paper does it: by default Captum takes the nearest value."""
    twin = rules.Twin(path, x.dtype)
    index = [node.output[0] for node in twin.graph].index(layer)
    found = GuidedGradCam(twin, twin.parts[index]).attribute(rules.leaf(x), target, interpolate_mode="bilinear")
    return found.detach()


def several(net, layers, x, target):
    """Grad-CAM at several layers as pytorch-grad-cam joins them, enlarged in 64 bits."""
    maps = []
    for layer in layers:
        model = Tapped(net, layer)
        with GradCAM(model=model, target_layers=[model.tap]) as cam:
            outputs = cam.activations_and_grads(x.clone().requires_grad_(True))
            ClassifierOutputTarget(target)(outputs[0]).backward()
            kept, gradient = cam.activations_and_grads.activations[0].numpy(), cam.activations_and_grads.gradients[0].numpy()
            image = np.maximum(cam.get_cam_image(x, model.tap, None, kept, gradient, False), 0)
        image = image - image.min()
        maps.append(enlarged(image / (1e-7 + image.max()), x))
    return sum(maps) / len(maps)


def smooth(path, seed=11):
    """A small network that bends: SiLU, a squeeze-and-excitation gate, and no kink behind its first layer."""
    random = np.random.default_rng(seed)
    weight = lambda name, *shape: onnx.numpy_helper.from_array(  # noqa: E731
        (random.normal(size=shape) * (2.0 / max(1, np.prod(shape[1:]))) ** 0.5).astype(np.float32), name
    )
    node = lambda kind, inputs, output, **a: helper.make_node(kind, inputs, [output], name=output, **a)  # noqa: E731
    nodes = [
        node("Conv", ["x", "w1", "b1"], "c1", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        node("Sigmoid", ["c1"], "s1"), node("Mul", ["c1", "s1"], "a1"),
        node("Conv", ["a1", "w2", "b2"], "c2", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        node("Sigmoid", ["c2"], "s2"), node("Mul", ["c2", "s2"], "a2"),
        node("GlobalAveragePool", ["a2"], "g1"), node("Conv", ["g1", "w3", "b3"], "e1", kernel_shape=[1, 1]),
        node("Sigmoid", ["e1"], "gate"), node("Mul", ["a2", "gate"], "a3"),
        node("GlobalAveragePool", ["a3"], "g2"), node("Flatten", ["g2"], "flat"),
        node("Gemm", ["flat", "w4", "b4"], "logits", transB=1),
    ]  # fmt: skip
    weights = [
        weight("w1", 8, 3, 3, 3), weight("b1", 8), weight("w2", 12, 8, 3, 3), weight("b2", 12), weight("w3", 12, 12, 1, 1),
        weight("b3", 12), weight("w4", 5, 12), weight("b4", 5),
    ]  # fmt: skip
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "smooth", [value("x", TensorProto.FLOAT, ["N", 3, 32, 32])], [value("logits", TensorProto.FLOAT, ["N", 5])], weights
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


class Cases:
    def __init__(self, family, network, image):
        self.family, self.network, self.image = family, network, image
        self.x, self.x32, self.top = network.read(image)

    def add(self, method, compute, layer=None, suffix="", by="pytorch-grad-cam", target=None, **params):
        target = self.top if target is None else target
        exact, single = compute(self.network.exact, self.x), compute(self.network.single, self.x32)
        if layer is not None:
            params["layer"] = layer
        name = "_".join(part for part in (method, layer.replace(",", "_") if layer else "", suffix) if part)
        case = dict(method=method, target=target, params=params, by=by)
        if self.network.name != "smooth":
            self.network.add(self.family, self.image, name, exact, single, **case)
            return
        file = f"smooth_{self.image[5]}_{name}.npy"
        found = agreement(single, exact)
        self.family.add(file, exact, model="smooth", image=self.image, float32=found, **case)
        print(file, found, flush=True)


def make():
    family = common.Family("cam_family")
    path = common.FIXTURES / "cam_family" / "smooth.onnx"
    smooth(path)
    heads = {}
    declared = common.json.loads((common.FIXTURES / "tiny.json").read_text())
    bending = common.Network("smooth", path, declared), ["tiny/a.png", "tiny/b.png"]
    # EfficientNet's 1280 channels would take Ablation-CAM hours in 64 bits.
    looked_at = [(network, images) for network, images in common.networks(("chelsea",)) if network.name in LAYERS]
    for network, images in [*looked_at, bending]:
        heads[network.name] = network.head
        for image in images:
            case = Cases(family, network, image)
            top = case.top
            if network.name == "smooth":
                for layer in ("a1", "a2"):
                    case.add("shapley_cam", lambda net, x: shapley_cam(net, layer, x, top), layer)  # noqa: B023
                case.add("shapley_cam", lambda net, x: shapley_cam(net, "a2", x, 3), "a2", "other", target=3)  # noqa: B023
                continue
            default, finer = LAYERS[network.name]
            for layer, named in ((default, None), (finer, finer)):
                one = lambda kind: lambda net, x: by_pytorch_grad_cam(kind, net, layer, x, top)  # noqa: B023, E731
                case.add("x_grad_cam", one(XGradCAM), named)
                case.add("grad_cam_element_wise", one(GradCAMElementWise), named)
                case.add("eigen_cam", lambda net, x: eigen(EigenCAM, net, layer, x, top), named)  # noqa: B023
                case.add("eigen_grad_cam", lambda net, x: eigen(EigenGradCAM, net, layer, x, top), named)  # noqa: B023
                case.add("finer_cam", lambda net, x: finer_cam(net, layer, x, top)[0], named)  # noqa: B023
                # Captum asks for a module, and joining is none.
                modular = layer.replace("fire5", "fire5_squeeze1x1r")
                guided = lambda net, x: guided_grad_cam(common.ROOT / network.head["file"], modular, x, top)  # noqa: B023, E731
                case.add("guided_grad_cam", guided, named and modular, by="captum")
            print("the other classes' share", finer_cam(network.exact, default, case.x, top)[1])
            case.add("eigen_cam", lambda net, x: uncentred(net, finer, x), finer, "paper", by="numpy", centred=False)  # noqa: B023
            # Classes that may well be meant: pytorch-grad-cam adds 1e-9 to the sum of their probabilities.
            others = [c for c in ((1, 3) if network.name == "tiny" else (281, 285, 287)) if c != top]
            case.add(
                "finer_cam", lambda net, x: finer_cam(net, finer, x, top, others, 0.6)[0], finer, "chosen", classes=others, alpha=0.6,  # noqa: B023
            )  # fmt: skip
            for layer in ABLATED[network.name]:
                case.add("ablation_cam", lambda net, x: ablation_cam(net, layer, x, top), layer)  # noqa: B023
            case.add("full_grad", lambda net, x: full_grad(net, x, top))  # noqa: B023
            both = f"{default},{finer}"
            case.add("grad_cam", lambda net, x: several(net, [default, finer], x, top), both)  # noqa: B023
    family.write(networks=heads)


if __name__ == "__main__":
    make()
