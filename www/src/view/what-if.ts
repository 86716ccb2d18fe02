// What if? Words are struck out, parts of a picture erased, blurred or painted over, stretches of a sound muted, by the pointer or by the keys; the
// answer and a first look follow. Every change, what is typed too, is undone and redone.

import { t } from "../strings/strings.js";
import { soundFile } from "adversight";
import { problemOf } from "../advice.js";
import type { App } from "../app.js";
import { changed, drawStroke, muted, type Stretch, type Stroke, type Tool } from "../brush.js";
import { Changes, type Change } from "../changes.js";
import { find, segments } from "../dom.js";
import { decimals, percent } from "../format.js";
import { columns, rows } from "../probe.js";
import type { Given, Photo } from "../state.js";
import { toggled, without, type Range, type Written } from "../struck.js";
import { contentOf, type Probe } from "./probe.js";

type Tried = Change & {
  /** Of a picture. */
  strokes?: readonly Stroke[];
  /** Of a sound. */
  silences?: readonly Stretch[];
};

export function mountWhatIf(app: App, probe: Probe): void {
  const undo = find("undo", HTMLButtonElement);
  const redo = find("redo", HTMLButtonElement);
  const note = find("what-if", HTMLElement);
  const changes = new Changes<Tried>();
  const known = new WeakMap<Given, Tried>();
  let kind: Given["kind"] | null = null;
  /** What a change has made, or gone back to. */
  let expected: Given | null = null;
  /** When the last change was asked for. */
  let began = 0;

  const update = () => {
    undo.disabled = !changes.canUndo;
    redo.disabled = !changes.canRedo;
  };
  app.store.watch(["given"], ({ given }) => {
    if (!given) return;
    const change = known.get(given);
    // An example that is chosen again begins anew.
    if (change && (given === expected || given.example === null) && changes.has(change)) {
      changes.at(change);
    } else {
      const typed: Tried = { make: () => Promise.resolve(given), answer: null };
      known.set(given, typed);
      const { now } = changes;
      const goesOn =
        given.kind === "text" &&
        given.example === null &&
        now?.silences === undefined &&
        now?.strokes === undefined;
      if (goesOn && changes.first && kind === "text") changes.add(typed);
      else changes.begin(typed);
    }
    kind = given.kind;
    update();
  });
  const hints: Record<Given["kind"], string> = {
    image: t`Choose a brush, and paint on the picture; or go there by the arrow keys and press Enter.`,
    text: t`Click a word to strike it out.`,
    audio: t`Choose a stretch, and mute it.`,
    file: "",
    table: "",
    series: "",
  };
  app.store.watch(["classification"], ({ given, classification }) => {
    const now = given && known.get(given);
    if (!given || !now) return;
    if (classification) now.answer = classification;
    const { first } = changes;
    const winner = first?.answer?.top[0];
    if (first === now || !winner || !classification) {
      if (first === now) note.textContent = hints[given.kind];
      return;
    }
    note.dataset.answered = String(Math.round(performance.now() - began));
    const after = classification.top.find(({ index }) => index === winner.index);
    note.textContent = after
      ? t`“${winner.label}”: ${percent(after.probability)}, and ${percent(winner.probability)} as it was.`
      : t`“${winner.label}” is no longer among the first answers; it was ${percent(winner.probability)}.`;
  });
  app.store.watch(["explanation"], ({ explanation, given }) => {
    if (explanation && given && known.get(given) !== changes.first && !note.dataset.mapped)
      note.dataset.mapped = String(Math.round(performance.now() - began));
  });

  /** Changes follow one another, however long each takes. */
  let queue = Promise.resolve();
  const show = (change: Tried) => {
    began = performance.now();
    delete note.dataset.mapped;
    update();
    queue = queue.then(async () => {
      try {
        if (changes.now !== change) return; // another came meanwhile
        const given = await change.make();
        known.set(given, change);
        expected = given;
        void app.chooseGiven(given);
      } catch (error) {
        app.report(problemOf(error));
      }
    });
  };
  const go = (step: number) => {
    const change = changes.go(step);
    if (change) show(change);
  };
  undo.addEventListener("click", () => {
    go(-1);
  });
  redo.addEventListener("click", () => {
    go(1);
  });
  const tries: Tries = {
    app,
    note,
    changes,
    add(change) {
      changes.add(change);
      show(change);
    },
    redefine(change) {
      if (changes.first) changes.first.make = change;
    },
  };
  mountWords(tries);
  mountBrush(tries, probe);
  mountMute(tries);
}

interface Tries {
  app: App;
  note: HTMLElement;
  changes: Changes<Tried>;
  add: (change: Tried) => void;
  /** What was given at first is made anew by this. */
  redefine: (make: () => Promise<Given>) => void;
}

