import assert from "node:assert/strict";
import test from "node:test";

import { isNumbers, parseNpy, parseValue, toInputValue, type InputLike } from "./values.js";

const plain = ({ data, shape }: { data: ArrayLike<number | bigint>; shape: number[] }) => ({
  data: Array.from(data),
  shape,
});
const input = (...shape: (number | null)[]) => ({ name: "state", shape });

test("lists of numbers have the shape that they stand in", () => {
  assert.deepEqual(
    plain(
      toInputValue([
        [1, 2, 3],
        [4, 5, 6],
      ]),
    ),
    { data: [1, 2, 3, 4, 5, 6], shape: [2, 3] },
  );
  assert.deepEqual(plain(toInputValue(16000)), { data: [16000], shape: [] });
  assert.deepEqual(plain(toInputValue([true, false])), { data: [1, 0], shape: [2] });
  const tensor = { data: Int32Array.of(1), shape: [1] };
  assert.equal(toInputValue(tensor), tensor);
});

test("lists that are not equally long, and what is no number, are refused with the input's name", () => {
  for (const wrong of [[[1, 2], [3]], [1, [2]], [[1], 2], ["1"], [null], "3"]) {
    assert.throws(() => toInputValue(wrong as unknown as InputLike, "age"), /"age"/, JSON.stringify(wrong));
  }
});

test("typed numbers take the input's shape", () => {
  assert.deepEqual(plain(parseValue("16000", input())), { data: [16000], shape: [] });
  assert.deepEqual(plain(parseValue("1, 2; 3\n4", input(2, 2))), { data: [1, 2, 3, 4], shape: [2, 2] });
  assert.deepEqual(plain(parseValue("[[1, 2], [3, 4]]", input(2, 2))).data, [1, 2, 3, 4]);
  assert.deepEqual(plain(parseValue("101 2023 102", input(null, null))), {
    data: [101, 2023, 102],
    shape: [1, 3],
  });
  assert.deepEqual(plain(parseValue("1 2 3 4", input(null, 2))), { data: [1, 2, 3, 4], shape: [2, 2] });
  assert.deepEqual(plain(parseValue("0", input(2, null, 3))), { data: [0, 0, 0, 0, 0, 0], shape: [2, 1, 3] });
  assert.deepEqual(plain(parseValue("true false", input(2))).data, [1, 0]);
});

test("numbers that do not fill the input, and words, are refused", () => {
  assert.throws(() => parseValue("1 2 3", input(2, 2)), /3 numbers, and the network takes 4/);
  assert.throws(() => parseValue("1 2 3 4", input(2)), /4 numbers, and the network takes 2/);
  assert.throws(() => parseValue("1 two", input(2)), /“two”, which is no number/);
  assert.throws(() => parseValue(" ", input(2)), /empty/);
});

/** A NumPy file. */
function npy(descr: string, shape: string, content: ArrayBufferLike, fortran = "False"): Uint8Array {
  const header =
    `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': (${shape}), }`.padEnd(117) + "\n";
  const file = new Uint8Array(10 + header.length + content.byteLength);
  file.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length, 0]);
  file.set(new TextEncoder().encode(header), 10);
  file.set(new Uint8Array(content), 10 + header.length);
  return file;
}

test("NumPy's files are read in every order", () => {
  const numbers = Float32Array.of(1, 2, 3, 4, 5, 6);
  assert.deepEqual(plain(parseNpy(npy("<f4", "2, 3", numbers.buffer))), {
    data: [...numbers],
    shape: [2, 3],
  });
  assert.deepEqual(plain(parseNpy(npy("<f4", "2, 3", numbers.buffer, "True"))).data, [1, 3, 5, 2, 4, 6]);
  const cube = Float32Array.from({ length: 24 }, (_, i) => i);
  // numpy: np.arange(24).reshape((2, 3, 4), order="F").ravel()[:6]
  assert.deepEqual(
    plain(parseNpy(npy("<f4", "2, 3, 4", cube.buffer, "True"))).data.slice(0, 6),
    [0, 6, 12, 18, 2, 8],
  );
  assert.deepEqual(plain(parseNpy(npy("<i8", "2,", BigInt64Array.of(5n, -1n).buffer))), {
    data: [5n, -1n],
    shape: [2],
  });
  assert.deepEqual(plain(parseNpy(npy(">i2", "2,", Uint8Array.of(1, 0, 0xff, 0xfe).buffer))).data, [256, -2]);
  assert.deepEqual(plain(parseNpy(npy("|b1", "", Uint8Array.of(1).buffer))), { data: [1], shape: [] });
  // 1, -2, the smallest subnormal, infinity, NaN.
  const halves = Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7c00, 0x7e00);
  assert.deepEqual(plain(parseNpy(npy("<f2", "5,", halves.buffer))).data, [1, -2, 2 ** -24, Infinity, NaN]);
});

test("a NumPy file of something else, or cut off, is refused", () => {
  assert.throws(() => parseNpy(npy("|O", "2,", new ArrayBuffer(16))), /holds/);
  assert.throws(() => parseNpy(npy("<U3", "2,", new ArrayBuffer(24))), /holds U3 values/);
  assert.throws(() => parseNpy(npy("<f4", "9,", new ArrayBuffer(8))), /cut off/);
  assert.throws(() => parseNpy(new Uint8Array(200)), /is none/);
});

test("a DataView holds no numbers", () => {
  assert.ok(isNumbers(new Uint8Array(1)) && isNumbers(new BigInt64Array(1)));
  assert.ok(!isNumbers(new DataView(new ArrayBuffer(1))) && !isNumbers([1]) && !isNumbers(null));
});
