// Makes the documentation site: from docs/methods.md and docs/metrics.md, which are made from the registries, the package's declarations, the guides and the other
// documents. Static pages without a script; they also work from a folder, without a server.
//
//     node docs/site/build.mjs [--outDir docs/site/dist]        the package must have been built

import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, posix, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { exportsOf, reference } from "./api.mjs";
import { facts } from "./facts.mjs";
import { code, escape, inline, render, table } from "./markdown.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = resolve(here, "../..");
const { outDir } = parseArgs({
  options: { outDir: { type: "string", default: join(here, "dist") } },
}).values;
const out = resolve(outDir);
const forge = "https://github.com/adversight/adversight/blob/main/";
const version = JSON.parse(
  readFileSync(join(root, "pkg/package.json"), "utf8"),
).version;
const read = (path) => readFileSync(join(root, path), "utf8");

/** The documents that become pages, by their path in the repository. */
const documents = new Map();
for (const name of readdirSync(join(root, "docs")).filter((name) =>
  name.endsWith(".md"),
)) {
  if (!["methods.md", "metrics.md"].includes(name))
    documents.set(`docs/${name}`, `more/${name.replace(/\.md$/, ".html")}`);
}
for (const folder of ["docs/notes", "docs/reproduction"]) {
  for (const name of readdirSync(join(root, folder), { recursive: true })) {
    const path = `${folder}/${name}`.replaceAll("\\", "/");
    if (path.endsWith(".md"))
      documents.set(
        path,
        `${path.replace(/^docs\//, "more/").replace(/\.md$/, ".html")}`,
      );
  }
}
const guideOrder = [
  "first-minute",
  "pytorch",
  "keras",
  "transformer",
  "private-images",
  "react",
];
const guides = guideOrder.map((name) => ({
  name,
  text: read(`docs/guides/${name}.md`),
  path: `guides/${name}.html`,
}));
for (const { name, path } of guides)
  documents.set(`docs/guides/${name}.md`, path);
documents.set("docs/methods.md", "methods/index.html");
documents.set("docs/metrics.md", "metrics/index.html");
documents.set("pkg/README.md", "guides/package.html");
documents.set("README.md", "guides/project.html");

const to = (from, target) => {
  const [file, anchor] = target.split("#");
  const path =
    posix.relative(posix.dirname(from), file) || posix.basename(file);
  return anchor ? `${path}#${anchor}` : path;
};

/** Where an address in a document leads from its page: to another page, to a picture beside it, or to the repository. */
const linker = (source, page) => (address, isPicture) => {
  if (/^[a-z]+:/.test(address) || address.startsWith("#")) return address;
  const [path, anchor] = address.split("#");
  const target = posix
    .normalize(posix.join(posix.dirname(source), path))
    .replace(/\/$/, "");
  const document =
    documents.get(target) ?? documents.get(`${target}/README.md`);
  if (document) {
    if (
      anchor &&
      document === "methods/index.html" &&
      !aboutInputs.includes(`id="${anchor}"`)
    )
      return to(page, document);
    return to(page, anchor ? `${document}#${anchor}` : document);
  }
  if (!existsSync(join(root, target)))
    throw new Error(`${source} links to ${address}, which is not there.`);
  if (isPicture) {
    const copy = posix.join("assets", target);
    mkdirSync(dirname(join(out, copy)), { recursive: true });
    cpSync(join(root, target), join(out, copy));
    return to(page, copy);
  }
  return `${forge}${target}${anchor ? `#${anchor}` : ""}`;
};

const sections = [
  ["Guides", "guides/index.html"],
  ["Methods", "methods/index.html"],
  ["Metrics", "metrics/index.html"],
  ["API", "api/index.html"],
  ["More", "more/index.html"],
];

