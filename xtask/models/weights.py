"""Reads the two weight files without running anything that is in them: no torch, and no pickle that may call at will."""

from __future__ import annotations

import collections
import io
import pickle
from typing import Any

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
"""What a file of `torch.save` before version 1.6 starts with."""

STORAGE_TYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class _Storage:
    """A flat run of numbers, which the file gives after the tensors that look into it."""

    def __init__(self, dtype: np.dtype, count: int) -> None:
        self.dtype = dtype
        self.count = count
        self.values = np.empty(0, dtype)


class _Tensor:
    """A view of a storage. The strides matter: many of EfficientNet-Lite0's kernels are transposed views."""

    def __init__(self, storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self.storage = storage
        self.offset = offset
        self.shape = shape
        self.strides = strides

    def array(self) -> np.ndarray:
        size = self.storage.dtype.itemsize
        last = self.offset + sum((n - 1) * s for n, s in zip(self.shape, self.strides, strict=True))
        if min(self.strides, default=0) < 0 or last >= self.storage.count:
            raise SystemExit("A tensor of the weight file reaches outside its storage.")
        view = np.lib.stride_tricks.as_strided(
            self.storage.values[self.offset :], self.shape, [s * size for s in self.strides], writeable=False
        )
        return np.ascontiguousarray(view)


def _rebuild_tensor(storage: _Storage, offset: int, shape: tuple, strides: tuple, *_: Any) -> _Tensor:
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


class _StrictUnpickler(pickle.Unpickler):
    """Knows the names that it is given, and refuses every other."""

    def __init__(self, stream: io.BytesIO, known: dict[tuple[str, str], Any]) -> None:
        super().__init__(stream, encoding="latin1")
        self.known = known

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in self.known:
            return self.known[module, name]
        raise SystemExit(f"The weight file names {module}.{name}, which is not a part of plain weights.")


class _TorchUnpickler(_StrictUnpickler):
    """Makes a storage of each persistent identifier and keeps them all by their keys."""

    def __init__(self, stream: io.BytesIO, storages: dict[str, _Storage]) -> None:
        known: dict[tuple[str, str], Any] = {
            ("collections", "OrderedDict"): collections.OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
        }
        known |= {("torch", name): dtype for name, dtype in STORAGE_TYPES.items()}
        super().__init__(stream, known)
        self.storages = storages

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _device, count, view = pid
        if kind != "storage" or view is not None:
            raise SystemExit("The weight file holds something other than plain storages.")
        return self.storages.setdefault(key, _Storage(dtype, count))


def read_torch(data: bytes) -> dict[str, np.ndarray]:
    """The state of a network saved by `torch.save` before version 1.6: pickles one after another, then raw numbers."""
    stream = io.BytesIO(data)
    storages: dict[str, _Storage] = {}
    magic, _protocol, system = (_StrictUnpickler(stream, {}).load() for _ in range(3))
    if magic != MAGIC or not system["little_endian"]:
        raise SystemExit("This is not a file of torch.save's old format.")
    state = _TorchUnpickler(stream, storages).load()
    for key in _StrictUnpickler(stream, {}).load():
        storage = storages[key]
        count = int.from_bytes(stream.read(8), "little")
        values = np.frombuffer(stream.read(count * storage.dtype.itemsize), storage.dtype)
        if count != storage.count or len(values) != count:
            raise SystemExit("The weight file ends too early.")
        storage.values = values
    return {name: tensor.array() for name, tensor in state.items()}


def read_numpy_pickle(data: bytes) -> dict[str, list[np.ndarray]]:
    """A pickle of arrays, of NumPy 1 or 2."""
    from numpy._core.multiarray import _reconstruct

    known = {
        ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
        ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }
    return _StrictUnpickler(io.BytesIO(data), known).load()
