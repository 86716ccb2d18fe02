"""Unpacks ONNX's own tests of its operators from the package onnx."""

from __future__ import annotations

import argparse
import zipfile
from pathlib import Path

from sources import ONNX, fetch

FOLDER = "onnx/backend/test/data/node/"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="where packages are kept")
    parser.add_argument("--out", type=Path, required=True, help="the folder to unpack into")
    arguments = parser.parse_args()
    with zipfile.ZipFile(fetch(ONNX, arguments.cache)) as package:
        members = [name for name in package.namelist() if name.startswith(FOLDER)]
        package.extractall(arguments.out, members)


if __name__ == "__main__":
    main()
