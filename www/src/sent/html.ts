// The HTML file of a report: it stands alone, asks nobody for anything, and runs nothing.

import { figure, percent } from "../format.js";
import type { Report } from "./report.js";

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

/** `shown` is the HTML of what is to be seen of the input and its map. */
export function reportHtml(report: Report, shown: string): string {
  const { title, words, answers, network, methodTitle, method, params, target } = report;
  const row = (name: string, value: string) => `<dt>${escaped(name)}</dt><dd>${escaped(value)}</dd>`;
  const settings = Object.entries(params)
    .map(([name, value]) => `${name} = ${typeof value === "number" ? figure(value) : JSON.stringify(value)}`)
    .join(", ");
  // Within a script, nothing may look like its end.
  const json = JSON.stringify(report).replaceAll("<", "\\u003c");
  return `<!doctype html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'">
<title>Why “${escaped(target.label)}”? ${escaped(title)}</title>
<style>
:root { color-scheme: light; }
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #241d28; background: #fffdfa; font: 1rem/1.5 system-ui, sans-serif; }
h1 { font: 400 1.75rem/1.3 Georgia, serif; }
img, audio { display: block; max-width: 100%; }
figure { margin: 1rem 0; }
.text { font: 1.375rem/1.7 Georgia, serif; white-space: pre-wrap; overflow-wrap: anywhere; }
.text span { border-radius: .2em; }
.bytes { font: .875rem/1.6 ui-monospace, monospace; }
.words p { font: 1.125rem/1.5 Georgia, serif; }
ol { padding-left: 1.5rem; }
dl { display: grid; grid-template-columns: auto 1fr; gap: .25rem 1rem; font-size: .875rem; }
dt { color: #675d6c; }
dd { margin: 0; overflow-wrap: anywhere; }
* { print-color-adjust: exact; }
</style>
</head>
<body>
<main>
<h1>Why “${escaped(target.label)}”?</h1>
<figure>${shown}<figcaption>${escaped(title)}</figcaption></figure>
<div class="words">${words.map((text) => `<p>${escaped(text)}</p>`).join("")}</div>
<h2>What the network says</h2>
<ol>${answers.map(({ label, probability }) => `<li>${escaped(label)}: ${percent(probability)}</li>`).join("")}</ol>
<h2>How it came about</h2>
<dl>
${row("Network", network.title)}
${row("Its SHA-256", network.sha256)}
${row("Method", `${methodTitle} (${method})`)}
${row("Settings", settings || "none")}
${row("Seed", String(report.seed))}
${row("Engine", `Adversight ${report.engine}, on ${report.device}`)}
${row("Date", report.date)}
${report.notes.map((note) => row("Note", note)).join("\n")}
</dl>
<p>Drop this file on the page that made it, and it is computed again.</p>
</main>
<script type="application/json" id="adversight-report">${json}</script>
</body>
</html>
`;
}

/** A text as the page shows it, its words coloured. */
export function textHtml(
  texts: readonly (readonly { text: string; colour: string | null; title: string }[])[],
  bytes: boolean,
): string {
  const stretch = ({ text, colour, title }: { text: string; colour: string | null; title: string }) =>
    colour === null
      ? escaped(text)
      : `<span style="background-color: ${colour}" title="${escaped(title)}">${escaped(text)}</span>`;
  return texts
    .map((text) => `<p class="text${bytes ? " bytes" : ""}" dir="auto">${text.map(stretch).join("")}</p>`)
    .join("");
}

export const pictureHtml = (address: string, alt: string): string =>
  `<img src="${escaped(address)}" alt="${escaped(alt)}">`;

export const soundHtml = (address: string): string => `<audio controls src="${escaped(address)}"></audio>`;
