"""Small seeded transformers as both of PyTorch's exporters write them, with attention rollout, generic attention, LeGrad, AttnLRP and Grad-CAM.

Writes tests/fixtures/transformers: the networks of Hugging Face's classes with a few layers of 16 numbers, and `index.json`. The formulas are written
out from the papers on the probabilities that a mode of PyTorch's functions (`torch.overrides.TorchFunctionMode`) sees, in float64. AttnLRP is the
gradient times the input of a network whose functions have the gradients that the paper's rules stand for. Grad-CAM is pytorch-grad-cam's with a
`reshape_transform`.
"""

import io
import json
import sys
import warnings

sys.path = [entry for entry in sys.path if not entry.endswith("tests/reference")] + [sys.path[0]]

import numpy as np  # noqa: E402
import onnx  # noqa: E402
import onnxruntime  # noqa: E402
import torch  # noqa: E402
from onnx import numpy_helper  # noqa: E402
import torch.nn.functional as F  # noqa: E402
import transformers as hf  # noqa: E402
from pathlib import Path  # noqa: E402
from pytorch_grad_cam import GradCAM  # noqa: E402
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget  # noqa: E402
from torch.overrides import TorchFunctionMode  # noqa: E402

FOLDER = Path(__file__).resolve().parents[2] / "tests" / "fixtures" / "transformers"
STRIDE = 29
torch.set_num_threads(2)
warnings.filterwarnings("ignore")

DIM, HEADS, LAYERS, CLASSES = 16, 2, 2, 5
COMMON = dict(hidden_size=DIM, num_hidden_layers=LAYERS, num_attention_heads=HEADS, intermediate_size=2 * DIM)
PICTURE = dict(COMMON, image_size=32, patch_size=8, num_labels=CLASSES)
WORDS = dict(vocab_size=40, max_position_embeddings=24, num_labels=CLASSES, pad_token_id=0, bos_token_id=1, eos_token_id=2)
IDS = [1, 17, 5, 23, 9, 31, 12, 38, 7, 2]


# --- the rules -----------------------------------------------------------------------------------


def stabilised(x):
    return x + torch.where(x < 0, -1e-12, 1e-12)


def unchanged(x, y):
    """Relevance passes a function of one number unchanged (AttnLRP, eq. 9)."""
    return x * (y / stabilised(x)).detach()


def halved(product, a, b):
    """Each factor gets half (AttnLRP, eq. 14 and 15; the uniform rule)."""
    return (product(a, b.detach()) + product(a.detach(), b)) / 2


class Watch(TorchFunctionMode):
    """Keeps attention's probabilities."""

    def __init__(self):
        super().__init__()
        self.probabilities = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if function is F.softmax and args[0].dtype == torch.float64:
            # Several of the classes ask for 32 bits.
            kwargs["dtype"] = torch.float64
        y = self.by(function, args, kwargs)
        if function in (F.softmax, torch.softmax, torch.Tensor.softmax) and y.requires_grad:
            self.probabilities.append(y)
        return y

    def by(self, function, args, kwargs):
        return function(*args, **kwargs)


