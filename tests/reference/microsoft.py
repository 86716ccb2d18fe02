"""onnxruntime's own operators (`com.microsoft`), one by one and in networks that its quantiser and its optimiser have written."""

import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

from operators import Collection

TYPES = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.uint8): TensorProto.UINT8, np.dtype(np.int8): TensorProto.INT8,
         np.dtype(np.int32): TensorProto.INT32, np.dtype(np.int64): TensorProto.INT64, np.dtype(bool): TensorProto.BOOL}  # fmt: skip


def node(operator, inputs, outputs, domain="com.microsoft", fixed=(), **attributes):
    """A network of one node. `inputs` are arrays or None; those whose places are in `fixed` lie in the file."""
    names = [f"in{at}" if value is not None else "" for at, value in enumerate(inputs)]
    given = [at for at, value in enumerate(inputs) if value is not None and at not in fixed]
    graph = helper.make_graph(
        [helper.make_node(operator, names, [f"out{at}" for at in range(len(outputs))], domain=domain, **attributes)],
        operator,
        [helper.make_tensor_value_info(names[at], TYPES[inputs[at].dtype], inputs[at].shape) for at in given],
        [helper.make_tensor_value_info(f"out{at}", kind, None) for at, kind in enumerate(outputs)],
        [onnx.numpy_helper.from_array(inputs[at], names[at]) for at in fixed if inputs[at] is not None],
    )
    sets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=sets, ir_version=9), {names[at]: inputs[at] for at in given}


def f32(value):
    return np.asarray(value, dtype=np.float32)


def byte(value, signed=False):
    return np.asarray(value, dtype=np.int8 if signed else np.uint8)


