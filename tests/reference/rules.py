"""Backward passes with rules of their own: guided backprop, the deconvnet, DeepLIFT and LRP by Captum, LRP with gamma and z+ by zennit. Writes
tests/fixtures/rules.

Needs the networks of www/public/models (cargo xtask models).
"""

from unittest import mock

import onnx
import torch
import torch.nn.functional as F
import zennit.composites
import zennit.rules
import zennit.types
from captum.attr import LRP, DeepLift, Deconvolution, GuidedBackprop
from captum.attr._core import deep_lift, lrp
from captum.attr._utils.custom_modules import Addition_Module
from captum.attr._utils.lrp_rules import EpsilonRule
from torch import nn
from zennit.attribution import Gradient

import common
from common import agreement

OTHER = {"tiny": 2, "squeezenet1_1": 500, "efficientnet_lite0": 500}
EPSILON, GAMMA = 1e-6, 0.25
unpool = F.max_unpool2d


class ReLU6(nn.ReLU):
    """A ReLU with an upper bound that Captum, which asks for the class, takes for a ReLU."""

    def forward(self, x):
        return torch.clamp(x, 0.0, 6.0)


deep_lift.SUPPORTED_NON_LINEAR[ReLU6] = deep_lift.nonlinear
lrp.SUPPORTED_NON_LINEAR_LAYERS.append(ReLU6)


class Twin(nn.Module):
    """An ONNX graph as PyTorch modules, each used once. Padding, joining and flattening are functions between them.

    Every module gets a copy of its input. Captum puts its hooks on tensors: where one is the output of a module with a hook
    and the input of another, as between ReLU and max pooling, the first sees the gradient before the second has changed it;
    and LRP would multiply what comes from several readers of a tensor by its value but once.
    """

    def __init__(self, path, dtype=torch.float64):
        super().__init__()
        graph = onnx.load(str(path)).graph
        weights = {t.name: torch.from_numpy(onnx.numpy_helper.to_array(t).copy()) for t in graph.initializer}
        self.graph, self.input, self.output = [], graph.input[0].name, graph.output[0].name
        for node in graph.node:
            if node.op_type == "Cast":
                weights[node.output[0]] = weights[node.input[0]].float()
            else:
                self.graph.append(node)
        self.attributes = [{a.name: onnx.helper.get_attribute_value(a) for a in node.attribute} for node in self.graph]
        self.parts = nn.ModuleList([self.part(node, a, weights) for node, a in zip(self.graph, self.attributes)]).to(dtype)

    def part(self, node, attributes, weights):
        kind = node.op_type
        if kind == "Conv":
            weight = weights[node.input[1]]
            groups = attributes.get("group", 1)
            made = nn.Conv2d(
                weight.shape[1] * groups, weight.shape[0], weight.shape[2:], stride=attributes.get("strides", (1, 1)),
                dilation=attributes.get("dilations", (1, 1)), groups=groups, bias=len(node.input) > 2,
            )  # fmt: skip
            return self.fill(made, node, weight, weights)
        if kind == "Gemm":
            assert attributes.get("transB", 0) and not attributes.get("transA", 0)
            assert attributes.get("alpha", 1.0) == attributes.get("beta", 1.0) == 1.0
            weight = weights[node.input[1]]
            return self.fill(nn.Linear(weight.shape[1], weight.shape[0]), node, weight, weights)
        if kind == "Clip":
            assert [weights[name].item() for name in node.input[1:]] == [0.0, 6.0]
            return ReLU6()
        if kind == "MaxPool":
            assert not any(attributes.get("pads", [])) and not attributes.get("ceil_mode", 0)
            assert attributes.get("auto_pad", b"NOTSET") in (b"NOTSET", b"VALID")
            return nn.MaxPool2d(tuple(attributes["kernel_shape"]), tuple(attributes["strides"]))
        made = {"Relu": nn.ReLU, "Add": Addition_Module, "GlobalAveragePool": lambda: nn.AdaptiveAvgPool2d(1)}
        if kind in made:
            return made[kind]()
        assert kind in ("Concat", "Flatten"), kind
        return None

    @staticmethod
    def fill(made, node, weight, weights):
        made.weight.data = weight.clone()
        if len(node.input) > 2:
            made.bias.data = weights[node.input[2]].clone()
        return made

    def forward(self, x):
        values = {self.input: x}
        for node, attributes, part in zip(self.graph, self.attributes, self.parts):
            inputs = [values[name].clone() for name in node.input if name in values]
            if node.op_type == "Conv":
                pads = common.padding(inputs[0].shape[2:], attributes, part.weight.shape[2:])
                value = part(common.pad(inputs[0], pads, 0.0))
            elif node.op_type == "Concat":
                value = torch.cat(inputs, attributes["axis"])
            elif node.op_type == "Flatten":
                value = torch.flatten(inputs[0], attributes.get("axis", 1))
            elif node.op_type == "Add" and isinstance(part, Total):
                value = part(torch.stack(inputs, -1))
            else:
                value = part(*inputs)
            values[node.output[0]] = value
        return values[self.output]


