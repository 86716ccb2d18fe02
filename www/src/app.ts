// What the page does. Every action changes what is wanted and asks for `#refresh`, which does what is missing: engine,
// model, classification, first look, explanation. A later action interrupts an earlier one; what fails changes
// nothing of what is shown.

import { t } from "./strings/strings.js";
import {
  AdversightError,
  anyName,
  createEngine,
  decodeImage,
  type ColourMap,
  type DeviceChoice,
  type Engine,
  type ImageInput,
  type MethodDescription,
  type Model,
  type Progress,
  type View,
} from "adversight";
import { problemOf, type Problem } from "./advice.js";
import { midSentence } from "./format.js";
import { kinds, type Kind } from "./kinds.js";
import {
  fetchFirst,
  loadNetworks,
  loadSamples,
  readSample,
  type Example,
  type Network,
  type Sample,
} from "./library.js";
import { passesOf, suitedMethod, unsuited } from "./methods.js";
import { fromHash, type Linked } from "./sent/link.js";
import { classesParam, sameParams, sameQuestion, startingParams } from "./settings.js";
import { measured, type Measurement } from "./speed.js";
import {
  discard,
  initialState,
  Store,
  type Answer,
  type Given,
  type Params,
  type Question,
  type State,
} from "./state.js";

/** A model with the names of its classes; their numbers where they have none, as the engine says it. */
export interface Loaded {
  model: Model;
  labels: string[];
}

/** Ends with `signal`, or after so many seconds. (`AbortSignal.any` is younger than the least browsers.) */
function limited(signal: AbortSignal, seconds: number): AbortSignal {
  const both = new AbortController();
  const late = new DOMException("The time limit was reached.", "TimeoutError");
  const timer = setTimeout(() => {
    both.abort(late);
  }, seconds * 1000);
  const stop = () => {
    clearTimeout(timer);
    both.abort(signal.reason);
  };
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop, { once: true });
  return both.signal;
}

/** The quickest method, whose picture is shown while the one that was asked for is computed. */
const firstLookMethod = "saliency";

export class App {
  readonly store = new Store<State>(initialState);
  /** What the engine and the model in use were asked for as; `state` has what is wanted. */
  #choice: DeviceChoice | null = null;
  #network: Network | null = null;
  /** A network that could not be loaded, which "try again" means, with what it was to be asked about. */
  #rejected: { network: Network; given: Given | null } | null = null;
  /** What was shown before something else was given, until a network has answered about that. */
  #held: Pick<State, "given" | "network" | "method" | keyof typeof nothingFound> | null = null;
  /** Of each kind, the network and the method that were used last. */
  readonly #used = new Map<Kind, { network: Network; method: string }>();
  #running: AbortController | null = null;
  /** A question that a link or a report asks, until its network is there: loading one forgets the question before. */
  #awaited: Question | null = null;
  /** While paused, what is wanted may change, but nothing is computed for it. */
  #paused = false;
  /** What the engine has stopped on. */
  #fatal: Given | null = null;
  /** What it stopped on the last time, whoever was to blame. */
  #suspect: Given | null = null;
  /** What was asked to be given and could not be read, which "try again" means. */
  #unread: { read: () => Promise<Given>; network: Network | undefined } | null = null;
  /** Counts what was asked to be given: only the last is shown. */
  #asked = 0;
  /** What was answered about this input by this network, the last first. */
  #known: Answer[] = [];
  /** The engine and the model that are on their way; another refresh waits for the same. */
  #opening: { choice: DeviceChoice; engine: Promise<Engine> } | null = null;
  #loading: { engine: Engine; network: Network; loaded: Promise<Loaded>; abort: AbortController } | null =
    null;

  get state(): Readonly<State> {
    return this.store.state;
  }

