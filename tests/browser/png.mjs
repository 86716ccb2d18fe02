// PNG files of any size, black and white, made here because no fixture should weigh as much as they claim to; and small ones in colours,
// with whatever opacity.

import { crc32, deflateSync } from "node:zlib";

export function blackPng(width, height) {
  // One bit a pixel, greys.
  return png(width, height, [1, 0], Buffer.alloc(height * (1 + Math.ceil(width / 8))));
}

/** `pixels` are red, green, blue and opacity, row by row. */
export function colourPng(width, height, pixels) {
  const rows = Buffer.alloc(height * (1 + 4 * width));
  for (let row = 0; row < height; row++) {
    rows.set(pixels.subarray(4 * width * row, 4 * width * (row + 1)), row * (1 + 4 * width) + 1);
  }
  return png(width, height, [8, 6], rows);
}

function png(width, height, kind, rows) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set(kind, 8);
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function chunk(name, data) {
  const body = Buffer.concat([Buffer.from(name, "latin1"), data]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(data.length, 0);
  body.copy(framed, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
}