class Total(zennit.layer.Sum):
    """A sum in the form that zennit knows."""


def leaf(x):
    return x.clone().requires_grad_(True)


def guided_backprop(path, x, target):
    return GuidedBackprop(Twin(path, x.dtype)).attribute(leaf(x), target).detach()


def deconvnet(path, x, target):
    return Deconvolution(Twin(path, x.dtype)).attribute(leaf(x), target).detach()


def max_unpool2d(values, indices, kernel, stride, padding, shape):
    """The transpose of max pooling. PyTorch's keeps one of several values that come to one place, as where windows overlap."""
    flat = torch.zeros(*shape[:2], shape[2] * shape[3], dtype=values.dtype)
    return flat.scatter_add(2, indices.flatten(2), values.flatten(2)).reshape(shape)


def unpool_any(*arguments):
    """PyTorch's own, which it calls nondeterministic; on one thread the last value stays."""
    torch.use_deterministic_algorithms(False)
    try:
        return unpool(*arguments)
    finally:
        torch.use_deterministic_algorithms(True)


def deep_lift_map(path, x, baseline, target, unpool=max_unpool2d):
    method = DeepLift(Twin(path, x.dtype))
    with mock.patch.object(deep_lift.F, "max_unpool2d", unpool):
        return method.attribute(leaf(x), baseline, target).detach()


def epsilon_lrp(path, x, target):
    net = Twin(path, x.dtype)
    for part in net.parts:
        if isinstance(part, (nn.Conv2d, nn.Linear, nn.MaxPool2d, nn.AdaptiveAvgPool2d, Addition_Module)):
            part.rule = EpsilonRule(EPSILON)
    return LRP(net).attribute(leaf(x), target).detach()


def zennit_lrp(path, x, target, rules):
    net = Twin(path, x.dtype)
    for k, part in enumerate(net.parts):
        if isinstance(part, Addition_Module):
            net.parts[k] = Total(-1)
        elif isinstance(part, ReLU6):
            net.parts[k] = nn.ReLU6()
    composite = zennit.composites.LayerMapComposite(
        [
            (zennit.types.Activation, zennit.rules.Pass()),
            (zennit.layer.Sum, zennit.rules.Norm(EPSILON)),
            (zennit.types.AvgPool, zennit.rules.Norm(EPSILON)),
            *rules,
        ]
    )
    seed = lambda logits: logits * F.one_hot(torch.tensor([target]), logits.shape[1]).to(logits)  # noqa: E731
    with Gradient(net, composite) as attributor:
        return attributor(leaf(x), seed)[1].detach()


