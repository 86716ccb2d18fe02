"""Picture files of every kind as Pillow reads them, their colour profiles as LittleCMS applies them (Pillow's ImageCms), and what Pillow,
Hugging Face's own classes and timm's rules make of the preprocessing.

Writes tests/fixtures/pictures: the files, `index.json` with the bytes that are right (hex, row by row) or the name of the tensor.
"""

import io
import json
import math
import struct
import warnings

import numpy as np
import tifffile
from PIL import Image, ImageCms, ImageOps

from common import FIXTURES, write_json

FOLDER = FIXTURES / "pictures"
HEIGHT, WIDTH = 9, 14
SRGB = ImageCms.createProfile("sRGB")


def pixels():
    """Colours of all kinds, and a picture that JPEG keeps."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    sharp = np.stack([x * 17 % 256, (y * 29 + x) % 256, x * y * 3 % 256], -1).astype(np.uint8)
    smooth = np.stack([x * 255 // WIDTH, y * 255 // HEIGHT, (x + y) * 255 // (WIDTH + HEIGHT)], -1).astype(np.uint8)
    return sharp, smooth, ((x + y) % 5 * 60).astype(np.uint8)


# --- profiles ------------------------------------------------------------------------------------------------------


def fixed(value):
    return struct.pack(">i", round(value * 65536))


def xyz(value):
    return b"XYZ \0\0\0\0" + b"".join(map(fixed, value))


def gamma(value):
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256))


WHITE = (0.9642, 1.0, 0.8249)


def profile(space, connection, kind, tags):
    """An ICC profile, version 2.4."""
    text = b"text\0\0\0\0none\0"
    description = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78)
    tags = [(b"desc", description), (b"cprt", text), (b"wtpt", xyz(WHITE)), *tags]
    table, body = b"", b""
    start = 132 + 12 * len(tags)
    for name, data in tags:
        data += b"\0" * (-len(data) % 4)
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data
    head = struct.pack(">I4sI", start + len(body), b"lcms", 0x02400000) + kind + space + connection
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + b"".join(map(fixed, WHITE)) + bytes(48)
    return head + struct.pack(">I", len(tags)) + table + body


def coloured(red, green, blue, exponent):
    colours = [(name, xyz(value)) for name, value in ((b"rXYZ", red), (b"gXYZ", green), (b"bXYZ", blue))]
    curves = [(name, gamma(exponent)) for name in (b"rTRC", b"gTRC", b"bTRC")]
    return profile(b"RGB ", b"XYZ ", b"mntr", colours + curves)


def inks(steps=9):
    """Four inks that are not pure, as a table of colours."""
    c, m, y, k = np.meshgrid(*[np.linspace(0, 1, steps)] * 4, indexing="ij")
    red = (1 - 0.9 * c) * (1 - 0.15 * m) * (1 - 0.02 * y) * (1 - 0.95 * k)
    green = (1 - 0.35 * c) * (1 - 0.85 * m) * (1 - 0.08 * y) * (1 - 0.95 * k)
    blue = (1 - 0.15 * c) * (1 - 0.5 * m) * (1 - 0.85 * y) * (1 - 0.95 * k)
    matrix = np.array([[0.43607, 0.38506, 0.14308], [0.2225, 0.71688, 0.06062], [0.01393, 0.0971, 0.71417]])
    relative = np.einsum("ij,jabcd->iabcd", matrix, np.stack([red, green, blue])) / np.array(WHITE)[:, None, None, None, None]
    f = np.where(relative > 216 / 24389, np.cbrt(relative), (24389 / 27 * relative + 16) / 116)
    lab = [(116 * f[1] - 16) * 652.8, 500 * (f[0] - f[1]) * 256 + 32768, 200 * (f[1] - f[2]) * 256 + 32768]
    table = np.stack(lab, -1).round().clip(0, 65535).astype(">u2").tobytes()
    same = np.array([0, 65535], ">u2").tobytes()
    head = bytes([4, 3, steps, 0]) + b"".join(fixed(v) for v in (1, 0, 0, 0, 1, 0, 0, 0, 1)) + struct.pack(">HH", 2, 2)
    return profile(b"CMYK", b"Lab ", b"prtr", [(b"A2B0", b"mft2\0\0\0\0" + head + same * 4 + table + same * 3)])


ADOBE = coloured((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457), 2.19921875)
P3 = coloured((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407), 2.2)
GREY = profile(b"GRAY", b"XYZ ", b"mntr", [(b"kTRC", gamma(1.8))])


# --- files -----------------------------------------------------------------------------------------------------------


class Files:
    def __init__(self):
        self.cases = []

    def add(self, name, right=None, tolerance=0):
        """A file that is written: what Pillow reads of it, turned upright, or what is right."""
        if right is None:
            right = ImageOps.exif_transpose(Image.open(FOLDER / name)).convert("RGB")
        right = np.asarray(right)
        height, width, _ = right.shape
        self.cases.append(
            {"file": name, "height": height, "width": width, "rgb": right.astype(np.uint8).tobytes().hex(), "tolerance": tolerance}
        )

    def save(self, image, name, right=None, tolerance=0, **options):
        image.save(FOLDER / name, **options)
        self.add(name, right, tolerance)

    def profiled(self, image, name, icc, tolerance, **options):
        image.save(FOLDER / name, icc_profile=icc, **options)
        read = Image.open(FOLDER / name)
        read = read.convert("RGB") if read.mode == "RGBA" else read
        source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        self.add(name, ImageCms.profileToProfile(read, source, SRGB, outputMode="RGB"), tolerance)


def files():
    sharp, smooth, alpha = pixels()
    rgb, soft = Image.fromarray(sharp), Image.fromarray(smooth)
    grey = Image.fromarray(sharp[..., 1])
    rgba = Image.fromarray(np.dstack([sharp, alpha]))
    grey_alpha = Image.fromarray(np.dstack([sharp[..., 1], alpha]), "LA")
    four = Image.fromarray(np.dstack([sharp, 255 - alpha]), "CMYK")
    soft_four = Image.fromarray(np.dstack([smooth, smooth[..., 0] // 3]), "CMYK")
    found = Files()
    kinds = {"rgb": rgb, "rgba": rgba, "grey": grey, "grey_alpha": grey_alpha, "bits_1": grey.convert("1")}
    kinds |= {f"palette_{bits}": rgb.quantize(2**bits) for bits in (1, 2, 4, 8)}
    for name, image in kinds.items():
        found.save(image, f"{name}.png")
        found.save(image, f"{name}.tif", compression="tiff_lzw")
        found.save(image, f"{name}.webp", lossless=True, exact=True)
        if name != "grey_alpha":
            found.save(image, f"{name}.bmp")
        if name not in ("rgba", "grey_alpha", "rgb"):
            found.save(image, f"{name}.gif")
    # Transparent colours beside the pixels.
    found.save(kinds["palette_8"], "palette_transparency.png", transparency=bytes([0, 50, 100] + [255] * 100))
    found.save(kinds["palette_8"], "palette_transparency.gif", transparency=3)
    found.save(rgb, "key_colour.png", transparency=tuple(map(int, sharp[0, 0])))
    found.save(grey, "key_grey.png", transparency=int(sharp[0, 0, 1]))
    # 16 bits, of which Pillow would cut off all above 255 or the lower half.
    wide = (np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) * 65535 // (HEIGHT * WIDTH)).astype(np.uint16)
    narrow = np.dstack([(wide / 257).round().astype(np.uint8)] * 3)
    found.save(Image.fromarray(wide), "grey_16.png", narrow)
    found.save(Image.fromarray(wide), "grey_16.tif", narrow)

    def tiff(name, array, right, **options):
        tifffile.imwrite(FOLDER / name, array, metadata=None, software="", **options)
        found.add(name, right)

    three = np.dstack([wide, wide[::-1], wide[:, ::-1]])
    tiff("rgb_16.tif", three, (three / 257).round().astype(np.uint8), photometric="rgb", byteorder=">")
    tiff("grey_alpha_16.tif", np.dstack([wide, wide]), narrow, photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"])
    tiff("white_is_zero.tif", sharp[..., 1], None, photometric="miniswhite")
    tiff("planes.tif", sharp.transpose(2, 0, 1), sharp, photometric="rgb", planarconfig="separate")
    tiff("tiles.tif", sharp, None, photometric="rgb", tile=(16, 16))
    tiff("big_tiff.tif", sharp, None, photometric="rgb", bigtiff=True)
    lower = np.dstack([sharp.astype(int) * alpha[..., None] // 255, alpha]).astype(np.uint8)
    tiff("premultiplied.tif", lower, None, photometric="rgb", extrasamples=["assocalpha"])
    found.save(four, "four_inks.tif")
    found.save(rgb, "several.tif", save_all=True, append_images=[Image.fromarray(255 - sharp)])
    found.save(grey.convert("1"), "fax.tif", compression="group4")
    # The first picture of a film.
    second = Image.fromarray(255 - sharp)
    found.save(rgb.quantize(100), "film.gif", save_all=True, append_images=[second.quantize(100)])
    found.save(rgba, "film.webp", save_all=True, append_images=[second], lossless=True, exact=True)
    found.save(rgb, "film.png", save_all=True, append_images=[second])
    found.save(rgb.quantize(100), "interlaced.gif", interlace=1)
    for clear, source in ((True, "palette_transparency.gif"), (False, "palette_8.gif")):
        # A frame that covers a part of a larger canvas.
        data = bytearray((FOLDER / source).read_bytes())
        at = data.index(b"\x2c\0\0\0\0", 13)
        data[6:10], data[at + 1 : at + 5] = struct.pack("<2H", 20, 16), struct.pack("<2H", 4, 3)
        name = f"part_{'clear' if clear else 'opaque'}.gif"
        (FOLDER / name).write_bytes(data)
        found.add(name)
    # Lossy files: decoders may differ by a few steps.
    found.save(soft, "lossy.webp", quality=90)
    for subsampling in (0, 1, 2):
        found.save(soft, f"subsampling_{subsampling}.jpg", tolerance=3, subsampling=subsampling, quality=90)
    found.save(soft, "progressive.jpg", tolerance=3, progressive=True, quality=90)
    found.save(soft, "kept_rgb.jpg", tolerance=2, keep_rgb=True, quality=95)
    found.save(soft.convert("L"), "grey.jpg", tolerance=2)
    found.save(soft_four, "four_inks.jpg", tolerance=3, quality=95)
    found.save(soft_four, "four_inks_progressive.jpg", tolerance=3, quality=95, progressive=True)
    # YCCK: the same file with Adobe's mark of it, whose first three components are then luma and its differences.
    data = (FOLDER / "four_inks.jpg").read_bytes()
    at = data.index(b"Adobe")
    (FOLDER / "ycck.jpg").write_bytes(data[: at + 11] + b"\2" + data[at + 12 :])
    found.add("ycck.jpg", tolerance=3)
    for turn in range(1, 9):
        exif = Image.Exif()
        exif[0x112] = turn
        found.save(rgb, f"turned_{turn}.png", exif=exif)
        found.save(rgb, f"turned_{turn}.tif", exif=exif)
        found.save(rgb, f"turned_{turn}.webp", exif=exif, lossless=True)
        found.save(soft, f"turned_{turn}.jpg", tolerance=3, exif=exif, quality=95, subsampling=0)
    for name, icc in (("adobe", ADOBE), ("p3", P3)):
        found.profiled(rgb, f"{name}.png", icc, 1)
        found.profiled(rgba, f"{name}.webp", icc, 1, lossless=True, exact=True)
        found.profiled(rgb, f"{name}.tif", icc, 1)
    found.profiled(grey, "profiled_grey.png", GREY, 2)
    found.profiled(soft_four, "profiled_inks.tif", inks(), 4)
    # Profiles that change nothing: sRGB's own, one of other inks, and nonsense.
    found.save(rgb, "srgb.png", icc_profile=ImageCms.ImageCmsProfile(SRGB).tobytes())
    found.save(rgb, "profile_of_others.png", icc_profile=GREY)
    found.save(rgb, "profile_of_nothing.png", icc_profile=b"nothing" * 40)
    return found.cases


# --- preparation ---------------------------------------------------------------------------------------------------------


def source(height, width, seed):
    """Noise, in which every filter and every corner shows."""
    name = f"noise_{height}x{width}.png"
    image = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))
    image.save(FOLDER / name)
    return name, image


def filters():
    """Pillow's own resize, bytes for bytes: every filter, up and down, and both orders of its passes."""
    names = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"]
    cases = []
    for (height, width), (to_height, to_width) in (((31, 20), (12, 17)), ((12, 33), (19, 7)), ((7, 5), (16, 12)), ((40, 9), (5, 9))):
        name, image = source(height, width, height)
        for number, written in enumerate(names):
            for mode in ("RGB", "L") if number == 3 else ("RGB",):
                scaled = image.convert(mode).resize((to_width, to_height), number)
                config = {"size": {"height": to_height, "width": to_width}, "resample": written if to_height % 2 else number}
                config |= {"do_rescale": False, "do_normalize": False}
                values = np.atleast_3d(np.asarray(scaled)).transpose(2, 0, 1)
                cases.append(
                    {"file": name, "config": config, "channels": len(mode) if mode == "RGB" else 1, "shape": values.shape, "bytes": values.tobytes().hex()}
                )
    return cases


