"""The Fashion-MNIST networks of examples/train_fashion_mnist on the ten pictures.

Writes tests/fixtures/fashion_mnist: the logits [10, 10] of each classifier by ONNX Runtime, a row a picture, and the masks
[10, 28, 28] of the classes that the natural one predicts, in 64 bits by ONNX's reference: one mask in 32 bits is up to 8e-6 off.
"""

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator
from PIL import Image

from common import FIXTURES

FOLDER = FIXTURES / "fashion_mnist"


def session(name):
    model = onnx.load(FOLDER / f"{name}.onnx")
    onnx.checker.check_model(model, full_check=True)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def exact_masker():
    """The masker with its weights in 64 bits; the scales of Resize are float32 by definition."""
    model = onnx.load(FOLDER / "masker.onnx")
    scales = {name for node in model.graph.node if node.op_type == "Resize" for name in node.input[1:]}
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT and tensor.name not in scales:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    return ReferenceEvaluator(model)


def make():
    pictures = [np.asarray(Image.open(FOLDER / f"{label}.png"), np.float32) / 255 for label in range(10)]
    x = np.stack(pictures)[:, None]
    for name in ("natural", "robust", "random_labels"):
        logits = session(name).run(None, {"image": x})[0]
        np.save(FOLDER / f"{name}.logits.npy", logits)
        print(f"{name}: {logits.argmax(1)}")
    predicted = np.load(FOLDER / "natural.logits.npy").argmax(1)
    masks = exact_masker().run(None, {"image": x.astype(np.float64), "class": np.eye(10)[predicted]})[0]
    np.save(FOLDER / "masker.masks.npy", masks[:, 0].astype(np.float32))
    print(f"masks from {masks.min():.3f} to {masks.max():.3f}, mean {masks.mean():.3f}")


if __name__ == "__main__":
    make()
