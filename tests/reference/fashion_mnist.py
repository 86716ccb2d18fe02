"""The Fashion-MNIST networks of examples/train_fashion_mnist, run by ONNX Runtime on the ten pictures.

Writes tests/fixtures/fashion_mnist: the logits [10, 10] of each classifier, a row a picture, and the masks [10, 28, 28]
of the classes that the natural one predicts.
"""

import numpy as np
import onnx
import onnxruntime
from PIL import Image

from common import FIXTURES

FOLDER = FIXTURES / "fashion_mnist"


def session(name):
    model = onnx.load(FOLDER / f"{name}.onnx")
    onnx.checker.check_model(model, full_check=True)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def make():
    pictures = [np.asarray(Image.open(FOLDER / f"{label}.png"), np.float32) / 255 for label in range(10)]
    x = np.stack(pictures)[:, None]
    for name in ("natural", "robust", "random_labels"):
        logits = session(name).run(None, {"image": x})[0]
        np.save(FOLDER / f"{name}.logits.npy", logits)
        print(f"{name}: {logits.argmax(1)}")
    predicted = np.load(FOLDER / "natural.logits.npy").argmax(1)
    masks = session("masker").run(None, {"image": x, "class": np.eye(10, dtype=np.float32)[predicted]})[0]
    np.save(FOLDER / "masker.masks.npy", masks[:, 0])
    print(f"masks from {masks.min():.3f} to {masks.max():.3f}, mean {masks.mean():.3f}")


if __name__ == "__main__":
    make()
