// The benchmark, in the page: loads every library into a thread, holds their results against each other, and then times all of them
// in turns, round after round, so that whatever else the machine does hits all alike.

import { compare, median, mostAgreed, type Difference } from "./compare.ts";
import type { GpuCounts } from "./count.ts";
import type { EngineOptions, Explanation, Shape } from "./engine.ts";
import { readOnnx } from "./onnx.ts";
import { Thread } from "./thread.ts";
import { pictures, tinyOnnx } from "./tiny.ts";
import type { Quantity } from "./worker.ts";

/** A library in one of its forms. */
export interface Variant extends Omit<EngineOptions, "base"> {
  id: string;
  title: string;
}

export interface Options {
  variants: Variant[];
  /** What logits are held against: a variant of that id is always there. */
  reference: string;
  networks: ("squeezenet1_1" | "efficientnet_lite0" | "tiny")[];
  batches: number[];
  rounds: number;
  /** Milliseconds for each turn of each measurement, if one call of it takes less. */
  budget: number;
  /** How often methods are timed; not at all where it is 0. */
  methodRounds: number;
  /** What takes more milliseconds than this is timed in every second round only, and larger batches of it are skipped. */
  patience: number;
}

interface Case {
  network: Options["networks"][number];
  batch: number;
}

/** One library on one network at one batch. */
export interface Entry extends Case {
  variant: string;
  logits: Measurement;
  gradient: Measurement;
}

export interface Measurement {
  /** Why there are no times: not offered, skipped, failed. */
  missing: { kind: "none" | "skipped" | "failed"; reason: string } | null;
  /** Against onnxruntime-web's logits, or against the gradient that most agree on. */
  difference: Difference | null;
  correct: boolean | null;
  /** The first call, with everything that a library puts off until then. */
  first: number | null;
  /** For each round, the middle of its times. */
  rounds: number[];
  milliseconds: number | null;
}

export interface CountsOfVariant {
  variant: string;
  nodes: number;
  counts: { what: string; counts: GpuCounts | null; error: string | null }[];
}

export interface Results {
  crossOriginIsolated: boolean;
  gpu: string | null;
  engines: {
    variant: string;
    description: string | null;
    error: string | null;
    milliseconds: number | null;
  }[];
  entries: Entry[];
  /**
   * For each case: who agreed on the gradient, and its length beside the slope that onnxruntime-web's logits have in its
   * direction, which is the same where the gradient is right. Where it is not, none of the gradients passes for right.
   */
  agreement: (Case & {
    variant: string;
    target: number;
    length: number;
    slope: number;
    confirmed: boolean;
  })[];
  methods: MethodCost[];
  counts: CountsOfVariant[];
}

/** An explanation's time beside that of what it consists of. */
export interface MethodCost {
  network: Case["network"];
  variant: string;
  title: string;
  /** What `parts` is the time of. */
  unit: string;
  error: string | null;
  rounds: { milliseconds: number; parts: number }[];
}

/**
 * Up to this distance a result counts as right. Single precision in another order of summation stays far inside for logits. A gradient
 * jumps where the input of a rectifier or two values of a maximum pool lie within rounding of each other: some pixels then differ by
 * a lot between two libraries that are both right.
 */
const tolerance = {
  logits: 0.001,
  gradient: 0.05,
  /** Of the slope of the logits along the gradient from the gradient's length, as a part of it. */
  slope: 0.05,
};
const wait = 300_000;
const pause = 20;

const sizes = { squeezenet1_1: 227, efficientnet_lite0: 224, tiny: 32 };
/** The half of the range of an input's values. */
const scales = { squeezenet1_1: 120, efficientnet_lite0: 1, tiny: 1 };
/** AGI has to know what a pixel is. */
const tinyPreprocessing = {
  do_resize: true,
  size: { height: 32, width: 32 },
  resample: 2,
  do_center_crop: false,
  do_rescale: false,
  do_normalize: true,
  image_mean: [127.5, 127.5, 127.5],
  image_std: [127.5, 127.5, 127.5],
  channel_order: "RGB",
};

