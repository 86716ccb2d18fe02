"""Sounds: clips, networks that hear, and what transformers' feature extractors and soxr make of the clips.

Writes tests/fixtures/sound. The word is eSpeak NG's ("three", its English voice), the tones are sines. Needs espeak-ng, ffmpeg with libmp3lame and
libvorbis, and of Python numpy, onnx, onnxruntime, soxr and transformers, which computes its features without PyTorch.

Networks:
- tones.onnx hears tones: two filters each (a sine and a cosine) at 500 and 2000 Hz under Hann's window, squares, and the mean over time. What its answers
  hang on is known by its making.
- tones_48k.onnx is the same for 0.5 s of 48,000 samples a second in [1, 1, 24000].
- NAME.onnx, for each front end: its output is what comes in, so that its scores are the features.
- NAME_sum.onnx: two weighted sums of the features, whose gradient is that of the front end.
"""

import json
import subprocess
import sys
import tempfile
import wave
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import soxr
import transformers
from onnx import TensorProto, helper, numpy_helper
from transformers import SeamlessM4TFeatureExtractor, Wav2Vec2FeatureExtractor, WhisperFeatureExtractor
from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "sound"
RATE = 16000


def read(path):
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())
        return samples.astype(np.float32) / 32768, file.getframerate()


def write(path, samples, rate):
    samples = np.asarray(samples)
    samples = samples[:, None] if samples.ndim == 1 else samples
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.clip(np.round(samples * 32768), -32768, 32767).astype("<i2").tobytes())


def save(name, array):
    np.save(FOLDER / f"{name}.npy", np.ascontiguousarray(array, np.float32))


