"""Weights that are computed instead of stored, and the skeletons of ONNX files that name them.

A generated tensor is uniform noise, value[i] = u(seed, i) * scale + offset in float32, where u is 24 bits of a splitmix64 hash
read as a number of [-1, 1). tests/it/common/generated.rs computes the same bits. In a skeleton the tensor is external data
whose location is "generated:<seed>:<scale>:<offset>".
"""

import zlib

import numpy as np
import onnx
import torch
from onnx import TensorProto, numpy_helper

INLINE = 16  # parameters of more elements than this are left out of the file
CONSTANT = 4096  # and of more than this may not be constants of the network itself
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
CHUNK = 1 << 22


def mix(z):
    """The finaliser of splitmix64."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def noise(seed, count, scale=1.0, offset=0.0):
    """`count` values of the stream `seed`, float32."""
    result = np.empty(count, dtype=np.float32)
    scale, offset = np.float32(scale), np.float32(offset)
    with np.errstate(over="ignore"):
        start = mix(np.array([seed], dtype=np.uint64))[0]
        for first in range(0, count, CHUNK):
            index = np.arange(first + 1, min(first + CHUNK, count) + 1, dtype=np.uint64)
            bits = (mix(start + index * GOLDEN) >> np.uint64(40)).astype(np.float32)
            result[first : first + len(bits)] = (bits * np.float32(2.0**-23) - np.float32(1.0)) * scale + offset
    return result


def seed_of(text):
    return zlib.crc32(text.encode())


def picture(name, shape, grid=7):
    """An input [N,C,...]: noise in blocks, `grid` along each axis, and half as much fine noise.

    Without the blocks a network's averages would hardly differ from sample to sample.
    """
    count = int(np.prod(shape))
    fine = noise(seed_of(f"{name}/fine"), count, 0.5).reshape(shape)
    spatial = [-(-size // grid) for size in shape[2:]]  # pixels of a block
    coarse = noise(seed_of(f"{name}/coarse"), int(np.prod(shape[:2])) * grid ** len(spatial))
    coarse = coarse.reshape(*shape[:2], *[grid] * len(spatial))
    for axis, block in enumerate(spatial):
        coarse = np.repeat(coarse, block, axis=axis + 2)
    return fine + coarse[tuple(slice(size) for size in shape)]


# --- from a module's parameters to a file's initialisers ------------------------------------------


class Mapping:
    """Which parameter each initialiser of an exported file is, and whether the exporter transposed it."""

    def __init__(self, module, model):
        """The module's parameters must all differ (see `distinct`): they are told apart by their values."""
        known = {}
        for name, tensor in tensors(module):
            array = tensor.detach().numpy()
            known[key(array.ravel())] = (name, False)
            if array.ndim == 2 and min(array.shape) > 1:
                known[key(array.T.ravel())] = (name, True)
        self.parameters = {}
        for initialiser in model.graph.initializer:
            if initialiser.data_type != TensorProto.FLOAT:
                continue
            found = known.get(key(numpy_helper.to_array(initialiser).ravel()))
            if found:
                self.parameters[initialiser.name] = found
            elif elements(initialiser) > CONSTANT:
                raise ValueError(f"{initialiser.name} {list(initialiser.dims)} is no parameter of the module")

    def transposed(self, name):
        return any(parameter == name and turned for parameter, turned in self.parameters.values())


def key(flat):
    return (flat.size, zlib.crc32(np.ascontiguousarray(flat)))


def elements(tensor):
    return int(np.prod(tensor.dims)) if tensor.dims else 1


def tensors(module):
    """Parameters and floating-point buffers, by name; shared ones once."""
    found = list(module.named_parameters()) + list(module.named_buffers())
    return [(name, tensor) for name, tensor in found if tensor.is_floating_point()]


def distinct(module):
    """Fills every parameter with values of its own, near what it held, so that no two are equal."""
    with torch.no_grad():
        for name, tensor in tensors(module):
            values = noise(seed_of(name), tensor.numel(), 0.01, 0.5)
            tensor.copy_(torch.from_numpy(values).reshape(tensor.shape))


