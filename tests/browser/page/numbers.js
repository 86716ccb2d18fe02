// Reading figures and comparing them.

/** A float32 array in numpy's format, version 1. */
export function parseNpy(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = 10 + view.getUint16(8, true);
  const header = new TextDecoder().decode(bytes.subarray(10, start));
  if (!/'descr': '<f4', 'fortran_order': False/.test(header)) throw new Error(`not read here: ${header}`);
  const shape = /'shape': \(([^)]*)\)/
    .exec(header)[1]
    .split(",")
    .filter((size) => size.trim() !== "")
    .map(Number);
  return { data: new Float32Array(bytes.slice(start).buffer), shape };
}

/** How near two arrays are: cosine, ‖a - b‖ / ‖b‖, and the largest difference relative to the largest of `b`. */
export function agreement(actual, expected) {
  if (actual.length !== expected.length || actual.length === 0) {
    throw new Error(`${actual.length} values cannot be compared with ${expected.length}`);
  }
  let [product, square, expectedSquare, difference, largest, worst] = [0, 0, 0, 0, 0, 0];
  for (let i = 0; i < actual.length; i++) {
    product += actual[i] * expected[i];
    square += actual[i] ** 2;
    expectedSquare += expected[i] ** 2;
    difference += (actual[i] - expected[i]) ** 2;
    largest = Math.max(largest, Math.abs(expected[i]));
    worst = Math.max(worst, Math.abs(actual[i] - expected[i]));
  }
  return {
    cosine: product / Math.sqrt(square * expectedSquare),
    l2: Math.sqrt(difference / expectedSquare),
    max: worst / largest,
  };
}