def operators(draw):
    """Name, model and inputs of each operator by itself."""

    def real(*shape):
        return f32(draw.normal(size=shape))

    def whole(*shape, low=0, high=256, dtype=np.uint8):
        return draw.integers(low, high, shape).astype(dtype)

    def one(*shape):
        return [whole(*shape), f32(0.03), byte(120)]

    U8, I8, F = TensorProto.UINT8, TensorProto.INT8, TensorProto.FLOAT
    scales, zeros = f32(draw.uniform(0.01, 0.03, 5)), whole(5, low=110, high=140)
    gemm = [whole(3, 4), f32(0.02), byte(130), whole(5, 4), scales, zeros, whole(5, low=-900, high=900, dtype=np.int32)]
    yield "qgemm_real", *node("QGemm", gemm, [F], fixed=(1, 2, 3, 4, 5, 6), transB=1, alpha=1.5)
    yield "qgemm", *node("QGemm", [*gemm, f32(0.05), byte(100)], [U8], fixed=(1, 2, 3, 4, 5, 6, 7, 8), transB=1)
    plain = [whole(4, 3, low=-128, high=128, dtype=np.int8), f32(0.02), byte(3, True),
             whole(4, 5, low=-128, high=128, dtype=np.int8), f32(0.03), byte(-2, True), None, f32(0.05), byte(-7, True)]  # fmt: skip
    yield "qgemm_signed", *node("QGemm", plain, [I8], fixed=(1, 2, 3, 4, 5, 7, 8), transA=1)
    for operator in ("QLinearAdd", "QLinearMul"):
        pair = [*one(2, 3, 4), whole(1, 3, 1), f32(0.02), byte(90), f32(0.06), byte(110)]
        yield operator.lower(), *node(operator, pair, [U8], fixed=(1, 2, 4, 5, 6, 7))
    result = [f32(0.02), byte(128)]
    image = [*one(2, 3, 5, 4), *result]
    yield "qlinearglobalaveragepool", *node("QLinearGlobalAveragePool", image, [U8], fixed=(1, 2, 3, 4))
    yield "qlinearglobalaveragepool_last", *node("QLinearGlobalAveragePool", image, [U8], fixed=(1, 2, 3, 4), channels_last=1)
    window = dict(kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1])
    for name, more in (("", {}), ("_with_padding", dict(count_include_pad=1)), ("_ceil", dict(ceil_mode=1)), ("_last", dict(channels_last=1))):
        yield f"qlinearaveragepool{name}", *node("QLinearAveragePool", image, [U8], fixed=(1, 2, 3, 4), **window, **more)
    joined = [f32(0.04), byte(100), whole(2, 3), f32(0.03), byte(120), whole(2, 2), f32(0.05), byte(60)]
    yield "qlinearconcat", *node("QLinearConcat", joined, [U8], fixed=(0, 1, 3, 4, 6, 7), axis=1)
    small = [*one(3, 6), f32(1 / 256), byte(0)]
    yield "qlinearsigmoid", *node("QLinearSigmoid", small, [U8], fixed=(1, 2, 3, 4))
    yield "qlinearleakyrelu", *node("QLinearLeakyRelu", [*one(3, 6), f32(0.03), byte(40)], [U8], fixed=(1, 2, 3, 4), alpha=0.2)
    yield "qlinearsoftmax", *node("QLinearSoftmax", small, [U8], fixed=(1, 2, 3, 4), axis=1, opset=13)
    cube = [*one(2, 3, 4), f32(1 / 256), byte(0)]
    yield "qlinearsoftmax_12", *node("QLinearSoftmax", cube, [U8], fixed=(1, 2, 3, 4), opset=12, axis=1)
    yield "qlinearsoftmax_middle", *node("QLinearSoftmax", cube, [U8], fixed=(1, 2, 3, 4), axis=1, opset=13)
    where = [whole(2, 3, high=2).astype(bool), whole(2, 3), f32(0.03), byte(120), whole(1, 3), f32(0.02), byte(80), f32(0.04), byte(100)]
    yield "qlinearwhere", *node("QLinearWhere", where, [U8], fixed=(2, 3, 5, 6, 7, 8))
    matmul = [real(2, 3, 4), whole(4, 5), f32(0.02), byte(120), real(5)]
    yield "dynamicquantizematmul", *node("DynamicQuantizeMatMul", matmul, [F], fixed=(1, 2, 3, 4))
    columns = [real(3, 4), whole(4, 5, low=-128, high=128, dtype=np.int8), scales, None]
    yield "dynamicquantizematmul_columns", *node("DynamicQuantizeMatMul", columns[:3], [F], fixed=(1, 2))
    to_float = [whole(2, 3, 4), whole(4, 5), f32(0.02), scales, byte(120), zeros, real(5)]
    yield "matmulintegertofloat", *node("MatMulIntegerToFloat", to_float, [F], fixed=(1, 2, 3, 4, 5, 6))
    for bits, k, block in ((4, 40, 16), (8, 32, 32), (2, 32, 16)):
        blocks = -(-k // block)
        packed = [real(3, k), whole(5, blocks, block * bits // 8), f32(draw.uniform(0.01, 0.03, 5 * blocks))]
        yield f"matmulnbits_{bits}", *node("MatMulNBits", packed, [F], fixed=(1, 2), K=k, N=5, bits=bits, block_size=block)
        packed.append(whole(5 * -(-blocks * bits // 8)))
        yield f"matmulnbits_{bits}_zeros", *node("MatMulNBits", packed, [F], fixed=(1, 2, 3), K=k, N=5, bits=bits, block_size=block)
    for directions, direction in ((1, "forward"), (2, "bidirectional")):
        gates = [real(4, 2, 3), whole(directions, 3, 20, low=-128, high=128, dtype=np.int8), whole(directions, 5, 20, low=-128, high=128, dtype=np.int8),
                 real(directions, 40), None, real(directions, 2, 5), real(directions, 2, 5), None, f32(draw.uniform(0.004, 0.01, directions)),
                 np.zeros(directions, np.int8), f32(draw.uniform(0.004, 0.01, directions)), np.zeros(directions, np.int8)]  # fmt: skip
        yield f"dynamicquantizelstm_{direction}", *node(
            "DynamicQuantizeLSTM", gates, [F] * 3, fixed=(1, 2, 3, 8, 9, 10, 11), hidden_size=5, direction=direction
        )
    levels = [whole(2, 3), f32(0.03), byte(120)]
    yield "dequantizelinear", *node("DequantizeLinear", levels, [F], fixed=(1, 2))
    yield "quantizelinear", *node("QuantizeLinear", [real(2, 3), f32(0.03), byte(120)], [U8], fixed=(1, 2))
    sixteen = [real(2, 3), f32(0.0003), np.asarray(3000, np.uint16)]
    TYPES.setdefault(np.dtype(np.uint16), TensorProto.UINT16)
    yield "quantizelinear_16", *node("QuantizeLinear", sixteen, [TensorProto.UINT16], fixed=(1, 2))
    kernel = [real(1, 2, 5, 5), real(3, 2, 3, 3), real(3)]
    for name, numbers in (("Relu", []), ("LeakyRelu", [0.2]), ("Clip", [-0.5, 0.5]), ("HardSigmoid", [0.3, 0.4]), ("Tanh", []), ("Sigmoid", [])):
        more = dict(activation_params=numbers) if numbers else {}
        yield f"fusedconv_{name.lower()}", *node("FusedConv", kernel, [F], fixed=(1, 2), activation=name, pads=[1, 1, 0, 0], **more)
    yield "fusedconv_sum", *node("FusedConv", [*kernel, real(1, 3, 3, 3)], [F], fixed=(1, 2), activation="Relu")
    yield "fusedgemm", *node("FusedGemm", [real(2, 3), real(4, 3), real(4)], [F], fixed=(1, 2), transB=1, activation="LeakyRelu", activation_alpha=0.3)
    for name, left, right, more in (
        ("ta", (2, 3, 4), (2, 3, 5), dict(transA=1, alpha=0.5)), ("tb", (4, 3), (2, 5, 3), dict(transB=1)),
        ("ba", (4, 2, 3), (2, 3, 5), dict(transBatchA=1)), ("bb", (2, 4, 3), (3, 2, 5), dict(transBatchB=1)),
        ("bab", (3, 2, 4), (3, 2, 5), dict(transBatchA=1, transA=1, transBatchB=1)),
    ):  # fmt: skip
        yield f"fusedmatmul_{name}", *node("FusedMatMul", [real(*left), real(*right)], [F], **more)
    for metric in ("euclidean", "sqeuclidean"):
        yield f"cdist_{metric}", *node("CDist", [real(3, 4), real(5, 4)], [F], metric=metric)
    rows = real(2, 3, 4)
    yield "gelu", *node("Gelu", [rows], [F])
    yield "fastgelu", *node("FastGelu", [rows, real(4)], [F], fixed=(1,))
    yield "quickgelu", *node("QuickGelu", [rows], [F], alpha=1.5)
    yield "biasgelu", *node("BiasGelu", [rows, real(4)], [F], fixed=(1,))
    skip = [rows, real(2, 3, 4), real(4), real(4), real(4)]
    yield "skiplayernormalization", *node("SkipLayerNormalization", skip, [F, F, F, F], fixed=(2, 3, 4), epsilon=1e-3)
    yield "skiplayernormalization_one", *node("SkipLayerNormalization", [rows, real(3, 4), real(4)], [F], fixed=(1, 2))
    yield "skipsimplified", *node("SkipSimplifiedLayerNormalization", [rows, real(2, 3, 4), real(4), real(4)], [F], fixed=(2, 3), epsilon=1e-3)
    yield "simplified", *node("SimplifiedLayerNormalization", [rows, real(4)], [F], domain="", fixed=(1,), epsilon=1e-3, axis=-1)
    ids = whole(2, 3, high=6, dtype=np.int32)
    embed = [ids, whole(2, 3, high=2, dtype=np.int32), real(6, 4), real(5, 4), real(2, 4), real(4), real(4), whole(2, 3, high=2, dtype=np.int32)]
    yield "embedlayernormalization", *node("EmbedLayerNormalization", embed, [F, TensorProto.INT32, F], fixed=(2, 3, 4, 5, 6), epsilon=1e-3)
    plain = [ids, None, real(6, 4), real(5, 4), None, real(4), real(4)]
    yield "embedlayernormalization_plain", *node("EmbedLayerNormalization", plain, [F, TensorProto.INT32], fixed=(2, 3, 5, 6))
    i32 = np.int32
    tokens, weights, bias = real(2, 3, 4), real(4, 24), real(24)
    for name, mask, more in (
        ("", None, {}), ("_causal", None, dict(unidirectional=1)), ("_lengths", np.asarray([2, 3], i32), {}),
        ("_keys", np.asarray([[1, 1, 0], [1, 0, 1]], i32), {}), ("_scale", None, dict(scale=0.3)),
        ("_each", np.asarray([[[1, 0, 0], [1, 1, 0], [1, 1, 1]]] * 2, i32), {}), ("_ends", np.asarray([3, 3, 1, 0], i32), {}),
    ):  # fmt: skip
        yield f"attention{name}", *node("Attention", [tokens, weights, bias, mask], [F], fixed=(1, 2), num_heads=2, **more)
    sizes = [tokens, real(4, 20), real(20), None, None, real(2, 2, 3, 3)]
    yield "attention_bias", *node("Attention", sizes, [F], fixed=(1, 2), num_heads=2, qkv_hidden_sizes=[8, 8, 4])
    many = [real(2, 3, 8), real(2, 5, 8), real(2, 5, 4), real(20), np.asarray([[1, 1, 0, 1, 1], [1, 0, 0, 1, 1]], i32), real(1, 2, 3, 5)]
    yield "multiheadattention", *node("MultiHeadAttention", many, [F], fixed=(3,), num_heads=2)
    yield "multiheadattention_plain", *node("MultiHeadAttention", many[:3], [F], num_heads=2)


class Samples(CalibrationDataReader):
    def __init__(self, name, samples):
        self.left = iter([{name: sample} for sample in samples])

    def get_next(self):
        return next(self.left, None)


def mixed_network(draw):
    """Convolutions, a sum, a join, an average and other functions, small."""

    def weight(name, *shape):
        return onnx.numpy_helper.from_array(f32(draw.normal(size=shape) * 0.4), name)

    make = helper.make_node
    nodes = [
        make("Conv", ["x", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]), make("LeakyRelu", ["c1"], ["a1"], alpha=0.1),
        make("Conv", ["a1", "w2", "b2"], ["c2"], pads=[1, 1, 1, 1]), make("Add", ["a1", "c2"], ["s"]), make("Sigmoid", ["s"], ["g"]),
        make("Mul", ["s", "g"], ["m"]), make("Concat", ["m", "a1"], ["j"], axis=1),
        make("AveragePool", ["j"], ["p"], kernel_shape=[2, 2], strides=[2, 2]), make("GlobalAveragePool", ["p"], ["q"]),
        make("Flatten", ["q"], ["f"]), make("Gemm", ["f", "w3", "b3"], ["scores"], transB=1),
    ]  # fmt: skip
    weights = [weight("w1", 4, 2, 3, 3), weight("b1", 4), weight("w2", 4, 4, 3, 3), weight("b2", 4), weight("w3", 3, 8), weight("b3", 3)]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 2, 8, 8])]
    outputs = [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 3])]
    graph = helper.make_graph(nodes, "mixed", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def recurrent_network(draw):
    def weight(name, *shape):
        return onnx.numpy_helper.from_array(f32(draw.normal(size=shape) * 0.4), name)

    nodes = [
        helper.make_node("LSTM", ["x", "w", "r", "b"], ["", "h"], hidden_size=6),
        helper.make_node("Squeeze", ["h", "zero"], ["last"]), helper.make_node("MatMul", ["last", "m"], ["scores"]),
    ]  # fmt: skip
    weights = [weight("w", 1, 24, 3), weight("r", 1, 24, 6), weight("b", 1, 48), weight("m", 6, 4),
               onnx.numpy_helper.from_array(np.asarray([0], np.int64), "zero")]  # fmt: skip
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [5, "N", 3])]
    outputs = [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 4])]
    graph = helper.make_graph(nodes, "recurrent", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def transformer(draw):
    """One layer of a transformer as exporters write it, operator by operator."""
    weights, nodes = [], []

    def weight(value):
        weights.append(onnx.numpy_helper.from_array(value, f"w{len(weights)}"))
        return weights[-1].name

    def real(*shape):
        return weight(f32(draw.normal(size=shape) * 0.4))

    def step(operator, *inputs, **attributes):
        nodes.append(helper.make_node(operator, inputs, [f"v{len(nodes)}"], **attributes))
        return nodes[-1].output[0]

    def number(value):
        return weight(f32(value))

    def sizes(*values):
        return weight(np.asarray(values, np.int64))

    def linear(x, inside, outside):
        return step("Add", step("MatMul", x, real(inside, outside)), real(outside))

    def heads(x):
        return step("Reshape", x, sizes(0, 0, 2, 4))

    x = step("Add", step("Gather", real(9, 8), "ids"), real(5, 8))
    x = step("LayerNormalization", x, real(8), real(8), axis=-1, epsilon=1e-5)
    q, k, v = (heads(linear(x, 8, 8)) for _ in range(3))
    q, k, v = step("Transpose", q, perm=[0, 2, 1, 3]), step("Transpose", k, perm=[0, 2, 3, 1]), step("Transpose", v, perm=[0, 2, 1, 3])
    scores = step("Div", step("MatMul", q, k), number(2.0))
    mixed = step("MatMul", step("Softmax", scores, axis=-1), v)
    mixed = step("Reshape", step("Transpose", mixed, perm=[0, 2, 1, 3]), sizes(0, 0, 8))
    x = step("LayerNormalization", step("Add", x, linear(mixed, 8, 8)), real(8), real(8), axis=-1, epsilon=1e-5)
    h = linear(x, 8, 16)
    erf = step("Add", step("Erf", step("Div", h, number(np.sqrt(2.0)))), number(1.0))
    h = step("Mul", step("Mul", h, erf), number(0.5))
    x = step("LayerNormalization", step("Add", x, linear(h, 16, 8)), real(8), real(8), axis=-1, epsilon=1e-5)
    nodes.append(helper.make_node("Identity", [linear(x, 8, 3)], ["scores"]))
    inputs = [helper.make_tensor_value_info("ids", TensorProto.INT64, ["N", 5])]
    outputs = [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 5, 3])]
    graph = helper.make_graph(nodes, "transformer", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def optimised(path, out):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(out)
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return onnx.load(str(out))


def make():
    draw = np.random.default_rng(17)
    all = Collection("microsoft")
    for name, model, inputs in operators(draw):
        quantised = any(info.type.tensor_type.elem_type in (TensorProto.UINT8, TensorProto.INT8, TensorProto.UINT16) for info in model.graph.output)
        all.add(name, model, inputs, steps=int(quantised))
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        samples = [f32(draw.normal(size=(2, 2, 8, 8))) for _ in range(4)]
        onnx.save(mixed_network(draw), folder / "mixed.onnx")
        for name, types in (("u8", (QuantType.QUInt8, QuantType.QUInt8)), ("s8", (QuantType.QInt8, QuantType.QInt8))):
            quantize_static(
                folder / "mixed.onnx", folder / "out.onnx", Samples("x", samples), quant_format=QuantFormat.QOperator,
                activation_type=types[0], weight_type=types[1], per_channel=name == "u8",
            )  # fmt: skip
            all.add(f"network_static_{name}", onnx.load(folder / "out.onnx"), {"x": samples[0]}, relative=0.02)
        onnx.save(recurrent_network(draw), folder / "recurrent.onnx")
        quantize_dynamic(folder / "recurrent.onnx", folder / "out.onnx", op_types_to_quantize=["LSTM", "MatMul"], weight_type=QuantType.QInt8)
        all.add("network_dynamic_lstm", onnx.load(folder / "out.onnx"), {"x": f32(draw.normal(size=(5, 2, 3)))}, relative=0.002)
        onnx.save(transformer(draw), folder / "transformer.onnx")
        model = optimised(folder / "transformer.onnx", folder / "out.onnx")
        all.add("network_optimised", model, {"ids": draw.integers(0, 9, (2, 5)).astype(np.int64)})
    all.write()


if __name__ == "__main__":
    make()