class Rules(Watch):
    """The gradients that AttnLRP's rules stand for."""

    def by(self, function, args, kwargs):
        both = len(args) > 1 and all(torch.is_tensor(x) and x.requires_grad for x in args[:2])
        if function in (F.gelu, F.silu, F.relu, torch.relu, torch.tanh, torch.Tensor.tanh) and args[0].requires_grad:
            return unchanged(args[0], function(*args, **kwargs))
        if function in (torch.rsqrt, torch.Tensor.rsqrt, torch.Tensor.norm):
            return function(*args, **kwargs).detach()
        if function is F.layer_norm:
            x, shape = args[:2]
            given = dict(zip(("weight", "bias", "eps"), args[2:])) | kwargs
            deviation = (x.var(-1, unbiased=False, keepdim=True) + given.get("eps", 1e-5)).sqrt().detach()
            y = (x - x.mean(-1, keepdim=True)) / deviation
            y = y if given.get("weight") is None else y * given["weight"]
            return y if given.get("bias") is None else y + given["bias"]
        if function is F.group_norm:
            x, groups, weight, bias, eps = [*args, *(kwargs[name] for name in ("num_groups", "weight", "bias", "eps")[len(args) - 1 :])]
            rows = x.reshape(x.shape[0], groups, -1)
            deviation = (rows.var(-1, unbiased=False, keepdim=True) + eps).sqrt().detach()
            y = ((rows - rows.mean(-1, keepdim=True)) / deviation).reshape(x.shape)
            return y * weight[:, None] + bias[:, None]
        if both and function in (torch.matmul, torch.bmm, torch.Tensor.matmul, torch.Tensor.__matmul__, torch.Tensor.bmm):
            return halved(torch.matmul, *args[:2])
        if both and function in (torch.mul, torch.Tensor.mul, torch.Tensor.__mul__, torch.Tensor.__rmul__):
            return halved(torch.mul, *args[:2])
        assert function is not F.scaled_dot_product_attention
        return function(*args, **kwargs)


class Whole(torch.nn.Module):
    """A function that is written in several steps, as one."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        with torch._C.DisableTorchFunction():
            y = self.module(x.detach())
        return unchanged(x, y)


def functions_as_one(model):
    for name, module in list(model.named_modules()):
        if type(module).__name__ in ("NewGELUActivation", "QuickGELUActivation", "GELUTanh", "FastGELUActivation"):
            parent = model.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[2], Whole(module))


# --- the methods ---------------------------------------------------------------------------------


def read_from(relevance, reads):
    return relevance[reads].mean(0)


def split(maps):
    """The self-attentions, and the attention of one query that pools their tokens where there is one."""
    blocks = [p for p in maps if p.shape[-1] == p.shape[-2]]
    pools = [p for p in maps if p.shape[-1] != p.shape[-2]]
    return blocks, pools[0] if pools else None


def rollout(maps, reads):
    """Abnar and Zuidema 2020, section 3: A = 0.5 W_att + 0.5 I, multiplied over the layers."""
    blocks, pool = split([p.detach()[0].mean(0) for p in maps])
    identity = torch.eye(blocks[0].shape[0], dtype=blocks[0].dtype)
    joint = identity
    for attention in blocks:
        mixed = 0.5 * attention + 0.5 * identity
        joint = (mixed / mixed.sum(-1, keepdim=True)) @ joint
    return (pool @ joint)[0] if pool is not None else read_from(joint, reads)


def generic(maps, score, reads):
    """Chefer, Gur, Wolf 2021, equations 5 and 6."""
    gradients = torch.autograd.grad(score, maps, retain_graph=True)
    weighed = [(g * p).clamp(min=0)[0].mean(0).detach() for p, g in zip(maps, gradients)]
    blocks, pool = split(weighed)
    relevance = torch.eye(blocks[0].shape[0], dtype=blocks[0].dtype)
    for attention in blocks:
        relevance = relevance + attention @ relevance
    return (pool @ relevance)[0] if pool is not None else read_from(relevance, reads)


def legrad(maps, hidden, head, target):
    """Bousselham et al. 2024, section 3: the gradient of each block's own score with respect to its own attention.

    Where one query gathers the tokens, with respect to its attention to what the block leaves, as the authors' program has it for SigLIP.
    """
    found = []
    for p, z in zip(maps, hidden):
        with Watch() as watch:
            score = head(z)[0, target]
        p = watch.probabilities[0] if watch.probabilities else p
        gradient = torch.autograd.grad(score, p, retain_graph=True)[0]
        found.append(gradient.clamp(min=0)[0].mean((0, 1)))
    return torch.stack(found).mean(0).detach()


# --- the networks --------------------------------------------------------------------------------


class Family:
    """A network, what it reads, and how its tokens lie in that."""

    def __init__(self, name, model, run, input, *, blocks, head, reads, grid, before=0, after=0, norm=None, embeddings=None, turned=False):
        self.name, self.model, self.run, self.input = name, model.eval(), run, input
        self.blocks, self.head, self.reads, self.grid, self.before, self.after = blocks, head, reads, grid, before, after
        self.norm, self.embeddings, self.turned = norm, embeddings, turned

    def placed(self, relevance):
        """The tokens' values where they lie in the input."""
        if self.grid is None:
            return relevance
        end = relevance.shape[0] - self.after
        grid = relevance[self.before : end].reshape(1, 1, *self.grid)
        grid = grid.transpose(2, 3) if self.turned else grid
        size = self.input.shape[-2:] if self.embeddings is None and len(self.grid) == 2 and self.grid[0] > 1 else (1, self.input.shape[-1])
        return F.interpolate(grid, size, mode="bilinear", align_corners=False).flatten()


