"""Small seeded detectors of every kind of head, their boxes by onnxruntime, numpy and torchvision, and ODAM and D-RISE by PyTorch. Writes
tests/fixtures/detectors.
"""

import json
import math

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
import torchvision
from onnx import TensorProto, helper
from torch import nn

from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "detectors"
SIDE, CLASSES = 64, 3
ANCHORS = [[[8.0, 10.0], [14.0, 12.0]], [[24.0, 20.0], [40.0, 44.0]]]
NOTHING = 1e-30


def conv(inputs, outputs, stride=1, size=3):
    return nn.Sequential(nn.Conv2d(inputs, outputs, size, stride, size // 2), nn.SiLU())


class Neck(nn.Module):
    """Maps at strides 8 and 16, the finer one with what the coarser one knows."""

    def __init__(self, wide=8):
        super().__init__()
        self.stem = nn.Sequential(conv(3, wide, 2), conv(wide, wide, 2))
        self.three = conv(wide, 2 * wide, 2)
        self.four = conv(2 * wide, 2 * wide, 2)
        self.join = conv(4 * wide, 2 * wide)

    def forward(self, x):
        three = self.three(self.stem(x))
        four = self.four(three)
        up = F.interpolate(four, scale_factor=2.0, mode="nearest")
        return [self.join(torch.cat([up, three], 1)), four]


def cells(map_, stride):
    """The centres of the cells, [2, height * width], in cells of the map."""
    height, width = map_.shape[-2:]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([x, y]).reshape(2, -1).to(map_) + 0.5


class Yolov8(nn.Module):
    """Ultralytics' anchor-free head: distances as distributions over 4 bins, and a sigmoid of each class."""

    bins = 4

    def __init__(self, turned=False, best=None):
        super().__init__()
        self.neck, self.turned, self.best = Neck(), turned, best
        self.box = nn.ModuleList(nn.Sequential(conv(16, 8), nn.Conv2d(8, 4 * self.bins, 1)) for _ in range(2))
        self.cls = nn.ModuleList(nn.Sequential(conv(16, 8), nn.Conv2d(8, CLASSES, 1)) for _ in range(2))

    def head(self, maps):
        boxes, scores = [], []
        for map_, box, cls, stride in zip(maps, self.box, self.cls, (8, 16)):
            spread = box(map_).reshape(-1, 4, self.bins, map_.shape[-2] * map_.shape[-1]).softmax(2)
            reach = (spread * torch.arange(self.bins).to(map_).reshape(1, 1, -1, 1)).sum(2)
            centre = cells(map_, stride)
            low, high = centre - reach[:, :2], centre + reach[:, 2:]
            boxes.append(torch.cat([(low + high) / 2, high - low], 1) * stride)
            scores.append(cls(map_).flatten(2))
        return torch.cat(boxes, 2), torch.cat(scores, 2)

    def forward(self, x):
        boxes, scores = self.head(self.neck(x))
        found = torch.cat([boxes, scores.sigmoid()], 1)
        if self.best is None:
            return found.transpose(1, 2) if self.turned else found
        rows = found.transpose(1, 2)
        boxes, scores = rows.split([4, CLASSES], 2)
        best, index = torch.topk(scores.amax(2), self.best, 1)
        boxes = torch.gather(boxes, 1, index.unsqueeze(2).repeat(1, 1, 4))
        scores = torch.gather(scores, 1, index.unsqueeze(2).repeat(1, 1, CLASSES))
        half = boxes[..., 2:] / 2
        edges = torch.cat([boxes[..., :2] - half, boxes[..., :2] + half], 2)
        score, label = scores.max(2, keepdim=True)
        return torch.cat([edges, score, label.to(score)], 2)


class Grids(nn.Module):
    """YOLOv3's grids, raw; or decoded as YOLOv5 has them."""

    def __init__(self, decoded):
        super().__init__()
        self.neck, self.decoded = Neck(), decoded
        self.last = nn.ModuleList(nn.Conv2d(16, 2 * (5 + CLASSES), 1) for _ in range(2))

    def forward(self, x):
        grids = [last(map_) for last, map_ in zip(self.last, self.neck(x))]
        if not self.decoded:
            return tuple(grids)
        rows = []
        for grid, stride, anchors in zip(grids, (8, 16), ANCHORS):
            height, width = grid.shape[-2:]
            value = grid.reshape(-1, 2, 5 + CLASSES, height, width).permute(0, 1, 3, 4, 2).sigmoid()
            place = cells(grid, stride).reshape(2, height, width).permute(1, 2, 0) - 0.5
            xy = (value[..., :2] * 2 - 0.5 + place) * stride
            wh = (value[..., 2:4] * 2) ** 2 * torch.tensor(anchors).to(grid).reshape(1, 2, 1, 1, 2)
            rows.append(torch.cat([xy, wh, value[..., 4:]], 4).reshape(-1, 2 * height * width, 5 + CLASSES))
        return torch.cat(rows, 1)


class Apart(nn.Module):
    """Boxes and scores apart: of SSD edges in parts of the picture and a softmax whose first class is nothing; of DETR centres and sizes and
    logits."""

    def __init__(self, kind):
        super().__init__()
        self.neck, self.kind = Neck(), kind
        classes = CLASSES if kind == "rt_detr" else CLASSES + 1
        self.box = nn.ModuleList(nn.Conv2d(16, 4, 3, 1, 1) for _ in range(2))
        self.cls = nn.ModuleList(nn.Conv2d(16, classes, 3, 1, 1) for _ in range(2))

    def forward(self, x):
        maps = self.neck(x)
        scores = torch.cat([cls(map_).flatten(2) for map_, cls in zip(maps, self.cls)], 2).transpose(1, 2)
        boxes = []
        for map_, box, size in zip(maps, self.box, (0.2, 0.4)):
            near = box(map_).flatten(2)
            centre = cells(map_, 1) / map_.shape[-1] + 0.05 * near[:, :2].tanh()
            boxes.append(torch.cat([centre, size * near[:, 2:].sigmoid() + 0.05], 1))
        boxes = torch.cat(boxes, 2).transpose(1, 2)
        if self.kind == "ssd":
            half = boxes[..., 2:] / 2
            return torch.cat([boxes[..., :2] - half, boxes[..., :2] + half], 2), scores.softmax(2)
        return scores, boxes


class Centres(nn.Module):
    """CenterNet's maps."""

    def __init__(self):
        super().__init__()
        self.neck = Neck()
        self.heat, self.wh, self.reg = (nn.Conv2d(16, count, 3, 1, 1) for count in (CLASSES, 2, 2))

    def forward(self, x):
        map_ = self.neck(x)[0]
        return self.heat(map_).sigmoid(), 1.5 + self.wh(map_).exp(), self.reg(map_).sigmoid()


def seeded(make, seed, bias):
    """A network whose last layers of scores are spread wide, so that some boxes are sure and most are not."""
    torch.manual_seed(seed)
    net = make().double().eval()
    for name, value in net.named_parameters():
        with torch.no_grad():
            if value.ndim == 4:
                value.normal_(0, 1.6 / math.sqrt(value[0].numel()))
            else:
                value.zero_()
    last = {"cls": None, "heat": None, "last": None}
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d) and name.split(".")[0] in last:
            with torch.no_grad():
                if module.out_channels in (CLASSES, CLASSES + 1):
                    module.weight.mul_(3.0)
                    module.bias.add_(bias)
                    if module.out_channels == CLASSES + 1:
                        # Most see nothing, whatever they see.
                        nothing, level = (0, 1.0) if net.kind == "ssd" else (-1, 1.6)
                        module.bias[nothing] += level
                        module.weight[nothing] *= 0.1
                elif module.out_channels == 2 * (5 + CLASSES):
                    module.weight.mul_(2.0)
                    # The objectness of both anchors.
                    module.bias[[4, 9 + CLASSES]] -= 2.0
    # What goes into the file is what is computed with.
    return net.float().double()


def export(net, name, outputs):
    path = FOLDER / f"{name}.onnx"
    x = torch.zeros(1, 3, SIDE, SIDE)
    torch.onnx.export(
        net.float(), (x,), str(path), input_names=["images"], output_names=outputs, opset_version=18, dynamo=True,
        external_data=False, verbose=False, optimize=True,
    )
    net.double()
    model = onnx.load(str(path))
    for holder in (model, model.graph, *model.graph.node):
        del holder.metadata_props[:]
        holder.doc_string = ""
    onnx.save(model, str(path))
    return path


def with_suppression(name, source):
    """The detector `source` with NonMaxSuppression behind it, as exporters put it there."""
    model = onnx.load(str(FOLDER / f"{source}.onnx"))
    graph = model.graph
    whole = graph.output[0].name
    graph.initializer.extend([
        helper.make_tensor("parts", TensorProto.INT64, [2], [4, CLASSES]),
        helper.make_tensor("most", TensorProto.INT64, [1], [20]),
        helper.make_tensor("iou", TensorProto.FLOAT, [1], [0.5]),
        helper.make_tensor("least", TensorProto.FLOAT, [1], [0.25]),
    ])
    graph.node.extend([
        helper.make_node("Split", [whole, "parts"], ["sizes", "scores"], axis=1),
        helper.make_node("Transpose", ["sizes"], ["boxes"], perm=[0, 2, 1]),
        helper.make_node("NonMaxSuppression", ["boxes", "scores", "most", "iou", "least"], ["selected"], center_point_box=1),
    ])
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("selected", TensorProto.INT64, [None, 3]))
    onnx.save(model, str(FOLDER / f"{name}.onnx"))


