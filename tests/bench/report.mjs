// The results as a page of Markdown.

import { variants } from "./engines.mjs";

const networkTitles = {
  squeezenet1_1: "SqueezeNet 1.1 (227x227)",
  efficientnet_lite0: "EfficientNet-Lite0 (224x224)",
  tiny: "The tiny network (32x32)",
};
const threadNames = ["", "one thread", "two threads"];

export function table(report) {
  const notes = new Notes();
  const networks = report.plan.networks.filter((network) =>
    report.entries.some((e) => e.network === network),
  );
  const parts = [
    "# Benchmark",
    introduction(report),
    ...networks.flatMap((network) => [`## ${networkTitles[network]}`, times(report, network, notes)]),
    ...notes.lines(),
    "## What the ratios say",
    ratios(report),
    "## Are the results right?",
    correctness(report),
  ];
  if (report.methods.length > 0) parts.push("## What methods cost", methods(report));
  if (report.counts.length > 0) parts.push("## What is asked of the GPU", gpuCalls(report));
  parts.push("## What a page loads", sizes(report));
  return `${parts.join("\n\n")}\n`;
}

function introduction({ date, machine, browser, gpu, crossOriginIsolated, plan, quick, entries }) {
  const spreads = measurements(entries)
    .filter(({ rounds }) => rounds.length > 1)
    .map(({ rounds, milliseconds }) => (Math.max(...rounds) - Math.min(...rounds)) / milliseconds);
  const lines = [
    `Made by \`cargo xtask bench\` on ${date}; the same figures and more of them are in the JSON file beside this page. Machine: ` +
      `${machine.processor}, ${machine.cores} cores, ${Math.round(machine.memory / 2 ** 30)} GB, ${machine.platform}. Browser: ${browser}, ` +
      `headless, ${crossOriginIsolated ? "the page cross-origin isolated, so that threads can be used where a column says so" : "the page not cross-origin isolated, thus no threads"}. ` +
      `WebGPU: ${gpu ?? "none"}${gpu?.includes("swiftshader") ? ", a GPU played by the CPU, which says little about real ones" : ""}.`,
    "Milliseconds for **forward / forward + input gradient** (of one logit), from numbers in the page's memory to numbers in the page's " +
      "memory, all libraries in one page and one run. Each works in a worker of its own, with SIMD, and takes its turn in every round; a figure " +
      `is the middle of ${plan.rounds === 1 ? "one round" : `${plan.rounds} rounds`}, the first calls left out (what takes more than ${plan.patience / 1000} s has its turn in every second round, and is skipped at larger batches). Other runs give other figures: only the ratios within one ` +
      "run mean something.",
  ];
  if (spreads.length > 0) {
    lines.push(
      `Between the fastest and the slowest round of a measurement lie ${percent(median(spreads))} of its figure (the middle of all ` +
        `measurements; ${percent(Math.max(...spreads))} at worst).`,
    );
  }
  if (quick) lines.push("**This was a smoke test with a single round: its times mean nothing.**");
  return lines.join("\n\n");
}

/** Numbered notes for the cells that hold no times. */
class Notes {
  #reasons = [];

  add(reason) {
    let index = this.#reasons.indexOf(reason);
    if (index < 0) index = this.#reasons.push(reason) - 1;
    return `[${index + 1}]`;
  }