class Filler:
    """Gives every parameter its generated values, scaled on one pass over a sample so that each layer's output has deviation 1."""

    def __init__(self, network, module, mapping):
        self.network, self.mapping = network, mapping
        self.recipes = {}  # parameter -> (seed, scale, offset)
        self.names = {id(tensor): name for name, tensor in tensors(module)}
        with torch.no_grad():
            for name, tensor in tensors(module):
                self.fill(name, tensor, *first_guess(name, tensor))
        self.module = module

    def fill(self, name, tensor, scale, offset=0.0):
        scale, offset = (float(np.float32(value)) for value in (scale, offset))
        seed = seed_of(f"{self.network}/{name}")
        values = noise(seed, tensor.numel(), scale, offset)
        if not self.mapping.transposed(name):
            values = values.reshape(tensor.shape)
        else:
            values = values.reshape(tensor.shape[::-1]).T
        tensor.data.copy_(torch.from_numpy(np.ascontiguousarray(values)))
        self.recipes[name] = (seed, scale, offset)

    def calibrate(self, *inputs):
        """Layers are met in the order of the forward pass, so each sees calibrated inputs."""
        done = set()

        def weights(layer, args, output):
            if id(layer.weight) in done:
                return None
            done.add(id(layer.weight))
            name = self.names[id(layer.weight)]
            spatial = 0 if isinstance(layer, torch.nn.Linear) else output.dim() - 2
            bias = 0.0 if layer.bias is None else layer.bias.reshape(-1, *[1] * spatial)
            deviation = (output - bias).std().item()
            _, scale, _ = self.recipes[name]
            self.fill(name, layer.weight, scale / max(deviation, 1e-3))
            return layer.forward(*args)

        def statistics(layer, args):
            x = args[0]
            axes = [axis for axis in range(x.dim()) if axis != 1]
            mean, variance = x.mean(axes), x.var(axes, unbiased=False)
            spread = variance.mean().item()
            for buffer, scale, offset in (
                ("running_mean", 0.3 * mean.std().item(), mean.mean().item()),
                ("running_var", 0.3 * spread, spread),
            ):
                tensor = getattr(layer, buffer)
                self.fill(self.names[id(tensor)], tensor, scale, offset)

        layers = (torch.nn.Linear, torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.ConvTranspose2d)
        hooks = []
        for layer in self.module.modules():
            if isinstance(layer, layers):
                hooks.append(layer.register_forward_hook(weights))
            elif isinstance(layer, torch.nn.modules.batchnorm._BatchNorm):
                hooks.append(layer.register_forward_pre_hook(statistics))
        with torch.no_grad():
            self.module(*inputs)
        for hook in hooks:
            hook.remove()


def first_guess(name, tensor):
    """(scale, offset) of a parameter before calibration: gains near 1, shifts near 0, weights by fan-in."""
    last = name.rsplit(".", 1)[-1]
    if last == "running_var":
        return 0.3, 1.0
    if tensor.dim() < 2:
        return (0.1, 0.0) if "bias" in last or last == "running_mean" else (0.2, 1.0)
    if "layer_scale" in last:
        return 0.1, 0.5
    return np.sqrt(3.0 / tensor[0].numel()), 0.0


# --- skeletons -------------------------------------------------------------------------------------


def skeleton(model, mapping, recipes):
    """A copy of an exported model whose parameters are named instead of stored, but for small ones; constants stay."""
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    for initialiser in bare.graph.initializer:
        if initialiser.name not in mapping.parameters:
            continue
        recipe = recipes[mapping.parameters[initialiser.name][0]]
        if elements(initialiser) > INLINE:
            external(initialiser, *recipe)
        else:
            initialiser.ClearField("float_data")
            initialiser.raw_data = noise(recipe[0], elements(initialiser), *recipe[1:]).tobytes()
    strip(bare)
    return bare


def external(tensor, seed, scale, offset):
    size = elements(tensor) * 4
    for field in ("raw_data", "float_data"):
        tensor.ClearField(field)
    del tensor.external_data[:]
    tensor.data_location = TensorProto.EXTERNAL
    location = f"generated:{seed}:{np.float32(scale)!s}:{np.float32(offset)!s}"
    for field, value in (("location", location), ("length", str(size))):
        entry = tensor.external_data.add()
        entry.key, entry.value = field, value


def filled(bare):
    """The whole model of a skeleton: what onnxruntime is given. The weights come from the locations alone."""
    whole = onnx.ModelProto()
    whole.CopyFrom(bare)
    for initialiser in whole.graph.initializer:
        if initialiser.data_location != TensorProto.EXTERNAL:
            continue
        location = next(entry.value for entry in initialiser.external_data if entry.key == "location")
        _, seed, scale, offset = location.split(":")
        del initialiser.external_data[:]
        initialiser.data_location = TensorProto.DEFAULT
        initialiser.raw_data = noise(int(seed), elements(initialiser), float(scale), float(offset)).tobytes()
    return whole


def strip(model):
    """Takes out what a run does not need and gives nodes and values short names; inputs and outputs keep theirs."""
    for field in ("doc_string", "metadata_props", "producer_version"):
        model.ClearField(field)
    kept = {value.name for value in [*model.graph.input, *model.graph.output]} | {""}
    names = {}
    strip_graph(model.graph, kept, names, "")
    return model


def strip_graph(graph, kept, names, prefix):
    for field in ("doc_string", "metadata_props", "value_info", "quantization_annotation"):
        graph.ClearField(field)

    def short(name):
        return name if name in kept else names.setdefault(name, f"v{len(names)}")

    for initialiser in graph.initializer:
        initialiser.name = short(initialiser.name)
        for field in ("doc_string", "metadata_props"):
            initialiser.ClearField(field)
    if prefix:  # a branch of an If or a Loop
        for value in [*graph.input, *graph.output]:
            value.name = short(value.name)
            value.ClearField("doc_string")
    for index, node in enumerate(graph.node):
        for field in ("doc_string", "metadata_props", "overload"):
            node.ClearField(field)
        node.name = f"{prefix}n{index}"
        for attribute in node.attribute:
            attribute.ClearField("doc_string")
            if attribute.HasField("t"):
                attribute.t.ClearField("name")
            if attribute.HasField("g"):
                strip_graph(attribute.g, kept, names, f"{node.name}.")
        node.input[:] = [short(name) for name in node.input]
        node.output[:] = [short(name) for name in node.output]