  /** Loads everything and explains the first photograph. */
  async start(): Promise<void> {
    this.store.set({ task: { label: t`Starting the engine`, done: 0, total: 0 } });
    void fetchFirst();
    void this.#open(this.state.deviceChoice).catch(() => undefined); // the refresh below tells of a failure
    try {
      const [{ networks, examples }, samples] = await Promise.all([loadNetworks(), loadSamples()]);
      this.store.set({ networks, network: networks[0] ?? null, samples, examples });
      const [sample] = samples;
      const asked = fromHash(location.hash);
      if (!this.state.given && asked) await this.#showLinked(asked);
      if (!this.state.given && sample) this.#show(await readSample(sample));
      await this.#refresh({ firstLook: true });
    } catch (error) {
      this.store.set({ task: null });
      this.report(problemOf(error));
    }
  }

  /** Shows what a link asks for, as far as it is there. */
  async #showLinked({ example, network: name, ...question }: Linked): Promise<void> {
    const { samples, examples, networks } = this.state;
    const network = networks.find((candidate) => candidate.name === name);
    const sample = samples.find(({ file }) => file === example) ?? samples[0];
    const other = examples.find((candidate) => candidate.name === example);
    const kind = network?.kind ?? other?.kind ?? "image";
    const read =
      kind === "image"
        ? sample && (() => readSample(sample))
        : (other?.kind === kind ? other : examples.find((candidate) => candidate.kind === kind))?.read;
    if (!read) return;
    this.#show(await read(), network);
    this.#await(question);
  }

  #await(question: Question): void {
    this.#awaited = question;
    this.store.set({ method: question.method, target: question.target });
  }

  /** Asks a network a question about something, anew: as a report has it. */
  async ask(given: Given, network: Network, question: Question): Promise<void> {
    this.#asked++;
    this.#show(given, network);
    this.#await(question);
    await this.#refresh();
  }

  async chooseSample(sample: Sample): Promise<void> {
    await this.#give(() => readSample(sample));
  }

  async chooseExample(example: Example): Promise<void> {
    await this.#give(example.read);
  }

  /** The first example of a kind, or what there is of it already. */
  async chooseKind(kind: Kind): Promise<void> {
    const { samples, examples } = this.state;
    const [sample] = samples;
    const example = examples.find((candidate) => candidate.kind === kind);
    if (kind === "image" && sample) await this.chooseSample(sample);
    else if (example) await this.chooseExample(example);
  }

  async choosePhoto(image: ImageInput, title: string): Promise<void> {
    await this.#give(async () => ({
      kind: "image",
      input: await decodeImage(image),
      title,
      credit: kinds.image.yours,
      example: null,
    }));
  }

  /** A text, or a pair of texts. */
  async chooseText(input: string | readonly [string, string], title = kinds.text.title): Promise<void> {
    const given = { kind: "text", input, title, credit: kinds.text.yours, example: null } as const;
    await this.#give(() => Promise.resolve(given));
  }

  /** Something that was put together elsewhere. */
  async chooseGiven(given: Given): Promise<void> {
    await this.#give(() => Promise.resolve(given));
  }

  /** A file of a kind whose networks read files: a sound, or any other. */
  async chooseFile(kind: "audio" | "file", input: Blob, title: string): Promise<void> {
    const given = { kind, input, title, credit: kinds[kind].yours, example: null } as Given;
    await this.#give(() => Promise.resolve(given));
  }

  /** Whether there is a network for a kind. */
  takes(kind: Kind): boolean {
    return this.state.networks.some((network) => network.kind === kind);
  }

  async chooseNetwork(network: Network): Promise<void> {
    const { given, samples, examples } = this.state;
    if (network.kind !== given?.kind) {
      const [sample] = samples;
      const read =
        network.kind === "image"
          ? sample && (() => readSample(sample))
          : examples.find(({ kind }) => kind === network.kind)?.read;
      if (read) await this.#give(read, network);
      return;
    }
    this.store.set({ network });
    await this.#refresh({ firstLook: true });
  }

  /** Stops what is computed, so that the engine is free for something else. */
  pause(): void {
    this.#paused = true;
    this.#running?.abort();
  }

  /** Ends a pause, and does what was missed. */
  async resume(): Promise<void> {
    this.#paused = false;
    if (this.state.network) await this.#refresh({ firstLook: this.state.explanation === null, keep: true });
  }

  /** The engine on the wanted device, for one who has paused the page. */
  async engine(signal: AbortSignal): Promise<Engine> {
    try {
      return await this.#ensureEngine(signal);
    } finally {
      if (this.#paused) this.store.set({ task: null });
    }
  }

  /** Takes over a network of the user's own that is loaded on the page's engine already, in the place of an earlier `replaced`. */
  async adopt(network: Network, loaded: Loaded, replaced: Network | null): Promise<void> {
    this.#loading?.abort.abort();
    this.#loading = null;
    const { networks, model: before, engine, given, samples } = this.state;
    // It takes photographs: of something else, nothing is left to ask it about.
    const [sample] = samples;
    if (given?.kind !== network.kind && sample) this.#show(await readSample(sample), network);
    this.#release();
    this.store.set({ networks: [...networks.filter((other) => other !== replaced), network], network });
    if (engine && !engine.closed) {
      this.#use(network, loaded);
      before?.close();
    }
    this.report(null);
    this.#paused = false;
    await this.#refresh({ firstLook: true });
  }

  /** Keeps in mind why a network's answers look like noise. */
  doubt({ name }: Network, why: string): void {
    this.store.set({ doubts: { ...this.state.doubts, [name]: why } });
  }

  async chooseDevice(deviceChoice: DeviceChoice): Promise<void> {
    this.store.set({ deviceChoice });
    await this.#refresh();
  }

  async chooseMethod(method: string): Promise<void> {
    this.#awaited = null;
    const { model, method: before, beside } = this.state;
    if (unsuited(model?.info, method)) return;
    if (method === beside) {
      if (this.swap()) return;
      this.store.set({ beside: before, second: null });
    }
    this.store.set({ method });
    await this.#refresh();
  }

  /** Shows another method's explanation beside the first; null ends that. */
  async chooseBeside(beside: string | null): Promise<void> {
    if (beside !== null && unsuited(this.state.model?.info, beside)) return;
    this.store.set({ beside, ...(beside === this.state.second?.question.method ? {} : { second: null }) });
    await this.#refresh({ keep: true });
  }

  /** Lets the two methods change places with what they have found; gives whether both have found something. */
  swap(): boolean {
    const { method, beside, explanation, answered, second, firstLook } = this.state;
    if (beside === null || !second || !explanation || !answered || firstLook) return false;
    this.store.set({
      method: beside,
      beside: method,
      explanation: second.explanation,
      answered: second.question,
      second: { explanation, question: answered },
    });
    return true;
  }

  setLimit(limit: number | null): void {
    this.store.set({ limit });
  }

  /** Changes settings of the method; computes when asked to by `explain`. */
  changeParams(change: Params): void {
    const { method, params } = this.state;
    this.store.set({ params: { ...params, [method]: { ...params[method], ...change } } });
  }

  /** Explains with what is set. */
  async explain(): Promise<void> {
    await this.#refresh({ anew: true });
  }

  /** Explains with the paper's settings, or with the quick ones: all but the classes, which belong to the question. */
  async explainWith(settings: Params): Promise<void> {
    const { method, methods } = this.state;
    const description = methods.find(({ name }) => name === method);
    const classes = description && classesParam(description)?.name;
    this.changeParams(Object.fromEntries(Object.entries(settings).filter(([name]) => name !== classes)));
    await this.#refresh();
  }

  async explainClass(target: number): Promise<void> {
    this.#forgetClasses();
    this.store.set({ target });
    await this.#refresh();
  }

  /** Why the network's answer and not this class. */
  async whyNot(rival: number): Promise<void> {
    const method = this.whyNotMethod();
    const winner = this.state.classification?.top[0];
    const param = method && classesParam(method);
    if (!param || !winner) return;
    this.store.set({ method: method.name, target: winner.index });
    this.changeParams({ [param.name]: [rival] });
    await this.#refresh();
  }

  /** The method that can set one class against another. */
  whyNotMethod(): MethodDescription | undefined {
    const { methods, method, model } = this.state;
    const able = methods.filter(
      (candidate) => classesParam(candidate) && !unsuited(model?.info, candidate.name),
    );
    return able.find(({ name }) => name === method) ?? able[0];
  }

  cancel(): void {
    this.#running?.abort();
    if (!this.#loading) return;
    this.#loading.abort.abort();
    this.#loading = null;
    if (this.state.model) this.#goBack();
  }

  report(problem: Problem | null): void {
    this.store.set({ problem });
  }

  /**
   * Tries again, with a new engine where the old one is dead: without what it stopped on, which would stop the next one too.
   */
  async retry(): Promise<void> {
    if (this.state.problem?.remedy === "restart") this.state.engine?.close();
    this.report(null);
    const { given } = this.state;
    if (given && given === this.#fatal) {
      this.#fatal = null;
      const other = this.#another(given);
      if (other) {
        await this.#give(other);
        return;
      }
    }
    const unread = this.#unread;
    if (unread) {
      await this.#give(unread.read, unread.network);
      return;
    }
    const rejected = this.#rejected;
    if (rejected?.given) this.#show(rejected.given, rejected.network);
    else if (rejected) this.store.set({ network: rejected.network });
    if (this.state.networks.length === 0) await this.start();
    else await this.#refresh();
  }

  setView(view: View): void {
    this.store.set({ view });
  }

  setDark(dark: boolean): void {
    this.store.set({ dark });
  }

  setOpacity(opacity: number): void {
    this.store.set({ opacity });
  }

  setSmooth(smooth: number): void {
    this.store.set({ smooth });
  }

  setColours(colours: ColourMap): void {
    this.store.set({ colours });
  }

  /** Null leaves it to the method. */
  setSigns(signs: boolean | null): void {
    this.store.set({ signs });
  }

  setWipe(wipe: number): void {
    this.store.set({ wipe });
  }

  setShownSegments(shownSegments: number | null): void {
    this.store.set({ shownSegments });
  }

  setBorders(borders: boolean): void {
    this.store.set({ borders });
  }

  /** How another example of the same kind is read. */
  #another({ kind, example }: Given): (() => Promise<Given>) | undefined {
    const { samples, examples } = this.state;
    if (kind === "image") {
      const other = samples.find(({ file }) => file !== example);
      return other && (() => readSample(other));
    }
    return examples.find((candidate) => candidate.kind === kind && candidate.name !== example)?.read;
  }

  /** What cannot be read changes nothing, and does not interrupt what is being computed. */
  async #give(read: () => Promise<Given>, network?: Network): Promise<void> {
    const asked = ++this.#asked;
    this.#unread = null;
    try {
      const given = await read();
      if (asked !== this.#asked) {
        discard(given);
        return;
      }
      this.#show(given, network);
    } catch (error) {
      if (asked !== this.#asked) return;
      this.#unread = { read, network };
      this.report(problemOf(error));
      return;
    }
    await this.#refresh({ firstLook: true });
  }

  /** Shows what was given, to be asked of that network: by itself, of the last one that took this kind. */
  #show(given: Given, network = this.#networkFor(given.kind)): void {
    const { given: before, network: asked, classification } = this.state;
    if (before && asked?.kind === before.kind)
      this.#used.set(before.kind, { network: asked, method: this.state.method });
    if (before && classification && !this.#held)
      this.#held = { ...pick(this.state, heldKeys), network: this.#network };
    else if (before !== this.#held?.given) discard(before);
    const method = given.kind === before?.kind ? this.state.method : this.#methodFor(given.kind);
    this.#forgetClasses();
    this.#known = [];
    this.store.set({ given, network, method, problem: null, ...nothingFound });
  }

  #networkFor(kind: Kind): Network | null {
    const { network, networks } = this.state;
    if (network?.kind === kind) return network;
    return this.#used.get(kind)?.network ?? networks.find((other) => other.kind === kind) ?? network;
  }

  #methodFor(kind: Kind): string {
    return this.#used.get(kind)?.method ?? kinds[kind].method;
  }

  /** Back to the network in use and, where what was given since is nothing to it, to what was shown before. */
  #goBack(): void {
    const held = this.#held;
    if (this.state.given?.kind === this.#network?.kind) {
      this.store.set({ network: this.#network });
    } else if (held) {
      this.#held = null;
      this.store.set(held);
    }
  }

  /** Back to what was shown before something that the engine does not take; whether that was so. */
  #refused(error: unknown): boolean {
    const held = this.#held;
    const { given, classification } = this.state;
    const isInput = error instanceof AdversightError && error.code.startsWith("input_");
    if (!held || classification || !isInput) return false;
    this.#held = null;
    this.store.set(held);
    discard(given);
    return true;
  }

  /** Lets go of what was shown before. */
  #release(): void {
    const held = this.#held;
    this.#held = null;
    if (held && held.given !== this.state.given) discard(held.given);
  }

  /**
   * Does what is missing. `firstLook` shows something quick before; `keep` leaves an explanation that still answers the question, and `told` a problem that was told; what was
   * answered before is not asked again, but `anew`.
   */
  async #refresh({ firstLook = false, keep = false, anew = false, told = false } = {}): Promise<void> {
    this.#running?.abort();
    this.#unread = null;
    if (this.#paused) return;
    const controller = new AbortController();
    const { signal } = controller;
    this.#running = controller;
    try {
      const engine = await this.#ensureEngine(signal);
      const model = await this.#ensureModel(engine, signal);
      this.#askAwaited(model);
      await this.#classify(model, signal);
      if (!(keep && this.#answers(this.state.method))) {
        if (firstLook && this.state.method !== firstLookMethod && !unsuited(model.info, firstLookMethod))
          await this.#explain(model, signal, firstLookMethod);
        if (anew) this.#known = this.#known.filter(({ question }) => question.method !== this.state.method);
        await this.#explain(model, signal, this.state.method);
      }
      await this.#explainBeside(model, signal);
      if (!told) this.store.set({ problem: null });
    } catch (error) {
      // What was interrupted by the user or by a later action is no error.
      if (!signal.aborted && !(error instanceof DOMException && error.name === "AbortError")) {
        const problem = this.#blamed(error);
        const back = this.#refused(error);
        this.report(problem);
        if (back) void this.#refresh({ keep: true, told: true });
      }
    } finally {
      if (this.#running === controller) {
        this.#running = null;
        this.store.set({ task: null, partial: null });
      }
    }
  }

  /**
   * The problem in words. Where the engine has stopped before it had an answer about what was given, or for the second time on it, that
   * is to blame, and is put aside when the engine starts again.
   */
  #blamed(error: unknown): Problem {
    const problem = problemOf(error, this.state.given?.kind);
    const { given, classification } = this.state;
    if (!given || !(error instanceof AdversightError) || error.code !== "engine_failed") return problem;
    const guilty = classification === null || this.#suspect === given;
    this.#suspect = given;
    if (!guilty) return problem;
    this.#fatal = given;
    const message = t`It stopped on “${given.title}”, which is put aside. ${problem.message}`;
    return { ...problem, message };
  }

  /** Puts a question that has waited for its network: a method and a class that are there, with settings that the method has. */
  #askAwaited(model: Model): void {
    const asked = this.#awaited;
    this.#awaited = null;
    const description = this.state.methods.find(({ name }) => name === asked?.method);
    if (!asked || !description || unsuited(model.info, asked.method)) return;
    const known = Object.entries(asked.params).filter(([name]) =>
      description.params.some((param) => param.name === name),
    );
    const target = asked.target !== null && asked.target < model.info.classes ? asked.target : null;
    this.store.set({ method: asked.method, target });
    this.changeParams(Object.fromEntries(known));
  }

  #begin(label: string): (progress: Progress) => void {
    this.store.set({ task: { label, done: 0, total: 0 }, partial: null });
    return ({ done, total }) => {
      if (this.state.task?.label === label) this.store.set({ task: { label, done, total } });
    };
  }

  #open(choice: DeviceChoice): Promise<Engine> {
    if (this.#opening?.choice !== choice) {
      const engine = createEngine({ device: choice });
      this.#opening = { choice, engine };
      void engine
        .catch(() => undefined)
        .then(() => {
          if (this.#opening?.engine === engine) this.#opening = null;
        });
    }
    return this.#opening.engine;
  }

  /** The engine on the wanted device. The one before is closed only when its successor stands. */
  async #ensureEngine(signal: AbortSignal): Promise<Engine> {
    const { engine: before, deviceChoice: choice } = this.state;
    if (before && !before.closed && this.#choice === choice) return before;

    this.#begin(t`Starting the engine`);
    let engine: Engine;
    try {
      engine = await this.#open(choice);
    } catch (error) {
      if (before && !before.closed && this.#choice) this.store.set({ deviceChoice: this.#choice });
      throw error;
    }
    if (this.state.engine !== engine) {
      if (this.state.deviceChoice !== choice) {
        engine.close();
        throw new DOMException("Another device was chosen meanwhile.", "AbortError");
      }
      this.#choice = choice;
      const methods = engine.methods();
      this.store.set({ engine, methods, model: null, speed: [], ...this.#settingsFor(methods, engine) });
      before?.close();
    }
    signal.throwIfAborted();
    return engine;
  }

  /** The settings that methods start with on this device, but for those that the user has changed. */
  #settingsFor(methods: MethodDescription[], engine: Engine): Pick<State, "params" | "method"> {
    const { params, method, engine: before } = this.state;
    const settings = methods.map((description) => {
      const own = params[description.name];
      const untouched = !own || !before || sameParams(own, startingParams(description, before.device.kind));
      return [description.name, untouched ? startingParams(description, engine.device.kind) : own];
    });
    const known = methods.some(({ name }) => name === method);
    return {
      params: Object.fromEntries(settings) as State["params"],
      method: known ? method : (methods[0]?.name ?? method),
    };
  }

  /** The wanted model on this engine. The one before stays in use until then. */
  async #ensureModel(engine: Engine, signal: AbortSignal): Promise<Model> {
    const { model: before, network } = this.state;
    if (!network) throw new Error("No network was found beside this page. Reload it to try again.");
    this.#rejected = null;
    if (before && this.#network === network) {
      // One that was on its way is not waited for any more.
      this.#loading?.abort.abort();
      this.#loading = null;
      return before;
    }

    if (this.#loading?.engine !== engine || this.#loading.network !== network) {
      this.#loading?.abort.abort();
      const abort = new AbortController();
      this.#loading = { engine, network, abort, loaded: this.#load(engine, network, abort.signal) };
    }
    const loading = this.#loading;
    try {
      const loaded = await loading.loaded;
      if (this.#loading === loading) {
        this.#loading = null;
        this.#use(network, loaded);
        before?.close();
      }
      signal.throwIfAborted();
      return loaded.model;
    } catch (error) {
      if (this.#loading === loading) this.#loading = null;
      if (!signal.aborted && before && this.#network) {
        this.#rejected = {
          network,
          given: this.state.given?.kind === this.#network.kind ? null : this.state.given,
        };
        this.#goBack();
      }
      throw error;
    }
  }

  async #load(engine: Engine, network: Network, signal: AbortSignal): Promise<Loaded> {
    const onProgress = this.#begin(t`Loading ${network.title}`);
    const source = await network.source();
    const model = await engine.loadModel({ ...source, signal, onProgress });
    return { model, labels: namesOf(model, source.labels) };
  }

  /** Puts a loaded network to use: nothing that was found with the one before holds any more. */
  #use(network: Network, { model, labels }: Loaded): void {
    const { methods, method, beside } = this.state;
    this.#network = network;
    this.#known = [];
    this.#forgetClasses();
    this.#forgetLayers();
    this.store.set({
      model,
      labels,
      target: null,
      speed: [],
      method: suitedMethod(model.info, methods, method),
      beside: beside !== null && unsuited(model.info, beside) ? null : beside,
      ...nothingFound,
    });
  }

  async #classify(model: Model, signal: AbortSignal): Promise<void> {
    const { given, classification } = this.state;
    if (!given || classification) return;
    this.#begin(kinds[given.kind].looking);
    const found = await model.classify(given.input, { top: 5, signal });
    this.#release();
    this.store.set({ classification: found });
    this.#measure({ method: null, gradients: false, passes: 1, milliseconds: found.milliseconds });
  }

  async #explain(model: Model, signal: AbortSignal, name: string): Promise<void> {
    const firstLook = name !== this.state.method;
    const answer = await this.#ask(model, signal, name, firstLook ? t`A first look by` : t`Explaining by`);
    if (!answer) return;
    const { explanation, question } = answer;
    this.store.set({ explanation, partial: null, answered: question, firstLook, shownSegments: null });
  }

  /** The same question to the method beside, unless it was asked already. */
  async #explainBeside(model: Model, signal: AbortSignal): Promise<void> {
    const { beside, second } = this.state;
    if (beside === null) return;
    if (second && sameQuestion(second.question, this.#question(beside))) return;
    this.store.set({ second: null });
    this.store.set({ second: await this.#ask(model, signal, beside, t`Beside it, explaining by`) });
  }

  async #ask(model: Model, signal: AbortSignal, name: string, verb: string): Promise<Answer | null> {
    const { given, methods, limit } = this.state;
    const description = methods.find((candidate) => candidate.name === name);
    if (!given || !description) return null;
    const question = this.#question(name);
    const known = this.#known.find((answer) => sameQuestion(answer.question, question));
    if (known) return known;
    const onProgress = this.#begin(`${verb} ${midSentence(description.title)}`);
    const stop = limit === null ? signal : limited(signal, limit);
    const explanation = await model.explain(given.input, {
      ...question,
      method: anyName(name),
      signal: stop,
      onProgress,
      onPartial: (partial) => {
        if (name !== this.state.beside) this.store.set({ partial });
      },
    });
    const { forwardPasses: forward, backwardPasses: backward, milliseconds } = explanation.info;
    const passes = passesOf({ forward, backward });
    this.#measure({ method: name, gradients: backward > 0, passes, milliseconds });
    const answer = { explanation, question };
    if (given === this.state.given) this.#known = [answer, ...this.#known].slice(0, mostKnown);
    return answer;
  }

  #question(method: string): Question {
    const { params, target } = this.state;
    return { method, params: params[method] ?? {}, target };
  }

  /** Whether what is shown answers the question as it stands now. */
  #answers(method: string): boolean {
    const { answered, firstLook } = this.state;
    return answered !== null && !firstLook && sameQuestion(answered, this.#question(method));
  }

  #measure(measurement: Measurement): void {
    this.store.set({ speed: measured(this.state.speed, measurement) });
  }

  /** The names of nodes belong to one network. */
  #forgetLayers(): void {
    const params = { ...this.state.params };
    for (const method of this.state.methods) {
      for (const { name, kind, default: paper } of method.params) {
        if (kind === "layer") params[method.name] = { ...params[method.name], [name]: paper };
      }
    }
    this.store.set({ params });
  }

  /** Classes that were set against each other belong to one input, one network and one question. */
  #forgetClasses(): void {
    const params = { ...this.state.params };
    for (const method of this.state.methods) {
      const param = classesParam(method);
      if (param) params[method.name] = { ...params[method.name], [param.name]: param.default };
    }
    this.store.set({ params, target: null });
  }
}

/** Explanations of one input that are kept: a map of a large picture takes a megabyte. */
const mostKnown = 32;

const nothingFound = {
  classification: null,
  explanation: null,
  answered: null,
  firstLook: false,
  partial: null,
  second: null,
  shownSegments: null,
} as const;

/** What is kept of what was shown, until another network is there. */
const heldKeys = [
  "given",
  "method",
  ...(Object.keys(nothingFound) as (keyof typeof nothingFound)[]),
] as const;

const pick = <S extends object, K extends keyof S>(state: S, keys: readonly K[]): Pick<S, K> =>
  Object.fromEntries(keys.map((key) => [key, state[key]])) as Pick<S, K>;

/** The names of a model's classes; their numbers where they have none. */
export const namesOf = (model: Model, labels: string[] | undefined): string[] =>
  labels ?? Array.from({ length: model.info.classes }, (_, index) => t`class ${index}`);