/** Words that are struck out. */
function mountWords({ app, note, add }: Tries): void {
  const place = find("reading", HTMLElement);
  const strike = (word: HTMLElement) => {
    const { given, explanation } = app.state;
    const range = rangeOf(word);
    if (given?.kind !== "text" || typeof given.input !== "string" || !explanation || !range) return;
    const written: Written = given.written ?? { text: given.input, struck: [] };
    const next = toggled(written, range);
    const input = without(next);
    if (input.trim() === "") {
      note.textContent = t`That is the last word: there would be nothing left to read.`;
      return;
    }
    const isWhole = next.struck.length === 0;
    const made: Given = {
      kind: "text",
      input,
      title: given.title,
      credit: isWhole ? given.credit : t`with words struck out`,
      example: null,
      ...(isWhole ? {} : { written: next }),
    };
    add({ make: () => Promise.resolve(made), answer: null });
  };
  place.addEventListener("click", ({ target }) => {
    if (target instanceof HTMLElement && target.dataset.part !== undefined && !getSelection()?.toString())
      strike(target);
  });
  place.addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (!["Enter", " ", "Delete", "Backspace"].includes(key)) return;
    if (!(target instanceof HTMLElement) || target.dataset.part === undefined) return;
    event.preventDefault();
    strike(target);
  });
}

/** Where a word stands in the text as it was written. */
function rangeOf({ dataset }: HTMLElement): Range | null {
  const [start, end] = [Number(dataset.start ?? NaN), Number(dataset.end ?? NaN)];
  return end > start ? [start, end] : null;
}

const tools: { value: Tool | "look"; label: string }[] = [
  { value: "look", label: t`Look` },
  { value: "erase", label: t`Erase` },
  { value: "blur", label: t`Blur` },
  { value: "paint", label: t`Paint` },
];
const done: Record<Tool, string> = { erase: t`erased`, blur: t`blurred`, paint: t`painted over` };

/** A brush on the picture. */
function mountBrush({ app, note, changes, add, redefine }: Tries, probe: Probe): void {
  const canvas = find("picture", HTMLCanvasElement);
  const brush = find("brush", HTMLElement);
  const size = find("brush-size", HTMLInputElement);
  const sizeRow = find("brush-size-row", HTMLElement);
  const colour = find("brush-colour", HTMLInputElement);
  const colourRow = find("brush-colour-row", HTMLElement);
  let tool: Tool | "look" = "look";
  const check = segments(brush, "brush", tools, (value) => {
    choose(value as typeof tool);
  });
  const choose = (value: typeof tool) => {
    tool = value;
    check(value);
    canvas.classList.toggle("brush", value !== "look");
    sizeRow.hidden = value === "look";
    colourRow.hidden = value !== "paint";
  };
  choose("look");
  app.store.watch(["given"], ({ given }) => {
    if (given?.kind !== "image") choose("look");
  });

  /** What was given at first, which is kept as long as it is being changed. */
  let base: { picture: ImageBitmap; photo: Photo } | null = null;
  let pending = Promise.resolve();
  const apply = (stroke: Stroke) => {
    pending = pending
      .then(() => put(stroke))
      .catch((error: unknown) => {
        app.report(problemOf(error));
      });
  };
  const put = async (stroke: Stroke) => {
    const photo = app.state.given;
    if (photo?.kind !== "image") return;
    const { now } = changes;
    if (!now?.strokes) {
      base?.picture.close();
      // The page frees what it no longer shows.
      const picture = await createImageBitmap(photo.input);
      if (app.state.given !== photo) {
        picture.close();
        return;
      }
      base = { picture, photo };
      redefine(async () => ({ ...photo, input: await createImageBitmap(picture) }));
    }
    const from = base;
    if (!from) return;
    const strokes = [...(now?.strokes ?? []), stroke];
    const make = async (): Promise<Given> => ({
      ...from.photo,
      input: await changed(from.picture, strokes),
      credit: t`changed by hand`,
      example: null,
      changes: sentences(strokes),
    });
    add({ make, answer: null, strokes });
  };
  const stroke = (points: Stroke["points"], rectangle?: Stroke["rectangle"]): Stroke | null =>
    tool === "look"
      ? null
      : {
          tool,
          points,
          radius: size.valueAsNumber / 100,
          colour: colour.value,
          ...(rectangle ? { rectangle } : {}),
        };

  let points: [number, number][] | null = null;
  const placeOf = ({ clientX, clientY }: PointerEvent): [number, number] => {
    const box = canvas.getBoundingClientRect();
    const { left, top, width, height } = contentOf(canvas);
    return [(clientX - box.left - left) / width, (clientY - box.top - top) / height];
  };
  const preview = () => {
    const context = canvas.getContext("2d");
    const shown = stroke(points?.slice(-2) ?? null);
    if (!context || !shown) return;
    context.save();
    context.strokeStyle = tool === "paint" ? colour.value : "rgb(255 255 255 / 0.6)";
    drawStroke(context, shown);
    context.restore();
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (tool === "look" || event.button !== 0) return;
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    points = [placeOf(event)];
    preview();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!points) return;
    points.push(placeOf(event));
    preview();
  });
  const end = () => {
    const made = points && stroke(points);
    points = null;
    if (made) apply(made);
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", () => {
    points = null;
  });
  canvas.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    const place = probe.place();
    event.preventDefault();
    if (tool === "look") {
      note.textContent = t`Choose a brush first: Erase, Blur or Paint.`;
      return;
    }
    if (!place) return;
    const [x, y] = place;
    // With Shift the whole ninth in which the cross stands.
    const [column, row] = [Math.min(2, Math.floor(3 * x)), Math.min(2, Math.floor(3 * y))];
    const made = event.shiftKey
      ? stroke(null, [column / 3, row / 3, (column + 1) / 3, (row + 1) / 3])
      : stroke([place]);
    if (made) apply(made);
  });
}

