"""Spectrograms of five clips by the compiled micro front end of TensorFlow Lite, under settings that use each of its parts.

Writes tests/fixtures/sound/micro_front_end: index.json with the settings, and for each setting and clip the spectrogram before it is cut to 8 bits (uint16)
and after (int8). The clips are those of the page's network of spoken words, and noise.wav, which is loud, has an offset and is clipped in places.
The compiled code is that of silabs-mltk, for Python 3.11 on x86-64.
"""

import json
import sys
import wave

import numpy as np

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


def read_wave(path):
    with wave.open(str(path)) as sound:
        return np.frombuffer(sound.readframes(sound.getnframes()), "<i2")


def noise():
    """A second of noise that swells, with an offset, cut off where 16 bits end."""
    draw = np.random.default_rng(11)
    swell = np.linspace(0, 20000, keywords.RATE)
    return np.clip(draw.normal(0, 1, keywords.RATE) * swell + 3000, -32768, 32767).round().astype(np.int16)


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
    (FOLDER / "index.json").write_text(json.dumps(index, indent=1) + "\n")


if __name__ == "__main__":
    make()
