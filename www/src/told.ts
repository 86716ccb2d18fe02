// What the engine tells about a network beyond its figures: what was guessed, what was assumed, and which values it has filled in itself.

import type { ModelInfo } from "adversight";

/** All that was guessed about the network and assumed of its pictures, in sentences that name the option which changes it. */
export const assumptions = ({ notes, preprocessingNotes }: ModelInfo): string[] => [
  ...notes,
  ...preprocessingNotes,
];

/** What the engine says of an input that nobody gave a value; null where it says nothing. */
export const filledBy = ({ notes }: ModelInfo, input: string): string | null =>
  notes.find((note) => note.includes(`"${input}" is filled`)) ?? null;

/** Whether the output is one number and no list of classes. */
export const isSingle = ({ outputKind }: ModelInfo): boolean => outputKind === "single";

/** Whether the output has scores at several positions. */
export const hasPositions = ({ outputKind }: ModelInfo): boolean => outputKind === "positions";