/** What was done to a picture, for its report. */
function sentences(strokes: readonly Stroke[]): string[] {
  return strokes.map(({ tool, points, rectangle }) => {
    const [x, y] = rectangle
      ? [(rectangle[0] + rectangle[2]) / 2, (rectangle[1] + rectangle[3]) / 2]
      : (points?.[0] ?? [0.5, 0.5]);
    const third = (part: number) => Math.max(0, Math.min(2, Math.floor(3 * part)));
    const where = `${rows[third(y)] ?? ""} ${columns[third(x)] ?? ""}`;
    return rectangle
      ? t`Changed by hand: the ${where} ninth was ${done[tool]}.`
      : t`Changed by hand: ${done[tool]} from ${where} on, at ${percent(x)} from the left and ${percent(y)} from the top.`;
  });
}

/** A stretch of a sound that is muted. */
function mountMute({ app, changes, add, redefine }: Tries): void {
  const from = find("mute-from", HTMLInputElement);
  const to = find("mute-to", HTMLInputElement);
  const told = find("mute-told", HTMLOutputElement);
  const mute = find("mute", HTMLButtonElement);
  const tell = () => {
    const [start, end] = [from.valueAsNumber, to.valueAsNumber];
    mute.disabled = !(end > start);
    told.textContent = t`${decimals(start, 2)} to ${decimals(end, 2)} s`;
    from.setAttribute("aria-valuetext", t`from ${decimals(start, 2)} seconds`);
    to.setAttribute("aria-valuetext", t`to ${decimals(end, 2)} seconds`);
  };
  from.addEventListener("input", tell);
  to.addEventListener("input", tell);
  app.store.watch(["explanation"], ({ explanation, given, firstLook }) => {
    const sound = explanation?.sound;
    if (given?.kind !== "audio" || !explanation || !sound || firstLook) return;
    const seconds = (sound.length / sound.rate).toFixed(2);
    from.max = to.max = seconds;
    // What counted most is the first thing to be tried.
    const [best] = [...explanation.parts].sort((a, b) => b.score - a.score);
    from.value = String(best?.start ?? 0);
    to.value = String(best?.end ?? seconds);
    tell();
  });

  let base: { samples: Float32Array; rate: number; given: Extract<Given, { kind: "audio" }> } | null = null;
  mute.addEventListener("click", () => {
    const stretch: Stretch = [from.valueAsNumber, to.valueAsNumber];
    void silence(stretch).catch((error: unknown) => {
      app.report(problemOf(error, "audio"));
    });
  });
  const silence = async (stretch: Stretch) => {
    const { given, model, explanation } = app.state;
    if (given?.kind !== "audio" || !model || !explanation) return;
    if (!changes.now?.silences) {
      const { sound } = await model.heard(given.input, explanation);
      if (app.state.given !== given) return;
      base = { samples: sound.channels[0] ?? new Float32Array(), rate: sound.sampleRate, given };
      redefine(() => Promise.resolve(given));
    }
    const first = base;
    if (!first) return;
    const silences = [...(changes.now?.silences ?? []), stretch];
    const channels = [muted(first.samples, first.rate, silences)];
    const input = soundFile({ channels, sampleRate: first.rate });
    const made: Given = {
      ...first.given,
      input,
      credit: t`with a stretch muted`,
      example: null,
      changes: silences.map(([a, b]) => t`Changed by hand: ${decimals(a, 2)} to ${decimals(b, 2)} s muted.`),
    };
    add({ make: () => Promise.resolve(made), answer: null, silences });
  };
}
