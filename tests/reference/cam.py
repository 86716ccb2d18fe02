"""The class activation mappings by Captum and pytorch-grad-cam, over the ONNX networks. Writes tests/fixtures/cam.

Needs the networks of www/public/models (cargo xtask models).
"""

import contextlib
import io
from unittest import mock

import torch
import torch.nn.functional as F
from captum.attr import LayerAttribution, LayerGradCam
from pytorch_grad_cam import GradCAMPlusPlus, HiResCAM, LayerCAM, ScoreCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

import common
from common import agreement

# The layer that the engine takes by default, and another one; both as names of values, which are the nodes' names too.
LAYERS = {
    "tiny": ("relu_21", "clip_12"),
    "squeezenet1_1": ("conv10", "fire5"),
    "efficientnet_lite0": ("c49r", "a9"),
}
SCORED = {"tiny": "relu_21", "squeezenet1_1": "fire9_squeeze1x1r", "efficientnet_lite0": "a9"}
OTHER = {"tiny": 2, "squeezenet1_1": 500, "efficientnet_lite0": 500}


class Tapped(torch.nn.Module):
    """An ONNX network in which one value passes through a module, so that hooks can be set on it."""

    def __init__(self, net, value):
        super().__init__()
        self.net, self.value, self.tap = net, value, torch.nn.Identity()
        self.nothing = torch.nn.Parameter(torch.zeros(()))  # pytorch-grad-cam asks the parameters for the device

    def forward(self, x):
        return self.net(x, {self.value: self.tap})


def enlarged(cam, x):
    return F.interpolate(torch.relu(torch.as_tensor(cam)).reshape(1, 1, *cam.shape[-2:]), x.shape[2:], mode="bilinear")


def grad_cam(net, layer, x, target):
    model = Tapped(net, layer)
    found = LayerGradCam(model, model.tap).attribute(x.clone().requires_grad_(True), target, relu_attributions=True)
    return LayerAttribution.interpolate(found.detach(), tuple(x.shape[2:]), "bilinear")


def by_pytorch_grad_cam(kind, net, layer, x, target, scale=1.0):
    """A map of pytorch-grad-cam before it is stretched to [0,1] and resized with OpenCV in 32 bits.

    `scale` divides the activations and multiplies the gradients, which changes neither alpha in Grad-CAM++ nor its map but takes the
    influence off the 1e-6 that pytorch-grad-cam adds to the denominator.
    """
    model = Tapped(net, layer)
    with kind(model=model, target_layers=[model.tap]) as cam, contextlib.redirect_stderr(io.StringIO()):
        targets = [ClassifierOutputTarget(target)]
        outputs = cam.activations_and_grads(x.clone().requires_grad_(True))
        targets[0](outputs[0]).backward()
        maps = cam.activations_and_grads.activations[0].numpy() / scale
        gradient = cam.activations_and_grads.gradients[0].numpy() * scale
        return enlarged(cam.get_cam_image(x, model.tap, targets, maps, gradient, False), x)


def score_cam(net, layer, x, target):
    """pytorch-grad-cam enlarges the masks with align_corners=True; the authors' program and ours do not."""
    centred = lambda size: torch.nn.Upsample(size=size, mode="bilinear", align_corners=False)  # noqa: E731
    with mock.patch("torch.nn.UpsamplingBilinear2d", centred):
        return by_pytorch_grad_cam(ScoreCAM, net, layer, x, target)


METHODS = {
    "grad_cam": grad_cam,
    "grad_cam_plus_plus": lambda *a: by_pytorch_grad_cam(GradCAMPlusPlus, *a, scale=1e4),
    "hires_cam": lambda *a: by_pytorch_grad_cam(HiResCAM, *a),
    "layer_cam": lambda *a: by_pytorch_grad_cam(LayerCAM, *a),
    "score_cam": score_cam,
}


def case(family, network, image, method, layer, named, target, x, x32):
    exact = METHODS[method](network.exact, layer, x, target)
    single = METHODS[method](network.single, layer, x32, target)
    params = {"layer": layer} if named else {}
    more = {}
    if method == "grad_cam_plus_plus":
        more["as_shipped"] = agreement(by_pytorch_grad_cam(GradCAMPlusPlus, network.exact, layer, x, target), exact)
    if method == "score_cam":
        more["as_shipped"] = agreement(by_pytorch_grad_cam(ScoreCAM, network.exact, layer, x, target), exact)
    suffix = "_".join([method, *([layer] if named else []), *(["other"] if target == OTHER[network.name] else [])])
    by = "captum" if method == "grad_cam" else "pytorch-grad-cam"
    network.add(family, image, suffix, exact, single, method=method, target=target, params=params, by=by, **more)


def make():
    family = common.Family("cam")
    heads = {}
    for network, images in common.networks():
        heads[network.name] = network.head
        default, finer = LAYERS[network.name]
        for image in images:
            x, x32, top = network.read(image)
            for method in ("grad_cam", "grad_cam_plus_plus", "hires_cam", "layer_cam"):
                case(family, network, image, method, default, False, top, x, x32)
                case(family, network, image, method, finer, True, top, x, x32)
            case(family, network, image, "grad_cam", default, False, OTHER[network.name], x, x32)
            scored = SCORED[network.name]
            case(family, network, image, "score_cam", scored, scored != default, top, x, x32)
    family.write(networks=heads)


if __name__ == "__main__":
    make()
