// The names of classes, from whatever file they come in.

/** A list of names that could not be read, in words. */
export class LabelError extends Error {}

/** Names of classes in order. */
export interface Labels {
  names: string[];
  /** The number of the first name, where the file counts them; null where it does not. */
  from: number | null;
}

/** Names from JSON: a list, an object from number to name (or to a list that ends with it, as Keras has it), or a config.json. */
export function labelsFromJson(value: unknown): Labels {
  if (Array.isArray(value)) return { names: value.map(nameOf), from: firstId(value) };
  if (typeof value !== "object" || value === null)
    throw new LabelError("It holds neither a list nor an object of names.");
  if ("id2label" in value) return labelsFromJson(value.id2label);
  const entries = Object.entries(value);
  // The other way round: from name to number.
  const turned = entries.length > 0 && entries.every(([, number]) => Number.isInteger(number));
  const names = turned
    ? entries.map(([name, number]) => [number as number, name] as const)
    : entries.map(([number, name]) => [Number(number), nameOf(name)] as const);
  const from = Math.min(...names.map(([number]) => number));
  const list: string[] = [];
  for (const [number, name] of names) list[number - from] = name;
  const all = list.length === names.length && names.every(([number]) => Number.isInteger(number));
  if ((from !== 0 && from !== 1) || !all) {
    throw new LabelError("Its numbers do not name every class from 0 or 1 on.");
  }
  return { names: list, from };
}

/** The number of the first of a list's objects, where each says its own, one after the other. */
function firstId(list: readonly unknown[]): number | null {
  const ids = list.map((entry) =>
    typeof entry === "object" && entry !== null && "id" in entry && Number.isInteger(entry.id)
      ? (entry.id as number)
      : NaN,
  );
  const [first = NaN] = ids;
  return ids.every((id, i) => id === first + i) && (first === 0 || first === 1) ? first : null;
}

/** Names from text, one a line; the line's own number, or a WordNet id, before a name is left out. */
export function labelsFromText(text: string): Labels {
  const lines = text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .map((line) => line.trim());
  while (lines.at(-1) === "") lines.pop();
  if (lines.length === 0) throw new LabelError("It is empty.");
  const numbered = (from: number) =>
    lines.every((line, i) => new RegExp(`^${i + from}[\\s:,;.=]`).test(line));
  const from = numbered(0) ? 0 : numbered(1) ? 1 : null;
  const bare = from === null ? lines : lines.map((line) => line.replace(/^\d+[\s:,;.=]+/, ""));
  const wordNet = /^n\d{8}[\s,]+(?=\S)/;
  const names = bare.every((line) => wordNet.test(line))
    ? bare.map((line) => line.replace(wordNet, ""))
    : bare;
  return { names, from };
}

/** ImageNet's classes. */
const imageNet = 1000;

/**
 * The names for a network of so many classes; null where their number does not fit. They begin at class 1 in two cases alone, where class 0
 * is that of the background: ImageNet's 1000 names of TensorFlow's 1001 classes, and a list that counts its names from 1 on. Any other list
 * that is one short lacks a name, nobody knows which, and would name the rest wrongly.
 */
export function fitLabels({ names, from }: Labels, classes: number): string[] | null {
  if (names.length === classes) return [...names];
  const second = from === 1 || (names.length === imageNet && from === null);
  return names.length + 1 === classes && second ? ["background", ...names] : null;
}

function nameOf(value: unknown): string {
  const name: unknown = Array.isArray(value) ? value.at(-1) : value;
  if (typeof name === "string") return name;
  if (typeof name === "object" && name !== null) {
    const named = Object.entries(name).find(([key]) => /^(name|label|display_name)$/i.test(key));
    if (typeof named?.[1] === "string") return named[1];
  }
  throw new LabelError("It holds something else than names.");
}
