"""Spectrograms of five clips by the compiled micro front end of TensorFlow Lite, under settings that use each of its parts.

Writes tests/fixtures/sound/micro_front_end: index.json with the settings, and for each setting and clip the spectrogram before it is cut to 8 bits (uint16)
and after (int8). For some, the same front end in real numbers, and its gradient by PyTorch's autograd. The clips are those of the page's network of spoken words, and noise.wav, which is loud, has an offset and is clipped in places.
The compiled code is that of silabs-mltk, for Python 3.11 on x86-64.
"""

import json
import sys
import wave

import numpy as np
import torch

from common import FIXTURES, ROOT

sys.path.insert(0, str(ROOT / "xtask" / "models"))

import keywords  # noqa: E402
import sources  # noqa: E402

FOLDER = FIXTURES / "sound" / "micro_front_end"
PAGE = ROOT / "www" / "public" / "models" / keywords.NAME
CLIPS = ["go_goforward", "left_en-us", "down_en-gb_m3", "stop_en-us_f2"]
# What TensorFlow Lite's own example of spoken words uses, and variations that leave parts out or change them.
SPEECH = {
    "window_size_ms": 30,
    "window_step_ms": 20,
    "filterbank_n_channels": 40,
    "noise_reduction_enable": True,
    "noise_reduction_min_signal_remaining": 0.05,
    "pcan_enable": True,
}
SETTINGS = {
    "micro_speech": SPEECH,
    "plain": {"window_size_ms": 25, "log_scale_enable": False},
    "logarithm": {"window_size_ms": 32, "filterbank_n_channels": 32, "log_scale_shift": 3},
    "noise": {**SPEECH, "pcan_enable": False, "noise_reduction_smoothing_bits": 8, "noise_reduction_even_smoothing": 0.1, "noise_reduction_odd_smoothing": 0.2},
    "gain": {**SPEECH, "pcan_strength": 0.5, "pcan_offset": 20.0, "pcan_gain_bits": 18},
    "notch": {"dc_notch_filter_enable": True, "dc_notch_filter_coefficient": 0.8, "quantize_dynamic_scale_enable": True, "quantize_dynamic_scale_range_db": 60.0},
    "narrow": {**SPEECH, "window_size_ms": 10, "window_step_ms": 10, "filterbank_n_channels": 12, "filterbank_lower_band_limit": 20.0, "filterbank_upper_band_limit": 8000.0},
    "telephone": {**SPEECH, "sample_rate_hz": 8000, "sample_length_ms": 2000, "filterbank_n_channels": 20, "filterbank_upper_band_limit": 3800.0},
}
# The settings whose front end is also computed without rounding, and differentiated.
REAL = ["tenet", "micro_speech", "logarithm", "noise", "gain"]


def read_wave(path):
    with wave.open(str(path)) as sound:
        return np.frombuffer(sound.readframes(sound.getnframes()), "<i2")


def noise():
    """A second of noise that swells, with an offset, cut off where 16 bits end."""
    draw = np.random.default_rng(11)
    swell = np.linspace(0, 20000, keywords.RATE)
    return np.clip(draw.normal(0, 1, keywords.RATE) * swell + 3000, -32768, 32767).round().astype(np.int16)


def swell():
    """A second of noise that swells and is loud throughout, so that rounding matters little, and never so loud that 16 bits overflow."""
    return (np.random.default_rng(12).normal(0, 1, keywords.RATE).clip(-3, 3) * np.linspace(2000, 5000, keywords.RATE)).round().astype(np.int16)


def mel(hertz):
    return 1127 * np.log1p(np.asarray(hertz, np.float64) / 700)


