import assert from "node:assert/strict";
import test, { afterEach } from "node:test";

import type { AdversightError } from "./errors.js";
import {
  checkSize,
  decodeImage,
  maxPixels,
  prepareInput,
  type ImageInput,
  type ModelInput,
} from "./input.js";

// Node has no images: these stand for the browser's classes, which are told apart by their tag alone.
const tagged = (tag: string, fields: object) => ({ [Symbol.toStringTag]: tag, ...fields });
const rejectsWith = (promise: Promise<unknown>, code: string) =>
  assert.rejects(promise, (error: AdversightError) => {
    assert.equal(error.code, code, error.message);
    return true;
  });

let decoded = 0;
function browserDecodes(result: () => unknown): void {
  globalThis.createImageBitmap = () => {
    decoded += 1;
    return new Promise((resolve) => {
      resolve(result() as ImageBitmap);
    });
  };
}

afterEach(() => {
  decoded = 0;
  Reflect.deleteProperty(globalThis, "createImageBitmap");
});

const pngHeader = (width: number, height: number) => {
  const bytes = new Uint8Array(24);
  bytes.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const view = new DataView(bytes.buffer);
  view.setUint32(16, width);
  view.setUint32(20, height);
  return new Blob([bytes], { type: "image/png" });
};

test("the limit is 64 megapixels, that many included", () => {
  assert.equal(maxPixels, 67_108_864);
  checkSize(8192, 8192);
  assert.throws(() => {
    checkSize(8192, 8193);
  }, /67 megapixels \(8192 by 8193\)/);
});

test("a 100-megapixel file is refused by its header, before it is decoded", async () => {
  browserDecodes(() => assert.fail("it was decoded"));
  await rejectsWith(decodeImage(pngHeader(10_000, 10_000)), "input_too_large");
  await rejectsWith(prepareInput(pngHeader(10_000, 10_000)), "input_too_large");
  assert.equal(decoded, 0);
});

test("a file of 0 by 0 pixels and an empty file are refused before they are decoded", async () => {
  browserDecodes(() => assert.fail("it was decoded"));
  await rejectsWith(decodeImage(pngHeader(0, 0)), "input_invalid");
  await rejectsWith(decodeImage(new Blob([])), "input_invalid");
});

test("a text file is refused, with its type named", async () => {
  browserDecodes(() => {
    throw new DOMException("The source image could not be decoded.", "InvalidStateError");
  });
  const text = new Blob(["not a picture"], { type: "text/plain" });
  await assert.rejects(decodeImage(text), (error: AdversightError) => {
    assert.equal(error.code, "input_invalid");
    assert.match(error.message, /text\/plain/);
    assert.ok(error.cause instanceof DOMException);
    return true;
  });
});

test("a format whose header is not read is measured once decoded, and its bitmap freed", async () => {
  let closed = false;
  browserDecodes(() => ({
    width: 10_000,
    height: 10_000,
    close() {
      closed = true;
    },
  }));
  await rejectsWith(decodeImage(new Blob(["some other format"])), "input_too_large");
  assert.ok(closed);
});

test("elements are measured before they are decoded", async () => {
  browserDecodes(() => assert.fail("it was decoded"));
  const image = (fields: object) =>
    tagged("HTMLImageElement", { complete: true, ...fields }) as unknown as ImageInput;
  await rejectsWith(decodeImage(image({ naturalWidth: 0, naturalHeight: 0 })), "input_invalid");
  await rejectsWith(decodeImage(image({ naturalWidth: 20_000, naturalHeight: 5_000 })), "input_too_large");
  const canvas = tagged("HTMLCanvasElement", { width: 0, height: 10 }) as unknown as ImageInput;
  await rejectsWith(decodeImage(canvas), "input_invalid");
  const video = tagged("HTMLVideoElement", { videoWidth: 640, videoHeight: 480, readyState: 1 });
  await rejectsWith(decodeImage(video as unknown as ImageInput), "input_invalid");
});

test("what is no image at all is refused", async () => {
  await rejectsWith(prepareInput({} as ModelInput), "input_invalid");
  await rejectsWith(prepareInput({ data: [1, 2], shape: [2] } as unknown as ModelInput), "input_invalid");
});

test("a tensor's shape must fit its values", async () => {
  const data = new Float32Array(6);
  await rejectsWith(prepareInput({ data, shape: [1, 7] }), "input_shape");
  await rejectsWith(prepareInput({ data, shape: [1, 6.5] }), "input_shape");
  const prepared = await prepareInput({ data, shape: [1, 2, 3] });
  assert.deepEqual(prepared, { input: { data, shape: [1, 2, 3] }, transfer: [] });
});

test("nothing of the caller's is handed over, and what was decoded here is", async () => {
  const bitmap = tagged("ImageBitmap", { width: 4, height: 3 });
  browserDecodes(() => bitmap);
  const file = await prepareInput(pngHeader(4, 3));
  assert.deepEqual(file.transfer, [bitmap]);
  const own = await prepareInput(bitmap as unknown as ImageBitmap);
  assert.deepEqual(own, { input: { bitmap }, transfer: [] });
  const pixels = new Uint8ClampedArray(48);
  const image = tagged("ImageData", { data: pixels, width: 4, height: 3, colorSpace: "srgb" });
  const data = await prepareInput(image as unknown as ImageData);
  assert.deepEqual(data, { input: { pixels, width: 4, height: 3 }, transfer: [] });
});
