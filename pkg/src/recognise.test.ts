import assert from "node:assert/strict";
import test from "node:test";

import { recognise, recogniseFile } from "./recognise.js";

const bytes = (text: string, length = 0) => {
  const read = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  const padded = new Uint8Array(Math.max(length, read.length));
  padded.set(read);
  return padded;
};
const at = (offset: number, text: string, length = 600) => {
  const padded = new Uint8Array(length);
  padded.set(bytes(text), offset);
  return padded;
};

/** A ZIP file of entries without content. */
function zip(...names: string[]): Uint8Array {
  const parts = names.map((name) => {
    const header = new Uint8Array(30 + name.length);
    const view = new DataView(header.buffer);
    view.setUint32(0, 0x04034b50, true);
    view.setUint16(26, name.length, true);
    header.set(bytes(name), 30);
    return [...header];
  });
  return Uint8Array.from(parts.flat());
}

/** A safetensors file without tensors. */
function safetensors(): Uint8Array {
  const header = '{"__metadata__":{"format":"pt"}}';
  const file = at(8, header, 8 + header.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(header.length), true);
  return file;
}

const cases: [string, Uint8Array, string, string, RegExp][] = [
  // By content, whatever the name says.
  [
    "PyTorch",
    zip("archive/data.pkl", "archive/version"),
    "weights.bin",
    "network",
    /PyTorch.*torch\.onnx\.export/,
  ],
  ["TorchScript", zip("net/constants.pkl"), "net.zip", "network", /PyTorch/],
  ["old PyTorch", bytes("\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."), "net", "network", /PyTorch/],
  ["scikit-learn", bytes("\x80\x04\x95\x10\0\0\0"), "forest.pkl", "network", /skl2onnx/],
  ["safetensors", safetensors(), "model", "network", /safetensors.*optimum-cli/],
  ["TensorFlow Lite", at(4, "TFL3"), "model.bin", "network", /TensorFlow Lite.*--tflite/],
  ["Keras' HDF5", bytes("\x89HDF\r\n\x1a\n"), "model.onnx", "network", /Keras.*format="onnx"/],
  ["Keras 3", zip("metadata.json", "config.json", "model.weights.h5"), "a.keras", "network", /Keras/],
  ["GGUF", bytes("GGUF\x03"), "model.bin", "network", /GGUF/],
  ["ONNX", bytes("\x08\x08\x12\x07pytorch\x1a\x05"), "network", "onnx", /ONNX/],
  ["ONNX without a producer", bytes("\x08\x07:\xf0\x01\x0a\x10abcdef"), "net", "onnx", /ONNX/],
  ["DICOM", at(128, "DICM"), "scan", "picture", /DICOM.*PNG/],
  ["HEIC", at(4, "ftypheic"), "IMG_1.jpg", "picture", /HEIC.*JPEG/],
  ["AVIF", at(4, "ftypavif"), "a", "picture", /^This is an AVIF picture\.$/],
  ["AVIF in the guise of an image file", at(4, "ftypmif1\0\0\0\0mif1avif"), "a", "picture", /AVIF/],
  ["TIFF", bytes("II*\0", 20), "scan.png", "picture", /TIFF.*PNG/],
  ["a camera's", bytes("II*\0\x10\0\0\0CR\x02\0"), "a", "picture", /raw photograph/],
  ["SVG", bytes('<?xml version="1.0"?>\n<svg xmlns="x">'), "a.png", "picture", /SVG.*PNG/],
  ["JPEG", bytes("\xff\xd8\xff\xe0"), "cat.onnx", "picture", /JPEG/],
  ["WAV", bytes("RIFF\0\0\0\0WAVEfmt "), "a", "sound", /WAV.*samples/],
  ["WebP", bytes("RIFF\0\0\0\0WEBPVP8 "), "a", "picture", /WebP/],
  ["PDF", bytes("%PDF-1.7"), "scan.jpg", "document", /PDF/],
  ["ZIP", zip("photo.jpg"), "photos.zip", "archive", /unpack/],
  ["a table of Excel", zip("[Content_Types].xml", "xl/workbook.xml"), "a.xlsx", "table", /row/],
  ["a document of Word", zip("[Content_Types].xml", "word/document.xml"), "a.docx", "document", /office/],
  ["NumPy", bytes("\x93NUMPY\x01\0"), "a", "array", /NumPy/],
  [
    "a web page in place of a file",
    bytes("<!DOCTYPE html><html>"),
    "model.onnx",
    "document",
    /web page.*raw/,
  ],
  [
    "a pointer in place of a file",
    bytes("version https://git-lfs.github.com/spec/v1\noid"),
    "model.onnx",
    "document",
    /git lfs pull/,
  ],
  // By the name, where the content says nothing.
  ["Core ML", bytes("\x08\x04\x12\x02\x0a\x00"), "net.mlmodel", "network", /Core ML/],
  [
    "TensorFlow's saved model",
    bytes("\x08\x01\x12\x40\x0a\x10"),
    "saved_model.pb",
    "network",
    /--saved-model/,
  ],
  ["CSV", bytes("a,b\n1,2\n"), "rows.csv", "table", /table/],
  ["labels", bytes("cat\ndog\n"), "labels.txt", "text", /^This is text: it can name the classes/],
  ["JSON", bytes('{"id2label": {}}'), "config", "json", /JSON/],
  ["an odd ONNX file", bytes("nonsense"), "odd.onnx", "onnx", /ONNX/],
];
for (const [title, content, name, kind, sentence] of cases) {
  test(`${title} is recognised`, () => {
    const found = recognise(content, name);
    assert.equal(found?.kind, kind, JSON.stringify(found));
    assert.match(found.sentence, sentence);
  });
}

test("weights beside a network are nothing that is known", () => {
  const weights = new Uint8Array(Float32Array.from({ length: 256 }, (_, i) => Math.sin(i) / 10).buffer);
  assert.equal(recognise(weights, "model.onnx.data"), null);
  assert.equal(recognise(new Uint8Array(0), "weights.bin"), null);
});

test("a file is asked for its beginning and its name", async () => {
  const file = new File([bytes("%PDF-1.4")], "paper");
  assert.equal((await recogniseFile(file))?.kind, "document");
  assert.equal(await recogniseFile(new Blob([new Uint8Array(70_000)])), null);
});
