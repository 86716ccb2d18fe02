// "Attack it": how strong, the picture before and after, and every chosen method's two maps with what survives in them.

import { drawExplanation, type ClassScore, type Explanation, type PixelPicture } from "adversight";
import { make, segments } from "../dom.js";
import { percent, roughly, seconds } from "../format.js";
import { strengths, type Attack, type Norm, type Outcome, type Pair } from "../proof/attack.js";
import type { Bench } from "../proof/bench.js";
import { suitedMethods } from "../proof/evidence.js";
import { attackVerdict } from "../proof/verdict.js";
import { findClass } from "../settings.js";
import { starter, tickList } from "./proof.js";

export function mountAttack(bench: Bench, attack: Attack): HTMLElement {
  const { app } = bench;
  const strength = make(
    "fieldset",
    { class: "segments small" },
    make("legend", { class: "hidden", text: "Strength" }),
  );
  const about = make("p", { class: "hint" });
  const methods = tickList(
    "attack-methods",
    (count) => `Explanations to compare: ${count}`,
    (chosen) => {
      attack.change({ methods: chosen });
    },
  );
  const start = starter(bench, "attack", "Attack", () => void attack.start());
  const noPicture = make("p", {
    class: "proof-note",
    text: 'This page attacks pictures only. The package attacks whatever a network takes: model.attack(input, { space: "model" }).',
  });
  const pictures = make("div", { class: "attack-pictures", testid: "attack-pictures" });
  const verdict = make("p", { class: "verdict", testid: "attack-verdict", attributes: { role: "status" } });
  const pairs = make("ol", { class: "attack-pairs", testid: "attack-pairs" });
  const found = make("div", { class: "found" }, pictures, verdict, pairs);
  const element = make(
    "div",
    { testid: "attack-panel", class: "proof-part" },
    make("p", {
      class: "lead",
      text: "A change that no eye sees can turn the network’s answer. Whose explanation still shows what was there?",
    }),
    make(
      "div",
      { class: "proof-controls" },
      make("span", { class: "title", text: "Strength", attributes: { "aria-hidden": "true" } }),
      strength,
    ),
    about,
    make("div", { class: "proof-controls lists" }, methods.element, exactly(bench, attack)),
    noPicture,
    start.element,
    found,
  );

  let norm: Norm | null = null;
  let check: (value: string) => void = () => undefined;
  attack.store.watch(["norm", "strength", "steps"], (state) => {
    if (state.norm !== norm) {
      norm = state.norm;
      strength.replaceChildren(make("legend", { class: "hidden", text: "Strength" }));
      const choices = strengths[state.norm].map((value) => ({ value: String(value), label: String(value) }));
      check = segments(strength, "attack-strength", choices, (value) => {
        const { strength: before, norm: now } = attack.state;
        attack.change({ strength: { ...before, [now]: Number(value) } });
      });
    }
    check(String(state.strength[state.norm]));
    const levels = state.strength.linf;
    about.textContent =
      state.norm === "linf"
        ? `Every colour value of a pixel may change by ${levels} of 255 grey levels at most.`
        : `The whole change has the length ${state.strength.l2}, where black is 0 and white is 1.`;
  });

  const update = () => {
    if (bench.state.open !== "attack") return;
    const { methods: known, model, params } = app.state;
    const suited = suitedMethods(known, model?.info, params).map(({ method, passes }) => {
      const { milliseconds } = bench.costOf(method);
      const note = milliseconds === null ? `2 × ${passes} passes` : `2 × ${roughly(milliseconds)}`;
      return { value: method.name, label: method.title, note };
    });
    methods.show(suited, attack.methods());
    const { subject } = bench.state;
    noPicture.hidden = subject?.size !== null;
    start.setCost(subject?.size ? attack.cost() : null);
  };
  bench.store.watch(["open", "subject", "speed", "ready"], update);
  app.store.watch(["methods", "model", "params", "speed"], update);
  attack.store.watch(["methods", "steps"], update);

  attack.store.watch(["attacked"], ({ attacked }) => {
    found.hidden = attacked === null;
    pictures.replaceChildren();
    const [before, after] = [attacked?.before[0], attacked?.after[0]];
    if (!attacked || !before || !after) return;
    const figure = (
      picture: PixelPicture | undefined,
      title: string,
      score: ClassScore | null,
      note: string,
    ) =>
      make(
        "figure",
        {},
        ...(picture ? [bytesCanvas(picture, title)] : []),
        make(
          "figcaption",
          {},
          make("small", { text: title }),
          ...(score
            ? [make("strong", { text: score.label }), make("span", { text: percent(score.probability) })]
            : []),
          ...(note === "" ? [] : [make("small", { text: note })]),
        ),
      );
    const { pictures: shown, space, linf, original } = attacked;
    const times = space === "pixel" && linf > 0 ? Math.round(0.5 / linf) : null;
    const size =
      space === "pixel"
        ? `${(linf * 255).toFixed(1)} of 255 levels at most`
        : `${linf.toPrecision(2)} at most, in model space`;
    const left =
      original.index === after.index ? "" : `“${original.label}”: ${percent(original.probability)}`;
    pictures.append(
      figure(shown?.before, "Before", before, ""),
      figure(
        shown?.change,
        times === null ? "The change, magnified" : `The change, ${times} times magnified`,
        null,
        size,
      ),
      figure(shown?.after, "After", after, left),
    );
  });
  const showPairs = () => {
    const { attacked, outcomes } = attack.state;
    pairs.replaceChildren();
    const [before, after] = [attacked?.before[0], attacked?.after[0]];
    verdict.textContent = before && after ? attackVerdict(before, after, outcomes.filter(isPair)) : "";
    if (!attacked || !before) return;
    for (const outcome of outcomes) pairs.append(pairView(bench, outcome, attacked.pictures, before));
  };
  attack.store.watch(["attacked", "outcomes"], showPairs);
  app.store.watch(["colours", "smooth"], showPairs);
  return element;
}