function write(path, title, body, about = "") {
  const root = to(path, "index.html").replace(/index\.html$/, "");
  const top = path.split("/")[0];
  const nav = sections
    .map(([label, target]) => {
      const isHere =
        path === target
          ? ' aria-current="page"'
          : target.startsWith(`${top}/`)
            ? ' aria-current="true"'
            : "";
      return `<li><a href="${to(path, target)}"${isHere}>${label}</a></li>`;
    })
    .join("");
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'self'; img-src 'self'">
<title>${escape(title)}${path === "index.html" ? "" : " · Adversight"}</title>
<meta name="description" content="${escape(about || title)}">
<link rel="stylesheet" href="${root}style.css">
<link rel="icon" href="${root}icon.svg">
</head>
<body>
<a class="skip" href="#main">To the text</a>
<header><a class="name" href="${root}index.html">Adversight</a><nav aria-label="Sections"><ul>${nav}</ul></nav></header>
<main id="main">
${body}
</main>
<footer>Adversight ${escape(version)} · MIT or Apache-2.0 · this site asks no other host for anything</footer>
</body>
</html>
`;
  const file = join(out, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, html);
}

/** The sections of a document that is made from a registry: "## Title (`name`)", a summary, facts, a table of parameters. */
function entries(document) {
  const [before, ...parts] = read(document).split(/^## /m);
  const found = [];
  const others = [];
  for (const part of parts) {
    const [line, ...rest] = part.split("\n");
    const [, title, name] = /^(.*) \(`(\w+)`\)$/.exec(line.trim()) ?? [];
    if (!name) {
      others.push(`## ${part}`);
      continue;
    }
    const [summary = "", ...blocks] = rest.join("\n").trim().split(/\n\n/);
    const list = Object.fromEntries(
      (blocks.find((block) => block.startsWith("- ")) ?? "")
        .split(/^- /m)
        .filter(Boolean)
        .map((item) => {
          const colon = item.indexOf(": ");
          return [item.slice(0, colon), item.slice(colon + 2).trim()];
        }),
    );
    const lines = (blocks.find((block) => block.startsWith("|")) ?? "")
      .split("\n")
      .slice(2);
    const parameters = lines.map((row) =>
      row
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim()),
    );
    found.push({ name, title, summary, facts: list, parameters });
  }
  return { before, others: others.join("\n"), found };
}

const methods = entries("docs/methods.md");
const metrics = entries("docs/metrics.md");
const aboutInputs = render(methods.others).html;

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
cpSync(join(here, "style.css"), join(out, "style.css"));
cpSync(join(root, "www/public/icon.svg"), join(out, "icon.svg"));
if (existsSync(join(here, "pictures")))
  cpSync(join(here, "pictures"), join(out, "pictures"), { recursive: true });

const pictureOf = (name) =>
  existsSync(join(out, `pictures/${name}.webp`))
    ? `pictures/${name}.webp`
    : null;
const size = pictureSize(join(out, "pictures"));

/** The size of the pictures, all of one photograph, so that nothing moves while they load. */
function pictureSize(folder) {
  const [first] = existsSync(folder) ? readdirSync(folder) : [];
  if (!first) return "";
  const bytes = readFileSync(join(folder, first));
  const at = bytes.indexOf("VP8 ");
  if (at < 0) return "";
  return ` width="${bytes.readUInt16LE(at + 14) & 0x3fff}" height="${bytes.readUInt16LE(at + 16) & 0x3fff}"`;
}

/** A line of mathematics, in which an underscore puts what follows below. */
const formula = (text) =>
  escape(text).replace(
    /_(?:\{([^}]+)\}|([\p{L}\p{N}]+[′₁₂]?))/gu,
    (_, several, one) => `<sub>${several ?? one}</sub>`,
  );

const parameterTable = (parameters) =>
  parameters.length === 0
    ? "<p>None.</p>"
    : table(
        ["Parameter", "Default", "Values", "What it does"],
        parameters.map((row) => row.map((cell) => inline(cell))),
      );

function steps(path, list, i, folder) {
  const link = (one, before, after) =>
    one
      ? `<a href="${to(path, `${folder}/${one.name}.html`)}">${before}${escape(one.title)}${after}</a>`
      : "<span></span>";
  return `<nav class="steps" aria-label="Next and previous">${link(list[i - 1], "← ", "")}${link(list[i + 1], "", " →")}</nav>`;
}

