// Tables: a row of numbers and categories, or a series of rows that follow one another in time, made ready for the engine, which reads CSV.

import { AdversightError } from "./errors.js";
import type { TableData, TableKind } from "./wasm/adversight.js";

/** What a cell may hold. */
export type Cell = string | number | boolean | null | undefined;

/** A table: the text of a CSV file with a header, the file itself, or rows by the names of their columns. */
export type TableSource = string | Blob | readonly Readonly<Record<string, Cell>>[];

/** A row of a table that a network is asked about, or a series of its rows. */
export interface TableInput {
  table: TableSource;
  /** The row, from 0, the header left aside; of a series the first one. */
  row?: number;
  /** What the columns are to the network (docs/tables.md); guessed, and told, where it is left out. */
  columns?: Record<string, unknown>;
  /** The rows to compare with; the others of the table where it is left out. */
  background?: TableSource;
  /** Cells of the row that hold something else, by the names of their columns: what if? */
  changes?: Readonly<Record<string, Cell>>;
  /** Whether it is a row or a series of rows; by the network where it is left out. */
  kind?: TableKind;
}

/** Whether an input is a table. */
export const isTable = (source: object): source is TableInput => "table" in source;

/** A table as the engine takes it. */
export async function tableData(source: TableInput): Promise<{ table: TableData }> {
  const { table, row, columns, background, changes, kind } = source;
  if (row !== undefined && !(Number.isInteger(row) && row >= 0)) {
    throw new AdversightError("input_invalid", `The row is a whole number from 0 on, not ${String(row)}.`);
  }
  const changed = Object.entries(changes ?? {}).map(([name, cell]) => [name, written(cell)] as const);
  return {
    table: {
      csv: await csvOf(table),
      ...(row === undefined ? {} : { row }),
      ...(columns === undefined ? {} : { columns }),
      ...(background === undefined ? {} : { background: await csvOf(background) }),
      ...(changed.length === 0 ? {} : { changes: Object.fromEntries(changed) }),
      ...(kind === undefined ? {} : { kind }),
    },
  };
}

async function csvOf(source: TableSource): Promise<string> {
  if (typeof source === "string") return source;
  if (!Array.isArray(source)) return utf8(await (source as Blob).arrayBuffer());
  const rows = source as readonly Readonly<Record<string, Cell>>[];
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  if (names.length === 0)
    throw new AdversightError("input_invalid", "The table is empty: give at least one row.");
  const lines = [names, ...rows.map((row) => names.map((name) => written(row[name])))];
  return lines.map((cells) => cells.map(quoted).join(",")).join("\n");
}

/** What is no UTF-8 is refused by the engine, in its words; here it would be replaced without a word. */
function utf8(bytes: ArrayBuffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new AdversightError("input_invalid", "The table is no text in UTF-8: save it as CSV in UTF-8.", {
      cause,
    });
  }
}

const written = (cell: Cell): string => (cell === null || cell === undefined ? "" : String(cell));

const quoted = (cell: string): string =>
  /[",\r\n]/.test(cell) || cell === "" ? `"${cell.replaceAll('"', '""')}"` : cell;
