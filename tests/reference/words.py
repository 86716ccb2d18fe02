"""The word-spotting network that stands in for the LeNet of AXAI's appendix C, and spoken words as it hears them.

Writes tests/fixtures/words: TENet (Li, Wei, Qin 2020) as Silicon Labs trained it on Speech Commands, rewritten from TensorFlow Lite's format, and
the spectrograms [1, 1, 98, 104] of 24 words: six words by four voices of espeak-ng, since the recordings of Speech Commands are not to be had,
as the package's own front end computes them. TensorFlow Lite itself says whether the rewritten network is the same.
"""

import importlib
import io
import json
import subprocess
import sys
import tempfile
import wave
import zipfile

import numpy as np
import onnx
import onnxruntime
import tflite
from ai_edge_litert.interpreter import Interpreter
from onnx import TensorProto, helper, numpy_helper
from scipy.signal import resample_poly

from common import FIXTURES, ROOT

sys.path.insert(0, str(ROOT / "xtask" / "models"))

import sources  # noqa: E402

FOLDER = FIXTURES / "words"
NAME = "keyword_spotting_pacman_v3"
CLASSES = ["left", "right", "up", "down", "stop", "go", "unknown"]
VOICES = ["en-us", "en-gb", "en-us+f2", "en-gb+m3"]
FRAMES, CHANNELS, RATE = 98, 104, 16000
FRONT_END = {
    "sample_rate_hz": RATE,
    # A second of silence comes first, so that the noise reduction has settled.
    "sample_length_ms": 2000,
    "window_size_ms": 30,
    "window_step_ms": 10,
    "filterbank_n_channels": CHANNELS,
    "filterbank_upper_band_limit": 7500.0,
    "filterbank_lower_band_limit": 125.0,
    "noise_reduction_enable": True,
    "noise_reduction_smoothing_bits": 10,
    "noise_reduction_even_smoothing": 0.025,
    "noise_reduction_odd_smoothing": 0.06,
    "noise_reduction_min_signal_remaining": 0.40,
    "dc_notch_filter_enable": True,
    "dc_notch_filter_coefficient": 0.95,
    "quantize_dynamic_scale_enable": True,
    "quantize_dynamic_scale_range_db": 40.0,
}


class Converter:
    """A float graph of TensorFlow Lite as ONNX: channels come second there."""

    def __init__(self, flatbuffer):
        self.model = tflite.Model.GetRootAsModel(flatbuffer, 0)
        self.graph = self.model.Subgraphs(0)
        self.nodes, self.initialisers = [], []

    def values(self, index):
        tensor = self.graph.Tensors(index)
        data = self.model.Buffers(tensor.Buffer()).DataAsNumpy()
        return np.frombuffer(data.tobytes(), "<f4").reshape(tensor.ShapeAsNumpy())

    def constant(self, name, values):
        self.initialisers.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(self, operator, inputs, output, **attributes):
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def activated(self, output, activation):
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

    def add(self, operator):
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

    def convert(self):
        # [batch, 1, frames, channels] becomes [batch, channels, frames, 1].
        self.node("Transpose", ["spectrogram"], f"t{self.graph.Inputs(0)}", perm=[0, 3, 2, 1])
        for index in range(self.graph.OperatorsLength()):
            self.add(self.graph.Operators(index))
        graph = helper.make_graph(
            self.nodes,
            "tenet",
            [helper.make_tensor_value_info("spectrogram", TensorProto.FLOAT, ["batch", 1, FRAMES, CHANNELS])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(CLASSES)])],
            self.initialisers,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="adversight")
        model.ir_version = 8
        onnx.checker.check_model(model, full_check=True)
        return model


def spoken(word, voice):
    """A second of 16 bit samples, the word in the middle."""
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        subprocess.run(["espeak-ng", "-v", voice, "-w", file.name, word], check=True)
        with wave.open(file.name) as sound:
            rate, frames = sound.getframerate(), sound.readframes(sound.getnframes())
    samples = np.frombuffer(frames, "<i2").astype(np.float64)
    samples = resample_poly(samples, RATE, rate)
    loud = np.flatnonzero(np.abs(samples) > 0.02 * np.abs(samples).max())
    samples = samples[loud[0] : loud[-1] + 1][:RATE]
    second = np.zeros(RATE)
    start = (RATE - len(samples)) // 2
    second[start : start + len(samples)] = samples * 12000 / np.abs(samples).max()
    return second


def front_end(archive):
    """The package's own front end, without what it imports beside it."""
    package = "silabs_mltk-0.20.0.data/purelib/mltk/core/preprocess/audio/audio_feature_generator/"
    with tempfile.TemporaryDirectory() as folder:
        for name in archive.namelist():
            if name.startswith(package) and name.count("/") == package.count("/"):
                archive.extract(name, folder)
        sys.path.insert(0, f"{folder}/{package}")
        settings = importlib.import_module("audio_feature_generator_settings").AudioFeatureGeneratorSettings()
        wrapper = importlib.import_module("_audio_feature_generator_wrapper")
        sys.path.pop(0)
    for name, value in FRONT_END.items():
        setattr(settings, name, value)
    wrapper = wrapper.AudioFeatureGeneratorWrapper(settings)
    shape = settings.spectrogram_shape

    def spectrogram(second):
        noise = np.random.default_rng(0).normal(0, 1, 2 * RATE)
        samples = noise + np.concatenate([np.zeros(RATE), second])
        found = np.zeros(shape, np.int8)
        wrapper.process_sample(samples.round().astype(np.int16), found)
        return found[-FRAMES:].astype(np.float32)

    return spectrogram


def original(flatbuffer, x):
    """What TensorFlow Lite makes of it: probabilities."""
    interpreter = Interpreter(model_content=flatbuffer)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x.transpose(0, 2, 1, 3))
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]


def make():
    archive = zipfile.ZipFile(sources.fetch(sources.MLTK, sources.cache()))
    inner = archive.read(f"silabs_mltk-0.20.0.data/purelib/mltk/models/siliconlabs/{NAME}.mltk.zip")
    flatbuffer = zipfile.ZipFile(io.BytesIO(inner)).read(f"{NAME}.float32.tflite")
    model = Converter(flatbuffer).convert()
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    hear = front_end(archive)
    FOLDER.mkdir(exist_ok=True)
    onnx.save(model, FOLDER / "tenet.onnx")
    about, worst = [], 0.0
    for number, (word, voice) in enumerate((word, voice) for word in CLASSES[:-1] for voice in VOICES):
        x = hear(spoken(word, voice))[None, None]
        np.save(FOLDER / f"{number:02}.npy", x)
        logits = session.run(None, {"spectrogram": x})[0][0].astype(np.float64)
        probabilities = np.exp(logits - logits.max())
        probabilities /= probabilities.sum()
        worst = max(worst, np.abs(probabilities - original(flatbuffer, x)).max())
        about.append({"word": word, "voice": voice, "heard": CLASSES[logits.argmax()], "logits": logits.tolist()})
    right = sum(one["word"] == one["heard"] for one in about)
    print(f"{right} of {len(about)} words heard; probabilities differ from TensorFlow Lite's by {worst:.1e}")
    assert worst < 1e-4
    (FOLDER / "words.json").write_text(json.dumps({"heard": right, "words": about}, indent=1) + "\n")


if __name__ == "__main__":
    make()
