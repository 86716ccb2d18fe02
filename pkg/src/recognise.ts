// What a file is, by what it holds: a network, a picture, or one of the many things that people have instead, each with what to do about it.
// A name is asked only where the content leaves it open.

/** What a file is for. */
export type FileKind =
  | "onnx"
  | "picture"
  /** A network in another form than ONNX, or the weights of one. */
  | "network"
  | "sound"
  | "video"
  | "table"
  | "text"
  /** Numbers, as NumPy keeps them. */
  | "array"
  | "document"
  | "archive"
  | "json";

export interface Recognised {
  kind: FileKind;
  /** What it is called: "PyTorch file". */
  format: string;
  /** What to do with it, in a sentence; undefined for what can be used as it is. */
  advice?: string;
  /** All in one: what it is, and what to do. */
  sentence: string;
}

/** So much of a file's beginning is looked at. */
export const recognisedBytes = 64 * 1024;

type Found = Omit<Recognised, "sentence">;

const toOnnx = {
  torch:
    'export it where its Python code is, torch.onnx.export(model, example_input, "model.onnx"), and use that file.',
  keras:
    'export it with Keras 3: model.export("model.onnx", format="onnx"); or with python -m tf2onnx.convert --keras model.h5 --output model.onnx.',
  sklearn:
    "convert it where it was made: skl2onnx.to_onnx(model, X[:1]) for scikit-learn, onnxmltools for XGBoost and LightGBM.",
};

const network = (format: string, advice: string): Found => ({ kind: "network", format, advice });
const picture = (format: string, advice?: string): Found => ({
  kind: "picture",
  format,
  ...(advice === undefined ? {} : { advice }),
});

const torch = network("PyTorch file", toOnnx.torch);
const pickle = network(
  "file of Python objects (pickle), of PyTorch or scikit-learn mostly",
  `of PyTorch ${toOnnx.torch} Of the others: ${toOnnx.sklearn}`,
);
const safetensors = network(
  "safetensors file",
  "it holds weights without the network. Export the whole as ONNX: optimum-cli export onnx --model <its folder or name> out/.",
);
const keras = network("Keras file", toOnnx.keras);
const tflite = network(
  "TensorFlow Lite file",
  "convert it: python -m tf2onnx.convert --tflite model.tflite --output model.onnx.",
);
const tensorflow = network(
  "TensorFlow file",
  "convert the saved model's folder: python -m tf2onnx.convert --saved-model folder --output model.onnx.",
);
const coreml = network(
  "Core ML file",
  "Core ML has no way back to ONNX: export the network from where it was made (PyTorch: torch.onnx.export).",
);
const dicom = picture(
  "DICOM file",
  "the brightness that a network should see depends on its window. Set that in a viewer, save the picture as PNG (in 3D Slicer, Weasis, " +
    "MicroDicom: Export), and use that.",
);
const heic = picture(
  "HEIC photograph, as iPhones make them",
  "this browser cannot read it. Share or export it as JPEG (on an iPhone: Settings, Camera, Formats, Most Compatible).",
);
const tiff = picture("TIFF picture", "browsers do not read it. Save it as PNG.");
const raw = picture("raw photograph of a camera", "develop it first, and save it as JPEG or PNG.");
const svg = picture(
  "SVG drawing",
  "it has no pixels of its own. Save it as PNG in the size that it should have.",
);
const sound = (format: string): Found => ({
  kind: "sound",
  format,
  advice: "give it to a network that hears, which takes its samples; this one takes something else.",
});
const video = (format: string): Found => ({
  kind: "video",
  format,
  advice: "take a still of it: pause it where it matters, and save or copy the picture.",
});
const table: Found = {
  kind: "table",
  format: "table",
  advice: "a network of tables takes a row of numbers, and not the file: read it into a tensor.",
};
const archive = (format: string): Found => ({
  kind: "archive",
  format,
  advice: "unpack it, and use what is in it.",
});
const document = (format: string): Found => ({
  kind: "document",
  format,
  advice: "copy the picture out of it, or save the page as PNG.",
});
const array: Found = {
  kind: "array",
  format: "NumPy file",
  advice: "it holds numbers, and no picture. It can be the value of a further input of a network.",
};
const savedPage: Found = {
  kind: "document",
  format: "web page",
  advice:
    "it was saved in place of the file that it offers. Download that file itself, by its “raw” or “download” link.",
};
const pointer: Found = {
  kind: "document",
  format: "pointer of Git LFS",
  advice: "it stands in place of the file. Fetch that with git lfs pull, or download it from its web page.",
};

