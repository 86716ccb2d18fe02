// Values of a network's inputs, from what people have: numbers, lists of them, text, NumPy's files.

import { AdversightError } from "./errors.js";
import type { ModelInput as InputValue, Numbers, ValueInfo } from "./wasm/adversight.js";

/** Numbers in lists within lists, as JSON has them. */
export type Nested = number | boolean | readonly Nested[];

/** A value of an input: a tensor, or numbers whose shape is that of the lists they stand in. */
export type InputLike = InputValue | Nested;

/** Whether a value is a typed array. (A DataView holds bytes and no numbers.) */
export function isNumbers(value: unknown): value is Numbers {
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}

/** A value as a tensor. Of lists, every one of a level must be as long as the others. */
export function toInputValue(value: InputLike, name = ""): InputValue {
  if (typeof value === "object" && "data" in value) return value;
  const shape: number[] = [];
  for (let level: unknown = value; Array.isArray(level); level = (level as unknown[])[0]) {
    shape.push(level.length);
  }
  const flat: number[] = [];
  const take = (part: unknown, depth: number): void => {
    if (Array.isArray(part)) {
      if (depth === shape.length || part.length !== shape[depth]) throw ragged(name);
      for (const one of part as unknown[]) take(one, depth + 1);
    } else if (depth === shape.length && (typeof part === "number" || typeof part === "boolean")) {
      flat.push(Number(part));
    } else {
      throw ragged(name);
    }
  };
  take(value, 0);
  return { data: Float64Array.from(flat), shape };
}

function ragged(name: string): AdversightError {
  return new AdversightError(
    "input_invalid",
    `The value of the input${quoted(name)} is no number and no lists of numbers that are equally long.`,
  );
}

const quoted = (name: string) => (name === "" ? "" : ` "${name}"`);

/**
 * Numbers that somebody has typed, with commas, semicolons or spaces between them, in the shape that the network's input has: one number
 * for all of it where its sizes are known, else as many as it holds; the first open size is found by how many there are.
 */
export function parseValue(text: string, { name, shape }: Pick<ValueInfo, "name" | "shape">): InputValue {
  const words = text
    .trim()
    .replace(/^\[|\]$/g, "")
    .split(/[\s,;[\]]+/)
    .filter((word) => word !== "");
  const invalid = (reason: string) =>
    new AdversightError("input_invalid", `The value of the input${quoted(name)} ${reason}.`);
  const data = Float64Array.from(words, (word) => {
    const number = /^(true|false)$/i.test(word) ? Number(/^t/i.test(word)) : Number(word);
    if (Number.isNaN(number)) throw invalid(`holds “${word}”, which is no number`);
    return number;
  });
  if (data.length === 0) throw invalid("is empty");
  const known = shape.reduce<number>((product, size) => product * (size ?? 1), 1);
  if (data.length === 1 && known > 1) {
    const sizes = shape.map((size) => size ?? 1);
    return { data: new Float64Array(known).fill(data[0] ?? 0), shape: sizes };
  }
  if (known === 0 || data.length % known !== 0) {
    throw invalid(`has ${data.length} numbers, and the network takes ${known} or a multiple`);
  }
  // The batch is 1; what is left over goes to the first other size that the file leaves open.
  let over = data.length / known;
  const open = shape.findIndex((size, axis) => size === null && axis > 0);
  const place = open >= 0 ? open : shape.indexOf(null);
  if (over > 1 && place < 0) {
    throw invalid(`has ${data.length} numbers, and the network takes ${known}`);
  }
  const sizes = shape.map((size, axis) => {
    if (axis !== place) return size ?? 1;
    const filled = over;
    over = 1;
    return filled;
  });
  return { data, shape: sizes };
}

type Reader = (bytes: ArrayBuffer) => Numbers;

/** NumPy's element types, without their byte order: those that the engine takes. */
const npyTypes: Record<string, Reader> = {
  f4: (bytes) => new Float32Array(bytes),
  f8: (bytes) => new Float64Array(bytes),
  f2: (bytes) => Float32Array.from(new Uint16Array(bytes), halfToFloat),
  i1: (bytes) => new Int8Array(bytes),
  i2: (bytes) => new Int16Array(bytes),
  i4: (bytes) => new Int32Array(bytes),
  i8: (bytes) => new BigInt64Array(bytes),
  u1: (bytes) => new Uint8Array(bytes),
  u2: (bytes) => new Uint16Array(bytes),
  u4: (bytes) => new Uint32Array(bytes),
  u8: (bytes) => new BigUint64Array(bytes),
  b1: (bytes) => new Uint8Array(bytes),
};

/** Whether these are the first bytes of a NumPy file. */
export const isNpy = (bytes: Uint8Array): boolean =>
  [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59].every((byte, i) => bytes[i] === byte);

/** A NumPy file (.npy) as a value of an input. Both orders of axes and of bytes are read. */
export function parseNpy(bytes: Uint8Array): InputValue {
  const invalid = (reason: string) => new AdversightError("input_invalid", `The .npy file ${reason}.`);
  if (!isNpy(bytes) || bytes.length < 12) throw invalid("is none: it does not begin as NumPy's files do");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const old = bytes[6] === 1;
  const start = old ? 10 + view.getUint16(8, true) : 12 + view.getUint32(8, true);
  const header = new TextDecoder().decode(bytes.subarray(old ? 10 : 12, start));
  const type = /'descr':\s*'([<>|=]?)(\w+)'/.exec(header);
  const read = type && npyTypes[type[2] ?? ""];
  const sizes = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1];
  if (!type || !read || sizes === undefined) {
    throw invalid(`holds ${type?.[2] ?? "something"} values; numbers and truth values are read`);
  }
  const shape = sizes.split(",").flatMap((size) => (size.trim() === "" ? [] : [Number(size)]));
  const count = shape.reduce((product, size) => product * size, 1);
  const width = Number(type[2]?.slice(1));
  if (bytes.length - start !== count * width) throw invalid("is cut off, or longer than it says");
  const content = new Uint8Array(bytes.subarray(start)); // a copy that is aligned
  if (type[1] === ">") swapBytes(content, width);
  const data = read(content.buffer);
  const turned = /'fortran_order':\s*True/.test(header) && shape.length > 1;
  return { data: turned ? lastAxisFastest(data, shape) : data, shape };
}

function swapBytes(bytes: Uint8Array, width: number): void {
  for (let start = 0; start < bytes.length; start += width) bytes.subarray(start, start + width).reverse();
}

/** Numbers whose first axis runs fastest, with the last one fastest. */
function lastAxisFastest(data: Numbers, shape: readonly number[]): Numbers {
  const turned = data.slice() as Numbers;
  const index = shape.map(() => 0);
  for (let to = 0; to < data.length; to++) {
    let [from, stride] = [0, 1];
    shape.forEach((size, axis) => {
      from += (index[axis] ?? 0) * stride;
      stride *= size;
    });
    (turned as Record<number, number | bigint>)[to] = data[from] ?? 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = (index[axis] ?? 0) + 1;
      if ((index[axis] ?? 0) < (shape[axis] ?? 1)) break;
      index[axis] = 0;
    }
  }
  return turned;
}

function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
