// A report: what was given, what the network said and why, as one HTML file that opens anywhere without a network, and holds what is needed to
// compute it again.

import { decimals } from "../format.js";
import { t } from "../strings/strings.js";
import { AdversightError, type Part } from "adversight";
import type { Kind } from "../kinds.js";
import type { Params, TableText } from "../state.js";

/** What a report holds for another run. */
export interface Report {
  /** Of this form of reports. */
  adversight: 1;
  /** The version of the engine that computed it. */
  engine: string;
  device: string;
  date: string;
  kind: Kind;
  title: string;
  /** What was given: a text or a pair of texts; a picture (PNG) or a file as base64; a table. */
  input: { texts: string[] } | { base64: string; type: string } | { table: TableText };
  network: { name: string; title: string; sha256: string };
  method: string;
  methodTitle: string;
  params: Params;
  seed: number;
  target: { index: number; label: string; probability: number };
  answers: { label: string; probability: number }[];
  words: string[];
  /** The map as it was shown, as little-endian 32-bit numbers in base64, and its parts. */
  map: { base64: string; shape: number[] };
  parts: Pick<Part, "name" | "score" | "special">[];
  notes: string[];
}

/** By this the page finds a report in an HTML file. */
const marker = 'id="adversight-report"';

export const isReport = (html: string): boolean => html.includes(marker);

/** What a report says, to be computed again. Rejects with what is wrong with it. */
export function readReport(html: string): Report {
  const text = /<script type="application\/json" id="adversight-report">([\s\S]*?)<\/script>/.exec(html)?.[1];
  let value: unknown = null;
  try {
    value = JSON.parse(text ?? "");
  } catch {
    // told below
  }
  if (!isWhole(value)) {
    throw new AdversightError(
      "input_invalid",
      t`This is no report of this page, or it was changed: what is needed to compute it again is missing.`,
    );
  }
  return value;
}

function isWhole(value: unknown): value is Report {
  const report = value as Partial<Report> | null;
  return (
    report?.adversight === 1 &&
    ["image", "text", "audio", "file", "table", "series"].includes(report.kind ?? "") &&
    typeof report.input === "object" &&
    typeof report.network?.sha256 === "string" &&
    typeof report.method === "string" &&
    typeof report.params === "object" &&
    typeof report.target?.index === "number" &&
    typeof report.map?.base64 === "string" &&
    Array.isArray(report.parts)
  );
}

export function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 0x8000)
    text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
}

export function fromBase64(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

/** The numbers of a map, whatever the order of bytes of this machine. */
export function mapBytes(data: Float32Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * data.length));
  data.forEach((value, i) => {
    view.setFloat32(4 * i, value, true);
  });
  return new Uint8Array(view.buffer);
}

export function mapNumbers(base64: string): Float32Array {
  const { buffer } = fromBase64(base64);
  const view = new DataView(buffer);
  return Float32Array.from({ length: Math.floor(buffer.byteLength / 4) }, (_, i) =>
    view.getFloat32(4 * i, true),
  );
}

/** Probabilities and values of the map (from 0 to 1) that differ by less are the same: other processors round otherwise. */
const tolerance = { probability: 0.005, map: 0.02 };

/** What was computed again. */
export type Again = Pick<Report, "engine" | "target" | "parts"> & { network: string; map: Float32Array };

/** What differs between a report and the same computed again, a sentence each; none where it is the same. */
export function differences(report: Report, again: Again): string[] {
  const found: string[] = [];
  if (report.network.sha256 !== again.network) found.push(t`The network is another one.`);
  const { target } = again;
  if (target.index !== report.target.index) {
    found.push(t`It explains “${target.label}” and not “${report.target.label}”.`);
  } else if (Math.abs(target.probability - report.target.probability) > tolerance.probability) {
    const percent = (share: number) => `${decimals(100 * share, 1)}%`;
    found.push(
      t`The network says “${target.label}” with ${percent(target.probability)}, and not with ${percent(report.target.probability)}.`,
    );
  }
  const map = mapNumbers(report.map.base64);
  if (map.length !== again.map.length) {
    found.push(t`The map has another size.`);
  } else {
    const most = map.reduce((most, value, i) => Math.max(most, Math.abs(value - (again.map[i] ?? 0))), 0);
    if (!(most <= tolerance.map))
      found.push(t`The map differs by ${decimals(100 * most, 0)}% of its scale at most.`);
  }
  return found;
}