def picture():
    """Coloured blobs, as a tensor in the network's space."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:SIDE, :SIDE]
    image = np.zeros((3, SIDE, SIDE))
    for _ in range(7):
        cx, cy, width = rng.uniform(6, 58), rng.uniform(6, 58), rng.uniform(3, 9)
        image += rng.normal(0, 1.2, (3, 1, 1)) * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * width**2))
    image += rng.normal(0, 0.15, image.shape)
    return image[None].astype(np.float32)


def edges_of(centres):
    return np.concatenate([centres[..., :2] - centres[..., 2:] / 2, centres[..., :2] + centres[..., 2:] / 2], -1)


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def decoded(kind, outputs):
    """Edges [rows, 4] and scores [rows, classes] in float64, as the papers and the authors' programs have it."""
    outputs = [np.asarray(value, np.float64) for value in outputs]
    if kind in ("yolov8", "yolov8_turned"):
        rows = outputs[0][0].T if kind == "yolov8" else outputs[0][0]
        return edges_of(rows[:, :4]), rows[:, 4:]
    if kind == "yolov5":
        rows = outputs[0][0]
        return edges_of(rows[:, :4]), rows[:, 4:5] * rows[:, 5:]
    if kind == "yolov3":
        edges, scores = [], []
        for grid, stride, anchors in zip(outputs, (8, 16), ANCHORS):
            height, width = grid.shape[-2:]
            for anchor, values in zip(anchors, grid[0].reshape(2, 5 + CLASSES, height, width)):
                y, x = np.mgrid[:height, :width]
                centre = np.stack([(sigmoid(values[0]) + x) * stride, (sigmoid(values[1]) + y) * stride], -1)
                size = np.exp(np.moveaxis(values[2:4], 0, -1)) * anchor
                edges.append(edges_of(np.concatenate([centre, size], -1)).reshape(-1, 4))
                scores.append((sigmoid(values[4]) * sigmoid(values[5:])).reshape(CLASSES, -1).T)
        return np.concatenate(edges), np.concatenate(scores)
    if kind == "ssd":
        return outputs[0][0] * SIDE, outputs[1][0][:, 1:]
    if kind in ("detr", "rt_detr"):
        scores = softmax(outputs[0][0])[:, :-1] if kind == "detr" else sigmoid(outputs[0][0])
        return edges_of(outputs[1][0]) * SIDE, scores
    heat, wh, reg = (value[0] for value in outputs)
    height, width = heat.shape[-2:]
    y, x = np.mgrid[:height, :width]
    centre = np.stack([x + reg[0], y + reg[1]], -1).reshape(-1, 2)
    edges = edges_of(np.concatenate([centre, wh.reshape(2, -1).T], -1)) * (SIDE / width)
    peak = F.max_pool2d(torch.from_numpy(heat)[None], 3, 1, 1)[0].numpy() == heat
    return edges, (heat * peak).reshape(CLASSES, -1).T


