// What the engine tells about a network beyond its figures: what was guessed, what was assumed, and which values it has filled in itself.

import type { ModelInfo } from "adversight";

/** An input that nobody gave a value, and the rule by which it has one. */
export interface Filled {
  name: string;
  rule: string;
}

export interface Told {
  /** What was guessed about the network, each with the option that changes it. */
  notes: string[];
  /** What the preprocessing left open, and what was assumed. */
  preprocessingNotes: string[];
  filled: Filled[];
  /** Whether the output is one number and no list of classes. */
  single: boolean;
  /** Whether the output has scores at several places. */
  perPosition: boolean;
}

const sentences = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((entry): entry is string => typeof entry === "string") : [];

/** Reads what there is of it. */
export function toldOf(info: ModelInfo): Told {
  const told = info as unknown as Record<string, unknown>;
  const kind = told.outputKind;
  const filled = Array.isArray(told.filled) ? (told.filled as unknown[]) : [];
  return {
    notes: sentences(told.notes),
    preprocessingNotes: sentences(told.preprocessingNotes),
    filled: filled.flatMap((entry) => {
      if (typeof entry === "string") return [{ name: entry, rule: "filled by a rule" }];
      if (typeof entry !== "object" || entry === null || !("name" in entry)) return [];
      const rule = "rule" in entry ? String(entry.rule) : "filled by a rule";
      return [{ name: String(entry.name), rule }];
    }),
    single: kind === "single" || info.classes === 1,
    perPosition: kind === "per_position" || kind === "perPosition",
  };
}

/** All that was guessed and assumed. */
export function assumptions(info: ModelInfo): string[] {
  const { notes, preprocessingNotes, filled } = toldOf(info);
  return [...notes, ...preprocessingNotes, ...filled.map(({ name, rule }) => `Input “${name}”: ${rule}.`)];
}
