// "Prove it": what was given with its parts going or coming, the curve of the score, and controls as of a film.

import { t } from "../strings/strings.js";
import { gameScore } from "adversight";
import { make, segments } from "../dom.js";
import { decimals, percent } from "../format.js";
import { kinds as givenKinds, type Kind as Of } from "../kinds.js";
import { bandOf } from "../proof/band.js";
import type { Bench } from "../proof/bench.js";
import {
  finer,
  isWhole,
  paperStep,
  randomOrders,
  type Kind,
  type Prove,
  type ProveState,
} from "../proof/prove.js";
import { gameSentence, judged, together, verdictWords, type Verdict } from "../proof/verdict.js";
import { curveChart } from "./chart.js";
import { gameStage } from "./proof-stage.js";
import { starter } from "./proof.js";

/** A whole game lasts so long, in milliseconds. */
const duration = 7000;
/** On opening, a game that takes less begins by itself. */
const quick = 15_000;

const words: Record<Kind, { label: string; what: string; done: string; why: (of: Of) => string }> = {
  deletion: {
    label: t`Take away`,
    what: t`Deletion`,
    done: t`taken away`,
    why: (of) =>
      t`If ${givenKinds[of].marked} really count, the network must lose its answer soon when they are taken away first.`,
  },
  insertion: {
    label: t`Put back`,
    what: t`Insertion`,
    done: t`put back`,
    why: (of) =>
      t`If ${givenKinds[of].marked} really count, ${givenKinds[of].emptied} must get the answer back soon when they are put back first.`,
  },
};

const rules: Record<Of, string> = {
  image:
    t`What is taken away becomes the data set’s mean colour; what is put back comes into a blurred picture. A fall alone is no proof: no network ` +
    t`has seen mosaics like these.`,
  text: t`What is taken away becomes what the network is given where nothing is written. A fall alone is no proof: nobody writes such sentences.`,
  audio: t`What is taken away becomes silence, in the cells of time and frequency that the network hears.`,
  file: t`What is taken away becomes what the network is given where a file has ended.`,
  table: t`What is taken away becomes the mean of the rows that it is compared with.`,
  series: t`What is taken away becomes the mean of its channel.`,
};

