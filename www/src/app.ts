// What the page does. Every action changes what is wanted and asks for `#refresh`, which does what is missing: engine,
// model, classification, first look, explanation. A later action interrupts an earlier one; what fails changes
// nothing of what is shown.

import {
  createEngine,
  decodeImage,
  type ColourMap,
  type DeviceChoice,
  type Engine,
  type Explanation,
  type ImageInput,
  type MethodDescription,
  type Model,
  type Progress,
  type View,
} from "adversight";
import { problemOf, type Problem } from "./advice.js";
import { midSentence } from "./format.js";
import {
  loadCards,
  loadLabels,
  loadPhoto,
  loadSamples,
  modelUrl,
  type ModelCard,
  type Sample,
} from "./library.js";
import { classesParam, sameParams, startingParams } from "./settings.js";
import { initialState, Store, type Params, type Photo, type State } from "./state.js";

/** The quickest method, whose picture is shown while the one that was asked for is computed. */
const firstLookMethod = "saliency";

export class App {
  readonly store = new Store<State>(initialState);
  /** What the engine and the model in use were asked for as; `state` has what is wanted. */
  #choice: DeviceChoice | null = null;
  #card: ModelCard | null = null;
  /** A model that could not be loaded, which "try again" means. */
  #rejected: ModelCard | null = null;
  #running: AbortController | null = null;
  /** Counts the photographs that were asked for: only the last one is shown. */
  #asked = 0;
  /** The engine and the model that are on their way; another refresh waits for the same. */
  #opening: { choice: DeviceChoice; engine: Promise<Engine> } | null = null;
  #loading: { engine: Engine; card: ModelCard; model: Promise<Model>; abort: AbortController } | null = null;

  get state(): Readonly<State> {
    return this.store.state;
  }

  /** Loads everything and explains the first photograph. */
  async start(): Promise<void> {
    this.store.set({ task: { label: "Starting the engine", done: 0, total: 0 } });
    void this.#open(this.state.deviceChoice).catch(() => undefined); // the refresh below tells of a failure
    try {
      const [cards, samples] = await Promise.all([loadCards(), loadSamples()]);
      this.store.set({ cards, card: cards[0] ?? null, samples });
      const [sample] = samples;
      if (!this.state.photo && sample) this.#show(await readSample(sample));
      await this.#refresh({ firstLook: true });
    } catch (error) {
      this.store.set({ task: null });
      this.report(problemOf(error));
    }
  }

  async chooseSample(sample: Sample): Promise<void> {
    await this.#choosePhoto(() => readSample(sample));
  }