const isPair = (outcome: Outcome): outcome is Pair => "clean" in outcome;

/** Norm, number of steps, and the class that the attack leads to. */
function exactly(bench: Bench, attack: Attack): HTMLElement {
  const norms = make(
    "fieldset",
    { class: "segments small" },
    make("legend", { class: "hidden", text: "Norm" }),
  );
  const checkNorm = segments(
    norms,
    "attack-norm",
    [
      { value: "linf", label: "l∞" },
      { value: "l2", label: "l2" },
    ],
    (value) => {
      attack.change({ norm: value as Norm });
    },
  );
  const steps = make("input", {
    testid: "attack-steps",
    attributes: { type: "number", id: "attack-steps", min: "1", max: "200", step: "1" },
  });
  steps.addEventListener("change", () => {
    if (steps.validity.valid && !Number.isNaN(steps.valueAsNumber))
      attack.change({ steps: steps.valueAsNumber });
    else steps.value = String(attack.state.steps);
  });
  const names = make("datalist", { attributes: { id: "attack-names" } });
  const towards = make("input", {
    testid: "attack-towards",
    attributes: {
      type: "text",
      id: "attack-towards",
      list: "attack-names",
      placeholder: "any other class",
      autocomplete: "off",
    },
  });
  towards.addEventListener("input", () => {
    towards.setCustomValidity("");
  });
  towards.addEventListener("change", () => {
    const { labels } = bench.app.state;
    const index = findClass(towards.value, labels);
    towards.setCustomValidity(
      index === null && towards.value.trim() !== "" ? "There is no class of this name or number." : "",
    );
    if (!towards.reportValidity()) return;
    if (index !== null) towards.value = labels[index] ?? towards.value;
    attack.change({ towards: index });
  });
  bench.app.store.watch(["labels"], ({ labels }) => {
    names.replaceChildren(...labels.map((label) => make("option", { attributes: { value: label } })));
  });
  attack.store.watch(["norm", "steps", "towards"], (state) => {
    checkNorm(state.norm);
    steps.value = String(state.steps);
    if (state.towards === null && document.activeElement !== towards) towards.value = "";
  });
  return make(
    "details",
    { class: "tick-list", testid: "attack-exactly" },
    make("summary", { text: "Exactly" }),
    make(
      "div",
      { class: "exactly" },
      make("span", { text: "Norm", attributes: { "aria-hidden": "true" } }),
      norms,
      make("label", { text: "Steps", attributes: { for: "attack-steps" } }),
      steps,
      make("label", { text: "Towards", attributes: { for: "attack-towards" } }),
      make("span", {}, towards, names),
    ),
    make("p", {
      class: "hint",
      text:
        "Projected gradient descent on the cross-entropy (Madry et al. 2017) in pixel values, kept between black and white; steps of 2.5 times " +
        "the strength over their number. One step is the fast gradient method.",
    }),
  );
}