def found(edges, scores, overlap, threshold=0.25):
    """The boxes that are kept, best first, by torchvision."""
    label, score = scores.argmax(-1), scores.max(-1)
    rows = np.flatnonzero(score >= threshold)
    kept = rows
    if overlap < 1:
        tensor = torch.from_numpy
        kept = rows[torchvision.ops.batched_nms(tensor(edges[rows]), tensor(score[rows]), tensor(label[rows]), overlap).numpy()]
    else:
        kept = rows[np.argsort(-score[rows], kind="stable")]
    return [
        {"row": int(row), "box": edges[row].tolist(), "class": int(label[row]), "score": float(score[row])} for row in kept
    ]


def logit(p):
    return p.clamp(NOTHING, 1 - 1e-12).log() - (1 - p).log()


def likeness(boxes, probabilities, sure, box, own):
    """D-RISE's: the largest product of overlap, cosine and objectness."""
    iou = torchvision.ops.box_iou(boxes, box[None])[:, 0]
    cosine = F.cosine_similarity(probabilities, own[None], dim=1)
    return (iou * cosine * sure).max()


def save(name, value):
    value = np.asarray(value, np.float32)
    np.save(FOLDER / f"{name}.npy", value)
    return f"{name}.npy"


def explained(net, x, one):
    """What saliency, ODAM and D-RISE say of a box of the YOLOv8, in float64."""
    level, row, label = int(one["row"] >= 64), one["row"], one["class"]
    x = torch.from_numpy(x).double().requires_grad_()
    maps = net.neck(x)
    for map_ in maps:
        map_.retain_grad()
    boxes, scores = net.head(maps)
    probability = scores.sigmoid()[0, label, row]
    probability.backward(retain_graph=True)
    grad, map_ = maps[level].grad, maps[level].detach()
    enlarged = lambda small: F.interpolate(small.sum(1, keepdim=True).relu(), (SIDE, SIDE), mode="bilinear", align_corners=False)[0, 0]
    odam = enlarged(grad * map_)
    kernel = 1
    offsets = torch.arange(-3 * kernel, 3 * kernel + 1).double()
    line = (-(offsets**2) / (2 * kernel**2)).exp()
    line = line / line.sum()
    weights = (line[:, None] * line[None])[None, None].repeat(grad.shape[1], 1, 1, 1)
    smooth = enlarged(F.conv2d(grad, weights, padding=3 * kernel, groups=grad.shape[1]) * map_)
    (logits,) = torch.autograd.grad(scores[0, label, row], x, retain_graph=True)
    (left,) = torch.autograd.grad((boxes[0, 0, row] - boxes[0, 2, row] / 2), x)

    rng = np.random.default_rng(9)
    masks = torch.from_numpy(rng.uniform(0, 1, (16, 1, 8, 8)))
    masks = F.interpolate((masks < 0.5).double(), (SIDE, SIDE), mode="bilinear").float().double()
    box = torch.from_numpy(np.asarray(one["box"]))
    with torch.no_grad():
        own = net.head(net.neck(x))[1].sigmoid()[0, :, row]
        total = torch.zeros(SIDE, SIDE).double()
        for mask in masks:
            boxes, scores = net.head(net.neck(x * mask))
            probabilities = scores.sigmoid()[0].T
            rows = boxes[0].T
            edges = torch.cat([rows[:, :2] - rows[:, 2:] / 2, rows[:, :2] + rows[:, 2:] / 2], 1)
            total += likeness(edges, probabilities, probabilities.max(1).values, box, own) * mask[0]
    return {
        "level": level,
        "gradient": save("gradient", logits.detach()),
        "left": save("left", left.detach()),
        "odam": save("odam", odam.detach()),
        "odam_smooth": save("odam_smooth", smooth.detach()),
        "masks": save("masks", masks),
        "d_rise": save("d_rise", total / len(masks)),
    }


