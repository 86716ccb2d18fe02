"""Photographs as the networks see them, and what Pillow makes of the preprocessing's resizing and cropping.

Writes tests/fixtures/images and tests/fixtures/preprocessing.
"""

from pathlib import Path

import skimage.data
import sklearn.datasets
from PIL import Image

from common import FIXTURES, write_json

PHOTOGRAPHS = ("chelsea", "coffee", "astronaut")
FURTHER = ("rocket", "flower", "china", "camera", "coins", "clock", "hubble_deep_field")  # at the larger size alone
SIDES = (224, 227)
FILTERS = {"nearest": 0, "bilinear": 2, "bicubic": 3}


def resized_size(width, height, shortest_edge):
    """Hugging Face's and torchvision's rule: the longer edge is cut to a whole number, not rounded."""
    short, long = min(width, height), max(width, height)
    longer = int(shortest_edge * long / short)
    return (shortest_edge, longer) if width <= height else (longer, shortest_edge)


def crop_corner(width, height, side):
    """Hugging Face's rule: a half is cut off. (torchvision rounds it to the even neighbour.)"""
    return (width - side) // 2, (height - side) // 2


def resize_and_crop(image, shortest_edge, side, resample):
    image = image.resize(resized_size(*image.size, shortest_edge), resample)
    x, y = crop_corner(*image.size, side)
    return image.crop((x, y, x + side, y + side))


def save(image, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, optimize=True)


def source(name):
    """A photograph of scikit-image's or scikit-learn's own."""
    shipped = Path(sklearn.datasets.__file__).parent / "images" / f"{name}.jpg"
    image = Image.open(shipped) if shipped.exists() else Image.fromarray(getattr(skimage.data, name)())
    return image if image.mode == "L" else image.convert("RGB")


def photographs():
    """Writes the photographs that the ImageNet networks are tested on: shortest edge 256 (bicubic), centre crop."""
    for name in (*PHOTOGRAPHS, *FURTHER):
        for side in SIDES if name in PHOTOGRAPHS else SIDES[-1:]:
            cut = resize_and_crop(source(name), 256, side, FILTERS["bicubic"])
            save(cut, FIXTURES / "images" / f"{name}_{side}.png")


def preprocessing():
    folder = FIXTURES / "preprocessing"
    for stale in folder.glob("*.png"):
        stale.unlink()
    sources = {
        "landscape": Image.fromarray(skimage.data.chelsea()),
        "portrait": Image.fromarray(skimage.data.astronaut()).crop((80, 0, 380, 448)),
    }
    cases = []
    for name, image in sources.items():
        save(image, folder / f"{name}.png")
        for filter, resample in FILTERS.items():
            if filter != "nearest":
                declared = {"do_resize": True, "size": {"shortest_edge": 256}, "resample": resample}
                declared |= {"do_center_crop": True, "crop_size": {"height": 224, "width": 224}}
                if (name, filter) == ("landscape", "bicubic"):
                    file = "../images/chelsea_224.png"
                else:
                    file = f"{name}_{filter}_224.png"
                    save(resize_and_crop(image, 256, 224, resample), folder / file)
                cases.append({"source": f"{name}.png", "preprocessing": declared, "file": file})
            declared = {"do_resize": True, "size": {"height": 32, "width": 48}, "resample": resample, "do_center_crop": False}
            file = f"{name}_{filter}_48x32.png"
            save(image.resize((48, 32), resample), folder / file)
            cases.append({"source": f"{name}.png", "preprocessing": declared, "file": file})
    geometry = []
    for width, height, edge, side in [
        (451, 300, 256, 224),
        (451, 300, 256, 227),
        (300, 451, 256, 227),
        (512, 512, 256, 224),
        (1, 1, 256, 224),
        (640, 427, 256, 224),
        (1000, 667, 256, 224),
        (333, 500, 256, 227),
        (4032, 3024, 232, 224),
        (299, 448, 255, 224),
    ]:
        resized = resized_size(width, height, edge)
        geometry.append({
            "width": width, "height": height, "shortest_edge": edge, "crop": side,
            "resized": list(resized), "corner": list(crop_corner(*resized, side)),
        })  # fmt: skip
    write_json(folder / "index.json", {"cases": cases, "geometry": geometry})


def make():
    photographs()
    preprocessing()


if __name__ == "__main__":
    make()