function pairView(
  bench: Bench,
  outcome: Outcome,
  pictures: { before: PixelPicture; after: PixelPicture } | null,
  before: ClassScore,
): HTMLElement {
  if (!isPair(outcome)) {
    return make(
      "li",
      {},
      make("h4", { text: outcome.title }),
      make("p", { class: "hint", text: outcome.reason }),
    );
  }
  const { method, title, clean, attacked, rank, top, k, behindClean, finds } = outcome;
  const survived = finds.index === before.index;
  const term = (name: string, value: string, testid: string) => [
    make("dt", { text: name }),
    make("dd", { text: value, testid: `${testid}-${method}` }),
  ];
  return make(
    "li",
    {
      testid: `pair-${method}`,
      class: survived ? "survived" : "",
      attributes: { "data-survived": String(survived) },
    },
    make(
      "h4",
      {},
      title,
      make("span", { class: "badge", text: survived ? "survived" : "did not survive" }),
      make("small", { text: seconds(clean.info.milliseconds + attacked.info.milliseconds) }),
    ),
    make(
      "div",
      { class: "maps" },
      make(
        "figure",
        {},
        mapCanvas(bench, clean, pictures?.before ?? null, `${title}, of the clean picture`),
        make("small", { text: "clean" }),
      ),
      make(
        "figure",
        {},
        mapCanvas(bench, attacked, pictures?.after ?? null, `${title}, of the attacked picture`),
        make("small", { text: "attacked" }),
      ),
    ),
    make(
      "dl",
      {},
      ...term("Rank correlation", rank.toFixed(2).replace("-", "−"), "pair-rank"),
      ...term(`Strongest ${k} pixels in common`, percent(top), "pair-top"),
      ...term(
        "Behind the attacked map it finds",
        `“${finds.label}” ${percent(finds.probability)}`,
        "pair-finds",
      ),
      ...term(
        "Behind the clean map",
        `“${behindClean.label}” ${percent(behindClean.probability)}`,
        "pair-behind-clean",
      ),
    ),
  );
}

/** A picture as it is. */
export function bytesCanvas({ pixels, width, height }: PixelPicture, label: string): HTMLCanvasElement {
  const canvas = make("canvas", { attributes: { role: "img", "aria-label": label } });
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d")?.putImageData(new ImageData(pixels, width, height), 0, 0);
  return canvas;
}

/** A heatmap over what the network was given, in the page's colours. */
export function mapCanvas(
  bench: Bench,
  explanation: Pick<Explanation, "heatmap" | "segments">,
  picture: PixelPicture | null,
  label: string,
): HTMLCanvasElement {
  const canvas = make("canvas", { attributes: { role: "img", "aria-label": label } });
  const { engine, colours, smooth } = bench.app.state;
  if (!engine) return canvas;
  const [height, width] = explanation.heatmap.shape;
  const ground = picture ?? { pixels: new Uint8ClampedArray(4 * width * height), width, height };
  void createImageBitmap(new ImageData(ground.pixels, ground.width, ground.height), {
    resizeWidth: 2 * ground.width,
    resizeHeight: 2 * ground.height,
    resizeQuality: "high",
  }).then((bitmap) => {
    drawExplanation(
      canvas,
      bitmap,
      { ...explanation, region: null },
      {
        colours: engine.colourMap(colours),
        view: picture ? "overlay" : "heatmap",
        smooth,
      },
    );
    bitmap.close();
  });
  return canvas;
}
