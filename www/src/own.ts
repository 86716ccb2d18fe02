// A network of the user's own, from dropped files to a model that the page can use: what is in the file, what has to be known about it, and
// a look at what the network is given and answers. The page stays as it is until the network is taken over.

import { t } from "./strings/strings.js";
import {
  AdversightError,
  decodeImage,
  parseValue,
  presetPreprocessing,
  type Activation,
  type Classification,
  type Engine,
  type InputValue,
  type Model,
  type ModelReport,
  type ModelSource,
  type Preprocessing,
  type PresetName,
  type ValueInfo,
} from "adversight";
import { problemOf, type Problem } from "./advice.js";
import { namesOf, type App } from "./app.js";
import { refusalProblem, type Companions, type Refusal, type Sorted } from "./files.js";
import { kinds } from "./kinds.js";
import { loadPhoto, readSample, type Network } from "./library.js";
import { looksLikeNoise, mostlyTheSame } from "./noise.js";
import { formProblem, normalisationOf, readForm, writeForm, type PictureForm } from "./picture-form.js";
import {
  classesOf,
  manyPlaces,
  openAxes,
  otherKind,
  pictureAxes,
  pictureInputs,
  shapeText,
} from "./report.js";
import { otherSnippet, placesSnippet } from "./snippet.js";
import { discard, photoOf, Store } from "./state.js";
import { channelsOf, type ChannelPicture, type Normalisation } from "./tensor.js";
import { hasPositions, isSingle } from "./told.js";

/** Where the preprocessing comes from: a dropped file, a preset, or the form's own fields. */
export type PreparedBy = PresetName | "file" | "own";

/** What the network is given of the photograph, and what it answers. */
export interface Preview {
  picture: ChannelPicture | null;
  normalisation: Normalisation;
  answer: Classification;
  /** Whether it is one number, and no class of several. */
  single: boolean;
  /** Why the answer looks like noise, as a sentence. */
  doubt: string | null;
}

/** A value that was given to a further input: typed, or from a file. */
export type Given = { text: string } | { file: string; value: InputValue };

export interface Draft {
  open: boolean;
  onnx: File | null;
  companions: Companions;
  /** The names of the classes, or why those that were dropped are not used; null while nobody knows. */
  names: { list: string[] } | { refusal: string } | null;
  /** Files that could not be used. */
  refused: Refusal[];
  report: ModelReport | null;
  input: string | null;
  output: string | null;
  activation: Activation | null;
  /** Values of the inputs that are not explained, as somebody typed them, or from a file. */
  given: Record<string, Given>;
  /** Sizes of open dimensions other than a picture's height and width, by axis. */
  sizes: Record<number, number>;
  preparedBy: PreparedBy;
  form: PictureForm;
  /** The model as the fields have it; null while they are being changed. */
  model: Model | null;
  preview: Preview | null;
  /** The memory that a picture takes on its way through the network, once that is known. */
  bytesPerSample: number | null;
  /** What is being done, or null. */
  busy: string | null;
  problem: Problem | null;
}

const startingForm = readForm(presetPreprocessing("imagenet"), { height: 224, width: 224 });

const empty: Draft = {
  open: false,
  onnx: null,
  companions: { weights: [], arrays: [] },
  names: null,
  refused: [],
  report: null,
  input: null,
  output: null,
  activation: null,
  given: {},
  sizes: {},
  preparedBy: "imagenet",
  form: startingForm,
  model: null,
  preview: null,
  bytesPerSample: null,
  busy: null,
  problem: null,
};

/** While somebody types, the network is not loaded for every digit. */
const patience = 400; // milliseconds
/** Of a network with more classes than that, the tail is left out of the entropy. */
const mostClasses = 50_000;
/** So many of the page's photographs are shown to the network to see whether it tells them apart. */
const examples = 6;

export class OwnNetwork {
  readonly store = new Store<Draft>(empty);
  readonly #app: App;
  #running: AbortController | null = null;
  /** The drafts of networks that were taken over, to be opened again. */
  readonly #drafts = new Map<Network, Draft>();
  #replaces: Network | null = null;
  #count = 0;

  constructor(app: App) {
    this.#app = app;
    app.store.watch(["given"], () => {
      if (this.draft.open && this.draft.model) void this.#load();
    });
  }

  get draft(): Readonly<Draft> {
    return this.store.state;
  }