export async function benchmark(options: Options, say: (line: string) => void): Promise<Results> {
  const models = new Map<string, { onnx: Uint8Array; preprocessing: Record<string, unknown> | null }>();
  for (const network of options.networks) models.set(network, await readModel(network));
  const cases = options.networks.flatMap((network) => options.batches.map((batch) => ({ network, batch })));

  const reference = options.variants.find(({ id }) => id === options.reference)!;
  const others = options.variants.filter((variant) => variant !== reference);
  const engines: Results["engines"] = [];
  const threads = new Map<string, Thread>();
  const entries: Entry[] = [];
  const gradients = new Map<Entry, Float32Array>();
  const logits = new Map<Case, Float32Array>();
  const targets = new Map<Case, number>();

  for (const variant of [reference, ...others]) {
    say(`loading ${variant.title}`);
    const thread = new Thread(variant.id);
    threads.set(variant.id, thread);
    let unusable: string | null = null;
    try {
      const reply = await thread.ask("start", { ...engineOptions(variant), count: false }, wait);
      engines.push({ variant: variant.id, error: null, ...reply });
    } catch (error) {
      unusable = message(error);
      engines.push({ variant: variant.id, description: null, error: unusable, milliseconds: null });
    }
    for (const network of options.networks) {
      if (!suits(variant, network) && variant !== reference) continue;
      let broken = unusable;
      try {
        if (!broken) await thread.ask("load", { name: network, ...models.get(network)! }, wait);
      } catch (error) {
        broken = message(error);
      }
      for (const aCase of cases.filter((one) => one.network === network)) {
        const entry = newEntry(variant, aCase);
        if (suits(variant, network)) entries.push(entry);
        if (broken !== null) {
          for (const quantity of quantities) entry[quantity].missing = { kind: "failed", reason: broken };
          continue;
        }
        const slow = entries.find(
          (one) => one.variant === variant.id && one.network === network && one.batch < aCase.batch,
        );
        say(`checking ${variant.title}: ${network}, batch ${aCase.batch}`);
        await check(thread, entry, slow ?? null);
      }
    }
  }

  /** Runs a library once and once more on a case, and keeps what came out. */
  async function check(thread: Thread, entry: Entry, smaller: Entry | null): Promise<void> {
    const { network, batch } = entry;
    const aCase = cases.find((one) => one.network === network && one.batch === batch)!;
    const size = sizes[network];
    const input = inputName(entry);
    let offers = { gradient: true };
    try {
      const data = pictures(batch, size, scales[network]);
      offers = await thread.ask(
        "prepare",
        { input, model: network, data, shape: [batch, 3, size, size] as Shape },
        wait,
      );
    } catch (error) {
      for (const quantity of quantities) entry[quantity].missing = { kind: "failed", reason: message(error) };
      return;
    }
    for (const quantity of quantities) {
      const measurement = entry[quantity];
      const before = smaller?.[quantity];
      if (quantity === "gradient" && !offers.gradient) {
        measurement.missing = { kind: "none", reason: "no gradients" };
        continue;
      }
      if (before?.missing) {
        measurement.missing = before.missing;
        continue;
      }
      if (before && before.milliseconds! > options.patience) {
        const seconds = (before.milliseconds! / 1000).toFixed(1);
        measurement.missing = { kind: "skipped", reason: `${seconds} s at batch ${smaller!.batch}` };
        continue;
      }
      try {
        const target = targets.get(aCase) ?? 0;
        const first = await thread.ask(quantity, { input, target }, wait);
        measurement.first = first.milliseconds;
        // The second call shows how long it takes; its result must be as good as the first's.
        const { values, milliseconds } = await thread.ask(quantity, { input, target }, wait);
        measurement.milliseconds = milliseconds;
        if (quantity === "gradient") {
          gradients.set(entry, values);
        } else if (entry.variant === options.reference) {
          logits.set(aCase, values);
          const classes = values.length / batch;
          targets.set(aCase, values.subarray(0, classes).indexOf(Math.max(...values.subarray(0, classes))));
        } else {
          measurement.difference = compare(values, logits.get(aCase)!);
          measurement.correct = measurement.difference.distance <= tolerance.logits;
        }
      } catch (error) {
        measurement.missing = { kind: "failed", reason: message(error) };
      }
    }
  }

  const agreement: Results["agreement"] = [];
  for (const aCase of cases) {
    const having = entries.filter(
      (entry) => gradients.has(entry) && entry.network === aCase.network && entry.batch === aCase.batch,
    );
    if (having.length === 0) continue;
    const best = having[mostAgreed(having.map((entry) => gradients.get(entry)!))]!;
    const gradient = gradients.get(best)!;
    for (const entry of having) {
      const measurement = entry.gradient;
      measurement.difference = compare(gradients.get(entry)!, gradient);
      measurement.correct = measurement.difference.distance <= tolerance.gradient;
    }
    const { length, slope } = await slopeAlong(
      threads.get(options.reference)!,
      aCase,
      gradient,
      targets.get(aCase)!,
    );
    const confirmed = Math.abs(slope / length - 1) <= tolerance.slope;
    if (!confirmed) for (const entry of having) entry.gradient.correct = false;
    agreement.push({
      ...aCase,
      variant: best.variant,
      target: targets.get(aCase)!,
      length,
      slope,
      confirmed,
    });
  }
  gradients.clear();

  const measurements = entries.flatMap((entry) =>
    quantities
      .filter((quantity) => !entry[quantity].missing)
      .map((quantity) => {
        const measurement = entry[quantity];
        return { entry, quantity, measurement, slow: measurement.milliseconds! > options.patience };
      }),
  );
  for (let round = 0; round < options.rounds; round++) {
    say(`timing, round ${round + 1} of ${options.rounds}: ${measurements.length} measurements`);
    // Every round in another order, so that nobody always follows the same neighbour.
    const shift = Math.floor((round * measurements.length) / options.rounds);
    for (const { entry, quantity, measurement, slow } of [
      ...measurements.slice(shift),
      ...measurements.slice(0, shift),
    ]) {
      if (measurement.missing || (slow && round % 2 === 1)) continue;
      await sleep(pause);
      try {
        const aCase = cases.find((one) => one.network === entry.network && one.batch === entry.batch)!;
        const { milliseconds } = await threads
          .get(entry.variant)!
          .ask(
            "time",
            { input: inputName(entry), quantity, target: targets.get(aCase)!, budget: options.budget },
            wait,
          );
        measurement.rounds.push(median(milliseconds));
      } catch (error) {
        measurement.missing = { kind: "failed", reason: message(error) };
      }
    }
  }
  for (const { measurement } of measurements) {
    measurement.milliseconds = measurement.rounds.length > 0 ? median(measurement.rounds) : null;
  }
  for (const thread of threads.values()) thread.end();

  const methods: MethodCost[] = [];
  for (const network of options.networks) {
    const own = options.variants.find(
      (variant) => ownVariants.includes(variant.id) && suits(variant, network),
    );
    if (!own || options.methodRounds === 0) continue;
    say(`timing methods: ${network}`);
    methods.push(...(await timeMethods(own, network, models.get(network)!, options.methodRounds)));
  }

  const counts: CountsOfVariant[] = [];
  for (const variant of options.variants.filter(({ device }) => device === "webgpu")) {
    if (!options.networks.includes("tiny")) break;
    say(`counting the GPU calls of ${variant.title}`);
    const target = targets.get(cases.find(({ network }) => network === "tiny")!)!;
    counts.push(await countCalls(variant, models.get("tiny")!, target));
  }

  const adapter = await navigator.gpu?.requestAdapter();
  const info = adapter?.info;
  return {
    crossOriginIsolated,
    gpu: info
      ? [info.vendor, info.architecture, info.device, info.description].filter(Boolean).join(" ")
      : null,
    engines,
    entries,
    agreement,
    methods,
    counts,
  };
}