class Map(nn.Module):
    """A dense map of classes; or an embedding."""

    def __init__(self, pooled):
        super().__init__()
        self.neck, self.last, self.pooled = Neck(), nn.Conv2d(16, 5, 1), pooled

    def forward(self, x):
        found = self.last(self.neck(x)[0])
        return found.mean((2, 3)) if self.pooled else found


def dense(x):
    """A region of a map, one class against another, and the likeness to an embedding."""
    from scipy import ndimage

    net = seeded(lambda: Map(False), 21, 0.0)
    export(net, "dense", ["map"])
    leaf = torch.from_numpy(x).double().requires_grad_()
    scores = net(leaf)[0]
    best = scores.argmax(0).numpy()
    parts = {}
    for label in range(5):
        pieces, count = ndimage.label(best == label)
        if count > 1:
            parts[label] = pieces
    label = max(parts, key=lambda label: (best == label).sum())
    area = best == label
    y, cell = np.argwhere(parts[label] == 1)[0]
    score = scores[label][torch.from_numpy(area)].mean()
    (gradient,) = torch.autograd.grad(score, leaf)

    pooled = seeded(lambda: Map(True), 21, 0.0)
    export(pooled, "embedding", ["embedding"])
    leaf = torch.from_numpy(x).double().requires_grad_()
    values = pooled(leaf)[0]
    like = [float(np.float32(value)) for value in np.random.default_rng(3).normal(size=5)]
    difference, cosine = values[1] - values[4], F.cosine_similarity(values, torch.tensor(like).double(), dim=0)
    (against,) = torch.autograd.grad(difference, leaf, retain_graph=True)
    (towards,) = torch.autograd.grad(cosine, leaf)
    return {
        "class": label, "area": int(area.sum()), "region": save("region", gradient), "score": score.item(),
        "at": [float(cell * 8 + 4), float(y * 8 + 4)], "connected": int((parts[label] == 1).sum()),
        "against": save("against", against), "difference": difference.item(),
        "like": like, "cosine": cosine.item(), "like_gradient": save("like", towards),
    }