CONVOLUTION, DENSE = zennit.types.Convolution, nn.Linear
PROPAGATIONS = {
    "epsilon": epsilon_lrp,
    "gamma": lambda *at: zennit_lrp(
        *at, [(CONVOLUTION, zennit.rules.Gamma(GAMMA, EPSILON)), (DENSE, zennit.rules.Gamma(GAMMA, EPSILON))]
    ),
    "z_plus": lambda *at: zennit_lrp(
        *at, [(CONVOLUTION, zennit.rules.ZPlus(EPSILON)), (DENSE, zennit.rules.ZPlus(EPSILON))]
    ),
    "epsilon_plus": lambda *at: zennit_lrp(
        *at, [(CONVOLUTION, zennit.rules.ZPlus(EPSILON)), (DENSE, zennit.rules.Epsilon(EPSILON))]
    ),
}


def cases(family, network, image):
    x, x32, top = network.read(image)
    path, other = network.path, OTHER[network.name]
    assert agreement(Twin(path)(x).detach(), network.exact(x))["relative_max"] < 1e-12
    add = lambda suffix, *maps, **more: network.add(family, image, suffix, *maps, **more)  # noqa: E731

    for name, method in (("guided_backprop", guided_backprop), ("deconvnet", deconvnet)):
        for suffix, target in ((name, top), (f"{name}_other", other)):
            maps = [method(path, at, target) for at in (x, x32)]
            add(suffix, *maps, method=name, target=target, by="captum")

    baselines = {
        "black": lambda x: network.space.to_model(torch.zeros_like(x)),
        "white": lambda x: network.space.to_model(torch.ones_like(x)),
        "mean": torch.zeros_like,
    }
    for name in baselines if network.name == "tiny" else ("black", "mean"):
        starts = [baselines[name](at) for at in (x, x32)]
        maps = [deep_lift_map(path, at, start, top) for at, start in zip((x, x32), starts)]
        scores = network.exact(torch.cat([x, starts[0]]))[:, top]
        change = (scores[0] - scores[1]).item()
        untouched = deep_lift_map(path, x, starts[0], top, unpool_any)
        add(
            f"deep_lift_{name}", *maps, method="deep_lift", target=top, params={"baseline": name},
            completeness_gap=maps[0].sum().item() - change, logit_difference=change, by="captum",
            captum_unpooling={"completeness_gap": untouched.sum().item() - change, **agreement(untouched, maps[0])},
        )  # fmt: skip

    logit = network.exact(x)[0, top].item()
    for rule, method in PROPAGATIONS.items():
        if rule == "z_plus" and network.name != "tiny":
            continue  # but for one dense layer it is epsilon_plus
        maps = [method(path, at, top) for at in (x, x32)]
        by = "captum" if rule == "epsilon" else "zennit"
        add(
            f"lrp_{rule}", *maps, method="lrp", target=top, by=by, logit_difference=logit,
            params={"rule": rule, "epsilon": EPSILON, "gamma": GAMMA},
        )  # fmt: skip


def unbiased():
    """The tiny network without its biases and with a ReLU before its sum, so that no relevance is lost: not on biases, and
    not on a negative neuron that has no positive contribution."""
    model = onnx.load(str(common.FIXTURES / "tiny.onnx"))
    for tensor in model.graph.initializer:
        if tensor.name.endswith(".bias"):
            zero = onnx.numpy_helper.to_array(tensor) * 0
            tensor.CopyFrom(onnx.numpy_helper.from_array(zero, tensor.name))
    nodes = list(model.graph.node)
    place = next(k for k, node in enumerate(nodes) if node.op_type == "Add")
    signed = nodes[place].input[1]
    nodes[place].input[1] = "relu_before_add"
    nodes.insert(place, onnx.helper.make_node("Relu", [signed], ["relu_before_add"], name="relu_before_add"))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model, full_check=True)
    (common.FIXTURES / "rules" / "unbiased.onnx").write_bytes(model.SerializeToString(deterministic=True))


def make():
    family = common.Family("rules")
    unbiased()
    heads = {}
    for network, images in common.networks():
        heads[network.name] = network.head
        network.path = common.ROOT / network.head["file"]
        for image in images:
            cases(family, network, image)
    family.write(networks=heads)


if __name__ == "__main__":
    make()