const quantities: Quantity[] = ["logits", "gradient"];

/** Full-size networks run on the CPU, the tiny one on WebGPU. */
const suits = ({ device }: Variant, network: Case["network"]): boolean =>
  (network === "tiny") === (device === "webgpu");

const inputName = ({ network, batch }: Case): string => `${network} x ${batch}`;

const engineOptions = ({ id, title: _, ...options }: Variant): EngineOptions => ({
  ...options,
  base: new URL(`/engines/${id}/`, location.href).href,
});

const newEntry = (variant: Variant, { network, batch }: Case): Entry => {
  const measurement = (): Measurement => ({
    missing: null,
    difference: null,
    correct: null,
    first: null,
    rounds: [],
    milliseconds: null,
  });
  return { variant: variant.id, network, batch, logits: measurement(), gradient: measurement() };
};

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function readModel(
  network: Case["network"],
): Promise<{ onnx: Uint8Array; preprocessing: Record<string, unknown> | null }> {
  if (network === "tiny") return { onnx: tinyOnnx(), preprocessing: tinyPreprocessing };
  const [onnx, description] = await Promise.all(
    [".onnx", ".json"].map(async (ending) => {
      const response = await fetch(`/models/${network}${ending}`);
      if (!response.ok)
        throw new Error(`The model ${network}${ending} is missing: run \`cargo xtask models\`.`);
      return new Uint8Array(await response.arrayBuffer());
    }),
  );
  const { preprocessing } = JSON.parse(new TextDecoder().decode(description)) as {
    preprocessing: Record<string, unknown>;
  };
  return { onnx: onnx!, preprocessing };
}

/**
 * How fast the summed logit rises along the gradient, by logits of onnxruntime-web a small step to both sides, beside the length of
 * the gradient, which it must equal.
 */