  /** Takes files in: a new network, or what belongs to the one at hand or in use. */
  async take({ onnx, companions, refused }: Sorted): Promise<void> {
    if (!onnx && !this.draft.onnx && !this.#restore(this.#app.state.network)) {
      this.#app.report(refusalProblem(refused) ?? missingNetwork(companions));
      return;
    }
    if (onnx) this.#begin(onnx);
    const before = this.draft.companions;
    const weights = [
      ...before.weights.filter(({ name }) => !companions.weights.some((file) => file.name === name)),
      ...companions.weights,
    ];
    const arrays = [...before.arrays, ...companions.arrays];
    this.store.set({ companions: { ...before, ...companions, weights, arrays }, refused });
    this.#placeArrays();
    if (companions.preprocessing) this.#prepareBy("file");
    if (onnx) await this.#inspect(onnx);
    else await this.#load();
  }

  /** Sets the masking network that was trained for this one, which RT-Sal asks; null takes it away. */
  async takeMasker(masker: File | null): Promise<void> {
    const companions = { ...this.draft.companions };
    if (masker) companions.masker = masker;
    else delete companions.masker;
    this.store.set({ companions });
    await this.#load();
  }

  /** Whether the draft of a network is still known. */
  knows(network: Network | null): boolean {
    return network !== null && this.#drafts.has(network);
  }

  /** Opens the settings of a network that was taken over. */
  async reopen(network: Network): Promise<void> {
    if (this.#restore(network)) await this.#load();
  }

  chooseInput(input: string): void {
    this.store.set({ input, sizes: {} });
    this.#prepareBy(this.draft.preparedBy);
    void this.#load();
  }

  chooseOutput(output: string): void {
    this.store.set({ output });
    void this.#load();
  }

  chooseActivation(activation: Activation | null): void {
    this.store.set({ activation });
    void this.#load();
  }

  /** Tells of a file that cannot be used. */
  refuse(file: string, reason: string): void {
    this.store.set({ refused: [...this.draft.refused, { file, reason, found: null }] });
  }

  /** Sets the value of an input that is not explained; null leaves it to the engine's rules. */
  giveInput(name: string, given: Given | null): void {
    const others = Object.fromEntries(Object.entries(this.draft.given).filter(([other]) => other !== name));
    this.store.set({ given: given ? { ...others, [name]: given } : others });
    void this.#load(patience);
  }

  setSize(axis: number, size: number): void {
    this.store.set({ sizes: { ...this.draft.sizes, [axis]: size } });
    void this.#load(patience);
  }

  choosePreset(preparedBy: PreparedBy): void {
    this.#prepareBy(preparedBy);
    void this.#load();
  }

  /** Changes fields of the preprocessing, which is then the user's own. */
  change(change: Partial<PictureForm>): void {
    this.store.set({ form: { ...this.draft.form, ...change } });
    if (this.draft.preparedBy !== "own" && !this.#onlySizes(change)) this.store.set({ preparedBy: "own" });
    else if (this.draft.preparedBy !== "own") this.#prepareBy(this.draft.preparedBy);
    void this.#load(patience);
  }

  /** Tries again what failed, with a new engine where the old one is dead. */
  async retry(): Promise<void> {
    const { onnx, report } = this.draft;
    if (!onnx) return;
    this.store.set({ problem: null });
    await (report ? this.#load() : this.#inspect(onnx));
  }

  /** Gives the network to the page. */
  async accept(): Promise<void> {
    const { model, onnx, report, preview } = this.draft;
    if (!model || !onnx || !report) return;
    const unfinished = this.#running !== null && preview?.doubt === null;
    this.#running?.abort();
    const source = this.#source(onnx, report);
    const { names } = this.draft;
    const labels = names && "list" in names ? names.list : undefined;
    const network: Network = {
      name: `own-${++this.#count}`,
      title: onnx.name,
      kind: "image",
      own: true,
      sha256: null,
      source: () => Promise.resolve({ ...source, labels }),
    };
    this.#drafts.set(network, { ...this.draft, open: false });
    const replaced = this.#replaces;
    if (replaced) this.#drafts.delete(replaced);
    this.store.set({ ...empty });
    if (preview?.doubt) this.#app.doubt(network, preview.doubt);
    const adopted = this.#app.adopt(network, { model, labels: namesOf(model, labels) }, replaced);
    // The look at very different pictures goes on, if it was not over: what it finds counts for the network in use too.
    if (unfinished) {
      const found = await this.#sameForAll(model, preview.answer, new AbortController().signal).catch(
        () => null,
      );
      if (found !== null) this.#app.doubt(network, found);
    }
    await adopted;
  }

  /** Leaves everything as it was. */
  async cancel(): Promise<void> {
    if (!this.draft.open) return;
    this.#running?.abort();
    this.draft.model?.close();
    this.store.set({ ...empty });
    await this.#app.resume();
  }

  /** The input that is explained. */
  inputOf(report: ModelReport): ValueInfo | undefined {
    return report.inputs.find(({ name }) => name === this.draft.input) ?? pictureInputs(report)[0];
  }

  /** The inputs beside the explained one. */
  otherInputs(report: ModelReport): ValueInfo[] {
    const explained = this.inputOf(report);
    return report.inputs.filter((input) => input !== explained);
  }

  outputOf(report: ModelReport): ValueInfo | undefined {
    return report.outputs.find(({ name }) => name === this.draft.output) ?? report.outputs[0];
  }

  /** Files of weights that the network names and that were not dropped. */
  missing(report: ModelReport): string[] {
    return report.external.filter((location) => !this.#weights(location));
  }

  /** Takes up the draft of a network that was taken over; gives whether there is one. */
  #restore(network: Network | null): boolean {
    const draft = network && this.#drafts.get(network);
    if (!draft) return false;
    this.#replaces = network;
    this.store.set({ ...draft, open: true, model: null, preview: null, busy: null, problem: null });
    this.#app.pause();
    return true;
  }

  /** Gives the values of NumPy's files to the inputs that have their names, or to the only further input. */
  #placeArrays(): void {
    const { report, companions, given } = this.draft;
    if (!report || companions.arrays.length === 0) return;
    const others = this.otherInputs(report);
    const placed: Record<string, Given> = { ...given };
    const left: Refusal[] = [];
    for (const { file, value } of companions.arrays) {
      const stem = file.replace(/\.npy$/i, "");
      const input = others.find(({ name }) => name === stem) ?? (others.length === 1 ? others[0] : undefined);
      if (input) placed[input.name] = { file, value };
      else left.push({ file, reason: t`No further input has its name.`, found: null });
    }
    this.store.set({
      given: placed,
      companions: { ...companions, arrays: [] },
      refused: [...this.draft.refused, ...left],
    });
  }

  #begin(onnx: File): void {
    this.draft.model?.close();
    this.#replaces = null;
    this.store.set({ ...empty, open: true, onnx, busy: t`Reading ${onnx.name}` });
    this.#app.pause();
  }

