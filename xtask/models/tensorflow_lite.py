"""Networks of TensorFlow Lite as ONNX: the float graphs of the operators that small networks of spoken words have."""

from __future__ import annotations

import numpy as np
import onnx
import tflite
from onnx import TensorProto, helper, numpy_helper


class Converter:
    """A float graph of TensorFlow Lite as ONNX: channels come second there."""

    def __init__(self, flatbuffer: bytes) -> None:
        self.model = tflite.Model.GetRootAsModel(flatbuffer, 0)
        self.graph = self.model.Subgraphs(0)
        self.nodes, self.initialisers = [], []

    def values(self, index: int) -> np.ndarray:
        tensor = self.graph.Tensors(index)
        data = self.model.Buffers(tensor.Buffer()).DataAsNumpy()
        return np.frombuffer(data.tobytes(), "<f4").reshape(tensor.ShapeAsNumpy())

    def constant(self, name: str, values: np.ndarray) -> str:
        self.initialisers.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(self, operator: str, inputs: list[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def activated(self, output: str, activation: int) -> None:
        if activation == tflite.ActivationFunctionType.NONE:
            return
        assert activation == tflite.ActivationFunctionType.RELU
        self.nodes[-1].output[0] = self.nodes[-1].name = f"{output}_raw"
        self.node("Relu", [f"{output}_raw"], output)

    def convolution(self, operator, options, names, output, depthwise):
        weights = self.values(operator.Inputs(1))
        # [filters, height, width, channels], and for each channel apart [1, height, width, channels].
        kernel = weights.transpose(3, 0, 1, 2) if depthwise else weights.transpose(0, 3, 1, 2)
        inputs = [names[0], self.constant(f"{output}_w", kernel)]
        if operator.InputsLength() > 2:
            inputs.append(self.constant(f"{output}_b", self.values(operator.Inputs(2))))
        same = options.Padding() == tflite.Padding.SAME
        attributes = {"auto_pad": "SAME_UPPER" if same else "VALID", "kernel_shape": list(kernel.shape[2:])}
        attributes["group"] = kernel.shape[0] if depthwise else 1
        self.node("Conv", inputs, output, strides=[options.StrideH(), options.StrideW()], **attributes)
        self.activated(output, options.FusedActivationFunction())

    def add(self, operator: tflite.Operator) -> None:
        kind = self.model.OperatorCodes(operator.OpcodeIndex()).BuiltinCode()
        names = [f"t{operator.Inputs(i)}" for i in range(operator.InputsLength())]
        output = f"t{operator.Outputs(0)}"

        def options(of):
            found = of()
            table = operator.BuiltinOptions()
            found.Init(table.Bytes, table.Pos)
            return found

        Operator = tflite.BuiltinOperator
        if kind == Operator.CONV_2D:
            self.convolution(operator, options(tflite.Conv2DOptions), names, output, depthwise=False)
        elif kind == Operator.DEPTHWISE_CONV_2D:
            self.convolution(operator, options(tflite.DepthwiseConv2DOptions), names, output, depthwise=True)
        elif kind == Operator.ADD:
            self.node("Add", names, output)
            self.activated(output, options(tflite.AddOptions).FusedActivationFunction())
        elif kind == Operator.AVERAGE_POOL_2D:
            pool = options(tflite.Pool2DOptions)
            size = [pool.FilterHeight(), pool.FilterWidth()]
            self.node("AveragePool", names, output, kernel_shape=size, strides=[pool.StrideH(), pool.StrideW()])
        elif kind == Operator.RESHAPE:
            self.node("Flatten", names[:1], output)
        elif kind == Operator.FULLY_CONNECTED:
            inputs = [names[0], self.constant(f"{output}_w", self.values(operator.Inputs(1)))]
            inputs.append(self.constant(f"{output}_b", self.values(operator.Inputs(2))))
            self.node("Gemm", inputs, output, transB=1)
        elif kind == Operator.SOFTMAX:
            # The logits are asked for.
            self.nodes[-1].output[0] = "logits"
        else:
            raise SystemExit(f"The network has an operator {kind} that is not rewritten here.")

    def convert(
        self, frames: int, channels: int, classes: int, opset: int = 13, about: dict[str, str] | None = None
    ) -> onnx.ModelProto:
        """`spectrogram` [batch, 1, frames, channels] to `logits` [batch, classes]: the softmax at the end is left out."""
        # [batch, 1, frames, channels] becomes [batch, channels, frames, 1].
        self.node("Transpose", ["spectrogram"], f"t{self.graph.Inputs(0)}", perm=[0, 3, 2, 1])
        for index in range(self.graph.OperatorsLength()):
            self.add(self.graph.Operators(index))
        graph = helper.make_graph(
            self.nodes,
            "tenet",
            [helper.make_tensor_value_info("spectrogram", TensorProto.FLOAT, ["batch", 1, frames, channels])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", classes])],
            self.initialisers,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], producer_name="adversight")
        model.ir_version = 8
        helper.set_model_props(model, about or {})
        onnx.checker.check_model(model, full_check=True)
        return model