methods.found.forEach((method, i) => {
  const path = `methods/${method.name}.html`;
  const known = facts[method.name];
  const picture = pictureOf(method.name);
  const told = Object.entries(method.facts).filter(
    ([name]) => name !== "Source",
  );
  const figure = picture
    ? `<figure><img src="${to(path, picture)}"${size} alt="A photograph of a cup of coffee with the map of ${escape(method.title)} over it, brightest where it says that the network looked"><figcaption>EfficientNet-Lite0's answer to a photograph, with the quick settings.</figcaption></figure>`
    : "";
  const words =
    /attention|transformer/i.test(method.facts.Needs ?? "") ||
    /attention|legrad/.test(method.name);
  write(
    path,
    method.title,
    `<h1>${escape(method.title)}</h1>
<div class="method${picture ? " pictured" : ""}"><div>
<p class="lead">${inline(method.summary)}</p>
${known ? `<p class="formula">${formula(known.formula)}</p>` : ""}
<p>${inline(method.facts.Source ?? "")}</p>
${known ? `<section class="caution"><h2>When not to trust it</h2><p>${escape(known.caution)}</p></section>` : ""}
${picture ? "" : `<p class="hint">${words ? "No picture: it asks for a transformer, and the photograph's network is none." : method.name === "rt_sal" ? "No picture: it asks for a masking network beside the first." : "No picture yet."}</p>`}
</div>${figure}</div>
<h2 id="use">In use</h2>
${code(`const explanation = await model.explain(photograph, { method: "${method.name}" });`, "")}
<p>On the command line <code>adversight explain --method ${method.name}</code>, in a page <code>&lt;adversight-explainer method="${method.name}"&gt;</code>.</p>
<h2 id="facts">Needs, cost and how it is shown</h2>
<dl>${told.map(([name, text]) => `<dt>${escape(name)}</dt><dd>${inline(text)}</dd>`).join("")}</dl>
<h2 id="parameters">Parameters</h2>
${parameterTable(method.parameters)}
${steps(path, methods.found, i, "methods")}`,
    method.summary,
  );
});

const tile = (page) => (method) => {
  const picture = pictureOf(method.name);
  const shown = picture
    ? `<img src="${to(page, picture)}"${size} alt="" loading="lazy">`
    : '<span class="none" aria-hidden="true">no picture</span>';
  return `<li><a href="${to(page, `methods/${method.name}.html`)}">${shown}<strong>${escape(method.title)}</strong><span class="about">${escape(method.summary.split(/(?<=[.:])\s/)[0])}</span></a></li>`;
};

write(
  "methods/index.html",
  "Methods",
  `<h1>Methods</h1>
<p class="lead">One photograph, one network, every method: what each of them says the answer rests on.</p>
<p>The pictures are EfficientNet-Lite0's answer to a photograph of a cup of coffee, with the quick settings. Defaults are the papers' settings. Every parameter has the same name in the npm package
(<code>params</code>), on the command line (<code>--param name=value</code>) and on the page.</p>
<ul class="gallery">${methods.found.map(tile("methods/index.html")).join("\n")}</ul>
${render(methods.others, { link: linker("docs/methods.md", "methods/index.html") }).html}`,
  "Every attribution method with a picture, its formula, its paper and when not to trust it",
);

metrics.found.forEach((metric, i) => {
  const path = `metrics/${metric.name}.html`;
  const told = Object.entries(metric.facts).filter(
    ([name]) => name !== "Source",
  );
  write(
    path,
    metric.title,
    `<h1>${escape(metric.title)}</h1>
<p class="lead">${inline(metric.summary)}</p>
${metric.facts.Source ? `<p>${inline(metric.facts.Source)}</p>` : ""}
<h2 id="use">In use</h2>
${code(`const [measured] = await model.measure(photograph, explanation, { metrics: ["${metric.name}"] });`, "")}
<p>On the command line <code>adversight evaluate --metric ${metric.name}</code>.</p>
<dl>${told.map(([name, text]) => `<dt>${escape(name)}</dt><dd>${inline(text)}</dd>`).join("")}</dl>
<h2 id="parameters">Parameters</h2>
${parameterTable(metric.parameters)}
${steps(path, metrics.found, i, "metrics")}`,
    metric.summary,
  );
});
write(
  "metrics/index.html",
  "Metrics",
  `<h1>Metrics</h1>
<p class="lead">Is the explanation true? These measure it.</p>
${table(
  ["Metric", "What it measures", "Read as"],
  metrics.found.map((metric) => [
    `<a href="${metric.name}.html">${escape(metric.title)}</a>`,
    inline(metric.summary),
    inline(metric.facts["Read as"] ?? ""),
  ]),
)}
${render(metrics.before.replace(/^# .*\n+/, "").replace(/^Made from.*\n/m, ""), { link: linker("docs/metrics.md", "metrics/index.html") }).html}
${metrics.others ? render(metrics.others, { link: linker("docs/metrics.md", "metrics/index.html") }).html : ""}`,
  "Every metric of explanations: what it measures and how it is read",
);

for (const [source, path] of documents) {
  if (
    path.endsWith("methods/index.html") ||
    path.endsWith("metrics/index.html")
  )
    continue;
  const text = read(source);
  const { html, headings } = render(text, { link: linker(source, path) });
  write(path, headings[0]?.title ?? source, html);
}

