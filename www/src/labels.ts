// The names of classes, from whatever file they come in.

/** A list of names that could not be read, in words. */
export class LabelError extends Error {}

/** Names from JSON: a list, an object from number to name (or to a list that ends with it, as Keras has it), or a config.json. */
export function labelsFromJson(value: unknown): string[] {
  if (Array.isArray(value)) return value.map(nameOf);
  if (typeof value !== "object" || value === null)
    throw new LabelError("It holds neither a list nor an object of names.");
  if ("id2label" in value) return labelsFromJson(value.id2label);
  const entries = Object.entries(value);
  // The other way round: from name to number.
  const turned = entries.length > 0 && entries.every(([, number]) => Number.isInteger(number));
  const names = turned
    ? entries.map(([name, number]) => [number as number, name] as const)
    : entries.map(([number, name]) => [Number(number), nameOf(name)] as const);
  const list: string[] = [];
  for (const [number, name] of names) list[number] = name;
  if (list.length !== names.length || !names.every(([number]) => number >= 0 && number < names.length)) {
    throw new LabelError("Its numbers do not name every class from 0 on.");
  }
  return list;
}

/** Names from text, one a line; the line's own number, or a WordNet id, before a name is left out. */
export function labelsFromText(text: string): string[] {
  const lines = text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .map((line) => line.trim());
  while (lines.at(-1) === "") lines.pop();
  if (lines.length === 0) throw new LabelError("It is empty.");
  const numbered = (from: number) =>
    lines.every((line, i) => new RegExp(`^${i + from}[\\s:,;.=]`).test(line));
  const bare = numbered(0) || numbered(1) ? lines.map((line) => line.replace(/^\d+[\s:,;.=]+/, "")) : lines;
  const wordNet = /^n\d{8}[\s,]+(?=\S)/;
  return bare.every((line) => wordNet.test(line)) ? bare.map((line) => line.replace(wordNet, "")) : bare;
}

/**
 * The names for a network of so many classes: as they are, or with TensorFlow's "background" before 1000 names of 1001 classes;
 * null where their number does not fit.
 */
export function fitLabels(labels: readonly string[], classes: number): string[] | null {
  if (labels.length === classes) return [...labels];
  return labels.length + 1 === classes ? ["background", ...labels] : null;
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