def triangles(chosen, size):
    """The weights [channels, bins] of the filter bank, as real numbers."""
    channels, low, high = (chosen[f"filterbank_{name}"] for name in ("n_channels", "lower_band_limit", "upper_band_limit"))
    per_bin = chosen["sample_rate_hz"] / size
    bins = np.arange(size // 2 + 1)
    start = int(1.5 + low / per_bin)
    edges = mel(low) + (mel(high) - mel(low)) / (channels + 1) * np.arange(channels + 2)
    at = mel(bins * per_bin)
    rising = (at - edges[:-2, None]) / (edges[1] - edges[0])
    falling = (edges[2:, None] - at) / (edges[1] - edges[0])
    return torch.from_numpy(np.where(bins >= start, np.clip(np.minimum(rising, falling), 0, None), 0))


def real(samples, chosen):
    """The front end without rounding: differentiable, in float64, of samples that are 16-bit numbers."""
    width, step = (chosen[f"window_{name}_ms"] * chosen["sample_rate_hz"] // 1000 for name in ("size", "step"))
    size = 1 << (width - 1).bit_length()
    if chosen["dc_notch_filter_enable"]:
        kept = chosen["dc_notch_filter_coefficient"]
        filtered, last, before = [], torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
        for sample in samples.unbind():
            last = sample - before + kept * last
            before = sample
            filtered.append(last)
        samples = torch.stack(filtered)
    window = torch.from_numpy(0.5 - 0.5 * np.cos(2 * np.pi / width * (np.arange(width) + 0.5)))
    spectrum = torch.fft.rfft(samples.unfold(0, width, step) * window, size) / size
    # Twelve bits of the weights, of which the root leaves six.
    signal = 64 * (spectrum.abs().square() @ triangles(chosen, size).T + 1e-30).sqrt()
    shift = size.bit_length() - 1 - 6
    if chosen["noise_reduction_enable"]:
        rates = [chosen[f"noise_reduction_{name}_smoothing"] for name in ("even", "odd")]
        rate = torch.tensor(rates, dtype=torch.float64).repeat(signal.shape[1] // 2 + 1)[: signal.shape[1]]
        noise, left, noises = torch.zeros(signal.shape[1], dtype=torch.float64), [], []
        for frame in signal:
            noise = rate * frame + (1 - rate) * noise
            noises.append(noise)
            left.append(torch.maximum(frame - noise, chosen["noise_reduction_min_signal_remaining"] * frame))
        signal = torch.stack(left)
        if chosen["pcan_enable"]:
            gain = (torch.stack(noises) * 2.0**shift + chosen["pcan_offset"]) ** -chosen["pcan_strength"]
            ratio = signal * 2.0**shift * gain
            signal = 64 * torch.where(ratio < 2, ratio.square() / 4, ratio - 1)
    if not chosen["log_scale_enable"]:
        return signal.clamp(max=65535)
    return ((signal * 2.0**shift).clamp(min=1).log() * 2.0 ** chosen["log_scale_shift"]).clamp(max=65535)


def make():
    package = sources.fetch(sources.MLTK, sources.cache())
    _, summary = keywords.shipped(package)
    tenet = keywords.settings(summary)
    defaults = {**tenet, **keywords.DEFAULTS}
    FOLDER.mkdir(parents=True, exist_ok=True)
    keywords.write_wave(FOLDER / "noise.wav", noise())
    clips = {clip: read_wave(PAGE / "clips" / f"{clip}.wav") for clip in CLIPS} | {"noise": read_wave(FOLDER / "noise.wav")}
    index = {"clips": {clip: f"www/public/models/{keywords.NAME}/clips/{clip}.wav" for clip in CLIPS}, "cases": []}
    index["clips"]["noise"] = "tests/fixtures/sound/micro_front_end/noise.wav"
    for name, changed in {"tenet": tenet, **SETTINGS}.items():
        chosen = {**defaults, **changed}
        front_end = keywords.FrontEnd(package, chosen)
        whole, cut = [], []
        for samples in clips.values():
            whole.append(front_end(samples, np.uint16))
            cut.append(front_end(samples, np.int8))
            assert np.array_equal(front_end(samples, np.uint16), whole[-1])
        np.save(FOLDER / f"{name}_uint16.npy", np.stack(whole))
        np.save(FOLDER / f"{name}_int8.npy", np.stack(cut))
        case = {"name": name, "settings": chosen, "clips": list(clips), "shape": list(np.stack(whole).shape)}
        index["cases"].append(case)
        print(f"{name}: {case['shape']}, up to {np.stack(whole).max()}")
    keywords.write_wave(FOLDER / "swell.wav", swell())
    index["real"] = {"clip": "tests/fixtures/sound/micro_front_end/swell.wav", "cases": {}}
    for name in REAL:
        chosen = next(case["settings"] for case in index["cases"] if case["name"] == name)
        leaf = torch.from_numpy(swell().astype(np.float64)).requires_grad_()
        found = real(leaf, chosen)
        (found * torch.cos(torch.arange(found.numel(), dtype=torch.float64)).reshape(found.shape)).sum().backward()
        np.save(FOLDER / f"{name}_real.npy", found.detach().numpy().astype(np.float32))
        np.save(FOLDER / f"{name}_gradient.npy", leaf.grad.numpy().astype(np.float32))
        apart = np.abs(found.detach().numpy() - keywords.FrontEnd(package, chosen)(swell(), np.uint16))
        index["real"]["cases"][name] = {"apart": {str(part): round(float(np.percentile(apart, part)), 3) for part in (50, 90, 99)}}
        print(name, index["real"]["cases"][name], leaf.grad.norm())
    (FOLDER / "index.json").write_text(json.dumps(index, indent=1) + "\n")


if __name__ == "__main__":
    make()
