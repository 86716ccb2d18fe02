"""Writes the network that names a file's kind for the page: www/public/models/magika, as its makers ship it, with small files to try it on.

Magika (Fratantonio et al. 2024) reads the first and the last 1,024 bytes of a file as numbers, 256 where there is none. `config.json` is the
makers' own, labels.json its list of kinds. The example files are written here.
"""

from __future__ import annotations

import argparse
import io
import json
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import onnxruntime

import bundle
import sources

NAME = "magika"
INSIDE = "magika/models/standard_v3_3"
ABOUT = {
    "title": "Magika, kinds of files",
    "kind": "bytes",
    "preprocessing": "config.json",
    "labels": "labels.json",
    "examples": "examples.json",
    "licence": "Apache-2.0",
    "source": sources.MAGIKA.label,
}


def features(file: bytes, config: dict) -> np.ndarray:
    """What the network reads: the file's beginning without white space before it, and its end without white space behind it.

    At most `block_size` bytes are looked at on either side. What is missing is `padding_token`: behind a short beginning, before a
    short end. White space is what Python's `bytes.strip` takes away: space, tab, line feed, carriage return, and the numbers 11 and 12.
    """
    block = min(config["block_size"], len(file))
    first = file[:block].lstrip()[: config["beg_size"]]
    last = file[len(file) - block :].rstrip()[-config["end_size"] :]
    padding = lambda part, size: [config["padding_token"]] * (size - len(part))
    return np.array([[*first, *padding(first, config["beg_size"]), *padding(last, config["end_size"]), *last]], np.int32)


def picture() -> bytes:
    """A PNG of 16 x 16 pixels, a slope of grey."""
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + bytes(16 * x + y for x in range(16)) for y in range(16))
    header = struct.pack(">IIBBBBB", 16, 16, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def archive() -> bytes:
    """A ZIP archive with one text in it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr(zipfile.ZipInfo("note.txt", (2026, 1, 1, 0, 0, 0)), "A note in an archive.\n" * 20)
    return file.getvalue()


FILES: list[tuple[str, str, bytes]] = [
    (
        "mean.py",
        "python",
        b'''"""The mean of numbers, one a line."""

import sys


def mean(numbers):
    numbers = list(numbers)
    if not numbers:
        raise ValueError("there is nothing to take the mean of")
    return sum(numbers) / len(numbers)


if __name__ == "__main__":
    print(mean(float(line) for line in sys.stdin if line.strip()))
''',
    ),
    ("grey.png", "png", picture()),
    (
        "mean.rs",
        "rust",
        b'''use std::io::{self, BufRead};

/// The mean of numbers, or nothing where there are none.
fn mean(numbers: &[f64]) -> Option<f64> {
    (!numbers.is_empty()).then(|| numbers.iter().sum::<f64>() / numbers.len() as f64)
}

fn main() {
    let numbers: Vec<f64> = io::stdin().lock().lines().map_while(Result::ok).filter_map(|line| line.parse().ok()).collect();
    match mean(&numbers) {
        Some(value) => println!("{value}"),
        None => eprintln!("no numbers"),
    }
}
''',
    ),
    (
        "page.html",
        "html",
        b'''<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>A page</title>
  <link rel="stylesheet" href="style.css">
</head>
<body>
  <header><h1>A page</h1></header>
  <main>
    <p>With a paragraph and <a href="https://example.org/">a link</a>.</p>
    <ul>
      <li>one</li>
      <li>two</li>
    </ul>
  </main>
  <script src="script.js"></script>
</body>
</html>
''',
    ),
    ("note.zip", "zip", archive()),
    (
        "weather.csv",
        "csv",
        b"day,low,high,rain\n" + b"".join(b"2026-03-%02d,%d,%d,%.1f\n" % (day, day % 7 - 1, day % 9 + 8, day % 4 / 2) for day in range(1, 29)),
    ),
]


def make(cache: Path, out: Path) -> None:
    package = sources.fetch(sources.MAGIKA, cache)
    model = sources.member(package, f"{INSIDE}/model.onnx")
    text = sources.member(package, f"{INSIDE}/config.min.json")
    config = json.loads(text)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    folder = out / NAME
    (folder / "files").mkdir(parents=True, exist_ok=True)
    labels, examples = config["target_labels_space"], []
    for name, kind, file in FILES:
        (folder / "files" / name).write_bytes(file)
        scores = session.run(None, {session.get_inputs()[0].name: features(file, config)})[0][0]
        named = labels[int(scores.argmax())]
        assert named == kind, f"{name} is named {named}"
        examples.append({"file": f"files/{name}", "label": kind, "probability": round(float(scores.max()), 4)})
    bundle.write(folder, model, ABOUT, labels, examples)
    (folder / "config.json").write_bytes(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="where packages are kept")
    parser.add_argument("--out", type=Path, required=True, help="the folder of the page's networks")
    arguments = parser.parse_args()
    make(arguments.cache, arguments.out)


if __name__ == "__main__":
    main()