class Net(torch.nn.Module):
    def __init__(self, family):
        super().__init__()
        self.model, self.run = family.model, family.run

    def forward(self, x):
        return self.run(self.model, x)


def seeded(kind, config, seed, implementation="eager"):
    torch.manual_seed(seed)
    config._attn_implementation = implementation
    model = kind(config)
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        drawn = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim > 1 and "embed" not in name and "token" not in name and "bias" not in name and "position" not in name:
            drawn = 1.3 * drawn / parameter[0].numel() ** 0.5
        elif "norm" in name.lower() and name.endswith("weight") or name.rpartition(".")[2] in ("lambda1", "lambda_1", "lambda_2"):
            drawn = 1 + 0.2 * drawn
        elif parameter.ndim == 1:
            drawn = 0.2 * drawn
        else:
            drawn = 0.7 * drawn
        parameter.data.copy_(drawn)
        parameter.requires_grad_(False)
    return model.eval()


def waves(*shape):
    """Numbers that the tests can compute too."""
    index = torch.arange(int(np.prod(shape)), dtype=torch.float64)
    return (torch.sin(0.37 * index) + torch.cos(0.011 * index * 1.7)).float().reshape(shape)


class Eager(torch.nn.Module):
    """The attention of one query in SigLIP's head, as the formula has it."""

    def __init__(self, attention):
        super().__init__()
        self.a = attention

    def forward(self, q, k, v):
        a, d = self.a, DIM
        wq, wk, wv = a.in_proj_weight.chunk(3)
        bq, bk, bv = a.in_proj_bias.chunk(3)
        cut = lambda x: x.reshape(1, -1, HEADS, d // HEADS).transpose(1, 2)  # noqa: E731
        q, k, v = cut(F.linear(q, wq, bq)), cut(F.linear(k, wk, bk)), cut(F.linear(v, wv, bv))
        p = F.softmax(torch.matmul(q, k.transpose(2, 3)) * (d // HEADS) ** -0.5, dim=-1)
        return a.out_proj(torch.matmul(p, v).transpose(1, 2).reshape(1, -1, d)), None


def families(implementation):
    picture = waves(1, 3, 32, 32)
    ids = torch.tensor([IDS])
    logits = lambda m, x: m(x).logits  # noqa: E731
    made = lambda kind, config, seed: seeded(kind, config, seed, implementation)  # noqa: E731

    m = made(hf.ViTForImageClassification, hf.ViTConfig(**{**PICTURE, "num_hidden_layers": 3}), 1)
    yield Family("vit", m, logits, picture, blocks=m.vit.layers if hasattr(m.vit, "layers") else m.vit.encoder.layer, reads=[0], before=1, grid=(4, 4),
                 head=lambda z, m=m: m.classifier(m.vit.layernorm(z)[:, 0]), norm="layernorm_before")

    m = made(hf.DeiTForImageClassification, hf.DeiTConfig(**PICTURE), 2)
    yield Family("deit", m, logits, picture, blocks=m.deit.layers if hasattr(m.deit, "layers") else m.deit.encoder.layer, reads=[0], before=2, grid=(4, 4),
                 head=lambda z, m=m: m.classifier(m.deit.layernorm(z)[:, 0]), norm="layernorm_before")

    m = made(hf.SwinForImageClassification, hf.SwinConfig(image_size=32, patch_size=4, embed_dim=8, depths=[2, 2], num_heads=[2, 2], window_size=4, mlp_ratio=2, num_labels=CLASSES), 3)
    stages = m.swin.encoder.layers
    yield Family("swin", m, logits, picture, blocks=stages[-1].blocks, reads=None, before=0, grid=(4, 4), head=None, norm="layernorm_before")

    m = made(hf.BeitForImageClassification, hf.BeitConfig(**PICTURE, use_relative_position_bias=True, use_mean_pooling=True), 4)
    yield Family("beit", m, logits, picture, blocks=m.beit.layers if hasattr(m.beit, "layers") else m.beit.encoder.layer, reads=list(range(1, 17)), before=1, grid=(4, 4),
                 head=lambda z, m=m: m.classifier(m.beit.pooler(m.beit.layernorm(z))), norm="layernorm_before")

    m = made(hf.Dinov2ForImageClassification, hf.Dinov2Config(**{**PICTURE, "mlp_ratio": 2}), 5)
    yield Family("dinov2", m, logits, picture, blocks=m.dinov2.layers if hasattr(m.dinov2, "layers") else m.dinov2.encoder.layer, reads=list(range(17)), before=1, grid=(4, 4), norm="norm1",
                 head=lambda z, m=m: (lambda y: m.classifier(torch.cat([y[:, 0], y[:, 1:].mean(1)], 1)))(m.dinov2.layernorm(z)))

    m = made(hf.CLIPVisionModelWithProjection, hf.CLIPVisionConfig(**{**PICTURE, "projection_dim": 6}), 6)
    v = m.vision_model
    yield Family("clip", m, lambda m, x: m(x).image_embeds, picture, blocks=v.encoder.layers, reads=[0], before=1, grid=(4, 4), norm="layer_norm1",
                 head=lambda z, m=m, v=v: m.visual_projection(v.post_layernorm(z[:, 0])))

    m = made(hf.SiglipVisionModel, hf.SiglipVisionConfig(**PICTURE), 7)
    v = m.vision_model if hasattr(m, "vision_model") else m
    v.head.attention = Eager(v.head.attention)
    yield Family("siglip", m, lambda m, x: m(x).pooler_output, picture, blocks=v.encoder.layers, reads=None, before=0, grid=(4, 4), norm="layer_norm1", head=lambda z, v=v: v.head(v.post_layernorm(z)))

    text = dict(COMMON, **WORDS)
    m = made(hf.BertForSequenceClassification, hf.BertConfig(**{**text, "num_hidden_layers": 3}), 8)
    yield Family("bert", m, logits, ids, blocks=m.bert.encoder.layer, reads=[0], grid=None, embeddings=m.bert.embeddings.word_embeddings,
                 head=lambda z, m=m: m.classifier(m.bert.pooler(z)))

    m = made(hf.DistilBertForSequenceClassification, hf.DistilBertConfig(dim=DIM, n_layers=LAYERS, n_heads=HEADS, hidden_dim=2 * DIM, seq_classif_dropout=0.0, **WORDS), 9)
    yield Family("distilbert", m, logits, ids, blocks=m.distilbert.transformer.layer, reads=[0], grid=None, embeddings=m.distilbert.embeddings.word_embeddings,
                 head=lambda z, m=m: m.classifier(F.relu(m.pre_classifier(z[:, 0]))))

    m = made(hf.RobertaForSequenceClassification, hf.RobertaConfig(**text), 10)
    yield Family("roberta", m, logits, ids, blocks=m.roberta.encoder.layer, reads=[0], grid=None, embeddings=m.roberta.embeddings.word_embeddings,
                 head=lambda z, m=m: m.classifier(z))

    m = made(hf.ModernBertForSequenceClassification, hf.ModernBertConfig(**{**text, "local_attention": 8, "global_attn_every_n_layers": 2, "sep_token_id": 2, "cls_token_id": 1, "classifier_pooling": "mean", "reference_compile": False}), 11)
    yield Family("modernbert", m, logits, ids, blocks=m.model.layers, reads=list(range(10)), grid=None, embeddings=m.model.embeddings.tok_embeddings,
                 head=lambda z, m=m: m.classifier(m.head(m.model.final_norm(z).mean(1))))

    m = made(hf.GPT2LMHeadModel, hf.GPT2Config(vocab_size=40, n_positions=24, n_embd=DIM, n_layer=3, n_head=HEADS, n_inner=2 * DIM, bos_token_id=1, eos_token_id=2, use_cache=False), 12)
    yield Family("gpt2", m, lambda m, x: m(x, attention_mask=torch.ones_like(x), use_cache=False).logits[:, -1], ids, blocks=m.transformer.h, reads=[9], grid=None, embeddings=m.transformer.wte,
                 head=lambda z, m=m: m.lm_head(m.transformer.ln_f(z)[:, -1]))

    m = made(hf.LlamaForCausalLM, hf.LlamaConfig(**{**COMMON, "num_attention_heads": 4}, num_key_value_heads=2, vocab_size=40, max_position_embeddings=24, pad_token_id=0, bos_token_id=1, eos_token_id=2, use_cache=False), 13)
    yield Family("llama", m, lambda m, x: m(x, attention_mask=torch.ones_like(x), use_cache=False).logits[:, -1], ids, blocks=m.model.layers, reads=[9], grid=None, embeddings=m.model.embed_tokens,
                 head=lambda z, m=m: m.lm_head(m.model.norm(z)[:, -1]))

    m = made(hf.WhisperForAudioClassification, hf.WhisperConfig(vocab_size=40, num_mel_bins=10, encoder_layers=LAYERS, encoder_attention_heads=HEADS, decoder_layers=1, decoder_attention_heads=1, d_model=DIM, encoder_ffn_dim=2 * DIM, decoder_ffn_dim=8, max_source_positions=20, max_target_positions=8, classifier_proj_size=8, num_labels=CLASSES, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1), 14)
    yield Family("whisper", m, logits, waves(1, 10, 40), blocks=m.encoder.layers, reads=list(range(20)), grid=(1, 20),
                 head=lambda z, m=m: m.classifier(m.projector(m.encoder.layer_norm(z)).mean(1)))

    m = made(hf.ASTForAudioClassification, hf.ASTConfig(**COMMON, patch_size=8, frequency_stride=6, time_stride=6, max_length=44, num_mel_bins=26, num_labels=CLASSES), 15)
    a = m.audio_spectrogram_transformer
    yield Family("ast", m, logits, waves(1, 44, 26), blocks=a.layers if hasattr(a, "layers") else a.encoder.layer, reads=[0, 1], before=2, grid=(4, 7), turned=True,
                 head=lambda z, m=m, a=a: (lambda y: m.classifier((y[:, 0] + y[:, 1]) / 2))(a.layernorm(z)))

    m = made(hf.Wav2Vec2ForSequenceClassification, hf.Wav2Vec2Config(**COMMON, vocab_size=12, conv_dim=(8, 8), conv_kernel=(10, 3), conv_stride=(5, 2), num_feat_extract_layers=2, num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2, classifier_proj_size=8, num_labels=CLASSES, feat_extract_norm="group"), 16)
    yield Family("wav2vec2", m, logits, waves(1, 200), blocks=m.wav2vec2.encoder.layers, reads=list(range(19)), grid=(1, 19),
                 head=lambda z, m=m: m.classifier(m.projector(z).mean(1)))


# --- their files ---------------------------------------------------------------------------------


def export(net, x, dynamo, **options):
    buffer = io.BytesIO()
    names = dict(input_names=["input_ids" if x.dtype == torch.int64 else "x"], output_names=["scores"])
    with torch.no_grad():
        if dynamo:
            torch.onnx.export(net, (x,), dynamo=True, verbose=False, **names, **options).save(buffer)
        else:
            torch.onnx.export(net, (x,), buffer, dynamo=False, **{"opset_version": 17, **names, **options})
    model = onnx.load_from_string(buffer.getvalue())
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in [*model.graph.input, *model.graph.output, *model.graph.initializer]:
        del value.metadata_props[:]
        value.doc_string = ""
    del model.graph.value_info[:]
    shortened(model.graph)
    del model.metadata_props[:]
    return model.SerializeToString()


def shortened(graph):
    """The names of values and nodes are half of a small file."""
    kept = {value.name for value in [*graph.input, *graph.output]}
    names = {name: name for name in kept | {""}}
    short = lambda name: names.setdefault(name, f"v{len(names)}")  # noqa: E731
    for tensor in graph.initializer:
        tensor.name = short(tensor.name)
    for node in graph.node:
        assert not any(a.HasField("g") for a in node.attribute)
        inputs, outputs = [short(name) for name in node.input], [short(name) for name in node.output]
        del node.input[:], node.output[:]
        node.input.extend(inputs)
        node.output.extend(outputs)
        node.name = ""


def oracle(family):
    """Everything in float64 with the probabilities written out."""
    model = family.model.double()
    x = family.input if family.embeddings is not None else family.input.double()
    source = {}
    if family.embeddings is not None:
        def looked_up(_, __, y):
            source["x"] = y.detach().requires_grad_(True)
            return source["x"]
        handle = family.embeddings.register_forward_hook(looked_up)
    else:
        x = source["x"] = x.requires_grad_(True)
    hidden = []
    first = lambda y: y[0] if isinstance(y, tuple) else y  # noqa: E731
    hooks = [block.register_forward_hook(lambda _, __, y: hidden.append(first(y))) for block in family.blocks]
    with Watch() as watch:
        logits = family.run(model, x)
    for hook in hooks:
        hook.remove()
    # The most probable class of which Grad-CAM has a map.
    for target in logits[0].argsort(descending=True).tolist():
        if family.norm is None or grad_cam(family, x, target).norm() > 0:
            break
    found = {"target": target, "logits": logits[0].tolist()}
    maps = watch.probabilities
    expected = {}
    if family.head is not None:
        expected["rollout"] = rollout(maps, family.reads)
        expected["generic_attention"] = generic(maps, logits[0, target], family.reads)
    if family.head is not None:
        again = family.head(hidden[-1])[0]
        assert torch.allclose(again, logits[0]), (family.name, again, logits[0])
        expected["legrad"] = legrad(maps, hidden, family.head, target)
    expected = {name: family.placed(value).detach() for name, value in expected.items()}
    if family.norm is not None:
        expected["grad_cam"] = grad_cam(family, x, target)
    functions_as_one(model)
    with Rules():
        relevant = family.run(model, x)
    assert torch.allclose(relevant, logits), family.name
    gradient = torch.autograd.grad(relevant[0, target], source["x"])[0]
    expected["attn_lrp"] = (gradient * source["x"]).detach().flatten()
    if family.embeddings is not None:
        handle.remove()
    found["expected"] = {name: [float(f"{v:.7g}") for v in value[::STRIDE if value.numel() > 64 else 1].tolist()] for name, value in expected.items()}
    found["sizes"] = {name: float(f"{value.norm():.7g}") for name, value in expected.items()}
    return found


def grad_cam(family, x, target):
    layer = getattr(family.blocks[-1], family.norm)
    rows, columns = family.grid
    cut = lambda y: y[:, family.before :].reshape(1, rows, columns, -1).permute(0, 3, 1, 2)  # noqa: E731
    net = Net(family).eval()
    net.register_parameter("nothing", torch.nn.Parameter(torch.zeros(())))
    with GradCAM(model=net, target_layers=[layer], reshape_transform=cut) as cam:
        targets = [ClassifierOutputTarget(target)]
        outputs = cam.activations_and_grads(x)
        targets[0](outputs[0]).backward()
        maps = cam.activations_and_grads.activations[0].numpy()
        gradient = cam.activations_and_grads.gradients[0].numpy()
        found = torch.as_tensor(cam.get_cam_image(x, layer, targets, maps, gradient, False))
    x.grad = None
    return F.interpolate(torch.relu(found).reshape(1, 1, rows, columns), x.shape[2:], mode="bilinear", align_corners=False).flatten()


# Networks whose attention is fused: ONNX's `Attention` as PyTorch's exporter writes it, and the same as onnxruntime's `MultiHeadAttention`.
FUSED = ("vit", "bert", "gpt2")

# Left out, for their size.
LARGE = ("swin_script", "beit_script", "gpt2_microsoft", "bert_attention")


# Networks without `LayerNormalization` (opset 14) and without `Softmax`.
WRITTEN = ("llama", "vit")


def written(model):
    """Softmaxes as quotients of exponentials, the largest logit subtracted first."""
    graph = model.graph
    graph.initializer.append(numpy_helper.from_array(np.array([-1]), "last"))
    nodes = []
    for node in graph.node:
        if node.op_type != "Softmax":
            nodes.append(node)
            continue
        x, y = node.input[0], node.output[0]
        nodes.append(onnx.helper.make_node("ReduceMax", [x], [f"{y}_m"], axes=[-1]))
        nodes.append(onnx.helper.make_node("Sub", [x, f"{y}_m"], [f"{y}_c"]))
        nodes.append(onnx.helper.make_node("Exp", [f"{y}_c"], [f"{y}_e"]))
        nodes.append(onnx.helper.make_node("ReduceSum", [f"{y}_e", "last"], [f"{y}_s"]))
        nodes.append(onnx.helper.make_node("Div", [f"{y}_e", f"{y}_s"], [y]))
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def as_microsoft(model):
    """`Attention` of heads that are apart as `MultiHeadAttention` of heads that lie one after the other."""
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    constants |= {node.output[0]: node.attribute[0].t for node in graph.node if node.op_type == "Constant"}
    nodes = []

    def add(kind, inputs, name, **attributes):
        nodes.append(onnx.helper.make_node(kind, inputs, [name], **attributes))
        return name

    graph.initializer.append(numpy_helper.from_array(np.array([0, 0, -1]), "joined"))
    graph.initializer.append(numpy_helper.from_array(np.array([0, 0, HEADS, -1]), "apart"))
    for node in graph.node:
        if node.op_type != "Attention":
            nodes.append(node)
            continue
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        y = node.output[0]
        sides = [add("Reshape", [add("Transpose", [x], f"{y}_{i}t", perm=[0, 2, 1, 3]), "joined"], f"{y}_{i}") for i, x in enumerate(node.input[:3])]
        extra = {"unidirectional": 1} if attributes.get("is_causal") else {}
        inputs = sides
        if len(node.input) > 3 and node.input[3]:
            # A mask of truths is one of numbers that are added.
            mask = numpy_helper.to_array(constants[node.input[3]])
            mask = np.where(mask, 0, -1e9) if mask.dtype == bool else mask
            graph.initializer.append(numpy_helper.from_array(mask.astype(np.float32), f"{y}_mask"))
            inputs = [*sides, "", "", f"{y}_mask"]
        nodes.append(onnx.helper.make_node("MultiHeadAttention", inputs, [f"{y}_m"], domain="com.microsoft", num_heads=HEADS, scale=attributes["scale"], **extra))
        add("Transpose", [add("Reshape", [f"{y}_m", "apart"], f"{y}_a")], y, perm=[0, 2, 1, 3])
    del graph.node[:]
    graph.node.extend(nodes)
    model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    return model


def main(only):
    FOLDER.mkdir(parents=True, exist_ok=True)
    index = FOLDER / "index.json"
    cases, answers = {}, {}
    if only and index.exists():
        before = json.loads(index.read_text())
        cases, answers = {case["name"]: case for case in before["cases"]}, before["families"]
    for dynamo, implementation in ((False, "eager"), (True, "sdpa")):
        for family in families(implementation):
            if only and family.name not in only:
                continue
            if dynamo and family.name not in answers:
                continue
            name = f"{family.name}_{'dynamo' if dynamo else 'script'}"
            try:
                file = export(Net(family).eval(), family.input, dynamo)
                # Before the oracle, which makes the network one of 64 bits and gives it the rules' functions.
                if family.name in WRITTEN and not dynamo:
                    other = written(onnx.load_from_string(export(Net(family).eval(), family.input, False, opset_version=14))).SerializeToString()
            except Exception as error:
                print("FAILED", name, type(error).__name__, str(error)[:300])
                continue
            (FOLDER / f"{name}.onnx").write_bytes(file)
            session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
            scores = session.run(None, {session.get_inputs()[0].name: family.input.numpy()})[0][0]
            if not dynamo:
                try:
                    answers[family.name] = {"input": list(family.input.shape), "text": family.embeddings is not None, **oracle(family)}
                except Exception:
                    import traceback
                    print("FAILED", name)
                    traceback.print_exc()
                    (FOLDER / f"{name}.onnx").unlink()
                    continue
            answer = answers[family.name]
            off = np.abs(scores - np.array(answer["logits"])).max()
            assert off < 1e-4, (name, off)
            if family.name in WRITTEN and not dynamo:
                session = onnxruntime.InferenceSession(other, providers=["CPUExecutionProvider"])
                off = np.abs(session.run(None, {session.get_inputs()[0].name: family.input.numpy()})[0][0] - np.array(answer["logits"])).max()
                assert off < 1e-4, (family.name, off)
                (FOLDER / f"{family.name}_written.onnx").write_bytes(other)
                cases[f"{family.name}_written"] = {"name": f"{family.name}_written", "family": family.name}
            if family.name in FUSED and dynamo:
                model = onnx.load_from_string(export(Net(family).eval(), family.input, True, opset_version=23))
                assert any(node.op_type == "Attention" for node in model.graph.node), {node.op_type for node in model.graph.node}
                (FOLDER / f"{family.name}_attention.onnx").write_bytes(model.SerializeToString())
                other = as_microsoft(model).SerializeToString()
                session = onnxruntime.InferenceSession(other, providers=["CPUExecutionProvider"])
                scores = session.run(None, {session.get_inputs()[0].name: family.input.numpy()})[0][0]
                off = np.abs(scores - np.array(answer["logits"])).max()
                assert off < 1e-4, (family.name, off)
                (FOLDER / f"{family.name}_microsoft.onnx").write_bytes(other)
                for kind in ("attention", "microsoft"):
                    cases[f"{family.name}_{kind}"] = {"name": f"{family.name}_{kind}", "family": family.name}
            cases[name] = {"name": name, "family": family.name}
            print(name, len(file), f"{off:.1e}", list(answer["expected"]))
    for name in LARGE:
        cases.pop(name, None)
        (FOLDER / f"{name}.onnx").unlink(missing_ok=True)
    text = json.dumps({"stride": STRIDE, "ids": IDS, "families": answers, "cases": list(cases.values())}, separators=(",", ":"))
    index.write_text(text.replace('{"name"', '\n{"name"').replace(',"input"', ',\n"input"') + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