def processors():
    """Hugging Face's classes, with the file that each writes of itself."""
    import transformers.models as models

    def one(folder, name, **options):
        module = __import__(f"{models.__name__}.{folder}.image_processing_pil_{folder}", fromlist=[name])
        return getattr(module, f"{name}ImageProcessorPil")(**options)

    yield one("vit", "ViT", size=16)
    yield one("vit", "ViT", size={"height": 12, "width": 18}, resample=3)
    yield one("vit", "ViT", size={"shortest_edge": 14})
    yield one("vit", "ViT", size={"shortest_edge": 14, "longest_edge": 17})
    yield one("vit", "ViT", size={"max_height": 15, "max_width": 18})
    yield one("vit", "ViT", size={"height": 12, "width": 12}, do_rescale=False, do_normalize=False)
    yield one("vit", "ViT", size={"height": 12, "width": 12}, do_normalize=False, rescale_factor=1 / 127.5)
    yield one("vit", "ViT", do_resize=False, image_mean=0.4, image_std=0.3)
    yield one("vit", "ViT", do_resize=False, do_center_crop=True, crop_size={"height": 10, "width": 16})
    yield one("vit", "ViT", size={"shortest_edge": 12}, do_pad=True, pad_size={"height": 24, "width": 26})
    yield one("deit", "DeiT", size=24, crop_size=18)
    yield one("beit", "Beit", size=24, crop_size=18, do_center_crop=True)
    yield one("convnext", "ConvNext", size=14, crop_pct=0.875)
    yield one("convnext", "ConvNext", size={"shortest_edge": 14}, crop_pct=0.7)
    yield one("poolformer", "PoolFormer", size=18, crop_size=18, crop_pct=0.9)
    yield one("levit", "Levit", size=14, crop_size=14)
    yield one("mobilevit", "MobileViT", size=20, crop_size=18)
    yield one("mobilenet_v1", "MobileNetV1", size=20, crop_size=16)
    yield one("mobilenet_v2", "MobileNetV2", size=20, crop_size=16)
    yield one("clip", "CLIP", size=18, crop_size=18)
    yield one("bit", "Bit", size=20, crop_size=16)
    yield one("siglip", "Siglip", size={"height": 16, "width": 16})
    yield one("efficientnet", "EfficientNet", size=16)
    yield one("efficientnet", "EfficientNet", size=16, include_top=False, rescale_offset=True, rescale_factor=1 / 127.5)
    yield one("segformer", "Segformer", size=16)
    yield one("pvt", "Pvt", size=16)
    yield one("dpt", "DPT", size={"height": 16, "width": 20})
    yield one("sam", "Sam", size={"longest_edge": 20}, pad_size={"height": 22, "width": 22})
    yield one("detr", "Detr", size={"shortest_edge": 14, "longest_edge": 21})
    yield one("yolos", "Yolos", size={"height": 16, "width": 20})


