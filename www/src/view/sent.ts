// What is sent on: the report as a file, a link, a print. And a report that comes back, computed again.

import { t } from "../strings/strings.js";
import {
  AdversightError,
  drawColumns,
  drawSeries,
  largestScore,
  stretches,
  wordColour,
  type Explanation,
} from "adversight";
import { problemOf } from "../advice.js";
import type { App } from "../app.js";
import { find, make, save } from "../dom.js";
import { hashOf } from "../library.js";
import { pictureHtml, reportHtml, soundHtml, textHtml } from "../sent/html.js";
import { linked, toHash } from "../sent/link.js";
import {
  differences,
  fromBase64,
  isReport,
  mapBytes,
  readReport,
  toBase64,
  type Report,
} from "../sent/report.js";
import type { Given, State } from "../state.js";
import { fileName } from "./details.js";
import { colours } from "./text.js";

/** The version of the package, put in by the build. */
declare const __ENGINE__: string;

export function mountSent(app: App): void {
  const report = find("download-report", HTMLButtonElement);
  const link = find("copy-link", HTMLButtonElement);
  const told = find("sent", HTMLElement);
  app.store.watch(["explanation", "given"], ({ explanation }) => {
    report.disabled = link.disabled = explanation === null;
    told.textContent = "";
  });
  // What was said of a report holds for what it asked.
  app.store.watch(["given", "method", "target"], () => {
    find("checked", HTMLElement).hidden = true;
  });
  report.addEventListener("click", () => {
    void reportOf(app.state)
      .then((html) => {
        if (html !== null) save(new Blob([html], { type: "text/html" }), `${fileName(app.state)}.html`);
      })
      .catch((error: unknown) => {
        app.report(problemOf(error));
      });
  });
  link.addEventListener("click", () => {
    const { given, network } = app.state;
    const address = new URL(toHash(linked(app.state)), location.href).href;
    const left = [
      ...(given?.example === null ? [t`what you gave`] : []),
      ...(network?.own ? [t`your network`] : []),
    ].join(" and ");
    const sentence = left === "" ? t`The link is copied.` : t`The link is copied. It does not hold ${left}.`;
    navigator.clipboard.writeText(address).then(
      () => {
        told.textContent = sentence;
      },
      () => {
        // Without the clipboard, it stands where links stand.
        history.replaceState(null, "", address);
        told.textContent = t`The link stands in the address bar.`;
      },
    );
  });
  find("print", HTMLButtonElement).addEventListener("click", () => {
    print();
  });
}

/** Takes a report that was dropped: whether the file is one. */
export async function takeReport(app: App, file: File): Promise<boolean> {
  if (!/\.html?$/i.test(file.name)) return false;
  const html = await file.text();
  if (!isReport(html)) return false;
  const line = find("checked", HTMLElement);
  line.hidden = true;
  try {
    const report = readReport(html);
    await checkReport(app, report, line);
  } catch (error) {
    app.report(problemOf(error));
  }
  return true;
}

async function checkReport(app: App, report: Report, line: HTMLElement): Promise<void> {
  const { networks } = app.state;
  const hashes = await Promise.all(networks.map(hashOf));
  const network = networks[hashes.indexOf(report.network.sha256)];
  if (!network) {
    throw new AdversightError(
      "input_invalid",
      t`This report is of “${report.network.title}” (SHA-256 ${report.network.sha256.slice(0, 12)}…), which is not here. Load that network, and drop the report again.`,
    );
  }
  await app.ask(await givenOf(report), network, {
    method: report.method,
    params: report.params,
    target: report.target.index,
  });
  const { explanation, answered } = app.state;
  if (!explanation || answered?.method !== report.method) return; // something else was asked meanwhile, or it has failed, which is told
  const found = differences(report, {
    engine: __ENGINE__,
    network: report.network.sha256,
    target: explanation.info.target,
    parts: explanation.parts,
    map: explanation.heatmap.data,
  });
  const by =
    report.engine === __ENGINE__
      ? t`the same engine`
      : t`engine ${__ENGINE__}, the report’s was ${report.engine}`;
  line.hidden = false;
  line.dataset.same = String(found.length === 0);
  line.textContent =
    found.length === 0
      ? t`Computed again, and the same: answer and map of the report of ${report.date.slice(0, 10)} (${by}).`
      : t`Computed again, and not the same as the report of ${report.date.slice(0, 10)} (${by}). ${found.join(" ")}`;
}

