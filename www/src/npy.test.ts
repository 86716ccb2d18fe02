import assert from "node:assert/strict";
import test from "node:test";

import { toNpy } from "./npy.js";

test("a tensor becomes a .npy file as NumPy writes it", () => {
  const bytes = toNpy({ data: new Float32Array([1, -2, 0.5, 4, 5, 6]), shape: [1, 2, 3] });
  assert.deepEqual([...bytes.subarray(0, 8)], [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
  const length = new DataView(bytes.buffer).getUint16(8, true);
  const header = new TextDecoder().decode(bytes.subarray(10, 10 + length));
  assert.match(header, /^\{'descr': '<f4', 'fortran_order': False, 'shape': \(1, 2, 3\), \} *\n$/);
  assert.equal((10 + length) % 64, 0);
  assert.equal(bytes.length, 10 + length + 24);
  assert.deepEqual([...bytes.subarray(10 + length, 10 + length + 8)], [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
});

test("a shape of one side has the comma that makes it a tuple", () => {
  const text = new TextDecoder("latin1").decode(toNpy({ data: new Float32Array(3), shape: [3] }));
  assert.match(text, /'shape': \(3,\)/);
});