export function mountProve(bench: Bench, prove: Prove): HTMLElement {
  const stillness = matchMedia("(prefers-reduced-motion: reduce)");
  const why = make("p", { class: "lead" });
  const kinds = make(
    "fieldset",
    { class: "segments small" },
    make("legend", { class: "hidden", text: t`Game` }),
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
    make("span", { text: t`In the paper’s steps (${paperStep} pixels)` }),
  );
  fine.addEventListener("change", () => {
    prove.chooseFine(fine.checked);
  });
  const start = starter(bench, "prove", t`Prove it`, () => {
    void prove.start({ still: stillness.matches });
  });

  const shown = gameStage(bench);
  const chart = curveChart();
  chart.element.dataset.testid = "prove-chart";
  const key = make("ul", { class: "chart-key", testid: "prove-key" });
  const play = make("button", { class: "small", testid: "prove-play", attributes: { type: "button" } });
  const slider = make("input", {
    testid: "prove-slider",
    attributes: { type: "range", min: "0", step: "1", "aria-label": t`How much has changed` },
  });
  const now = make("output", { class: "now-text", testid: "prove-now" });
  const said = make("p", { class: "hidden", testid: "prove-said", attributes: { role: "status" } });
  const verdict = make("p", { class: "verdict", testid: "prove-verdict", attributes: { role: "status" } });
  const rule = make("span");
  const stage = make(
    "div",
    { class: "prove-stage" },
    shown.element,
    make("div", { class: "prove-chart" }, chart.element, key),
    make("div", { class: "player" }, play, slider, now),
    said,
    verdict,
    make(
      "details",
      { class: "rule" },
      make("summary", { text: t`How this is judged` }),
      make(
        "p",
        { class: "hint" },
        t`Deletion and insertion, by the RISE paper (Petsiuk et al. 2018). `,
        rule,
        t` The grey band is ${randomOrders} random orders. The map passes where its curve has a smaller area than each of them (put back: a larger one), ` +
          t`by more than 2% of the whole input’s score: a rule of this page.`,
      ),
    ),
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
    if (isWhole(played(prove.state)) || !ready || !subject) return;
    if (running !== null && running !== "prove") return;
    const time = bench.timeOf(prove.passes(subject));
    if (time !== null && time < quick) void prove.start({ still: stillness.matches });
  };
  bench.store.watch(["open"], ({ open }) => {
    if (open === "prove") begin();
    else {
      prove.setPlaying(false);
      shown.rest();
    }
  });

  const of = () => bench.app.state.given?.kind ?? "image";
  const explainWhy = () => {
    why.textContent = words[prove.state.kind].why(of());
    rule.textContent = rules[of()];
  };
  prove.store.watch(["kind"], ({ kind }) => {
    checkKind(kind);
    explainWhy();
  });
  bench.app.store.watch(["given"], () => {
    explainWhy();
    shown.rest();
  });
  const cost = () => {
    const { subject } = bench.state;
    fineRow.hidden = !subject || !finer(subject);
    fine.checked = prove.state.fine;
    const passes = subject ? prove.passes(subject) : 0;
    const done = isWhole(played(prove.state));
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
    const { what, done } = words[state.kind];
    const { map, random } = found;
    chart.show([{ curve: map.curve, kind: "map" }], bandOf(random, map.curve.x), {
      x: t`${givenKinds[of()].units} ${done}, the most important first`,
      y: t`probability of “${label}”`,
      title: t`${what}: the probability of “${label}” goes from ${percent(map.curve.y[0] ?? 0)} to ${percent(map.curve.y.at(-1) ?? 0)}.`,
    });
    const areas = random.map(({ area }) => area);
    key.replaceChildren(
      make("li", { class: "map", text: t`by importance, area ${map.area.toFixed(3)}`, testid: "prove-area" }),
      ...(random.length > 0
        ? [
            make("li", {
              class: "random",
              text: t`in ${random.length} random orders, area ${decimals(Math.min(...areas), 3)} to ${decimals(Math.max(...areas), 3)}`,
              testid: isWhole(found) ? "prove-area-random" : "prove-area-some",
            }),
          ]
        : []),
    );
    const word = verdictOf(state);
    verdict.replaceChildren(
      ...(isWhole(found)
        ? [
            ...(word
              ? [
                  make("strong", {
                    class: "word",
                    text: `${verdictWords[word]}.`,
                    testid: "prove-word",
                    attributes: { "data-verdict": word },
                  }),
                  " ",
                ]
              : []),
            gameSentence(state.kind, of(), label, map, random),
          ]
        : []),
    );
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
    const { subject } = bench.state;
    const { units, noun } = givenKinds[of()];
    chart.mark(part, score);
    const sentence = t`${percent(part)} of the ${units} ${words[kind].done}: “${label}” ${percent(score)}`;
    if (subject)
      shown.show(
        subject,
        found.map,
        kind,
        part,
        t`The ${noun} with ${percent(part)} of its ${units} ${words[kind].done}`,
      );
    now.textContent = `${percent(part)} ${words[kind].done}: ${percent(score)}`;
    slider.value = String(Math.round(part * Number(slider.max)));
    slider.setAttribute("aria-valuetext", sentence);
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
  bench.app.store.watch(["dark"], show);
  prove.store.watch(["playing"], ({ playing }) => {
    play.textContent = playing ? t`Pause` : t`Play`;
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

/** What the games that were played say together. */
export function verdictOf({ games }: Pick<ProveState, "games">): Verdict | null {
  return together(
    (["deletion", "insertion"] as const).map((kind) => {
      const played = games[kind];
      return isWhole(played) ? judged(kind, played.map, played.random) : null;
    }),
  );
}
