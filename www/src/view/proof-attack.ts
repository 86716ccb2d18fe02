// "Attack it": how strong, what was given before and after, and every chosen method's two maps with what survives in them.

import { t } from "../strings/strings.js";
import {
  drawExplanation,
  paintSpectrogram,
  SoundPlayer,
  soundFile,
  type ClassScore,
  type Explanation,
  type PixelPicture,
  type SoundData,
} from "adversight";
import { make, save, segments } from "../dom.js";
import { decimals, percent, roughly, seconds } from "../format.js";
import type { Kind } from "../kinds.js";
import {
  scaleOf,
  strengths,
  type Attack,
  type AttackedSound,
  type AttackState,
  type MovedWords,
  type Norm,
  type Outcome,
  type Pair,
  type Scale,
} from "../proof/attack.js";
import type { Bench } from "../proof/bench.js";
import { suitedMethods } from "../proof/evidence.js";
import { attackVerdict } from "../proof/verdict.js";
import { findClass } from "../settings.js";
import { starter, tickList } from "./proof.js";
import { paintOf } from "./proof-stage.js";
import { movedWordsView } from "./proof-words.js";

const leads: Record<Kind, string> = {
  image: t`A change that no eye sees can turn the network’s answer. Whose explanation still shows what was there?`,
  text: t`How near lies another answer? The numbers by which the network knows each word, its embedding, are pushed a little. No words mean just these numbers: it is the network that is tried, not the sentence.`,
  audio: t`A change that is hardly heard can turn the network’s answer. Listen, and see whose explanation still shows what was there.`,
  file: t`How near lies another answer? The numbers by which the network knows each byte are pushed a little. Whose explanation still shows what was there?`,
  table: t`How near lies another answer? The numbers of the row are pushed a little.`,
  series: t`How near lies another answer? The numbers of the series are pushed a little.`,
};

const strengthWords: Record<Scale, (strength: number) => string> = {
  linf: (levels) => t`Every colour value of a pixel may change by ${levels} of 255 grey levels at most.`,
  l2: (length) => t`The whole change has the length ${length}, where black is 0 and white is 1.`,
  share: (share) => t`The whole change is ${share}% as long as the numbers that it changes.`,
  decibels: (below) => t`The change lies ${below} dB below the sound, or more.`,
};
const units: Record<Scale, string> = { linf: "", l2: "", share: "%", decibels: " dB" };

export function mountAttack(bench: Bench, attack: Attack): HTMLElement {
  const { app } = bench;
  const strength = make(
    "fieldset",
    { class: "segments small" },
    make("legend", { class: "hidden", text: t`Strength` }),
  );
  const about = make("p", { class: "hint" });
  const methods = tickList(
    "attack-methods",
    (count) => t`Explanations to compare: ${count}`,
    (chosen) => {
      attack.change({ methods: chosen });
    },
  );
  const start = starter(bench, "attack", t`Attack`, () => void attack.start());
  const pictures = make("div", { class: "attack-pictures", testid: "attack-pictures" });
  const verdict = make("p", { class: "verdict", testid: "attack-verdict", attributes: { role: "status" } });
  const pairs = make("ol", { class: "attack-pairs", testid: "attack-pairs" });
  const sounds = attackedSounds();
  const words = make("div", { class: "found", testid: "attack-words" });
  const found = make("div", { class: "found" }, pictures, sounds.element, words, verdict, pairs);
  const lead = make("p", { class: "lead" });
  const element = make(
    "div",
    { testid: "attack-panel", class: "proof-part" },
    lead,
    make(
      "div",
      { class: "proof-controls" },
      make("span", { class: "title", text: t`Strength`, attributes: { "aria-hidden": "true" } }),
      strength,
    ),
    about,
    make("div", { class: "proof-controls lists" }, methods.element, exactly(bench, attack)),
    start.element,
    found,
  );

  const kind = () => app.state.given?.kind ?? "image";
  let scale: Scale | null = null;
  let check: (value: string) => void = () => undefined;
  const showStrength = () => {
    const { norm, strength: chosen } = attack.state;
    const now = scaleOf(kind(), norm);
    if (now !== scale) {
      scale = now;
      strength.replaceChildren(make("legend", { class: "hidden", text: t`Strength` }));
      const choices = strengths[now].map((value) => ({
        value: String(value),
        label: `${value}${units[now]}`,
      }));
      check = segments(strength, "attack-strength", choices, (value) => {
        attack.change({ strength: { ...attack.state.strength, [now]: Number(value) } });
      });
    }
    check(String(chosen[now]));
    about.textContent = strengthWords[now](chosen[now]);
  };
  attack.store.watch(["norm", "strength"], showStrength);
  app.store.watch(["given"], () => {
    lead.textContent = leads[kind()];
    methods.element.hidden = kind() === "text";
    showStrength();
  });

  const update = () => {
    if (bench.state.open !== "attack") return;
    const { methods: known, model, params } = app.state;
    const suited = suitedMethods(known, model?.info, params).map(({ method, passes }) => {
      const { milliseconds } = bench.costOf(method);
      const note = milliseconds === null ? t`2 × ${passes} passes` : `2 × ${roughly(milliseconds)}`;
      return { value: method.name, label: method.title, note };
    });
    methods.show(suited, attack.methods());
    const { subject } = bench.state;
    start.setCost(subject ? attack.cost() : null);
  };
  bench.store.watch(["open", "subject", "speed", "ready"], update);
  app.store.watch(["methods", "model", "params", "speed", "given"], update);
  attack.store.watch(["methods", "steps"], update);

  const showAttacked = () => {
    const { attacked, heard, moved } = attack.state;
    found.hidden = attacked === null;
    pictures.replaceChildren();
    sounds.show(heard);
    words.replaceChildren(...(moved ? movedWordsView(moved, kind() === "file", app.state.dark) : []));
    words.hidden = moved === null;
    pictures.hidden = kind() !== "image";
    if (kind() !== "image") return;
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
        ? t`${decimals(linf * 255, 1)} of 255 levels at most`
        : t`${linf.toPrecision(2)} at most, in model space`;
    const left =
      original.index === after.index ? "" : `“${original.label}”: ${percent(original.probability)}`;
    pictures.append(
      figure(shown?.before, t`Before`, before, ""),
      figure(
        shown?.change,
        times === null ? t`The change, magnified` : t`The change, ${times} times magnified`,
        null,
        size,
      ),
      figure(shown?.after, t`After`, after, left),
    );
  };
  attack.store.watch(["attacked"], showAttacked);
  app.store.watch(["dark"], showAttacked);
  const showPairs = () => {
    const { attacked, outcomes } = attack.state;
    pairs.replaceChildren();
    const [before, after] = [attacked?.before[0], attacked?.after[0]];
    verdict.textContent =
      before && after ? verdictText(attack.state, before, after, outcomes.filter(isPair), kind()) : "";
    if (!attacked || !before) return;
    for (const outcome of outcomes) pairs.append(pairView(bench, outcome, attacked.pictures, before));
  };
  attack.store.watch(["attacked", "outcomes"], showPairs);
  app.store.watch(["colours", "smooth"], showPairs);
  return element;
}

