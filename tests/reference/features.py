"""What Hugging Face's feature extractors, torchaudio's Kaldi and soxr make of sounds.

Writes tests/fixtures/sound/features (index.json; for each case its preprocessor_config.json and an array of float32) and
tests/fixtures/sound/resampling. The sounds are clips of the page's network of spoken words, a chord of half a second, and a sweep.
"""

import json
import sys

import numpy as np
import soxr
import torch
import torch.nn.functional as F
import torchaudio
from transformers import (
    ASTFeatureExtractor,
    SeamlessM4TFeatureExtractor,
    Wav2Vec2FeatureExtractor,
    WhisperFeatureExtractor,
)

from common import FIXTURES, ROOT
from micro_front_end import PAGE, read_wave

sys.path.insert(0, str(ROOT / "xtask" / "models"))

import keywords  # noqa: E402

FOLDER = FIXTURES / "sound"
RATE = 16000


def sounds():
    """Samples from -1 to 1, as 16 bits hold them."""
    clip = lambda name: read_wave(PAGE / "clips" / f"{name}.wav")
    time = np.arange(RATE // 2) / RATE
    chord = sum(np.sin(2 * np.pi * tone * time) for tone in (220.0, 554.37, 3000.0)) * 8000 * np.exp(-3 * time)
    # In bands without any sound the extractors' own 32 bits would be all that is heard.
    chord += np.random.default_rng(5).normal(0, 60, len(time))
    return {"go_goforward": clip("go_goforward"), "down_en-gb_m3": clip("down_en-gb_m3"), "chord": chord.round().astype(np.int16)}


EXTRACTORS = {
    # Whisper fills up to 30 seconds: two are enough here.
    "whisper": WhisperFeatureExtractor(chunk_length=2),
    "whisper_128": WhisperFeatureExtractor(feature_size=128, chunk_length=1),
    "ast": ASTFeatureExtractor(max_length=128),
    "ast_short": ASTFeatureExtractor(max_length=40, num_mel_bins=64, do_normalize=False),
    "wav2vec2": Wav2Vec2FeatureExtractor(return_attention_mask=True),
    "seamless_m4t": SeamlessM4TFeatureExtractor(),
}
KALDI = {
    "kaldi_fbank": {"num_mel_bins": 23},
    "kaldi_fbank_80": {
        "num_mel_bins": 80,
        "frame_length": 32.0,
        "frame_shift": 16.0,
        "window_type": "hamming",
        "preemphasis_coefficient": 0.0,
        "low_freq": 60.0,
        "high_freq": 7600.0,
        "use_energy": True,
        "snip_edges": False,
    },
    "kaldi_fbank_power": {"num_mel_bins": 40, "window_type": "hanning", "use_log_fbank": False, "use_power": False},
}


def store(name, arrays, found):
    """The arrays of the sounds in one file, one behind the other; shapes in the index."""
    found["shapes"] = {sound: list(array.shape) for sound, array in arrays.items()}
    np.save(FOLDER / "features" / f"{name}.npy", np.concatenate([array.astype(np.float32).reshape(-1) for array in arrays.values()]))
    print(name, found["shapes"])
    return found


def features():
    folder = FOLDER / "features"
    folder.mkdir(parents=True, exist_ok=True)
    given = sounds()
    index = {"rate": RATE, "sounds": list(given), "cases": []}
    for name, samples in given.items():
        keywords.write_wave(folder / f"{name}.wav", samples)
    waves = {name: samples.astype(np.float32) / 32768 for name, samples in given.items()}
    for name, extractor in EXTRACTORS.items():
        arrays = {}
        for sound, wave in waves.items():
            found = extractor(wave, sampling_rate=RATE, return_tensors="np")
            arrays[sound] = next(found[key] for key in ("input_features", "input_values") if key in found)[0]
        config = json.loads(extractor.to_json_string())
        (folder / f"{name}.json").write_text(json.dumps(config, indent=1) + "\n")
        index["cases"].append(store(name, arrays, {"name": name, "config": f"{name}.json"}))
    for name, chosen in KALDI.items():
        # Kaldi's samples are those of 16 bits.
        arrays = {
            sound: torchaudio.compliance.kaldi.fbank(torch.from_numpy(wave)[None] * 32768, dither=0.0, sample_frequency=RATE, **chosen).numpy()
            for sound, wave in waves.items()
        }
        index["cases"].append(store(name, arrays, {"name": name, "kaldi": {"dither": 0.0, "sample_frequency": RATE, **chosen}}))
    (folder / "index.json").write_text(json.dumps(index, indent=1) + "\n")


def whisper(extractor, wave):
    """Whisper's features written out in PyTorch: differentiable, in float64."""
    wave = F.pad(wave, (0, extractor.n_samples - len(wave)))
    window = torch.hann_window(extractor.n_fft, dtype=torch.float64)
    power = torch.stft(wave, extractor.n_fft, extractor.hop_length, window=window, return_complex=True)[:, :-1].abs() ** 2
    bands = (torch.from_numpy(extractor.mel_filters).double().T @ power).clamp(min=1e-10).log10()
    return (torch.maximum(bands, bands.max() - 8) + 4) / 4


def fbank(wave, **chosen):
    return torchaudio.compliance.kaldi.fbank(wave[None], dither=0.0, sample_frequency=RATE, **chosen)


def ast(extractor, wave):
    found = fbank(wave, window_type="hanning", num_mel_bins=extractor.num_mel_bins)[: extractor.max_length]
    found = F.pad(found, (0, 0, 0, extractor.max_length - len(found)))
    return (found - extractor.mean) / (extractor.std * 2) if extractor.do_normalize else found


def wav2vec2(_, wave):
    return (wave - wave.mean()) / (wave.var(correction=0) + 1e-7).sqrt()


def seamless(_, wave):
    found = fbank(wave * 32768, window_type="povey", num_mel_bins=80)
    found = (found - found.mean(0)) / (found.var(0, correction=1) + 1e-7).sqrt()
    return found[: len(found) // 2 * 2].reshape(-1, 160)


WRITTEN_OUT = {
    "whisper": whisper,
    "whisper_128": whisper,
    "ast": ast,
    "ast_short": ast,
    "wav2vec2": wav2vec2,
    "seamless_m4t": seamless,
    **{name: lambda _, wave, chosen=chosen: fbank(wave * 32768, **chosen) for name, chosen in KALDI.items()},
}


def gradients():
    """For the chord, the gradient by the samples of the sum of all features times cos(k), k counting them in their order.

    The formulas in float64 also say how far the extractors' 32 bits are off, sound by sound: `float32` in the index.
    """
    waves = {name: torch.from_numpy(samples.astype(np.float64) / 32768) for name, samples in sounds().items()}
    index = json.loads((FOLDER / "features" / "index.json").read_text())
    for case in index["cases"]:
        name, shapes = case["name"], case["shapes"]
        stored, start, case["float32"] = np.load(FOLDER / "features" / f"{name}.npy"), 0, {}
        for sound, wave in waves.items():
            count = int(np.prod(shapes[sound]))
            theirs = stored[start : start + count].reshape(shapes[sound])
            start += count
            leaf = wave.clone().requires_grad_()
            found = WRITTEN_OUT[name](EXTRACTORS.get(name), leaf)
            case["float32"][sound] = float(np.abs(found.detach().numpy() - theirs).max())
        print(name, case["float32"])
        # The last is the chord.
        assert case["float32"]["chord"] < 1e-4 * max(1, np.abs(theirs).max())
        weights = torch.cos(torch.arange(found.numel(), dtype=torch.float64)).reshape(found.shape)
        (found * weights).sum().backward()
        np.save(FOLDER / "features" / f"{name}_gradient.npy", leaf.grad.numpy().astype(np.float32))
    (FOLDER / "features" / "index.json").write_text(json.dumps(index, indent=1) + "\n")


def resampling():
    """Half a second of a sweep that ends at 0.45 of the lower rate, resampled by soxr's best ("VHQ"), in float64."""
    folder = FOLDER / "resampling"
    folder.mkdir(parents=True, exist_ok=True)
    index = []
    for start, end in ((44100, 16000), (48000, 16000), (8000, 16000), (22050, 16000), (11025, 16000), (16000, 8000), (96000, 16000)):
        time = np.arange(start // 2) / start
        highest = 0.45 * min(start, end)
        # Sine of a frequency that rises evenly, coming and going within 20 ms so that the ends do not matter.
        fade = np.clip(np.minimum(time, time[-1] - time) / 0.02, 0, 1)
        wave = 0.5 * np.sin(np.pi * highest * time**2 / time[-1]) * np.sin(np.pi / 2 * fade) ** 2
        found = soxr.resample(wave, start, end, quality="VHQ")
        name = f"{start}_{end}"
        np.save(folder / f"{name}.npy", found.astype(np.float32))
        index.append({"name": name, "from": start, "to": end, "highest": highest, "samples": len(wave), "resampled": len(found)})
        print(name, len(wave), len(found))
    formula = "0.5 sin(pi highest t^2 / last) sin(pi/2 clip(min(t, last - t) / 0.02, 0, 1))^2, t = n / from, n < samples, last = (samples - 1) / from"
    (folder / "index.json").write_text(json.dumps({"wave": formula, "cases": index}, indent=1) + "\n")


def make():
    features()
    gradients()
    resampling()


if __name__ == "__main__":
    make()
