// NumPy's file format, version 1.0: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html

import type { TensorData } from "adversight";

/** A float32 tensor as the bytes of a .npy file. */
export function toNpy({ data, shape }: TensorData): Uint8Array<ArrayBuffer> {
  const sides = shape.length === 1 ? `${shape.join("")},` : shape.join(", ");
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${sides}), }`;
  // The header ends with a newline, and its padding lets the data start at a multiple of 64 bytes.
  const start = Math.ceil((10 + header.length + 1) / 64) * 64;
  const bytes = new Uint8Array(start + 4 * data.length);
  const view = new DataView(bytes.buffer);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
  view.setUint16(8, start - 10, true);
  bytes.set(new TextEncoder().encode(`${header.padEnd(start - 11)}\n`), 10);
  data.forEach((value, i) => {
    view.setFloat32(start + 4 * i, value, true);
  });
  return bytes;
}