def hugging_face():
    cases = []
    # Differences to the crops are even: halves are cut off here, and rounded to even by the same classes on torchvision.
    name, image = source(24, 36, 5)
    for number, processor in enumerate(processors()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            values = np.asarray(processor(image, return_tensors="np")["pixel_values"][0], np.float32)
        file = f"{number:02}.npy"
        np.save(FOLDER / file, values)
        config = json.loads(processor.to_json_string())
        cases.append({"file": name, "config": config, "channels": 3, "shape": values.shape, "tensor": file})
    return cases


def centre(image, height, width, fill=(0, 0, 0)):
    """torchvision's center_crop, and timm's center_crop_or_pad with a colour: padded to the crop's size, then cut."""
    h, w = image.shape[:2]
    left, right = max(width - w, 0) // 2, (max(width - w, 0) + 1) // 2
    top, bottom = max(height - h, 0) // 2, (max(height - h, 0) + 1) // 2
    padded = np.empty((h + top + bottom, w + left + right, 3), np.uint8)
    padded[:] = fill
    padded[top : top + h, left : left + w] = image
    y, x = round((padded.shape[0] - height) / 2), round((padded.shape[1] - width) / 2)
    return padded[y : y + height, x : x + width]


def timm():
    """timm's transforms_imagenet_eval and ResizeKeepRatio, written out."""
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    cases = []
    for name, image in (source(24, 36, 5), source(31, 20, 31)):
        for (height, width), part, mode in (
            ((14, 14), 0.875, "center"), ((14, 11), 0.9, "center"), ((15, 15), 1.0, "squash"), ((14, 18), 0.8, "squash"),
            ((15, 15), 0.95, "border"), ((14, 18), 1.0, "border"),
        ):
            outer = (math.floor(height / part), math.floor(width / part))
            ratios = (image.height / outer[0], image.width / outer[1])
            fill = (0, 0, 0)
            if mode == "squash":
                size = outer
            elif mode == "border":
                size = [round(side / max(ratios)) for side in (image.height, image.width)]
                fill = tuple(round(255 * value) for value in mean)
            elif outer[0] == outer[1]:
                # torchvision's Resize to one number.
                short, long = min(image.size), max(image.size)
                longer = int(outer[0] * long / short)
                size = (longer, outer[0]) if image.width <= image.height else (outer[0], longer)
            else:
                size = [round(side / min(ratios)) for side in (image.height, image.width)]
            scaled = np.asarray(image.resize((size[1], size[0]), Image.Resampling.BICUBIC))
            values = ((centre(scaled, height, width, fill) / 255 - mean) / std).transpose(2, 0, 1).astype(np.float32)
            file = f"timm_{len(cases):02}.npy"
            np.save(FOLDER / file, values)
            config = {"input_size": [3, height, width], "interpolation": "bicubic", "crop_pct": part, "crop_mode": mode}
            config |= {"mean": mean, "std": std, "num_classes": 10, "first_conv": "stem", "classifier": "head"}
            config = {"architecture": "own", "num_classes": 10, "pretrained_cfg": config} if len(cases) % 2 else config
            cases.append({"file": name, "config": config, "channels": 3, "shape": values.shape, "tensor": file})
    return cases


def make():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for stale in FOLDER.iterdir():
        stale.unlink()
    write_json(FOLDER / "index.json", {"files": files(), "preparations": [*filters(), *hugging_face(), *timm()]})


if __name__ == "__main__":
    make()
