// "Is it just edges?": the real map beside those of networks that have forgotten what they learned, and beside a drawing of the edges.

import { decimals } from "../format.js";
import { t } from "../strings/strings.js";
import type { Explanation, PixelPicture } from "adversight";
import { make } from "../dom.js";
import type { Bench } from "../proof/bench.js";
import { forgotten, type Forget, type ForgetState } from "../proof/forget.js";
import { edgesVerdict } from "../proof/verdict.js";
import { mapCanvas } from "./proof-attack.js";
import { starter } from "./proof.js";

export function mountForget(bench: Bench, forget: Forget): HTMLElement {
  const start = starter(bench, "edges", t`Check`, () => void forget.start());
  const tiles = make("ul", { class: "tiles", testid: "edges-tiles" });
  const verdict = make("p", { class: "verdict", testid: "edges-verdict", attributes: { role: "status" } });
  const found = make("div", { class: "found" }, verdict, tiles);
  const element = make(
    "div",
    { testid: "edges-panel", class: "proof-part" },
    make("p", {
      class: "lead",
      text:
        t`A map that stays the same when the network has forgotten all it learned cannot explain the network: it only traces the picture. ` +
        t`Three copies of the network get random numbers for weights, in the last layer, in half of the layers, and in all.`,
    }),
    start.element,
    found,
    make("p", {
      class: "hint",
      text:
        t`Cascading randomisation of the sanity checks (Adebayo et al. 2018), with weights of the same mean and deviation. Rank correlation of ` +
        t`magnitudes (Spearman) and structural similarity (SSIM). The paper sets no limit; here a map counts as changed below 0.3, and as ` +
        t`unchanged above 0.6.`,
    }),
  );
  const cost = () => {
    const { subject } = bench.state;
    start.setCost(subject && forget.cost(subject));
  };
  bench.store.watch(["subject", "speed", "ready"], cost);
  bench.app.store.watch(["speed", "params"], cost);

  const show = () => {
    const { state } = forget;
    const { subject } = bench.state;
    found.hidden = state.layers.length === 0 && !state.none;
    tiles.replaceChildren();
    verdict.textContent = state.none ? t`This network’s file has no weights that could be forgotten.` : "";
    if (!subject || state.layers.length === 0) return;
    const { explanation, method } = subject;
    tiles.append(
      tile(bench, "own", t`the network as trained`, explanation, null, ""),
      ...state.copies.map((copy) =>
        tile(
          bench,
          String(copy.layers),
          forgotten(copy.layers, state.layers.length),
          copy.explanation,
          copy.rank,
          copy.reason ?? (copy.ssim === null ? "" : t`SSIM ${text(copy.ssim)}`),
        ),
      ),
      ...(state.edges ? [edgesTile(bench, state.edges)] : []),
    );
    const whole = state.copies.find(({ layers }) => layers === state.layers.length);
    if (whole?.rank != null)
      verdict.textContent = edgesVerdict(method.title, whole.rank, state.edges?.rank ?? null);
  };
  forget.store.watch(["none", "layers", "copies", "edges"], show);
  bench.app.store.watch(["colours", "smooth"], show);
  return element;
}

const text = (value: number) => decimals(value, 2).replace("-", "−");

function tile(
  bench: Bench,
  name: string,
  title: string,
  explanation: Pick<Explanation, "heatmap" | "segments"> | null,
  rank: number | null,
  note: string,
): HTMLElement {
  const picture: PixelPicture | null = null;
  return make(
    "li",
    { testid: `tile-${name}` },
    ...(explanation ? [mapCanvas(bench, explanation, picture, t`Map of ${title}`)] : []),
    make("strong", { text: title }),
    ...(rank === null
      ? []
      : [make("span", { text: t`rank correlation ${text(rank)}`, testid: `tile-${name}-rank` })]),
    ...(note === "" ? [] : [make("small", { text: note })]),
  );
}

/** The edges, as a heatmap: what is brightest as 1. */
function edgesTile(bench: Bench, { map, rank }: NonNullable<ForgetState["edges"]>): HTMLElement {
  const [, , height = 1, width = 1] = map.shape;
  const most = map.data.reduce((largest, value) => Math.max(largest, value), 0);
  const data = map.data.map((value) => (most > 0 ? value / most : 0));
  const heatmap: Explanation["heatmap"] = {
    data,
    shape: [height, width],
    rule: t`magnitude of Sobel’s gradient`,
  };
  return tile(bench, "edges", t`edges, without a network`, { heatmap }, rank, t`Sobel’s filter`);
}