  async choosePhoto(image: ImageInput, title: string): Promise<void> {
    await this.#choosePhoto(async () => ({
      bitmap: await decodeImage(image),
      title,
      credit: "your photograph",
      sample: null,
    }));
  }

  async chooseModel(card: ModelCard): Promise<void> {
    this.store.set({ card });
    await this.#refresh({ firstLook: true });
  }

  async chooseDevice(deviceChoice: DeviceChoice): Promise<void> {
    this.store.set({ deviceChoice });
    await this.#refresh();
  }

  async chooseMethod(method: string): Promise<void> {
    this.store.set({ method });
    await this.#refresh();
  }

  /** Changes settings of the method; computes when asked to by `explain`. */
  changeParams(change: Params): void {
    const { method, params } = this.state;
    this.store.set({ params: { ...params, [method]: { ...params[method], ...change } } });
  }

  /** Explains with what is set. */
  async explain(): Promise<void> {
    await this.#refresh();
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
    return this.state.methods.find((method) => classesParam(method));
  }

  cancel(): void {
    this.#running?.abort();
    if (!this.#loading) return;
    this.#loading.abort.abort();
    this.#loading = null;
    if (this.state.model) this.store.set({ card: this.#card });
  }

  report(problem: Problem | null): void {
    this.store.set({ problem });
  }

  /** Tries again, with a new engine where the old one is dead. */
  async retry(): Promise<void> {
    if (this.state.problem?.remedy === "restart") this.state.engine?.close();
    this.report(null);
    if (this.#rejected) this.store.set({ card: this.#rejected });
    if (this.state.cards.length === 0) await this.start();
    else await this.#refresh();
  }

  setView(view: View): void {
    this.store.set({ view });
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

  /** A photograph that cannot be read changes nothing, and does not interrupt what is being computed. */
  async #choosePhoto(read: () => Promise<Photo>): Promise<void> {
    const asked = ++this.#asked;
    try {
      const photo = await read();
      if (asked !== this.#asked) {
        photo.bitmap.close();
        return;
      }
      this.#show(photo);
    } catch (error) {
      if (asked === this.#asked) this.report(problemOf(error));
      return;
    }
    await this.#refresh({ firstLook: true });
  }

  #show(photo: Photo): void {
    const before = this.state.photo;
    this.#forgetClasses();
    this.store.set({ photo, problem: null, ...nothingFound });
    before?.bitmap.close();
  }

  async #refresh({ firstLook = false } = {}): Promise<void> {
    this.#running?.abort();
    const controller = new AbortController();
    const { signal } = controller;
    this.#running = controller;
    try {
      const engine = await this.#ensureEngine(signal);
      const model = await this.#ensureModel(engine, signal);
      await this.#classify(model, signal);
      if (firstLook && this.state.method !== firstLookMethod)
        await this.#explain(model, signal, firstLookMethod);
      await this.#explain(model, signal, this.state.method);
      this.store.set({ problem: null });
    } catch (error) {
      // What was interrupted by the user or by a later action is no error.
      if (!signal.aborted && !(error instanceof DOMException && error.name === "AbortError")) {
        this.report(problemOf(error));
      }
    } finally {
      if (this.#running === controller) {
        this.#running = null;
        this.store.set({ task: null });
      }
    }
  }

  #begin(label: string): (progress: Progress) => void {
    this.store.set({ task: { label, done: 0, total: 0 } });
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

    this.#begin("Starting the engine");
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
      this.store.set({ engine, methods, model: null, ...this.#settingsFor(methods, engine) });
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
    const { model: before, card } = this.state;
    if (!card) throw new Error("No network was found beside this page. Reload it to try again.");
    this.#rejected = null;
    if (before && this.#card === card) return before;

    if (this.#loading?.engine !== engine || this.#loading.card !== card) {
      this.#loading?.abort.abort();
      const abort = new AbortController();
      this.#loading = { engine, card, abort, model: this.#load(engine, card, abort.signal) };
    }
    const loading = this.#loading;
    try {
      const model = await loading.model;
      if (this.#loading === loading) {
        this.#loading = null;
        this.#card = card;
        this.#forgetClasses();
        this.store.set({ model, target: null, ...nothingFound });
        before?.close();
      }
      signal.throwIfAborted();
      return model;
    } catch (error) {
      if (this.#loading === loading) this.#loading = null;
      if (!signal.aborted && before && this.#card) {
        this.#rejected = card;
        this.store.set({ card: this.#card });
      }
      throw error;
    }
  }

  async #load(engine: Engine, card: ModelCard, signal: AbortSignal): Promise<Model> {
    const onProgress = this.#begin(`Loading ${card.title}`);
    const labels = loadLabels(card);
    const model = await engine.loadModel({
      onnx: modelUrl(`${card.name}.onnx`),
      labels: await labels,
      preprocessing: card.preprocessing,
      name: card.title,
      signal,
      onProgress,
    });
    this.store.set({ labels: await labels });
    return model;
  }

  async #classify(model: Model, signal: AbortSignal): Promise<void> {
    const { photo, classification } = this.state;
    if (!photo || classification) return;
    this.#begin("Looking at the photograph");
    const found = await model.classify(photo.bitmap, { top: 5, signal });
    this.store.set({ classification: found });
  }

  async #explain(model: Model, signal: AbortSignal, name: string): Promise<void> {
    const { photo, params, target, methods, method } = this.state;
    const description = methods.find((candidate) => candidate.name === name);
    if (!photo || !description) return;
    const firstLook = name !== method;
    const onProgress = this.#begin(
      firstLook
        ? `A first look by ${midSentence(description.title)}`
        : `Explaining by ${midSentence(description.title)}`,
    );
    const question = { method: name, params: params[name] ?? {}, target };
    const explanation: Explanation = await model.explain(photo.bitmap, { ...question, signal, onProgress });
    this.store.set({ explanation, answered: question, firstLook });
  }

  /** Classes that were set against each other belong to one photograph, one network and one question. */
  #forgetClasses(): void {
    const params = { ...this.state.params };
    for (const method of this.state.methods) {
      const param = classesParam(method);
      if (param) params[method.name] = { ...params[method.name], [param.name]: param.default };
    }
    this.store.set({ params, target: null });
  }
}

const nothingFound = { classification: null, explanation: null, answered: null, firstLook: false } as const;

async function readSample(sample: Sample): Promise<Photo> {
  const bitmap = await decodeImage(await loadPhoto(sample.file));
  return { bitmap, title: sample.title, credit: `${sample.credit} (${sample.licence})`, sample: sample.file };
}