  async #inspect(onnx: File): Promise<void> {
    this.#running?.abort();
    const { signal } = (this.#running = new AbortController());
    try {
      const engine = await this.#app.engine(signal);
      const report = await engine.inspect(onnx, { signal });
      const output = report.outputs[0]?.name ?? null;
      this.store.set({ report, output, input: pictureInputs(report)[0]?.name ?? null, busy: null });
      this.#prepareBy(this.draft.companions.preprocessing ? "file" : "imagenet");
      this.#placeArrays();
    } catch (error) {
      if (!signal.aborted) this.store.set({ busy: null, problem: problemOf(error) });
      return;
    }
    await this.#load();
  }

  /** Fills the form from a preset or the dropped file; the network's own size counts where it is fixed. */
  #prepareBy(preparedBy: PreparedBy): void {
    const { report, companions, form } = this.draft;
    const input = report ? this.inputOf(report) : undefined;
    const axes = input && pictureAxes(input);
    const open = { height: form.height, width: form.width };
    const size = axes
      ? { height: input.shape[axes.height] ?? open.height, width: input.shape[axes.width] ?? open.width }
      : open;
    const channels = axes?.channels ?? 3;
    const declared: Preprocessing =
      preparedBy === "file"
        ? (companions.preprocessing?.value ?? {})
        : preparedBy === "own"
          ? writeForm(form)
          : presetPreprocessing(preparedBy, { ...size, channels });
    const read = readForm(declared, size, channels);
    // A fixed size is the network's, whatever the file says.
    const fixed = axes && !openAxes(input).includes(axes.height) ? size : {};
    this.store.set({ preparedBy, form: { ...read, ...fixed } });
  }

  #onlySizes(change: Partial<PictureForm>): boolean {
    return (
      Object.keys(change).every((key) => key === "height" || key === "width") &&
      this.draft.preparedBy !== "file"
    );
  }

  #weights(location: string): File | undefined {
    const name = location.split(/[\\/]/).at(-1);
    return this.draft.companions.weights.find((file) => file.name === name);
  }

  /** All that is needed to load the network as the fields have it. */
  #source(onnx: File, report: ModelReport): Omit<ModelSource, "labels"> {
    const { preparedBy, form, companions, sizes, activation, given } = this.draft;
    const input = this.inputOf(report);
    const axes = input && pictureAxes(input);
    const preprocessing =
      preparedBy === "file" && companions.preprocessing
        ? companions.preprocessing.value
        : preparedBy === "own" || preparedBy === "file"
          ? writeForm(form)
          : presetPreprocessing(preparedBy, {
              height: form.height,
              width: form.width,
              channels: axes?.channels ?? 3,
            });
    const open = input ? openAxes(input) : [];
    const sizeOf = (axis: number) =>
      axis === axes?.height
        ? form.height
        : axis === axes?.width
          ? form.width
          : (sizes[axis] ?? axes?.channels ?? 1);
    const external = report.external.flatMap((location) => {
      const file = this.#weights(location);
      return file ? [[location, file] as const] : [];
    });
    const values = this.otherInputs(report).flatMap((other) => {
      const value = given[other.name];
      if (!value) return [];
      return [[other.name, "text" in value ? parseValue(value.text, other) : value.value] as const];
    });
    return {
      onnx,
      name: onnx.name,
      preprocessing,
      ...(report.inputs.length > 1 && input ? { input: input.name } : {}),
      ...(report.outputs.length > 1 ? { output: this.outputOf(report)?.name } : {}),
      ...(activation ? { activation } : {}),
      ...(open.length > 0 && input
        ? { sizes: Object.fromEntries(open.map((axis) => [`${input.name}:${axis}`, sizeOf(axis)])) }
        : {}),
      ...(values.length > 0 ? { inputs: Object.fromEntries(values) } : {}),
      ...(external.length > 0 ? { external: Object.fromEntries(external) } : {}),
      ...(companions.masker ? { masker: companions.masker } : {}),
    };
  }

  /** What keeps the network from being loaded; `null` where nothing does. What the report itself says is told there. */
  #obstacle(onnx: File, report: ModelReport): Problem | "reported" | null {
    if (report.problems.length > 0) return "reported";
    const missing = (message: string) => ({ title: t`Something is missing.`, message, remedy: null });
    const kind = otherKind(report);
    if (kind) {
      return {
        title: t`This is a network of ${kind}.`,
        message:
          t`This page explains networks of pictures; none of this one’s inputs is one. The npm package explains it, with these lines and ` +
          t`your own values in place of the zeros:`,
        remedy: null,
        snippet: otherSnippet({ file: onnx.name, report }, kind),
      };
    }
    const weights = this.missing(report);
    if (weights.length > 0) return missing(t`Its weights lie in ${weights.join(", ")}: add that too.`);
    const output = this.outputOf(report);
    if (output && manyPlaces(output)) return this.#places(onnx, report, output);
    const wrong = formProblem(this.draft.form);
    return wrong === null ? null : missing(wrong);
  }

  /** Why an output with scores at several places is not explained here. */
  #places(onnx: File, report: ModelReport, output: ValueInfo): Problem {
    const several = report.outputs.length > 1;
    return {
      title: t`This output is no list of classes.`,
      message:
        t`“${output.name}” is ${shapeText(output)}: scores at many places at once, as a detector has them of its boxes or a segmenter of its ` +
        t`pixels. This page explains one answer about the whole picture${several ? t`; choose another output, if one has it` : ""}. The npm ` +
        t`package explains the score of one class at one place:`,
      remedy: null,
      snippet: placesSnippet({ file: onnx.name, report }, output, several),
    };
  }

  /** Loads the network as the fields have it, and looks through it at the photograph. */
  async #load(wait = 0): Promise<void> {
    this.#running?.abort();
    const controller = new AbortController();
    const { signal } = (this.#running = controller);
    const { onnx, report, model: before } = this.draft;
    if (!onnx || !report) return;
    this.store.set({ model: null, problem: null });
    before?.close();
    const obstacle = this.#obstacle(onnx, report);
    if (obstacle !== null) {
      this.store.set({ preview: null, busy: null, problem: obstacle === "reported" ? null : obstacle });
      return;
    }
    this.store.set({ busy: t`Loading the network` });
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    if (signal.aborted) return;
    let unused: Model | undefined;
    try {
      const engine = await this.#app.engine(signal);
      const model = (unused = await this.#open(engine, onnx, report, signal));
      // The file may not tell the shape of its output; the engine knows.
      if (hasPositions(model.info)) {
        model.close();
        unused = undefined;
        const problem = this.#places(onnx, report, model.info.output);
        this.store.set({ preview: null, busy: null, problem });
        return;
      }
      await this.#look(model, signal);
      signal.throwIfAborted();
      this.store.set({ model, bytesPerSample: model.info.bytesPerSample, busy: null });
      unused = undefined;
      await this.#compareExamples(model, signal);
    } catch (error) {
      unused?.close();
      if (!controller.signal.aborted) {
        this.store.set({ busy: null, problem: this.#inputProblem(report, error) ?? problemOf(error) });
      }
    } finally {
      if (this.#running === controller) this.#running = null;
    }
  }

  /** An error about an input that is not explained is no error about the picture. */
  #inputProblem(report: ModelReport, error: unknown): Problem | null {
    if (!(error instanceof AdversightError) || !/^input_(invalid|shape)$/.test(error.code)) return null;
    const named = this.otherInputs(report).filter(({ name }) => error.message.includes(`"${name}"`));
    if (named.length === 0) return null;
    const names = named.map(({ name }) => `“${name}”`).join(", ");
    const message = error.message.includes("has no value")
      ? t`The answer also depends on ${names}: give a value under “Its other inputs” below, as numbers or as a .npy file.`
      : error.message;
    return { title: t`A further input needs a value.`, message, remedy: null };
  }

  /** The names are given along only where they fit; how many classes there are, some files leave to the loaded network. */
  async #open(engine: Engine, onnx: File, report: ModelReport, signal: AbortSignal): Promise<Model> {
    const source = { ...this.#source(onnx, report), signal };
    const output = this.outputOf(report);
    const declared = output ? classesOf(output) : null;
    const names = declared === null ? null : await this.#readNames(engine, declared, signal);
    const model = await engine.loadModel({ ...source, ...(names ? { labels: names } : {}) });
    if (declared === model.info.classes) return model;
    const fitting = await this.#readNames(engine, model.info.classes, signal);
    if (!fitting) return model;
    model.close();
    return engine.loadModel({ ...source, labels: fitting });
  }

  /** The names in the dropped file of so many classes; null where there are none, or not so many, of which the draft then tells. */
  async #readNames(engine: Engine, classes: number, signal: AbortSignal): Promise<string[] | null> {
    const { labels } = this.draft.companions;
    if (!labels) return null;
    try {
      const list = await engine.readLabels(labels.text, classes, { signal });
      this.store.set({ names: { list } });
      return list;
    } catch (error) {
      if (!(error instanceof AdversightError) || error.code !== "labels_invalid") throw error;
      this.store.set({ names: { refusal: error.message } });
      return null;
    }
  }

  async #look(model: Model, signal: AbortSignal): Promise<void> {
    const own = photoOf(this.#app.state);
    const [sample] = this.#app.state.samples;
    const photo = own ?? (sample ? await readSample(sample) : null);
    if (photo?.kind !== "image") return;
    this.store.set({ busy: kinds.image.looking });
    try {
      const tensor = await model.prepare(photo.input, { signal });
      const answer = await model.classify(photo.input, {
        top: Math.min(mostClasses, model.info.classes),
        signal,
      });
      const doubt = looksLikeNoise(answer.top.map(({ probability }) => probability));
      const normalisation = normalisationOf(this.draft.form);
      const single = isSingle(model.info);
      this.store.set({ preview: { picture: channelsOf(tensor), normalisation, answer, single, doubt } });
    } finally {
      if (!own) discard(photo);
    }
  }

  /** Whether the page's own photographs, which are very different, get different answers. */
  async #compareExamples(model: Model, signal: AbortSignal): Promise<void> {
    const { preview } = this.draft;
    if (preview?.doubt !== null) return;
    const doubt = await this.#sameForAll(model, preview.answer, signal);
    if (doubt !== null && !signal.aborted) this.store.set({ preview: { ...preview, doubt } });
  }

  /** Why the answers to the page's photographs and to the one at hand, which was `answer`, look like noise. */
  async #sameForAll(model: Model, answer: Classification, signal: AbortSignal): Promise<string | null> {
    const { samples, given } = this.#app.state;
    const best = answer.top.slice(0, 1);
    for (const { file } of samples
      .filter((sample) => sample.file !== given?.example)
      .slice(0, examples - 1)) {
      const bitmap = await decodeImage(await loadPhoto(file));
      try {
        best.push(...(await model.classify(bitmap, { top: 1, signal })).top);
      } finally {
        bitmap.close();
      }
    }
    return mostlyTheSame(best, model.info.classes);
  }
}

/** Files that belong to a network, where there is none. */
function missingNetwork({ labels, preprocessing, arrays }: Companions): Problem {
  const [file, what] = labels
    ? [labels.file, t`is text that can name the classes of a network`]
    : preprocessing
      ? [preprocessing.file, t`says how pictures are prepared for a network`]
      : arrays[0]
        ? [arrays[0].file, t`holds numbers for an input of a network`]
        : [t`This file`, t`may hold weights of a network`];
  return {
    title: t`There is no network among these files.`,
    message: t`${file} ${what}: drop the .onnx file too, together with what belongs to it.`,
    remedy: null,
  };
}
