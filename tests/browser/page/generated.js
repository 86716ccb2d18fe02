// Weights and inputs that are computed instead of stored, to the bit those of tests/common/generated.rs.

/** 64-bit numbers as two halves: BigInt would take a minute for a network's weights. */
const mask = 0xffffffff;

/** The lower 64 bits of a product. */
function times([high, low], [factorHigh, factorLow]) {
  const [a, b, c, d] = [low >>> 16, low & 0xffff, factorLow >>> 16, factorLow & 0xffff];
  const lowest = b * d;
  const middle = a * d + (lowest >>> 16);
  const other = b * c + (middle & 0xffff);
  const carried = a * c + Math.floor(middle / 0x10000) + Math.floor(other / 0x10000);
  return [
    (carried + Math.imul(high, factorLow) + Math.imul(low, factorHigh)) >>> 0,
    (((other & 0xffff) << 16) | (lowest & 0xffff)) >>> 0,
  ];
}

const plus = ([high, low], [otherHigh, otherLow]) => {
  const sum = low + otherLow;
  return [(high + otherHigh + (sum > mask ? 1 : 0)) >>> 0, sum >>> 0];
};

/** z ^ (z >> bits), for less than 32 bits. */
const shifted = ([high, low], bits) => [
  (high ^ (high >>> bits)) >>> 0,
  (low ^ ((low >>> bits) | (high << (32 - bits)))) >>> 0,
];

const golden = [0x9e3779b9, 0x7f4a7c15];

/** The finaliser of splitmix64. */
const mix = (z) =>
  shifted(times(shifted(times(shifted(z, 30), [0xbf58476d, 0x1ce4e5b9]), 27), [0x94d049bb, 0x133111eb]), 31);

/** The first `count` numbers of the stream `seed`: uniform in [-1, 1), 24 bits, times `scale`, plus `offset`. */
export function noise(seed, scale, offset, count) {
  let state = mix([Math.floor(seed / 2 ** 32), seed >>> 0]);
  [scale, offset] = [Math.fround(scale), Math.fround(offset)];
  return Float32Array.from({ length: count }, () => {
    state = plus(state, golden);
    const uniform = (mix(state)[0] >>> 8) * 2 ** -23 - 1;
    return Math.fround(uniform * scale) + offset;
  });
}

/** CRC-32 as in zlib: what seeds are made of. */
export function crc32(text) {
  let crc = -1;
  for (const byte of new TextEncoder().encode(text)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

/** An input [N, C, ...]: noise in 7 blocks along each further axis, and half as much fine noise. */
export function picture(name, shape) {
  const grid = 7;
  const spatial = shape.slice(2);
  const count = shape.reduce((all, size) => all * size, 1);
  const coarse = noise(crc32(`${name}/coarse`), 1, 0, shape[0] * shape[1] * grid ** spatial.length);
  const fine = noise(crc32(`${name}/fine`), 0.5, 0, count);
  const data = fine.map((value, flat) => {
    let [rest, index, weight] = [flat, 0, 1];
    for (const size of spatial.toReversed()) {
      index += Math.floor((rest % size) / Math.ceil(size / grid)) * weight;
      rest = Math.floor(rest / size);
      weight *= grid;
    }
    return value + coarse[rest * weight + index];
  });
  return { data, shape };
}

/** The files that a skeleton's weights lie in, by their locations "generated:<seed>:<scale>:<offset>", each as long as it is read. */
export function externalFiles(onnx) {
  const ends = new Map();
  for (const { location, offset = "0", length } of externalData(onnx)) {
    const end = Number(offset) + Number(length);
    ends.set(location, Math.max(end, ends.get(location) ?? 0));
  }
  const files = [...ends].map(([location, end]) => {
    const [kind, seed, scale, offset] = location.split(":");
    if (kind !== "generated") throw new Error(`"${location}" is not generated.`);
    const values = noise(Number(seed), Number(scale), Number(offset), Math.ceil(end / 4));
    return [location, new Uint8Array(values.buffer)];
  });
  return Object.fromEntries(files);
}

/** What an ONNX file says of where its weights lie: model.graph (7), .initializer (5), .external_data (13) of keys (1) and values (2). */
function externalData(onnx) {
  const text = new TextDecoder();
  const within = (parts, field) => parts.flatMap((part) => fields(part, field));
  return within(within([onnx], 7), 5)
    .map((tensor) => fields(tensor, 13))
    .filter((entries) => entries.length > 0)
    .map((entries) =>
      Object.fromEntries(entries.map((entry) => [1, 2].map((field) => text.decode(fields(entry, field)[0])))),
    );
}

/** The contents of a field with a length, of each time that it stands in a protobuf message. */
function fields(message, wanted) {
  const found = [];
  let at = 0;
  const varint = () => {
    for (let value = 0, weight = 1; ; weight *= 128) {
      const byte = message[at++];
      value += (byte & 127) * weight;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const tag = varint();
    const kind = tag & 7;
    if (kind === 0) varint();
    else if (kind === 1) at += 8;
    else if (kind === 5) at += 4;
    else {
      const length = varint();
      if (Math.floor(tag / 8) === wanted) found.push(message.subarray(at, at + length));
      at += length;
    }
  }
  return found;
}