/** Names that settle it where the content does not, or is not known here. */
const byName: readonly (readonly [RegExp, Found])[] = [
  [/\.(pt|pth|ckpt|pt2|pte|torchscript)$/i, torch],
  [/\.(pkl|pickle|joblib|sav)$/i, pickle],
  [/\.safetensors$/i, safetensors],
  [/\.tflite$/i, tflite],
  [/\.(h5|hdf5|keras)$/i, keras],
  [/(\.mlmodel|\.mlpackage|\.mlmodelc)$/i, coreml],
  [/\.pb$/i, tensorflow],
  [
    /\.(engine|plan|trt)$/i,
    network("TensorRT engine", "it is for one GPU alone. Its ONNX file is what it was built from."),
  ],
  [/\.gguf$/i, network("GGUF file", "a language model of llama.cpp; there is no way from it to ONNX.")],
  [/\.(dcm|dicom)$/i, dicom],
  [/\.hei[cf]$/i, heic],
  [/\.tiff?$/i, tiff],
  [/\.(cr2|cr3|nef|arw|dng|orf|rw2|raf)$/i, raw],
  [/\.svgz?$/i, svg],
  [/\.(nii|nii\.gz|mha|nrrd)$/i, picture("volume", "save the slice that matters as PNG in its viewer.")],
  [/\.(wav|mp3|flac|ogg|opus|m4a|aac|aiff?)$/i, sound("sound")],
  [/\.(mp4|mov|webm|avi|mkv|m4v)$/i, video("video")],
  [/\.(csv|tsv|xlsx?|ods|parquet|feather|arrow)$/i, table],
  [/\.(pdf|docx?|pptx?|odt|html?)$/i, document("document")],
  [/\.(zip|tar|tgz|gz|7z|rar|xz|bz2)$/i, archive("packed file")],
  [/\.np[yz]$/i, array],
];

const textFile: Found = {
  kind: "text",
  format: "text",
  advice: "it can name the classes of a network, one a line, beside its .onnx file.",
};

/** What a file is, by its first bytes and its name; null where neither says. */
export function recognise(start: Uint8Array, name = ""): Recognised | null {
  const found =
    byContent(start, name) ?? byName.find(([pattern]) => pattern.test(name))?.[1] ?? byText(start, name);
  if (!found) return null;
  const { format, advice } = found;
  const article = /^([aeio]|SVG|ONNX)/i.test(format) && !/^one/i.test(format) ? "an" : "a";
  const what = `This is ${format === "text" ? "text" : `${article} ${format}`}`;
  return { ...found, sentence: advice === undefined ? `${what}.` : `${what}: ${advice}` };
}

/** What a file is. */
export async function recogniseFile(file: Blob): Promise<Recognised | null> {
  const start = new Uint8Array(await file.slice(0, recognisedBytes).arrayBuffer());
  return recognise(start, "name" in file && typeof file.name === "string" ? file.name : "");
}