async function slopeAlong(
  thread: Thread,
  { network, batch }: Case,
  gradient: Float32Array,
  target: number,
): Promise<{ length: number; slope: number }> {
  const size = sizes[network];
  const x = pictures(batch, size, scales[network]);
  const length = Math.hypot(...chunks(gradient).map((chunk) => Math.hypot(...chunk)));
  const step = 1e-5 * Math.hypot(...chunks(x).map((chunk) => Math.hypot(...chunk)));
  const logit = async (sign: number): Promise<number> => {
    const moved = x.map((value, i) => value + (sign * step * gradient[i]!) / length);
    const input = "moved";
    await thread.ask("prepare", { input, model: network, data: moved, shape: [batch, 3, size, size] }, wait);
    const { values } = await thread.ask("logits", { input }, wait);
    const classes = values.length / batch;
    let sum = 0;
    for (let n = 0; n < batch; n++) sum += values[n * classes + target]!;
    return sum;
  };
  return { length, slope: ((await logit(1)) - (await logit(-1))) / (2 * step) };
}

/** Pieces that are short enough to be given as arguments. */
const chunks = (values: Float32Array): Float32Array[] =>
  Array.from({ length: Math.ceil(values.length / 4096) }, (_, i) =>
    values.subarray(i * 4096, (i + 1) * 4096),
  );

/** One way from nothing to the first gradient, in milliseconds. */
export interface Startup {
  variant: string;
  /** Until the library runs: its script and WebAssembly fetched and compiled. */
  start: number;
  /** Reading the network. */
  load: number;
  /** The first gradient. */
  gradient: number;
  total: number;
}

/** Starts each library in a new thread, round after round, and takes SqueezeNet's gradient of one picture. */
export async function startup(
  variants: Variant[],
  rounds: number,
  say: (line: string) => void,
): Promise<Startup[]> {
  const network = "squeezenet1_1";
  const model = await readModel(network);
  const size = sizes[network];
  const picture = {
    input: "picture",
    model: network,
    data: pictures(1, size, scales[network]),
    shape: [1, 3, size, size] as Shape,
  };
  const found: Startup[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const variant of variants) {
      const begin = performance.now();
      const thread = new Thread(variant.id);
      const { milliseconds: start } = await thread.ask(
        "start",
        { ...engineOptions(variant), count: false },
        wait,
      );
      const { milliseconds: load } = await thread.ask("load", { name: network, ...model }, wait);
      await thread.ask("prepare", picture, wait);
      const { milliseconds: gradient } = await thread.ask(
        "gradient",
        { input: "picture", target: 281 },
        wait,
      );
      found.push({ variant: variant.id, start, load, gradient, total: performance.now() - begin });
      thread.end();
      say(`${variant.title}: ${Math.round(performance.now() - begin)} ms`);
    }
  }
  return found;
}

const ownVariants = ["adversight-cpu", "adversight-webgpu"];

async function photograph(): Promise<Blob> {
  const response = await fetch("/photos/chelsea.jpg");
  if (!response.ok) throw new Error("The photograph is missing: run `cargo xtask models`.");
  return response.blob();
}

const agi = (params: Record<string, unknown>): Explanation => ({ method: "agi", params });

/** What a method is held against: as many passes as it needs, in batches of this size, or the mean of other explanations. */
type Parts = Passes | { explanations: Explanation[] };

interface Passes {
  quantity: Quantity | "gradientOfProbability";
  batch: number;
  passes: number;
}

interface MethodCase {
  title: string;
  unit: string;
  explanation: Explanation;
  parts: Parts;
}

/** Many false classes at once beside each of them alone. */
function agiOfMany(target: number, classes: number[]): MethodCase {
  const towards = (classes: number[]): Explanation => ({ ...agi({ classes }), target });
  return {
    title: `AGI, ${classes.length} classes at once`,
    unit: "one class",
    explanation: towards(classes),
    parts: { explanations: classes.map((index) => towards([index])) },
  };
}

/** A method beside the passes that it needs, in batches of 50. */
function besidePasses(
  title: string,
  method: string,
  params: Record<string, unknown>,
  quantity: Passes["quantity"],
  passes: number,
): MethodCase {
  const units = {
    logits: "forward passes",
    gradient: "gradients",
    gradientOfProbability: "gradients of a probability",
  };
  const unit = `${passes} ${units[quantity]}`;
  return { title, unit, explanation: { method, params }, parts: { quantity, batch: 50, passes } };
}

