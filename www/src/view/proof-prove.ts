// "Prove it": the picture with its pixels going or coming, the curve of the score, and controls as of a film.

import { gameFrame, gameScore, type Game } from "adversight";
import { make, segments } from "../dom.js";
import { percent } from "../format.js";
import type { Bench } from "../proof/bench.js";
import { finer, paperStep, type Kind, type Prove, type ProveState } from "../proof/prove.js";
import { gameVerdict } from "../proof/verdict.js";
import { curveChart } from "./chart.js";
import { starter } from "./proof.js";

/** A whole game lasts so long, in milliseconds. */
const duration = 7000;
/** On opening, a game that takes less begins by itself. */
const quick = 15_000;

const words: Record<Kind, { label: string; what: string; done: string; axis: string; why: string }> = {
  deletion: {
    label: "Take away",
    what: "Deletion",
    done: "taken away",
    axis: "pixels taken away, the most important first",
    why: "If the bright pixels really count, the network must lose its answer soon when they are taken away first.",
  },
  insertion: {
    label: "Put back",
    what: "Insertion",
    done: "put back",
    axis: "pixels put back, the most important first",
    why: "If the bright pixels really count, a blurred picture must get its answer back soon when they are put back first.",
  },
};

export function mountProve(bench: Bench, prove: Prove): HTMLElement {
  const stillness = matchMedia("(prefers-reduced-motion: reduce)");
  const why = make("p", { class: "lead" });
  const kinds = make(
    "fieldset",
    { class: "segments small" },
    make("legend", { class: "hidden", text: "Game" }),
  );
  const checkKind = segments(
    kinds,
    "game",
    (["deletion", "insertion"] as const).map((value) => ({ value, label: words[value].label })),
    (value) => {
      prove.chooseKind(value as Kind);
      begin();
    },
  );
  const fine = make("input", { testid: "prove-fine", attributes: { type: "checkbox" } });
  const fineRow = make(
    "label",
    { class: "tick" },
    fine,
    make("span", { text: `In the paper’s steps (${paperStep} pixels)` }),
  );
  fine.addEventListener("change", () => {
    prove.chooseFine(fine.checked);
  });
  const start = starter(bench, "prove", "Prove it", () => {
    void prove.start({ still: stillness.matches });
  });

  const canvas = make("canvas", { testid: "prove-picture", attributes: { role: "img" } });
  const chart = curveChart();
  chart.element.dataset.testid = "prove-chart";
  const key = make("ul", { class: "chart-key", testid: "prove-key" });
  const play = make("button", { class: "small", testid: "prove-play", attributes: { type: "button" } });
  const slider = make("input", {
    testid: "prove-slider",
    attributes: { type: "range", min: "0", step: "1", "aria-label": "How many pixels have changed" },
  });
  const now = make("output", { class: "now-text", testid: "prove-now" });
  const said = make("p", { class: "hidden", testid: "prove-said", attributes: { role: "status" } });
  const verdict = make("p", { class: "verdict", testid: "prove-verdict", attributes: { role: "status" } });
  const stage = make(
    "div",
    { class: "prove-stage" },
    make("div", { class: "prove-picture frame" }, canvas),
    make("div", { class: "prove-chart" }, chart.element, key),
    make("div", { class: "player" }, play, slider, now),
    said,
    verdict,
    make("p", {
      class: "hint",
      text:
        "Deletion and insertion, by the RISE paper (Petsiuk et al. 2018). What is taken away becomes the data set’s mean colour; what is put " +
        "back comes into a blurred picture. The dashed curve is the same in random order. A fall alone is no proof: no network has seen " +
        "mosaics like these.",
    }),
  );
  const element = make(
    "div",
    { testid: "prove-panel", class: "proof-part" },
    why,
    make("div", { class: "proof-controls" }, kinds, fineRow),
    start.element,
    stage,
  );

  const played = ({ games, kind }: ProveState) => games[kind];
  const begin = () => {
    const { ready, running, subject } = bench.state;
    if (played(prove.state)?.random || !ready || !subject) return;
    if (running !== null && running !== "prove") return;
    const time = bench.timeOf(2 * prove.pictures(subject));
    if (time !== null && time < quick) void prove.start({ still: stillness.matches });
  };
  bench.store.watch(["open"], ({ open }) => {
    if (open === "prove") begin();
    else prove.setPlaying(false);
  });

  prove.store.watch(["kind"], ({ kind }) => {
    checkKind(kind);
    why.textContent = words[kind].why;
  });
  const cost = () => {
    const { subject } = bench.state;
    fineRow.hidden = !subject || !finer(subject);
    fine.checked = prove.state.fine;
    const passes = subject ? 2 * prove.pictures(subject) : 0;
    const done = played(prove.state)?.random != null;
    start.setCost(subject && !done ? { passes, milliseconds: bench.timeOf(passes) } : null);
  };
  bench.store.watch(["subject", "speed", "ready"], cost);
  bench.app.store.watch(["speed"], cost);
  prove.store.watch(["fine", "games", "kind"], cost);

  prove.store.watch(["games", "kind"], (state) => {
    const found = played(state);
    stage.hidden = found === null;
    if (!found) return;
    const label = bench.state.subject?.target.label ?? "";
    const { what, axis } = words[state.kind];
    const { map, random } = found;
    chart.show(
      [...(random ? [{ curve: random.curve, kind: "random" }] : []), { curve: map.curve, kind: "map" }],
      {
        x: axis,
        y: `probability of “${label}”`,
        title: `${what}: the probability of “${label}” goes from ${percent(map.curve.y[0] ?? 0)} to ${percent(map.curve.y.at(-1) ?? 0)}.`,
      },
    );
    key.replaceChildren(
      make("li", { class: "map", text: `by importance, area ${map.area.toFixed(3)}`, testid: "prove-area" }),
      ...(random
        ? [
            make("li", {
              class: "random",
              text: `in random order, area ${random.area.toFixed(3)}`,
              testid: "prove-area-random",
            }),
          ]
        : []),
    );
    verdict.textContent = random ? gameVerdict(state.kind, label, map, random) : "";
    slider.max = String(map.curve.x.length - 1);
  });

  // The picture and the mark.
  let frame = 0;
  let before = 0;
  let tenth = -1;
  const show = () => {
    const found = played(prove.state);
    if (!found) return;
    const { part, kind, playing } = prove.state;
    const label = bench.state.subject?.target.label ?? "";
    const score = gameScore(found.map, part);
    paint(canvas, found.map, part);
    chart.mark(part, score);
    const sentence = `${percent(part)} of the pixels ${words[kind].done}: “${label}” ${percent(score)}`;
    now.textContent = `${percent(part)} ${words[kind].done}: ${percent(score)}`;
    slider.value = String(Math.round(part * Number(slider.max)));
    slider.setAttribute("aria-valuetext", sentence);
    canvas.setAttribute("aria-label", `The picture with ${percent(part)} of its pixels ${words[kind].done}`);
    const reached = Math.floor(part * 10 + 1e-9);
    if (reached !== tenth && playing) said.textContent = `${sentence}.`;
    tenth = reached;
  };
  const step = (time: number) => {
    frame = 0;
    if (!prove.state.playing) return;
    const passed = before === 0 ? 0 : time - before;
    if (stillness.matches) {
      // From tenth to tenth, with time to look at each.
      if (before === 0 || passed >= duration / 10) {
        before = time;
        prove.moveTo(Math.floor(prove.state.part * 10 + 1.000001) / 10);
      }
    } else {
      before = time;
      prove.moveTo(prove.state.part + passed / duration);
    }
    if (prove.state.part >= 1) prove.setPlaying(false);
    else frame = requestAnimationFrame(step);
  };
  prove.store.watch(["part", "games", "kind"], show);
  prove.store.watch(["playing"], ({ playing }) => {
    play.textContent = playing ? "Pause" : "Play";
    if (!playing) return;
    before = 0;
    frame ||= requestAnimationFrame(step);
  });
  play.addEventListener("click", () => {
    prove.setPlaying(!prove.state.playing);
  });
  slider.addEventListener("input", () => {
    prove.setPlaying(false);
    const { x = [] } = played(prove.state)?.map.curve ?? {};
    prove.moveTo(x[slider.valueAsNumber] ?? 0);
  });
  return element;
}

/** The game's picture at a part of its pixels. */
function paint(canvas: HTMLCanvasElement, game: Game, part: number): void {
  const picture = gameFrame(game, Math.round(part * game.ranks.length));
  canvas.hidden = picture === null;
  if (!picture) return;
  if (canvas.width !== picture.width || canvas.height !== picture.height) {
    canvas.width = picture.width;
    canvas.height = picture.height;
  }
  canvas.getContext("2d")?.putImageData(new ImageData(picture.pixels, picture.width, picture.height), 0, 0);
}
