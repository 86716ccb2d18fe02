"""Photographs cut into segments by scikit-image. Writes tests/fixtures/segments.

A segmentation is stored as a grey PNG: the value of a pixel is the number of its segment (all have fewer than 256).
QuickShift's random noise against ties is replaced by `tie_noise`, which the tests compute too.
"""

import contextlib

import numpy as np
from PIL import Image
from skimage.segmentation import felzenszwalb, quickshift, slic

from common import FIXTURES, opened, write_json
from images import FURTHER

FOLDER = FIXTURES / "segments"


def uniform(count, salt):
    """Numbers from 0 to 1 that every language can compute: SplitMix64 of salt * 2^32 + index, its upper 24 bits."""
    z = np.arange(count, dtype=np.uint64) + np.uint64(salt << 32)
    with np.errstate(over="ignore"):
        z = (z + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return (z >> np.uint64(40)).astype(np.float64) / 2**24


def tie_noise(height, width):
    """Even noise with scikit-image's deviation, 1e-5, as float32."""
    noise = (uniform(height * width, 1) - 0.5) * (np.sqrt(12.0) * 1e-5)
    return noise.astype(np.float32).reshape(height, width)


@contextlib.contextmanager
def scikit_images_noise(noise):
    """Has scikit-image's QuickShift draw `noise`."""

    class Drawn:
        def normal(self, scale, size):
            assert scale == 1e-5 and tuple(size) == noise.shape
            return noise.astype(np.float64)

    original, np.random.default_rng = np.random.default_rng, lambda *_: Drawn()
    try:
        yield
    finally:
        np.random.default_rng = original


def by_quickshift(pixels, kernel_size, max_dist, ratio):
    with scikit_images_noise(tie_noise(*pixels.shape[:2])):
        return quickshift(pixels, kernel_size=kernel_size, max_dist=max_dist, ratio=ratio)


def by_slic(pixels, segments, compactness, sigma=0.0):
    return slic(pixels, n_segments=segments, compactness=compactness, sigma=sigma, start_label=0)


def by_felzenszwalb(pixels, scale, sigma, min_size):
    return felzenszwalb(pixels, scale=scale, sigma=sigma, min_size=min_size)


SETTINGS = [
    ("quickshift", by_quickshift, {"kernel_size": 8, "max_dist": 10, "ratio": 0.1}),
    ("quickshift", by_quickshift, {"kernel_size": 8, "max_dist": 200, "ratio": 0.2}),
    ("quickshift", by_quickshift, {"kernel_size": 4, "max_dist": 200, "ratio": 0.2}),
    ("slic", by_slic, {"segments": 100, "compactness": 10.0, "sigma": 0.0}),
    ("slic", by_slic, {"segments": 50, "compactness": 30.0, "sigma": 1.0}),
    ("felzenszwalb", by_felzenszwalb, {"scale": 50.0, "sigma": 0.8, "min_size": 150}),
    ("felzenszwalb", by_felzenszwalb, {"scale": 500.0, "sigma": 0.5, "min_size": 50}),
]
EVERYWHERE = [SETTINGS[0], SETTINGS[3], SETTINGS[5]]
SMALL = [
    ("quickshift", by_quickshift, {"kernel_size": 1, "max_dist": 10, "ratio": 0.1}),
    ("quickshift", by_quickshift, {"kernel_size": 3, "max_dist": 6, "ratio": 0.5}),
    ("slic", by_slic, {"segments": 40, "compactness": 1.0, "sigma": 0.0}),
]


def rgb(path, side=None):
    return opened(path, side).astype(np.float64) / 255.0


def make():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for stale in FOLDER.glob("*.png"):
        stale.unlink()
    cases = []
    pictures = [(f"images/{name}_224.png", SETTINGS) for name in ("chelsea", "coffee", "astronaut")]
    pictures += [(f"images/{name}_227.png", EVERYWHERE) for name in FURTHER]
    pictures += [("images/chelsea_227.png", SETTINGS[:1]), ("preprocessing/portrait_bilinear_48x32.png", SMALL)]
    for image, settings in pictures:
        pixels = rgb(FIXTURES / image)
        for number, (algorithm, cut, params) in enumerate(settings):
            labels = cut(pixels, **params)
            assert labels.min() == 0 and labels.max() < 256, (image, algorithm, labels.max())
            file = f"{image.split('/')[1].split('.')[0]}_{algorithm}_{number}.png"
            Image.fromarray(labels.astype(np.uint8)).save(FOLDER / file, optimize=True)
            cases.append({"image": image, "algorithm": algorithm, "params": params, "count": int(labels.max()) + 1, "file": file})
    write_json(FOLDER / "index.json", {"cases": cases})


if __name__ == "__main__":
    make()