function verdictText(
  { attacked, heard, moved }: AttackState,
  before: ClassScore,
  after: ClassScore,
  pairs: readonly Pair[],
  kind: Kind,
): string {
  const left =
    attacked && kind !== "image" && after.index !== before.index
      ? t` “${before.label}” went from ${percent(before.probability)} to ${percent(attacked.original.probability)}.`
      : "";
  const size = heard
    ? t` The change lies ${Math.round(heard.below)} dB below the sound.`
    : moved
      ? movedSentence(moved)
      : "";
  return `${attackVerdict(before, after, pairs, kind)}${left}${size}`;
}

function movedSentence({ parts, whole }: MovedWords): string {
  const [most] = parts.filter(({ special }) => !special).sort((a, b) => b.score - a.score);
  const far = most ? t`; “${most.name}” was moved most, by ${percent(most.score)} of its own` : "";
  return t` All its numbers were moved by ${percent(whole)} of their length${far}.`;
}

/** The sound before and after the attack, and the change alone, to be heard and saved. */
function attackedSounds(): { element: HTMLElement; show: (heard: AttackedSound | null) => void } {
  const player = new SoundPlayer();
  const element = make("div", {
    class: "attack-sounds",
    testid: "attack-sounds",
    attributes: { role: "group", "aria-label": t`The sound before and after the attack` },
  });
  let playing: HTMLButtonElement | null = null;
  const rest = () => {
    if (playing) playing.textContent = playing.dataset.name ?? "";
    playing?.setAttribute("aria-pressed", "false");
    playing = null;
  };
  player.onTime = (seconds) => {
    if (seconds === null) rest();
  };
  const row = (name: string, title: string, sound: SoundData) => {
    const text = `▶ ${title}`;
    const button = make("button", {
      class: "small",
      text,
      testid: `attack-play-${name}`,
      attributes: { type: "button", "aria-pressed": "false", "data-name": text },
      onclick: () => {
        const was = playing === button;
        player.stop();
        if (was) return;
        playing = button;
        button.textContent = `■ ${title}`;
        button.setAttribute("aria-pressed", "true");
        void player.play(sound);
      },
    });
    const keep = make("button", {
      class: "quiet",
      text: t`Save`,
      attributes: { type: "button", "aria-label": t`Save as WAV: ${title.toLowerCase()}` },
      onclick: () => {
        save(soundFile(sound), `${name}.wav`);
      },
    });
    return [button, keep];
  };
  return {
    element,
    show(heard) {
      player.stop();
      element.hidden = heard === null;
      if (!heard) {
        element.replaceChildren();
        return;
      }
      const { before, after } = heard;
      const change = {
        ...before,
        channels: before.channels.map((channel, at) =>
          channel.map((value, i) => (after.channels[at]?.[i] ?? 0) - value),
        ),
      };
      element.replaceChildren(
        ...row("before", t`Before`, before),
        ...row("after", t`After`, after),
        ...row("change", t`The change alone`, change),
      );
    },
  };
}

