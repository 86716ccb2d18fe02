// The figures behind the explanation, and the explanation as files.

import { t } from "../strings/strings.js";
import type { App } from "../app.js";
import { find, make, save } from "../dom.js";
import { figure, percent, seconds, whole } from "../format.js";
import { toNpy } from "../npy.js";
import type { State } from "../state.js";
import { assumptions } from "../told.js";

export function mountDetails(app: App): void {
  const list = find("facts", HTMLElement);
  const png = find("download-png", HTMLButtonElement);
  const npy = find("download-npy", HTMLButtonElement);

  app.store.watch(["explanation", "answered", "model"], (state) => {
    list.replaceChildren(
      ...facts(state).flatMap(([term, value]) => [
        make("dt", { text: term }),
        make("dd", {
          text: value,
          testid: `fact-${term.toLowerCase().replaceAll(/[^a-z]+/g, "-")}`,
          attributes: ofTheEngine.has(term) ? { lang: "en" } : {},
        }),
      ]),
    );
    png.disabled = npy.disabled = state.explanation === null;
  });

  png.addEventListener("click", () => {
    find("picture", HTMLCanvasElement).toBlob((blob) => {
      if (blob) save(blob, `${fileName(app.state)}.png`);
    }, "image/png");
  });
  npy.addEventListener("click", () => {
    const { explanation } = app.state;
    if (explanation) save(new Blob([toNpy(explanation.attribution)]), `${fileName(app.state)}.npy`);
  });
}

/** Facts in the engine's own words, which are English. */
const ofTheEngine: ReadonlySet<string> = new Set([t`Method`, t`Shown as`, t`Assumed`]);

function facts({ explanation, methods, model }: State): [string, string][] {
  if (!explanation) return [[t`Explanation`, t`none yet`]];
  const { info, heatmap, attribution } = explanation;
  const method = methods.find(({ name }) => name === info.method);
  const params = Object.entries(info.params).map(([name, value]) => `${name} = ${shown(value)}`);
  return [
    [t`Method`, method ? `${method.title} (${method.paper})` : info.method],
    [t`Settings`, params.join(", ") || "none"],
    [t`Class`, t`${info.target.label}, number ${info.target.index}, ${percent(info.target.probability)}`],
    ...(info.against.length > 0
      ? [[t`Against`, info.against.map(({ label }) => label).join(", ")] satisfies [string, string]]
      : []),
    [t`Time`, seconds(info.milliseconds)],
    [t`Passes`, t`${info.forwardPasses} forward, ${info.backwardPasses} backward, in ${info.steps} steps`],
    [
      t`Completeness gap`,
      info.completenessGap === null ? t`has no meaning for this method` : figure(info.completenessGap),
    ],
    [t`Seed`, String(info.seed)],
    [t`Shown as`, heatmap.rule],
    [t`Raw values`, t`float32, ${attribution.shape.join(" × ")}`],
    ...(model
      ? [
          [
            t`Network`,
            t`${model.info.name}: ${whole(model.info.parameters)} parameters in ${model.info.nodes} nodes`,
          ] satisfies [string, string],
          ...(assumptions(model.info).length > 0
            ? [[t`Assumed`, assumptions(model.info).join(" ")] satisfies [string, string]]
            : []),
        ]
      : []),
  ];
}

function shown(value: unknown): string {
  return typeof value === "number" ? figure(value) : JSON.stringify(value);
}

export function fileName({ given, explanation }: State): string {
  const words = [given?.title ?? "explanation", explanation?.info.method ?? ""].join(" ");
  return words
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-|-$/g, "")
    .slice(0, 80);
}
