// What a game changes, at any moment of it, without the engine: a picture's pixels, a text's words, a sound's cells, which can be heard.

import { t } from "../strings/strings.js";
import {
  gameFrame,
  paintSpectrogram,
  paintWaveform,
  SoundPlayer,
  spectrogram,
  stretches,
  wordColour,
  largestScore,
  type Game,
  type SoundPaint,
  type Spectrogram,
  type TensorData,
} from "adversight";
import { problemOf } from "../advice.js";
import { make } from "../dom.js";
import type { Bench, Subject } from "../proof/bench.js";
import type { GameKind } from "../proof/verdict.js";
import type { State } from "../state.js";
import { colours } from "./text.js";

/** One way to show a game. */
export interface GameStage {
  element: HTMLElement;
  /** Shows the game when this part of it has changed. */
  show: (subject: Subject, game: Game, kind: GameKind, part: number, label: string) => void;
  /** Ends what goes on by itself. */
  rest: () => void;
}

export function gameStage(bench: Bench): GameStage {
  const stages = { image: pictureStage(), text: wordsStage(bench), audio: soundStage(bench) };
  const element = make(
    "div",
    { class: "game-stage" },
    ...Object.values(stages).map((stage) => stage.element),
  );
  return {
    element,
    show(subject, game, kind, part, label) {
      const { kind: given } = subject.given;
      const shownAs = given === "file" ? "text" : given;
      if (shownAs === "table" || shownAs === "series") return; // which have no such test yet
      for (const [name, stage] of Object.entries(stages)) stage.element.hidden = name !== shownAs;
      stages[shownAs].show(subject, game, kind, part, label);
    },
    rest() {
      stages.audio.rest();
    },
  };
}

function pictureStage(): GameStage {
  const canvas = make("canvas", { testid: "prove-picture", attributes: { role: "img" } });
  return {
    element: make("div", { class: "prove-picture frame" }, canvas),
    rest: () => undefined,
    show(_, game, __, part, label) {
      const picture = gameFrame(game, Math.round(part * game.ranks.length));
      canvas.hidden = picture === null;
      canvas.setAttribute("aria-label", label);
      if (!picture) return;
      if (canvas.width !== picture.width || canvas.height !== picture.height) {
        canvas.width = picture.width;
        canvas.height = picture.height;
      }
      canvas
        .getContext("2d")
        ?.putImageData(new ImageData(picture.pixels, picture.width, picture.height), 0, 0);
    },
  };
}

/** The words that are not there at a moment of a game, by the numbers of their parts. */
export function gone(
  { explanation: { parts }, units }: Pick<Subject, "explanation" | "units">,
  { ranks }: Pick<Game, "ranks">,
  kind: GameKind,
  part: number,
): ReadonlySet<number> {
  const turn = Math.round(part * units);
  return new Set(
    parts.flatMap(({ special, places }, number) => {
      const changed = (ranks[places[0] ?? -1] ?? Infinity) < turn;
      return !special && changed === (kind === "deletion") ? [number] : [];
    }),
  );
}

/** The text with its words coming or going. It is a picture of the text: the text itself is read and walked through above. */
function wordsStage(bench: Bench): GameStage {
  const place = make("div", { class: "reading", testid: "prove-reading", attributes: { role: "img" } });
  let drawn: { subject: Subject; dark: boolean; words: Map<number, HTMLElement> } | null = null;
  const draw = (subject: Subject) => {
    const { explanation } = subject;
    const { dark } = bench.app.state;
    const words = new Map<number, HTMLElement>();
    const scale = largestScore(explanation);
    place.classList.toggle("bytes", subject.given.kind === "file");
    place.replaceChildren(
      ...explanation.texts.map((_, source) =>
        make(
          "p",
          { attributes: { dir: "auto" } },
          ...stretches(explanation, source).map(({ text, part }) => {
            const found = part === null ? undefined : explanation.parts[part];
            if (part === null || !found) return text;
            const word = make("span", { class: "game-word", text });
            word.style.setProperty("background-color", wordColour(found.score, scale, colours({ dark })));
            words.set(part, word);
            return word;
          }),
        ),
      ),
    );
    return { subject, dark, words };
  };
  return {
    element: place,
    rest: () => undefined,
    show(subject, game, kind, part, label) {
      place.setAttribute("aria-label", label);
      if (drawn?.subject !== subject || drawn.dark !== bench.app.state.dark) drawn = draw(subject);
      const missing = gone(subject, game, kind, part);
      for (const [number, word] of drawn.words) word.classList.toggle("gone", missing.has(number));
    },
  };
}

