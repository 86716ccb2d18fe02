// The size of an image as its file's first bytes declare it, so that a picture too large for memory is refused before
// a single pixel of it is decoded. Formats that are not read here are measured after decoding.

export interface ImageHeader {
  format: "png" | "jpeg" | "gif" | "webp" | "bmp";
  width: number;
  height: number;
}

/** How much of a file is looked at: a JPEG may carry a colour profile and a thumbnail before its size. */
export const headerBytes = 512 * 1024;

export function readHeader(bytes: Uint8Array): ImageHeader | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    return png(view) ?? jpeg(view) ?? gif(view) ?? webp(view) ?? bmp(view);
  } catch (error) {
    if (error instanceof RangeError) return null; // the file ends before its size is told
    throw error;
  }
}

function startsWith(view: DataView, text: string, offset = 0): boolean {
  if (view.byteLength < offset + text.length) return false;
  for (let i = 0; i < text.length; i++) {
    if (view.getUint8(offset + i) !== text.charCodeAt(i)) return false;
  }
  return true;
}

function png(view: DataView): ImageHeader | null {
  if (!startsWith(view, "\x89PNG\r\n\x1a\n")) return null;
  return { format: "png", width: view.getUint32(16), height: view.getUint32(20) };
}

function jpeg(view: DataView): ImageHeader | null {
  if (!startsWith(view, "\xff\xd8\xff")) return null;
  let offset = 2;
  for (;;) {
    const marker = view.getUint16(offset);
    if (marker === 0xffff) {
      offset += 1; // a fill byte
      continue;
    }
    // Start of frame: C0 to CF, but for the tables C4 and CC and the reserved C8.
    const low = marker & 0xff;
    if (low >= 0xc0 && low <= 0xcf && low !== 0xc4 && low !== 0xc8 && low !== 0xcc) {
      return { format: "jpeg", width: view.getUint16(offset + 7), height: view.getUint16(offset + 5) };
    }
    if (marker < 0xff01 || low === 0xd9 || low === 0xda) return null; // the picture starts and no size was told
    offset += 2 + view.getUint16(offset + 2);
  }
}

function gif(view: DataView): ImageHeader | null {
  if (!startsWith(view, "GIF8")) return null;
  return { format: "gif", width: view.getUint16(6, true), height: view.getUint16(8, true) };
}

function webp(view: DataView): ImageHeader | null {
  if (!startsWith(view, "RIFF") || !startsWith(view, "WEBP", 8)) return null;
  if (startsWith(view, "VP8X", 12)) {
    const uint24 = (offset: number) => view.getUint16(offset, true) | (view.getUint8(offset + 2) << 16);
    return { format: "webp", width: uint24(24) + 1, height: uint24(27) + 1 };
  }
  if (startsWith(view, "VP8L", 12)) {
    const bits = view.getUint32(21, true);
    return { format: "webp", width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
  }
  if (startsWith(view, "VP8 ", 12)) {
    const side = (offset: number) => view.getUint16(offset, true) & 0x3fff;
    return { format: "webp", width: side(26), height: side(28) };
  }
  return null;
}

function bmp(view: DataView): ImageHeader | null {
  if (!startsWith(view, "BM")) return null;
  // The height is negative where the rows run from the top.
  return {
    format: "bmp",
    width: Math.abs(view.getInt32(18, true)),
    height: Math.abs(view.getInt32(22, true)),
  };
}

/** Whether a file that begins so may say itself how it has to be turned, where browsers do not all look: in PNG and WebP. Of JPEG they all know. */
export function mayBeTurned(start: Uint8Array): boolean {
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
  const isWebp = startsWith(view, "WEBPVP8X", 8) && view.byteLength > 20 && (view.getUint8(20) & 8) !== 0;
  return isWebp || startsWith(view, "\x89PNG");
}

/**
 * How a PNG or WebP file says that it has to be turned, by EXIF's orientation from 2 to 8, and the file without that, so that no browser turns
 * it too; null where it need not be turned. (Chromium leaves WebP lying, and WebKit PNG.)
 */
export function turnedFile(
  bytes: Uint8Array<ArrayBuffer>,
): { turned: number; lying: Uint8Array<ArrayBuffer>[] } | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    if (startsWith(view, "\x89PNG\r\n\x1a\n")) {
      let chunk = 8;
      while (!startsWith(view, "eXIf", chunk + 4)) chunk += 12 + view.getUint32(chunk);
      const found = orientation(view, chunk + 8);
      if (!found) return null;
      const after = chunk + 12 + view.getUint32(chunk);
      return { turned: found.turned, lying: [bytes.subarray(0, chunk), bytes.subarray(after)] };
    }
    let chunk = 12;
    while (!startsWith(view, "EXIF", chunk)) chunk += 8 + 2 * Math.ceil(view.getUint32(chunk + 4, true) / 2);
    const found = orientation(view, chunk + 8 + (startsWith(view, "Exif\0\0", chunk + 8) ? 6 : 0));
    if (!found) return null;
    const copy = bytes.slice();
    new DataView(copy.buffer).setUint16(found.at, 1, found.isLittle);
    return { turned: found.turned, lying: [copy] };
  } catch (error) {
    if (error instanceof RangeError) return null; // the file ends and has not said it
    throw error;
  }
}

/** EXIF's orientation and where it stands; null where there is none, or nothing to turn. */
function orientation(view: DataView, tiff: number): { turned: number; at: number; isLittle: boolean } | null {
  const isLittle = startsWith(view, "II", tiff);
  if (!isLittle && !startsWith(view, "MM", tiff)) return null;
  const directory = tiff + view.getUint32(tiff + 4, isLittle);
  const count = view.getUint16(directory, isLittle);
  for (let entry = directory + 2; entry < directory + 2 + 12 * count; entry += 12) {
    if (view.getUint16(entry, isLittle) !== 0x112) continue;
    const turned = view.getUint16(entry + 8, isLittle);
    return turned >= 2 && turned <= 8 ? { turned, at: entry + 8, isLittle } : null;
  }
  return null;
}

/** Pixels of four bytes brought upright, as an EXIF orientation asks; from 5 on the sides change places. */
export function upright(
  pixels: Uint8ClampedArray,
  { width, height }: { width: number; height: number },
  turned: number,
): Uint8ClampedArray<ArrayBuffer> {
  const across = turned >= 5;
  const columns = across ? height : width;
  const rows = across ? width : height;
  const mirrored = [2, 3, 7, 8].includes(turned);
  const flipped = [3, 4, 6, 7].includes(turned);
  const [from, to] = [new Uint32Array(pixels.slice().buffer), new Uint32Array(columns * rows)];
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      const [u, v] = across ? [y, x] : [x, y];
      const left = mirrored ? width - 1 - u : u;
      const top = flipped ? height - 1 - v : v;
      to[y * columns + x] = from[top * width + left] ?? 0;
    }
  }
  return new Uint8ClampedArray(to.buffer);
}