def make():
    FOLDER.mkdir(parents=True, exist_ok=True)
    x = picture()
    save("input", x)
    index = {"classes": CLASSES, "side": SIDE, "anchors": ANCHORS, "heads": []}
    heads = [
        ("yolov8", lambda: Yolov8(), ["output0"], 0.5, -1.5, {}),
        ("yolov8_turned", lambda: Yolov8(turned=True), ["output0"], 0.5, -1.5, {}),
        ("yolov5", lambda: Grids(True), ["output"], 0.5, 0.0, {}),
        ("yolov3", lambda: Grids(False), ["fine", "coarse"], 0.5, 0.0, {"style": "yolov3", "anchors": ANCHORS}),
        ("ssd", lambda: Apart("ssd"), ["boxes", "scores"], 0.5, 0.0, {}),
        ("detr", lambda: Apart("detr"), ["logits", "pred_boxes"], 1.0, 0.0, {}),
        ("rt_detr", lambda: Apart("rt_detr"), ["logits", "pred_boxes"], 1.0, -2.0, {}),
        ("centernet", lambda: Centres(), ["hm", "wh", "reg"], 1.0, -1.0, {}),
    ]
    nets = {}
    for name, make_net, outputs, overlap, bias, told in heads:
        net = nets[name] = seeded(make_net, 11, bias)
        path = export(net, name, outputs)
        values = onnxruntime.InferenceSession(str(path)).run(None, {"images": x})
        edges, scores = decoded(name, values)
        boxes = found(edges, scores, overlap)
        index["heads"].append({"name": name, "detector": told, "overlap": overlap, "rows": len(edges), "boxes": boxes})
        print(f"{name}: {len(boxes)} boxes of {int((scores.max(-1) >= 0.25).sum())} rows, {path.stat().st_size} bytes")
    by_name = {head["name"]: head for head in index["heads"]}
    own = by_name["yolov8"]
    with_suppression("suppressed", "yolov8")
    index["heads"].append({**own, "name": "suppressed"})
    ends = seeded(lambda: Yolov8(best=20), 11, -1.5)
    export(ends, "end_to_end", ["output0"])
    values = onnxruntime.InferenceSession(str(FOLDER / "yolov8.onnx")).run(None, {"images": x})
    index["heads"].append({"name": "end_to_end", "detector": {}, "overlap": 1.0, "rows": own["rows"], "boxes": found(*decoded("yolov8", values), 1.0)})
    chosen = min(2, len(own["boxes"]) - 1)
    index["explained"] = {"box": chosen, **explained(nets["yolov8"], x, own["boxes"][chosen])}
    index["dense"] = dense(x)
    (FOLDER / "index.json").write_text(json.dumps(index, indent=1) + "\n")


if __name__ == "__main__":
    make()