const isPair = (outcome: Outcome): outcome is Pair => "clean" in outcome;

/** Norm, number of steps, and the class that the attack leads to. */
function exactly(bench: Bench, attack: Attack): HTMLElement {
  const image = () => (bench.app.state.given?.kind ?? "image") === "image";
  const norms = make(
    "fieldset",
    { class: "segments small" },
    make("legend", { class: "hidden", text: t`Norm` }),
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
      placeholder: t`any other class`,
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
      index === null && towards.value.trim() !== "" ? t`There is no class of this name or number.` : "",
    );
    if (!towards.reportValidity()) return;
    if (index !== null) towards.value = labels[index] ?? towards.value;
    attack.change({ towards: index });
  });
  bench.app.store.watch(["labels"], ({ labels }) => {
    names.replaceChildren(...labels.map((label) => make("option", { attributes: { value: label } })));
  });
  const normTitle = make("span", { text: t`Norm`, attributes: { "aria-hidden": "true" } });
  const rule = make("p", { class: "hint" });
  bench.app.store.watch(["given"], () => {
    norms.hidden = normTitle.hidden = !image();
    rule.textContent =
      t`Projected gradient descent on the cross-entropy (Madry et al. 2017) ${image() ? t`in pixel values, kept between black and white` : t`within a ball (l2)`}; ` +
      t`steps of 2.5 times the strength over their number. One step is the fast gradient method.`;
  });
  attack.store.watch(["norm", "steps", "towards"], (state) => {
    checkNorm(state.norm);
    steps.value = String(state.steps);
    if (state.towards === null && document.activeElement !== towards) towards.value = "";
  });
  return make(
    "details",
    { class: "tick-list", testid: "attack-exactly" },
    make("summary", { text: t`Exactly` }),
    make(
      "div",
      { class: "exactly" },
      normTitle,
      norms,
      make("label", { text: t`Steps`, attributes: { for: "attack-steps" } }),
      steps,
      make("label", { text: t`Towards`, attributes: { for: "attack-towards" } }),
      make("span", {}, towards, names),
    ),
    rule,
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
  const { method, clean, attacked, title, rank, top, k, behindClean, finds } = outcome;
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
      make("span", { class: "badge", text: survived ? "survived" : t`did not survive` }),
      make("small", { text: seconds(clean.info.milliseconds + attacked.info.milliseconds) }),
    ),
    ...pairMaps(bench, outcome, pictures),
    make(
      "dl",
      {},
      ...term(t`Rank correlation`, decimals(rank, 2).replace("-", "−"), "pair-rank"),
      ...term(t`Strongest ${k} places in common`, percent(top), "pair-top"),
      ...term(
        t`Behind the attacked map it finds`,
        `“${finds.label}” ${percent(finds.probability)}`,
        "pair-finds",
      ),
      ...term(
        t`Behind the clean map`,
        `“${behindClean.label}” ${percent(behindClean.probability)}`,
        "pair-behind-clean",
      ),
    ),
  );
}

/** The two maps of a method, where they can be drawn: over the picture, or in time and frequency. */
function pairMaps(
  bench: Bench,
  { title, clean, attacked }: Pair,
  pictures: { before: PixelPicture; after: PixelPicture } | null,
): HTMLElement[] {
  const { subject } = bench.state;
  const sound = subject?.explanation.sound;
  const draw = (explanation: Explanation, picture: PixelPicture | null, which: string) => {
    const label = t`${title}, of the ${which} ${sound ? "sound" : "picture"}`;
    if (!sound) return mapCanvas(bench, explanation, picture, label);
    const canvas = make("canvas", { attributes: { role: "img", "aria-label": label } });
    [canvas.width, canvas.height] = [320, 140];
    paintSpectrogram(canvas, sound, null, explanation.heatmap, {
      ...paintOf(bench.app.state),
      opacity: 1,
    });
    return canvas;
  };
  if (!sound && !pictures) return [];
  const figure = (explanation: Explanation, picture: PixelPicture | undefined, which: string) =>
    make("figure", {}, draw(explanation, picture ?? null, which), make("small", { text: which }));
  return [
    make(
      "div",
      { class: "maps" },
      figure(clean, pictures?.before, "clean"),
      figure(attacked, pictures?.after, "attacked"),
    ),
  ];
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