  lines() {
    return this.#reasons.length > 0
      ? [this.#reasons.map((reason, i) => `[${i + 1}] ${reason}  `).join("\n")]
      : [];
  }
}

function times(report, network, notes) {
  const entries = report.entries.filter((entry) => entry.network === network);
  const ids = new Set(entries.map(({ variant }) => variant));
  const shown = variants.filter(({ id }) => ids.has(id));
  const threads = [...new Set(shown.map((variant) => variant.threads))].sort();
  const onGpu = shown.every(({ device }) => device === "webgpu");
  const columns = report.plan.batches.flatMap((batch) => threads.map((count) => ({ batch, count })));
  const rows = [...new Map(shown.map(({ row, rowTitle }) => [row, rowTitle]))];
  return markdown(
    ["", ...columns.map(({ batch, count }) => `batch ${batch}${onGpu ? "" : `, ${threadNames[count]}`}`)],
    rows.map(([row, title]) => [
      title,
      ...columns.map(({ batch, count }) => {
        const variant = shown.find((one) => one.row === row && one.threads === count);
        const entry = entries.find((one) => one.variant === variant?.id && one.batch === batch);
        return entry ? cell(entry, notes) : "";
      }),
    ]),
  );
}

function cell({ logits, gradient }, notes) {
  const [left, right] = [part(logits, notes), part(gradient, notes)];
  return left === right ? left : `${left} / ${right}`;
}

function part({ missing, correct, difference, milliseconds }, notes) {
  if (missing?.kind === "none") return "none";
  if (missing?.kind === "skipped") return `skipped ${notes.add(`Skipped at this batch: ${missing.reason}.`)}`;
  if (missing) return `fails ${notes.add(`Fails: ${missing.reason}`)}`;
  // What is wrong is not shown as fast.
  if (correct === false)
    return `wrong ${notes.add(`Wrong result: cosine ${cosine(difference.cosine)} with what is right.`)}`;
  return ms(milliseconds);
}

function ratios(report) {
  const time = (variant, network, batch, quantity) => {
    const entry = report.entries.find(
      (one) => one.variant === variant && one.network === network && one.batch === batch,
    );
    const measurement = entry?.[quantity];
    return measurement && !measurement.missing && measurement.correct !== false
      ? measurement.milliseconds
      : null;
  };
  const lines = [];
  for (const network of report.plan.networks) {
    const ours = network === "tiny" ? "adversight-webgpu" : "adversight-cpu";
    const peers =
      network === "tiny" ? ["tfjs-webgpu", "jax-webgpu"] : ["tfjs-wasm-composed", "tfjs-wasm", "jax-wasm"];
    const forwardPeer = network === "tiny" ? "ort-webgpu" : "ort-wasm";
    for (const batch of report.plan.batches) {
      const forward = time(ours, network, batch, "logits");
      const gradient = time(ours, network, batch, "gradient");
      const said = [];
      for (const peer of peers) {
        const theirs = time(peer, network, batch, "gradient");
        if (gradient && theirs)
          said.push(`forward + gradient: ${titleOf(peer)} takes ${timesOf(theirs / gradient)} our time`);
      }
      const theirs = time(forwardPeer, network, batch, "logits");
      if (forward && theirs)
        said.push(`forward: we take ${timesOf(forward / theirs)} the time of ${titleOf(forwardPeer)}`);
      if (forward && gradient) {
        said.push(
          `of our forward + gradient, ${percent(forward / gradient)} is what a forward pass alone takes`,
        );
      }
      const threaded = time(`${ours}-2`, network, batch, "gradient");
      if (gradient && threaded)
        said.push(`our one thread takes ${timesOf(gradient / threaded)} our two threads' time`);
      const [smallest] = report.plan.batches;
      const single = time(ours, network, smallest, "gradient");
      if (batch > smallest && gradient && single) {
        said.push(`our batch of ${batch} costs ${timesOf(gradient / single)} our batch of ${smallest}`);
      }
      if (said.length > 0) lines.push(`- ${networkTitles[network]}, batch ${batch}: ${said.join("; ")}.`);
    }
    const floor = report.plan.batches.flatMap((batch) => {
      const all = report.entries.filter((entry) => entry.network === network && entry.batch === batch);
      const forwards = all
        .filter(({ variant }) => variants.find(({ id }) => id === variant).threads === 1)
        .map(({ variant }) => ({ variant, value: time(variant, network, batch, "logits") }))
        .filter(({ value }) => value);
      if (forwards.length === 0) return [];
      const best = forwards.reduce((a, b) => (a.value < b.value ? a : b));
      return [`${titleOf(best.variant)} with ${ms(best.value)} ms at batch ${batch}`];
    });
    if (floor.length > 0)
      lines.push(`- ${networkTitles[network]}, the fastest forward pass on one thread: ${floor.join("; ")}.`);
  }
  const counted = report.counts.find(({ variant }) => variant === "adversight-webgpu");
  const steady = counted?.counts.findLast(
    ({ what, counts }) => counts && what.startsWith("gradient"),
  )?.counts;
  if (steady) {
    lines.push(
      `- Our gradient of the tiny network on WebGPU is ${steady.dispatches} dispatches for ${counted.nodes} ONNX nodes ` +
        `(${(steady.dispatches / counted.nodes).toFixed(1)} a node) and ${steady.readbacks} readback${steady.readbacks === 1 ? "" : "s"}.`,
    );
  }
  return lines.length > 0 ? lines.join("\n") : "None: too few libraries were measured.";
}

function correctness({ entries, agreement, plan }) {
  const rows = [];
  for (const { id, title } of plan.variants) {
    for (const network of plan.networks) {
      const own = entries.filter((entry) => entry.variant === id && entry.network === network);
      if (own.length === 0) continue;
      const columns = ["logits", "gradient"].map((quantity) => {
        const compared = own.map((entry) => entry[quantity]).filter(({ difference }) => difference);
        if (compared.length === 0) {
          if (id === plan.reference && quantity === "logits") return "the reference";
          return own.every((entry) => entry[quantity].missing?.kind === "none") ? "none" : "fails";
        }
        const worst = compared.reduce((a, b) => (b.difference.cosine >= a.difference.cosine ? a : b));
        const error = Math.max(...compared.map(({ difference }) => difference.error ?? Infinity));
        const verdict = compared.every(({ correct }) => correct) ? "right" : "**wrong**";
        return `${verdict}: ${cosine(worst.difference.cosine)}, ${error.toExponential(0)}`;
      });
      rows.push([title, networkTitles[network], ...columns]);
    }
  }
  const slopes = agreement.map(
    ({ network, batch, variant, length, slope, confirmed }) =>
      `- ${networkTitles[network]}, batch ${batch}: length ${length.toPrecision(4)}, slope ${slope.toPrecision(4)} (gradient of ` +
      `${titleOf(variant)})${confirmed ? "" : ": **not confirmed, so no gradient here counts as right**"}.`,
  );
  return [
    "Cosine and largest difference (as a part of the largest value; the worst over the batches): logits against onnxruntime-web wasm on one " +
      "thread, gradients against the one that most libraries agree with. A gradient jumps where the input of a rectifier, or two values of a " +
      "maximum pool, lie within rounding of each other; there some pixels differ between libraries that are both right, so right is what lies " +
      "within 5 % of the whole gradient's length (logits: 0.1 %).",
    markdown(["", "network", "logits", "gradient"], rows),
    "That gradient beside something else than a gradient: its length must be the slope that onnxruntime-web's logits have in its direction, " +
      "by a small step to both sides.",
    slopes.join("\n") || "No gradients were computed.",
  ].join("\n\n");
}

function gpuCalls({ counts }) {
  const rows = counts.flatMap(({ variant, counts }) =>
    counts
      .filter(({ what }) => !what.endsWith("second"))
      .map(({ what, counts, error }) =>
        counts
          ? [
              titleOf(variant),
              whatNames[what],
              counts.dispatches,
              counts.submits,
              counts.shaders,
              counts.repeatedShaders,
              counts.pipelines,
              kilobytes(counts.uploaded),
              kilobytes(counts.readBack),
              counts.readbacks,
            ]
          : [titleOf(variant), `fails: ${error}`, ...Array(8).fill("")],
      ),
  );
  return [
    "The tiny network at batch 1, counted in a run of its own. First: the first call of its kind, after the calls in the lines above it; later: " +
      "the third. Bytes uploaded are those written through the queue or into mapped buffers.",
    markdown(
      [
        "",
        "what",
        "dispatches",
        "submits",
        "shaders compiled",
        "of them again",
        "pipelines",
        "uploaded",
        "read back",
        "readbacks",
      ],
      rows,
    ),
  ].join("\n\n");
}

function methods({ methods, plan }) {
  const rows = methods.map(({ network, variant, title, unit, error, rounds }) => {
    const [ours, parts] = [
      median(rounds.map(({ milliseconds }) => milliseconds)),
      median(rounds.map(({ parts }) => parts)),
    ];
    const figures = error ? [`fails: ${error}`, "", ""] : [ms(ours), ms(parts), timesOf(ours / parts)];
    return [title, `${networkTitles[network]}, ${titleOf(variant)}`, unit, ...figures];
  });
  return [
    `Milliseconds of an explanation beside what it stands on, taken in turns (the middle of ${plan.methodRounds}): the passes that it needs, by the same ` +
      "calls as above, in batches; or, for many classes at once, one class alone (the mean over those classes). The photograph of the cat; " +
      "fewer samples than the defaults where the ratio does not depend on their number.",
    markdown(["method", "", "beside", "explanation", "that", "ratio"], rows),
  ].join("\n\n");
}

const whatNames = {
  start: "start, network loaded",
  "logits, first": "forward, first",
  "logits, third": "forward, later",
  "gradient, first": "gradient, first",
  "gradient, third": "gradient, later",
  "AGI, first": "AGI, 20 steps, 3 classes, first",
  "AGI, third": "AGI, 20 steps, 3 classes, later",
  "all that follows": "all that follows",
};

function sizes({ sizes }) {
  // What differs only in its threads or its gradients mostly loads the same.
  const loads = new Map();
  for (const { variant, files } of sizes) {
    const { library, threads } = variants.find(({ id }) => id === variant);
    const key = files.map(({ file }) => file).join();
    if (!loads.has(key))
      loads.set(key, { title: threads === 1 ? library : `${library}, ${threadNames[threads]}`, files });
  }
  const rows = [...loads.values()].map(({ title, files }) => {
    const sum = (unit, of = () => true) =>
      files.filter(({ file }) => of(file)).reduce((total, file) => total + file[unit], 0);
    const isWasm = (file) => file.endsWith(".wasm");
    return [
      title,
      megabytes(sum("gzip")),
      megabytes(sum("brotli")),
      megabytes(sum("gzip", (file) => !isWasm(file))),
      megabytes(sum("gzip", isWasm)),
      megabytes(sum("bytes")),
    ];
  });
  return [
    "Code and wasm as the browser asked for them, bundled and minified by esbuild, in MB (of 10^6 bytes); models apart. With it come a few " +
      "kilobytes of each library's adapter; the ONNX reader that TF.js and jax-js need is not counted.",
    markdown(["", "gzip", "brotli", "script, gzip", "wasm, gzip", "unpacked"], rows),
  ].join("\n\n");
}

function markdown(head, rows) {
  const line = (cells) => `| ${cells.map((cell) => String(cell).replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? "---" : "---:"))), ...rows.map(line)].join("\n");
}

const titleOf = (id) => variants.find((variant) => variant.id === id)?.title ?? id;
const measurements = (entries) =>
  entries.flatMap(({ logits, gradient }) => [logits, gradient]).filter(({ missing }) => !missing);
const ms = (value) => (value < 10 ? value.toFixed(1) : String(Math.round(value)));
const timesOf = (ratio) => `${ratio.toFixed(ratio < 10 ? 2 : 1)} times`;
const percent = (part) => `${Math.round(100 * part)} %`;
const cosine = (value) => (value === null || Number.isNaN(value) ? "none" : value.toFixed(6));
const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;
const megabytes = (bytes) => (bytes / 1e6).toFixed(2);

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