async function givenOf({ kind, title, input }: Report): Promise<Given> {
  const credit = t`from a report`;
  if ("texts" in input) {
    const [first = "", second] = input.texts;
    return {
      kind: "text",
      input: second === undefined ? first : [first, second],
      title,
      credit,
      example: null,
    };
  }
  if ("table" in input) {
    return { kind: kind === "series" ? kind : "table", input: input.table, title, credit, example: null };
  }
  const blob = new Blob([fromBase64(input.base64)], { type: input.type });
  if (kind === "image") {
    // As it was given to the engine: upright, in sRGB.
    const bitmap = await createImageBitmap(blob, { imageOrientation: "none", premultiplyAlpha: "none" });
    return { kind, input: bitmap, title, credit, example: null };
  }
  return { kind: kind === "audio" ? "audio" : "file", input: blob, title, credit, example: null };
}

async function reportOf(state: State): Promise<string | null> {
  const { given, explanation, network, classification, methods } = state;
  if (!given || !explanation || !network) return null;
  const { info, heatmap, parts, words } = explanation;
  const report: Report = {
    adversight: 1,
    engine: __ENGINE__,
    device: info.device,
    date: new Date().toISOString(),
    kind: given.kind,
    title: given.title,
    input: await inputOf(given),
    network: { name: network.name, title: network.title, sha256: await hashOf(network) },
    method: info.method,
    methodTitle: methods.find(({ name }) => name === info.method)?.title ?? info.method,
    params: info.params,
    seed: info.seed,
    target: {
      index: info.target.index,
      label: info.target.label,
      probability: info.target.probability,
    },
    answers: (classification?.top ?? []).map(({ label, probability }) => ({ label, probability })),
    words,
    map: { base64: toBase64(mapBytes(heatmap.data)), shape: [...heatmap.shape] },
    parts: parts.map(({ name, score, special }) => ({ name, score, special })),
    notes: [
      ...struckOut(given),
      ...(given.changes ?? []),
      ...info.notes,
      ...(info.doubt === null ? [] : [info.doubt]),
    ],
  };
  return reportHtml(report, shownOf(given, explanation, report));
}

/** What was changed of a text, in a sentence. */
function struckOut(given: Given): string[] {
  if (given.kind !== "text" || !given.written) return [];
  const { text, struck } = given.written;
  return [t`Struck out: ${struck.map(([start, end]) => `“${text.slice(start, end)}”`).join(", ")}.`];
}

async function inputOf(given: Given): Promise<Report["input"]> {
  if (given.kind === "text") {
    return { texts: typeof given.input === "string" ? [given.input] : [...given.input] };
  }
  if (given.kind === "table" || given.kind === "series") return { table: given.input };
  if (given.kind !== "image") {
    return {
      base64: toBase64(new Uint8Array(await given.input.arrayBuffer())),
      type: given.input.type || "application/octet-stream",
    };
  }
  const canvas = make("canvas");
  canvas.width = given.input.width;
  canvas.height = given.input.height;
  canvas.getContext("2d")?.drawImage(given.input, 0, 0);
  const blob = await new Promise<Blob | null>((resolve) => {
    canvas.toBlob(resolve, "image/png");
  });
  if (!blob) throw new Error("This browser makes no file of the picture.");
  return { base64: toBase64(new Uint8Array(await blob.arrayBuffer())), type: "image/png" };
}

/** What is seen of it, as HTML. */
function shownOf(given: Given, explanation: Explanation, report: Report): string {
  const picture = (canvas: HTMLCanvasElement) =>
    pictureHtml(canvas.toDataURL("image/png"), canvas.getAttribute("aria-label") ?? "");
  if (given.kind === "image") return picture(find("picture", HTMLCanvasElement));
  if (given.kind === "audio") {
    const canvases = [...find("hearing", HTMLElement).querySelectorAll("canvas")].slice(0, 2);
    const sound =
      "base64" in report.input
        ? soundHtml(`data:${report.input.type || "audio/wav"};base64,${report.input.base64}`)
        : "";
    return canvases.map(picture).join("") + sound;
  }
  if (given.kind === "table" || given.kind === "series") {
    const drawn = make("div");
    if (explanation.table) drawColumns(drawn, explanation);
    if (explanation.series) drawSeries(drawn, explanation.series);
    return drawn.innerHTML;
  }
  const scale = largestScore(explanation);
  const texts = explanation.texts.map((_, source) =>
    stretches(explanation, source).map(({ text, part }) => {
      const score = part === null ? undefined : explanation.parts[part]?.score;
      if (score === undefined) return { text, colour: null, title: "" };
      return {
        text,
        colour: wordColour(score, scale, colours({ dark: false })),
        title: score.toPrecision(3),
      };
    }),
  );
  return textHtml(texts, given.kind === "file");
}