function byContent(bytes: Uint8Array, name: string): Found | null {
  const text = latin(bytes, 0, 512);
  const at = (offset: number, signature: string) => latin(bytes, offset, signature.length) === signature;

  if (at(0, "\x89PNG\r\n\x1a\n")) return picture("PNG picture");
  if (at(0, "\xff\xd8\xff")) return picture("JPEG photograph");
  if (at(0, "GIF8")) return picture("GIF picture");
  if (at(0, "RIFF") && at(8, "WEBP")) return picture("WebP picture");
  if (at(0, "BM") && bytes.length > 30 && (bytes[14] ?? 0) <= 124 && bytes[15] === 0)
    return picture("BMP picture");
  if (at(4, "ftyp")) return isoMedia(text);
  if (at(0, "II*\0") || at(0, "MM\0*") || at(0, "II+\0") || at(0, "MM\0+")) {
    return at(8, "CR") || /\.(nef|arw|dng|orf|rw2)$/i.test(name) ? raw : tiff;
  }
  if (at(128, "DICM")) return dicom;
  if (at(0, "\0\0\x01\0") && /\.ico$/i.test(name)) return picture("icon");
  if (at(0, "8BPS")) return picture("Photoshop file", "export it as PNG.");
  if (at(0, "\0\0\0\x0cjP  ") || at(0, "\xff\x4f\xff\x51"))
    return picture("JPEG 2000 picture", "save it as PNG.");
  if (at(0, "\0\0\0\x0cJXL ") || (at(0, "\xff\x0a") && /\.jxl$/i.test(name))) {
    return picture("JPEG XL picture", "this browser cannot read it. Save it as PNG or JPEG.");
  }
  if (at(0, "v/1\x01")) return picture("EXR picture", "save it as PNG.");
  if (at(0, "SIMPLE  =")) return picture("FITS file", "set its brightness in a viewer, and save it as PNG.");
  if (/^\s*(<\?xml[^>]*>\s*)?(<!--[\s\S]*?-->\s*)?(<!DOCTYPE svg[^>]*>\s*)?<svg[\s>]/i.test(text)) return svg;

  if (at(0, "PK\x03\x04")) return zipped(bytes);
  if (at(0, "\x89HDF\r\n\x1a\n")) return keras;
  if (at(4, "TFL3")) return tflite;
  if (at(4, "ET12")) return torch;
  if (at(0, "GGUF") || at(0, "ftrt"))
    return byName.find(([pattern]) => pattern.test(at(0, "GGUF") ? ".gguf" : ".trt"))?.[1] ?? null;
  if (isSafetensors(bytes)) return safetensors;
  // The old form of PyTorch: a pickled number that stands for it.
  if (at(0, "\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19")) return torch;
  if (
    bytes[0] === 0x80 &&
    (bytes[1] ?? 0) >= 2 &&
    (bytes[1] ?? 0) <= 5 &&
    /[\x80-\xff(}\]c\x95]/.test(text[2] ?? "")
  ) {
    return /\.(pt|pth|ckpt)$/i.test(name) ? torch : pickle;
  }

  if (at(0, "RIFF") && at(8, "WAVE")) return sound("WAV sound");
  if (at(0, "RIFF") && at(8, "AVI ")) return video("AVI video");
  if (at(0, "ID3")) return sound("MP3 sound");
  if (at(0, "fLaC")) return sound("FLAC sound");
  if (at(0, "OggS")) return sound("Ogg sound");
  if (at(0, "FORM") && (at(8, "AIFF") || at(8, "AIFC"))) return sound("AIFF sound");
  if (at(0, "\x1aE\xdf\xa3")) return video("video");

  if (at(0, "%PDF")) return document("PDF document");
  if (at(0, "\x93NUMPY")) return array;
  if (at(0, "PAR1") || at(0, "ARROW1")) return table;
  if (at(0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")) return document("document of an old office program");
  if (
    at(0, "\x1f\x8b\x08") ||
    at(0, "7z\xbc\xaf\x27\x1c") ||
    at(0, "Rar!") ||
    at(0, "\xfd7zXZ") ||
    at(0, "BZh") ||
    at(257, "ustar")
  ) {
    return /\.nii\.gz$/i.test(name) ? null : archive("packed file");
  }
  if (at(0, "version https://git-lfs")) return pointer;
  if (/^\s*(<!--[\s\S]*?-->\s*)?<(!doctype html|html)[\s>]/i.test(text)) return savedPage;
  if (isOnnx(bytes)) return { kind: "onnx", format: "ONNX file" };
  return /\.onnx$/i.test(name) ? { kind: "onnx", format: "ONNX file" } : null;
}

/** MPEG-4's kin, by what the box says after "ftyp". */
function isoMedia(text: string): Found {
  const brands = text.slice(8, 40);
  if (/^(avif|avis)/.test(brands)) return picture("AVIF picture");
  if (/^(heic|heix|heim|heis|hevc|hevx|mif1|msf1)/.test(brands))
    return brands.includes("avif") ? picture("AVIF picture") : heic;
  if (brands.startsWith("crx ")) return raw;
  if (/^M4A|^M4B/.test(brands)) return sound("M4A sound");
  return video("video");
}

/** What was packed into a ZIP file, by the names in it. */
function zipped(bytes: Uint8Array): Found {
  const names = zipNames(bytes);
  const has = (pattern: RegExp) => names.some((name) => pattern.test(name));
  if (has(/(^|\/)(data\.pkl|constants\.pkl|archive_format)$/)) return torch;
  if (
    has(/^(model\.weights\.h5|metadata\.json)$/) &&
    !has(/^(?!model\.weights\.h5$|metadata\.json$|config\.json$|assets\/)/)
  ) {
    return keras;
  }
  if (has(/^\[Content_Types\]\.xml$/))
    return has(/^xl\//) ? table : document("document of an office program");
  if (names.length > 0 && names.every((name) => name.endsWith(".npy"))) {
    return {
      ...array,
      format: "NumPy archive",
      advice: "it holds several arrays. Save the one that is meant with numpy.save.",
    };
  }
  if (has(/\.onnx$/i)) return archive("packed file with a network in it");
  return archive("packed file");
}

/** The names of a ZIP file's entries that begin in these bytes. */
function zipNames(bytes: Uint8Array): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const names: string[] = [];
  for (let offset = 0; offset + 30 <= bytes.length && view.getUint32(offset, true) === 0x04034b50;) {
    const length = view.getUint16(offset + 26, true);
    names.push(latin(bytes, offset + 30, length));
    // An entry that is written as it comes has its size behind it.
    const streamed = (view.getUint16(offset + 6, true) & 8) !== 0;
    const size = view.getUint32(offset + 18, true);
    if (streamed && size === 0) break;
    offset += 30 + length + view.getUint16(offset + 28, true) + size;
  }
  return names;
}

/** A length of 8 bytes, and so long a header in JSON: https://github.com/huggingface/safetensors */
function isSafetensors(bytes: Uint8Array): boolean {
  if (bytes.length < 10 || bytes[8] !== 0x7b) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getBigUint64(0, true);
  return length >= 2n && length < 100_000_000n && /^\{\s*("|\})/.test(latin(bytes, 8, 16));
}

/** ONNX has no signature: a ModelProto begins with its IR version (field 1), and goes on with another of its fields. */
function isOnnx(bytes: Uint8Array): boolean {
  const [tag, version, next] = bytes;
  if (tag !== 0x08 || version === undefined || version < 1 || version > 32 || next === undefined)
    return false;
  // The producer's name and version and the domain are readable; the graph is a message of nodes, names and tensors.
  const readable =
    [0x12, 0x1a, 0x22].includes(next) && /^[\x20-\x7e]*$/.test(latin(bytes, 4, Math.min(bytes[3] ?? 0, 16)));
  return readable || ([0x3a, 0x42].includes(next) && bytes.length > 8);
}

/** Text, where there is nothing else in it. */
function byText(bytes: Uint8Array, name: string): Found | null {
  if (/\.json$/i.test(name)) return { kind: "json", format: "JSON file" };
  const head = bytes.subarray(0, 4096);
  const odd = head.some((byte) => byte < 9 || (byte > 13 && byte < 32 && byte !== 27));
  if (odd) return null;
  const text = new TextDecoder().decode(head);
  if (/^\s*[[{]/.test(text)) return { kind: "json", format: "JSON file" };
  return /\.(txt|md|text|labels|names)$/i.test(name) ? textFile : null;
}

/** Bytes as characters of the same numbers. */
function latin(bytes: Uint8Array, offset: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(offset, offset + length));
}