const methodCases: Record<Case["network"], MethodCase[]> = {
  squeezenet1_1: [
    agiOfMany(
      281,
      Array.from({ length: 20 }, (_, i) => 40 * i + 7),
    ),
    besidePasses("RelEx, 4 steps of 50 samples", "relex", { iterations: 4 }, "gradientOfProbability", 400),
    besidePasses("RISE, 200 masks", "rise", { samples: 200 }, "logits", 200),
    besidePasses("LIME, 200 samples", "lime", { samples: 200 }, "logits", 200),
    besidePasses("Occlusion, windows of 24 by 16", "occlusion", { window: 24, stride: 16 }, "logits", 197),
  ],
  efficientnet_lite0: [],
  tiny: [agiOfMany(0, [1, 2, 3, 4, 5, 6, 7, 8, 9])],
};

/** Times methods beside what they consist of, in turns. */
async function timeMethods(
  variant: Variant,
  network: Case["network"],
  model: { onnx: Uint8Array; preprocessing: Record<string, unknown> | null },
  rounds: number,
): Promise<MethodCost[]> {
  const thread = new Thread(`${variant.id}, methods`);
  const picture = await photograph();
  await thread.ask("start", { ...engineOptions(variant), count: false }, wait);
  await thread.ask("load", { name: network, ...model }, wait);
  const explain = async (explanation: Explanation) =>
    (await thread.ask("explain", { model: network, picture, explanation }, wait)).milliseconds;
  const pass = async ({ quantity, batch, passes }: Passes) => {
    const shape: Shape = [batch, 3, sizes[network], sizes[network]];
    const data = pictures(batch, sizes[network], scales[network]);
    const input = `${network} x ${batch}`;
    await thread.ask("prepare", { input, model: network, data, shape }, wait);
    const calls = Math.ceil(passes / batch);
    let milliseconds = 0;
    for (let call = 0; call < calls; call++) {
      milliseconds += (await thread.ask(quantity, { input, target: 0 }, wait)).milliseconds;
    }
    return (milliseconds * passes) / (calls * batch);
  };
  const costs: MethodCost[] = [];
  for (const { title, unit, explanation, parts } of methodCases[network]) {
    const cost: MethodCost = { network, variant: variant.id, title, unit, error: null, rounds: [] };
    costs.push(cost);
    try {
      await explain(explanation);
      for (let round = 0; round < rounds; round++) {
        const milliseconds = await explain(explanation);
        let beside = 0;
        if ("quantity" in parts) beside = await pass(parts);
        else for (const one of parts.explanations) beside += (await explain(one)) / parts.explanations.length;
        cost.rounds.push({ milliseconds, parts: beside });
      }
    } catch (error) {
      cost.error = message(error);
    }
  }
  thread.end();
  return costs;
}

/** What a library asks of WebGPU for each thing it does, the first time and once it has warmed up. */
async function countCalls(
  variant: Variant,
  model: { onnx: Uint8Array; preprocessing: Record<string, unknown> | null },
  target: number,
): Promise<CountsOfVariant> {
  const { nodes } = readOnnx(model.onnx);
  const result: CountsOfVariant = { variant: variant.id, nodes: nodes.length, counts: [] };
  const thread = new Thread(`${variant.id}, counted`);
  try {
    await thread.ask("start", { ...engineOptions(variant), count: true }, wait);
    await thread.ask("load", { name: "tiny", ...model }, wait);
    const shape: Shape = [1, 3, sizes.tiny, sizes.tiny];
    const data = pictures(1, sizes.tiny, scales.tiny);
    const offers = await thread.ask("prepare", { input: "one", model: "tiny", data, shape }, wait);
    const started = await thread.ask("counted", null, wait);
    result.counts.push({ what: "start", counts: started, error: null });
    const times = ["first", "second", "third"];
    for (const quantity of quantities.slice(0, offers.gradient ? 2 : 1)) {
      for (const time of times) {
        const counts = await thread.ask("count", { input: "one", quantity, target }, wait);
        result.counts.push({ what: `${quantity}, ${time}`, counts, error: null });
      }
    }
    if (ownVariants.includes(variant.id)) {
      const picture = await photograph();
      const explanation = agi({ samples: 3 });
      for (const time of times) {
        const { counts } = await thread.ask("explain", { model: "tiny", picture, explanation }, wait);
        result.counts.push({ what: `AGI, ${time}`, counts, error: null });
      }
    }
  } catch (error) {
    result.counts.push({ what: "all that follows", counts: null, error: message(error) });
  }
  thread.end();
  return result;
}

declare global {
  interface Window {
    benchmark: typeof benchmark;
    startup: typeof startup;
  }
}
window.benchmark = benchmark;
window.startup = startup;
