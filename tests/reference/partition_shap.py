"""SHAP's PartitionExplainer on the hierarchy of its own image masker. Writes tests/fixtures/partition_shap.

A pixel is a leaf: the masker sees a picture of ones, and its mask is laid over all channels. SHAP numbers the leaves from the
last pixel, so that the first half of an odd size is the larger one. Needs shap 0.51 and the networks of
www/public/models (cargo xtask models).
"""

import numpy as np
import shap
import torch

import common


def explained(net, x, target, samples, batch, cells=None):
    """Owen values of the pixels, or of the segments that `cells` says the pixels belong to."""
    _, _, height, width = x.shape
    shape = (height, width, 1) if cells is None else (1, int(cells.max()) + 1, 1)

    def scores(shown):
        shown = torch.as_tensor(np.asarray(shown).reshape(len(shown), -1), dtype=x.dtype)
        shown = shown.reshape(-1, 1, height, width) if cells is None else shown[:, torch.from_numpy(cells)][:, None]
        with torch.no_grad():
            return torch.softmax(net(x * shown), 1)[:, target].double().numpy()

    masker = shap.maskers.Image(np.zeros(shape), shape)
    explainer = shap.explainers.Partition(scores, masker)
    np.random.seed(0)
    found = explainer(np.ones((1, *shape)), max_evals=samples, batch_size=batch, silent=True)
    values = found.values.reshape(-1)
    if cells is None:
        return torch.from_numpy(values.reshape(1, 1, height, width))
    return torch.from_numpy(values[cells])[None, None]


def make():
    family = common.Family("partition_shap")
    heads = {}
    for network, images in common.networks(("chelsea",)):
        if network.name == "efficientnet_lite0":
            continue
        heads[network.name] = network.head
        tiny = network.name == "tiny"
        for image in images:
            x, x32, top = network.read(image)
            runs = [(500, 10), (64, 2), (4096, 50)] if tiny else [(60, 10)]
            for samples, batch in runs:
                exact, single = (explained(net, x, top, samples, batch) for net, x in ((network.exact, x), (network.single, x32)))
                network.add(
                    family, image, f"partition_shap_{samples}_{batch}", exact, single, method="partition_shap", target=top,
                    params={"samples": samples, "batch": batch, "hidden": "zero"}, by="shap",
                )  # fmt: skip
            if tiny:
                side = 4
                height, width = x.shape[2:]
                cells = (np.arange(height) * side // height)[:, None] * side + (np.arange(width) * side // width)[None]
                exact, single = (explained(net, x, top, 200, 10, cells) for net, x in ((network.exact, x), (network.single, x32)))
                network.add(
                    family, image, "partition_shap_grid", exact, single, method="partition_shap", target=top,
                    params={"samples": 200, "hidden": "zero", "segmentation": "grid", "segments": side * side}, by="shap",
                )  # fmt: skip
    family.write(networks=heads)


if __name__ == "__main__":
    make()