const listed = (page, list) =>
  `<ul>${list.map(([target, label]) => `<li><a href="${to(page, target)}">${escape(label)}</a></li>`).join("")}</ul>`;
const titleOf = (text) => /^# (.*)$/m.exec(text)[1];
const guideList = guides.map(({ path, text }) => [path, titleOf(text)]);
const allGuides = [
  ...guideList,
  ["guides/package.html", "Everything that the npm package does"],
  ["guides/project.html", "The project, its page and its command line"],
];
write(
  "guides/index.html",
  "Guides",
  `<h1>Guides</h1>${listed("guides/index.html", allGuides)}`,
);
const more = [...documents].filter(
  ([source]) =>
    /^docs\/[^/]+\.md$/.test(source) && !/methods|metrics/.test(source),
);
write(
  "more/index.html",
  "More",
  `<h1>More</h1>${listed("more/index.html", [
    ...more.map(([source, path]) => [path, titleOf(read(source))]),
    ["more/reproduction/README.html", "What the papers' experiments gave here"],
    ["more/notes/README.html", "Notes"],
  ])}`,
);

const entriesOfPackage = [
  [
    "index.d.ts",
    "api/index.html",
    "adversight",
    'import { createEngine } from "adversight";',
  ],
  [
    "element.d.ts",
    "api/element.html",
    "adversight/element",
    'import { define } from "adversight/element";',
  ],
];
const elementTable = () => {
  const { modules } = JSON.parse(read("pkg/dist/custom-elements.json"));
  const [element] = modules[0].declarations;
  const rows = (list) =>
    (list ?? []).map((one) => [
      `<code>${escape(one.name || "(default)")}</code>`,
      inline(one.description ?? ""),
    ]);
  return [
    ["Attributes", element.attributes],
    ["Events", element.events],
    ["Slots", element.slots],
    ["Parts", element.cssParts],
  ]
    .map(
      ([title, list]) =>
        `<h2 id="element-${title.toLowerCase()}">${title}</h2>${table(["Name", "What it is"], rows(list))}`,
    )
    .join("\n");
};
for (const [entry, path, name, sample] of entriesOfPackage) {
  const list = exportsOf(root, entry);
  const other = entriesOfPackage.find(([, target]) => target !== path);
  const names = list.filter(
    ({ kind }) => kind !== "type" && kind !== "interface",
  );
  write(
    path,
    `API: ${name}`,
    `<h1>API: <code>${name}</code></h1>
<p>Made from the package's declarations. See also <a href="${to(path, other[1])}"><code>${other[2]}</code></a>.</p>
${code(sample, "")}
<p>${names.map((one) => `<a href="#${escape(one.name)}">${escape(one.name)}</a>`).join(" · ")}</p>
${name === "adversight/element" ? elementTable() : ""}
${reference(list)}`,
  );
}

write(
  "index.html",
  "Adversight: why did the network say that?",
  `<h1>Why did the network say that?</h1>
<p class="lead">Adversight explains ONNX networks in the browser, on the visitor's own GPU or processor: photographs, texts, sounds and any file. Nothing is sent anywhere.</p>
${code(/```ts\n([\s\S]*?)```/.exec(read("pkg/README.md"))[1].trimEnd(), "")}
<h2 id="guides">Begin here</h2>
${listed("index.html", allGuides)}
<h2 id="methods">What each method says of one photograph</h2>
<ul class="gallery">${[
    "grad_cam",
    "agi",
    "integrated_gradients",
    "lrp",
    "xrai",
    "rise",
  ]
    .map((name) => methods.found.find((one) => one.name === name))
    .filter(Boolean)
    .map(tile("index.html"))
    .join("\n")}</ul>
<p><a href="methods/index.html">All ${methods.found.length} methods</a>, <a href="metrics/index.html">${metrics.found.length} metrics</a> that tell whether an explanation is true, and the <a href="api/index.html">API</a>.</p>`,
  "Explains ONNX networks in the browser; nothing is sent anywhere",
);

const count = readdirSync(out, { recursive: true }).filter((name) =>
  name.endsWith(".html"),
).length;
const bytes = readdirSync(out, { recursive: true }).reduce(
  (sum, name) =>
    sum +
    (statSync(join(out, name)).isFile() ? statSync(join(out, name)).size : 0),
  0,
);
console.log(
  `${count} pages, ${(bytes / 1e6).toFixed(1)} MB, in ${relative(process.cwd(), out) || "."}`,
);