def clips():
    """three.wav (22,050 a second), also as FLAC, MP3 and Ogg Vorbis; tones.wav, both tones one after the other, in two channels."""
    with tempfile.TemporaryDirectory() as folder:
        spoken = Path(folder) / "three.wav"
        subprocess.run(["espeak-ng", "-v", "en", "-w", spoken, "three"], check=True)
        samples, rate = read(spoken)
    write(FOLDER / "three.wav", samples[: rate * 7 // 10], rate)
    for ending, options in [("flac", []), ("mp3", ["-b:a", "96k"]), ("ogg", ["-c:a", "libvorbis", "-q:a", "5"])]:
        command = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-y", "-i", FOLDER / "three.wav", *options, "-map_metadata", "-1"]
        subprocess.run([*command, FOLDER / f"three.{ending}"], check=True)
    time = np.arange(RATE) / RATE
    low = np.where((time >= 0.1) & (time < 0.4), 0.4 * np.sin(2 * np.pi * 500 * time), 0)
    high = np.where((time >= 0.6) & (time < 0.9), 0.3 * np.sin(2 * np.pi * 2000 * time), 0)
    write(FOLDER / "tones.wav", np.stack([low + high, 0.5 * (low + high)], 1), RATE)


def model(path, nodes, weights, shape, out):
    graph = helper.make_graph(
        nodes,
        "sound",
        [helper.make_tensor_value_info("input_values", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, out)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(made)
    onnx.save(made, path)


def tones():
    size = 256
    for name, rate, shape, stride in [("tones", RATE, ["batch", "samples"], 64), ("tones_48k", 48000, [1, 1, 24000], 192)]:
        length = size * rate // RATE
        at = np.arange(length) / rate
        window = np.hanning(length + 1)[:-1]
        window = window / window.sum() * 2
        filters = np.stack([wave(2 * np.pi * hertz * at) * window for hertz in (500, 2000) for wave in (np.sin, np.cos)])
        weights = {
            "filters": filters[:, None].astype(np.float32),
            "classes": np.array([[40, 0], [40, 0], [0, 40], [0, 40]], np.float32),
        }
        nodes = [] if len(shape) == 3 else [helper.make_node("Unsqueeze", ["input_values", "one"], ["channels"])]
        if len(shape) == 2:
            weights["one"] = np.array([1], np.int64)
        first = "input_values" if len(shape) == 3 else "channels"
        nodes += [
            helper.make_node("Conv", [first, "filters"], ["heard"], strides=[stride]),
            helper.make_node("Mul", ["heard", "heard"], ["power"]),
            helper.make_node("GlobalAveragePool", ["power"], ["mean"]),
            helper.make_node("Flatten", ["mean"], ["flat"]),
            helper.make_node("MatMul", ["flat", "classes"], ["sums"]),
            helper.make_node("Softmax", ["sums"], ["logits"], axis=1),
        ]
        model(FOLDER / f"{name}.onnx", nodes, weights, shape, [shape[0], 2])
    (FOLDER / "tones.json").write_text(json.dumps(["low", "high"]) + "\n")


def declared(name, config):
    (FOLDER / f"{name}.json").write_text(json.dumps(config) + "\n")


def kaldi_bands(count):
    """Triangles that are straight in mel, written from Kaldi's feature-mel.cc."""
    mel = lambda hertz: 1127 * np.log(1 + hertz / 700)
    centres = np.linspace(mel(20.0), mel(8000.0), count + 2)
    bins = mel(np.arange(257) * RATE / 512)
    bands = np.zeros((count, 257))
    for band in range(count):
        left, middle, right = centres[band : band + 3]
        for k, at in enumerate(bins):
            if left < at < right:
                bands[band, k] = (at - left) / (middle - left) if at <= middle else (right - at) / (right - middle)
    return bands


def slaney_bands(count, transform):
    def hertz(mel):
        return 200 * mel / 3 if mel < 15 else 1000 * np.exp(np.log(6.4) / 27 * (mel - 15))

    top = 15 + 27 * np.log(8) / np.log(6.4)
    centres = np.array([hertz(mel) for mel in np.linspace(0, top, count + 2)])
    bins = np.arange(transform // 2 + 1) * RATE / transform
    up = (bins[None] - centres[:-2, None]) / (centres[1:-1] - centres[:-2])[:, None]
    down = (centres[2:, None] - bins[None]) / (centres[2:] - centres[1:-1])[:, None]
    return np.maximum(0, np.minimum(up, down)) * (2 / (centres[2:] - centres[:-2]))[:, None]


def framed(x, size, hop):
    return np.lib.stride_tricks.sliding_window_view(x, size)[::hop]


def kaldi(x, window, bands, gain):
    """Filter banks in 64 bits, from their definition."""
    frames = framed(np.asarray(x, np.float64) * gain, 400, 160)
    frames = frames - frames.mean(1, keepdims=True)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], 1)
    power = np.abs(np.fft.rfft((frames - 0.97 * before) * window, 512)) ** 2
    return np.log(np.maximum(power @ kaldi_bands(bands).T, np.finfo(np.float32).eps))


def theirs_of_ast(x):
    """What ASTFeatureExtractor calls, with its arguments; the class itself asks for PyTorch, to pad."""
    filters = mel_filter_bank(257, 64, 20, RATE // 2, RATE, norm=None, mel_scale="kaldi", triangularize_in_mel_space=True)
    energies = spectrogram(
        x, window_function(400, "hann", periodic=False), frame_length=400, hop_length=160, fft_length=512, power=2.0, center=False,
        preemphasis=0.97, mel_filters=filters, log_mel="log", mel_floor=1.192092955078125e-07, remove_dc_offset=True,
    ).T  # fmt: skip
    energies = np.concatenate([energies, np.zeros((100 - len(energies), 64), energies.dtype)])
    return (energies - -4.2677393) / (4.5689974 * 2)


def ast(x):
    energies = kaldi(x, np.hanning(400), 64, 1.0)
    energies = np.concatenate([energies, np.zeros((max(0, 100 - len(energies)), 64))])[:100]
    return (energies + 4.2677393) / (2 * 4.5689974)


def seamless(x):
    energies = kaldi(x, np.hanning(400) ** 0.85, 40, 32768.0)
    energies = (energies - energies.mean(0)) / np.sqrt(energies.var(0, ddof=1) + 1e-7)
    energies = np.concatenate([energies, np.zeros((len(energies) % 2, 40))])
    return energies.reshape(len(energies) // 2, 80)


def whisper(x):
    x = np.concatenate([np.asarray(x, np.float64), np.zeros(RATE - len(x))])
    frames = framed(np.pad(x, 200, mode="reflect"), 400, 160) * np.hanning(401)[:-1]
    power = np.abs(np.fft.rfft(frames)) ** 2
    energies = np.log10(np.maximum(slaney_bands(80, 400) @ power.T[:, :-1], 1e-10))
    return (np.maximum(energies, energies.max() - 8) + 4) / 4


def wav2vec2(x):
    x = np.asarray(x, np.float64)
    return (x - x.mean()) / np.sqrt(x.var() + 1e-7)


def decibels(x):
    """torchaudio's MelSpectrogram (HTK, no norm) with AmplitudeToDB(top_db=80), here from the definition."""
    frames = framed(np.pad(np.asarray(x, np.float64), 256, mode="reflect"), 512, 256) * np.hanning(513)[:-1]
    power = np.abs(np.fft.rfft(frames)) ** 2
    mel = lambda hertz: 2595 * np.log10(1 + hertz / 700)
    centres = 700 * (10 ** (np.linspace(mel(50), mel(7600), 34) / 2595) - 1)
    bins = np.arange(257) * RATE / 512
    up = (bins[None] - centres[:-2, None]) / (centres[1:-1] - centres[:-2])[:, None]
    down = (centres[2:, None] - bins[None]) / (centres[2:] - centres[1:-1])[:, None]
    energies = 10 * np.log10(np.maximum(power @ np.maximum(0, np.minimum(up, down)).T, 1e-10)).T
    return np.maximum(energies, energies.max() - 80)


MICRO = {
    "feature_extractor_type": "MicroFrontEnd", "sample_rate_hz": RATE, "sample_length_ms": 700, "window_size_ms": 30, "window_step_ms": 20,
    "filterbank_n_channels": 40, "noise_reduction_enable": True, "pcan_enable": True, "dc_notch_filter_enable": True,
    "quantize_dynamic_scale_enable": True, "quantize_dynamic_scale_range_db": 60.0,
}  # fmt: skip


def micro(x):
    """TensorFlow Lite's micro front end in real numbers, frame after frame; the compiled one is in micro_front_end.py."""
    x = np.concatenate([np.asarray(x, np.float64) * 32768, np.zeros(RATE * 7 // 10 - len(x))])
    heard, before = np.zeros(len(x)), (0.0, 0.0)
    for n, value in enumerate(x):
        before = (value, value - before[0] + 0.95 * before[1])
        heard[n] = before[1]
    frames = framed(heard, 480, 320) * (0.5 - 0.5 * np.cos(2 * np.pi / 480 * (np.arange(480) + 0.5)))
    power = np.abs(np.fft.rfft(frames, 512)) ** 2
    mel = lambda hertz: 1127 * np.log1p(hertz / 700)
    centres = np.linspace(mel(125.0), mel(7500.0), 42)
    bands = np.zeros((40, 257))
    for k in range(int(1.5 + 125 / 31.25), 257):
        at = mel(k * 31.25)
        for band in range(40):
            left, middle, right = centres[band : band + 3]
            if left < at <= right:
                bands[band, k] = (at - left) / (middle - left) if at <= middle else (right - at) / (right - middle)
    signal = np.sqrt(power @ bands.T)
    smoothing = np.where(np.arange(40) % 2 == 0, 0.025, 0.06)
    estimate, out = np.zeros(40), []
    for row in signal:
        estimate = smoothing * row + (1 - smoothing) * estimate
        left = np.maximum(row - estimate, 0.05 * row)
        ratio = left * (estimate + 80) ** -0.95
        out.append(512 * np.where(ratio < 2, ratio**2 / 4, ratio - 1))
    values = 64 * np.log(np.maximum(np.array(out), 1))
    return np.maximum((values - values.max()) * 255 / (60 / 20 * np.log(10) * 64) + 127, -128)


FRONT_ENDS = {
    "micro": (micro, micro, MICRO, ["batch", 34, 40, 1]),
    "ast": (
        theirs_of_ast,
        ast,
        {"feature_extractor_type": "ASTFeatureExtractor", "num_mel_bins": 64, "max_length": 100, "mean": -4.2677393, "std": 4.5689974, "sampling_rate": RATE},
        [1, 100, 64],
    ),
    "whisper": (
        lambda x: WhisperFeatureExtractor(chunk_length=1)(x, sampling_rate=RATE)["input_features"][0],
        whisper,
        {"feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 80, "chunk_length": 1, "n_fft": 400, "hop_length": 160, "sampling_rate": RATE},
        ["batch", 80, 100],
    ),
    "seamless": (
        lambda x: SeamlessM4TFeatureExtractor(num_mel_bins=40, feature_size=40)(x, sampling_rate=RATE)["input_features"][0],
        seamless,
        {"feature_extractor_type": "SeamlessM4TFeatureExtractor", "num_mel_bins": 40, "feature_size": 40, "stride": 2, "sampling_rate": RATE},
        ["batch", "frames", 80],
    ),
    "wav2vec2": (
        lambda x: Wav2Vec2FeatureExtractor(do_normalize=True)(x, sampling_rate=RATE)["input_values"][0],
        wav2vec2,
        {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "do_normalize": True, "sampling_rate": RATE},
        ["batch", "samples"],
    ),
    "decibels": (
        decibels,
        decibels,
        {
            "sampling_rate": RATE,
            "features": {"n_fft": 512, "hop_length": 256, "n_mels": 32, "f_min": 50, "f_max": 7600, "log": "db", "top_db": 80},
        },
        ["batch", 1, 32, "frames"],
    ),
}


def front_ends(sound):
    random = np.random.default_rng(5)
    places = np.sort(random.choice(len(sound), 40, replace=False))
    gradients = {}
    for name, (theirs, ours, config, shape) in FRONT_ENDS.items():
        features = np.asarray(theirs(sound), np.float32)
        written = ours(sound)
        error = np.abs(features - written).max()
        print(f"{name}: {features.shape}, transformers and the formula differ by {error:.1e}")
        assert error < 2e-4 and features.shape == written.shape, name
        declared(name, config)
        save(name, features)
        model(FOLDER / f"{name}.onnx", [helper.make_node("Identity", ["input_values"], ["logits"])], {}, shape, shape)
        weights = random.normal(size=(features.size, 2)).astype(np.float32)
        nodes = [helper.make_node("Flatten", ["input_values"], ["flat"]), helper.make_node("MatMul", ["flat", "weights"], ["logits"])]
        if features.size <= 8192:
            model(FOLDER / f"{name}_sum.onnx", nodes, {"weights": weights}, shape, [shape[0], 2])
            gradients[name] = slopes(lambda x: (ours(x).ravel() @ weights[:, 1].astype(np.float64)), sound, places)
    save("gradient_places", places)
    for name, values in gradients.items():
        save(f"{name}_gradient", values)


def open_ends():
    """A network whose output is what comes in, whatever its size."""
    shape = ["batch", "height", "width"]
    model(FOLDER / "open.onnx", [helper.make_node("Identity", ["input_values"], ["logits"])], {}, shape, shape)


def slopes(score, sound, places, step=1e-6):
    """Central differences in 64 bits."""
    found = []
    for place in places:
        values = []
        for sign in (1, -1):
            moved = sound.astype(np.float64)
            moved[place] += sign * step
            values.append(score(moved))
        found.append((values[0] - values[1]) / (2 * step))
    return found


def rates():
    """soxr's high quality, of the word and of a chirp."""
    sound, rate = read(FOLDER / "three.wav")
    sound = sound[:, 0]
    save("three_16k", soxr.resample(sound, rate, RATE, quality="HQ"))
    time = np.arange(4410) / 44100
    chirp = (0.5 * np.sin(2 * np.pi * (200 * time + 33000 * time**2))).astype(np.float32)
    save("chirp", chirp)
    for rate in (16000, 48000):
        save(f"chirp_{rate // 1000}k", soxr.resample(chirp, 44100, rate, quality="HQ"))


def answers():
    """onnxruntime's of the networks of tones."""
    sound, _ = read(FOLDER / "tones.wav")
    found = onnxruntime.InferenceSession(FOLDER / "tones.onnx").run(None, {"input_values": sound.mean(1)[None]})[0]
    save("tones_answer", found)
    print("tones:", found)


def make():
    FOLDER.mkdir(exist_ok=True)
    print("transformers", transformers.__version__, "soxr", soxr.__version__, file=sys.stderr)
    clips()
    tones()
    rates()
    answers()
    open_ends()
    # With the faint noise of any recording: in eSpeak's perfect silence, the logarithms would show the rounding of numbers.
    word = np.load(FOLDER / "three_16k.npy")
    word = (word + np.random.default_rng(9).normal(0, 1e-3, len(word))).astype(np.float32)
    save("word", word)
    front_ends(word)


if __name__ == "__main__":
    make()