/** The values of a sound with those silenced that are not there; a cell has several, one after the other. */
export function silenced(
  { data, shape }: TensorData,
  ranks: Uint32Array,
  kind: GameKind,
  part: number,
): TensorData {
  const turn = Math.round(part * ranks.length);
  return {
    data: data.map((value, i) =>
      (ranks[i % ranks.length] ?? 0) < turn === (kind === "deletion") ? 0 : value,
    ),
    shape,
  };
}

function soundStage(bench: Bench): GameStage {
  const canvas = make("canvas", { testid: "prove-sound", attributes: { role: "img" } });
  canvas.width = 400;
  canvas.height = 160;
  const listen = make("button", { class: "small", testid: "prove-listen", attributes: { type: "button" } });
  const player = new SoundPlayer();
  const playing = (on: boolean) => {
    listen.setAttribute("aria-pressed", String(on));
    listen.textContent = on ? "■ Stop" : t`▶ Listen to what is there`;
  };
  playing(false);
  player.onTime = (seconds) => {
    if (seconds === null) playing(false);
  };
  let input: { subject: Subject; values: TensorData; cells: Spectrogram | null } | null = null;
  let moment: { subject: Subject; game: Game; kind: GameKind; part: number } | null = null;

  const paint = () => {
    const sound = moment?.subject.explanation.sound;
    if (!moment || !sound || input?.subject !== moment.subject) return;
    const { game, kind, part, subject } = moment;
    const turn = Math.round(part * game.ranks.length);
    const colouring = { ...paintOf(bench.app.state), opacity: 0.8 };
    const { cells } = input;
    if (cells) {
      const there = (cell: number) => (game.ranks[cell] ?? 0) < turn !== (kind === "deletion");
      const { heatmap } = subject.explanation;
      paintSpectrogram(
        canvas,
        sound,
        { ...cells, decibels: cells.decibels.map((value, cell) => (there(cell) ? value : -80)) },
        { ...heatmap, data: heatmap.data.map((value, cell) => (there(cell) ? value : 0)) },
        colouring,
      );
    } else {
      const { data } = silenced(input.values, game.ranks, kind, part);
      paintWaveform(canvas, data, null, colouring);
    }
  };
  const prepare = async (subject: Subject) => {
    const values = await subject.model.prepare(subject.given.input);
    const cells = subject.explanation.sound?.view === "cells" ? spectrogram(values) : null;
    input = { subject, values, cells };
    paint();
  };
  listen.addEventListener("click", () => {
    if (player.playing) {
      player.stop();
      return;
    }
    if (!moment || input?.subject !== moment.subject) return;
    const { subject, game, kind, part } = moment;
    playing(true);
    subject.model
      .soundOf(silenced(input.values, game.ranks, kind, part))
      .then((sound) => player.play(sound))
      .catch((error: unknown) => {
        playing(false);
        bench.app.report(problemOf(error, "audio"));
      });
  });
  bench.app.store.watch(["colours", "dark"], paint);
  return {
    element: make("div", { class: "game-sound" }, canvas, listen),
    rest() {
      player.stop();
    },
    show(subject, game, kind, part, label) {
      canvas.setAttribute("aria-label", label);
      const before = moment;
      moment = { subject, game, kind, part };
      if (input?.subject === subject) paint();
      else if (before?.subject !== subject) {
        prepare(subject).catch((error: unknown) => {
          bench.app.report(problemOf(error, "audio"));
        });
      }
    },
  };
}

/** The page's colours, for what is drawn of a sound. */
export const paintOf = ({ engine, colours: map, dark }: State): SoundPaint => ({
  colours: engine?.colourMap(map) ?? new Uint8Array(768),
  dark,
});
