"""Quantised ONNX graphs in PyTorch, differentiable by the straight-through estimator.

Rounding counts as the identity on the way back, and clipping to the integers' range passes the gradient of what lies in the
range, its ends included (torch.clamp leaves them out). Scales and zero points are constants, also those that DynamicQuantizeLinear finds:
it then passes the gradient as it is. Quantised values are held as real numbers without a fraction.
"""

import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper

RANGES = {torch.uint8: (0, 255), torch.int8: (-128, 127)}


def rounded(x):
    """To even; the gradient passes."""
    return x + (torch.round(x) - x).detach()


def clipped(x, low, high):
    inside = ((x >= low) & (x <= high)).to(x.dtype)
    return torch.clamp(x, low, high).detach() + (x - x.detach()) * inside


class StraightNet:
    """A graph with the operators of onnxruntime's quantisers, as a function of its one input."""

    def __init__(self, model):
        self.nodes = model.graph.node
        self.input, self.output = model.graph.input[0].name, model.graph.output[0].name
        self.weights = {tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy()) for tensor in model.graph.initializer}

    def to(self, dtype):
        self.dtype = dtype
        return self

    def __call__(self, x):
        values = dict(self.weights)
        values[self.input] = x
        for node in self.nodes:
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            inputs = [values[name] if name else None for name in node.input]
            results = OPERATORS[node.op_type](self, inputs, attributes)
            values.update(zip(node.output, results if isinstance(results, tuple) else (results,)))
        return values[self.output]

    def real(self, x):
        return x.to(self.dtype)


def along(parameter, x, axis):
    """A scale or zero point, one for all or one for each index of an axis."""
    return parameter if parameter.numel() == 1 else parameter.reshape([-1 if i == axis else 1 for i in range(x.dim())])


def dequantize(net, inputs, attributes):
    x, scale, zero = inputs
    axis = attributes.get("axis", 1)
    return (net.real(x) - along(net.real(zero), x, axis)) * along(net.real(scale), x, axis)


def quantize(net, inputs, attributes):
    x, scale, zero = inputs
    axis = attributes.get("axis", 1)
    return clipped(rounded(x / along(net.real(scale), x, axis)) + along(net.real(zero), x, axis), *RANGES[zero.dtype])


def dynamic_quantize(net, inputs, attributes):
    x = inputs[0]
    low, high = x.min().clamp(max=0.0), x.max().clamp(min=0.0)
    scale = (high - low).detach() / 255.0
    zero = torch.clamp(torch.round(-low.detach() / scale), 0.0, 255.0)
    return clipped(rounded(x / scale) + zero, 0.0, 255.0), scale, zero


def convolution(x, weight, bias, attributes):
    before, after = attributes["pads"][:2], attributes["pads"][2:]
    assert before == after and attributes.get("group", 1) == 1
    return F.conv2d(x, weight, bias, attributes.get("strides", [1, 1]), before)


def conv(net, inputs, attributes):
    return convolution(inputs[0], net.real(inputs[1]), net.real(inputs[2]) if len(inputs) > 2 else None, attributes)


def conv_integer(net, inputs, attributes):
    x, weight, x_zero, weight_zero = inputs
    return convolution(x - x_zero, net.real(weight) - along(net.real(weight_zero), weight, 0), None, attributes)


def product_integer(net, inputs, attributes):
    x, weight, x_zero, weight_zero = inputs
    return (x - x_zero) @ (net.real(weight) - along(net.real(weight_zero), weight, 1))


def linear_conv(net, inputs, attributes):
    x, x_scale, x_zero, weight, weight_scale, weight_zero, y_scale, y_zero, bias = inputs
    real = dequantize(net, (x, x_scale, x_zero), {})
    weight = dequantize(net, (weight, weight_scale, weight_zero), {"axis": 0})
    bias = net.real(bias) * net.real(x_scale) * net.real(weight_scale)
    return quantize(net, (convolution(real, weight, bias, attributes), y_scale, y_zero), {})


def linear_product(net, inputs, attributes):
    a, b = dequantize(net, inputs[0:3], {}), dequantize(net, inputs[3:6], {"axis": 1})
    return quantize(net, (a @ b, *inputs[6:8]), {})


def gemm(net, inputs, attributes):
    a, b = inputs[0], net.real(inputs[1])
    return a @ (b.T if attributes.get("transB", 0) else b) + net.real(inputs[2])


OPERATORS = {
    "QuantizeLinear": quantize,
    "DequantizeLinear": dequantize,
    "DynamicQuantizeLinear": dynamic_quantize,
    "Conv": conv,
    "ConvInteger": conv_integer,
    "MatMulInteger": product_integer,
    "QLinearConv": linear_conv,
    "QLinearMatMul": linear_product,
    "Gemm": gemm,
    "MatMul": lambda net, i, a: i[0] @ net.real(i[1]),
    "Add": lambda net, i, a: net.real(i[0]) + net.real(i[1]),
    "Mul": lambda net, i, a: net.real(i[0]) * net.real(i[1]),
    "Cast": lambda net, i, a: i[0],
    "Reshape": lambda net, i, a: i[0].reshape(tuple(i[1].tolist())),
    "Relu": lambda net, i, a: torch.relu(i[0]),
    "GlobalAveragePool": lambda net, i, a: i[0].mean((2, 3), keepdim=True),
    "Flatten": lambda net, i, a: i[0].flatten(a.get("axis", 1)),
}
