import assert from "node:assert/strict";
import test from "node:test";

import { readHeader, upright } from "./header.js";

const bytes = (...parts: (string | number[])[]) =>
  Uint8Array.from(
    parts.flatMap((part) => (typeof part === "string" ? Array.from(part, (c) => c.charCodeAt(0)) : part)),
  );

const pad = (length: number) => new Array<number>(length).fill(0);

test("PNG", () => {
  const file = bytes("\x89PNG\r\n\x1a\n", [0, 0, 0, 13], "IHDR", [0, 0, 0x27, 0x10], [0, 0, 0x27, 0x11]);
  assert.deepEqual(readHeader(file), { format: "png", width: 10000, height: 10001 });
});

test("JPEG: the size lies behind the other segments, however many fill bytes there are", () => {
  const exif = bytes([0xff, 0xe1, 0x01, 0x02], pad(0x100));
  const table = bytes([0xff, 0xc4, 0x00, 0x04, 9, 9]);
  const frame = bytes([0xff, 0xff, 0xc2, 0x00, 0x11, 8, 0x01, 0x2c, 0x01, 0xc3, 3]);
  const file = Uint8Array.from([0xff, 0xd8, ...exif, ...table, ...frame]);
  assert.deepEqual(readHeader(file), { format: "jpeg", width: 451, height: 300 });
  assert.equal(readHeader(file.subarray(0, file.length - 6)), null, "cut off before the size");
});

test("JPEG: damage ends the search", () => {
  assert.equal(readHeader(bytes([0xff, 0xd8, 0xff, 0xda, 0, 2])), null);
  assert.equal(readHeader(bytes([0xff, 0xd8, 0xff, 0xe0, 0, 2, 0x12, 0x34, 0, 2])), null);
});

test("GIF", () => {
  assert.deepEqual(readHeader(bytes("GIF89a", [0x40, 0x01, 0xf0, 0x00])), {
    format: "gif",
    width: 320,
    height: 240,
  });
});

test("WebP, its three kinds", () => {
  const riff = (kind: string) => bytes("RIFF", pad(4), "WEBP", kind, pad(4));
  const extended = bytes([...riff("VP8X")], pad(4), [0x8f, 0x01, 0x00], [0x2b, 0x01, 0x01]);
  assert.deepEqual(readHeader(extended), { format: "webp", width: 400, height: 0x1012b + 1 });
  // Width - 1 and height - 1 in 14 bits each, after one byte of signature.
  const packed = (450 - 1) | ((299 - 1) << 14);
  const lossless = bytes(
    [...riff("VP8L")],
    [0x2f, packed & 255, (packed >> 8) & 255, (packed >> 16) & 255, packed >>> 24],
  );
  assert.deepEqual(readHeader(lossless), { format: "webp", width: 450, height: 299 });
  const lossy = bytes([...riff("VP8 ")], pad(6), [0xc3, 0x41], [0x2c, 0x01]);
  assert.deepEqual(readHeader(lossy), { format: "webp", width: 451, height: 300 });
});

test("BMP with its rows from the top", () => {
  const file = bytes("BM", pad(16), [0x40, 1, 0, 0], [0x10, 0xff, 0xff, 0xff]);
  assert.deepEqual(readHeader(file), { format: "bmp", width: 320, height: 240 });
});

test("anything else is left to the browser", () => {
  assert.equal(readHeader(bytes("A text about cats.")), null);
  assert.equal(readHeader(bytes("")), null);
  assert.equal(readHeader(bytes("\x89PNG\r\n\x1a\n")), null);
});

test("a view into a larger buffer is read from its own start", () => {
  const file = bytes("xxxGIF89a", [0x40, 0x01, 0xf0, 0x00]).subarray(3);
  assert.equal(readHeader(file)?.width, 320);
});

test("pixels are brought upright as each EXIF orientation asks", () => {
  // Two columns and three rows: 1 2 / 3 4 / 5 6.
  const numbers = (list: number[]) => new Uint8ClampedArray(new Uint32Array(list).buffer);
  const size = { width: 2, height: 3 };
  // Pillow's exif_transpose of the same.
  const right: Record<number, number[]> = {
    2: [2, 1, 4, 3, 6, 5],
    3: [6, 5, 4, 3, 2, 1],
    4: [5, 6, 3, 4, 1, 2],
    5: [1, 3, 5, 2, 4, 6],
    6: [5, 3, 1, 6, 4, 2],
    7: [6, 4, 2, 5, 3, 1],
    8: [2, 4, 6, 1, 3, 5],
  };
  for (const [turned, list] of Object.entries(right)) {
    assert.deepEqual(upright(numbers([1, 2, 3, 4, 5, 6]), size, Number(turned)), numbers(list), turned);
  }
});
