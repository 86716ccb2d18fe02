// The curve of a game: the score over the part of the pixels that have changed, with a second curve to compare and a mark that moves.

import type { Curve } from "adversight";
import type { Band } from "../proof/band.js";

const namespace = "http://www.w3.org/2000/svg";
const [width, height] = [400, 250];
const plot = { left: 44, right: width - 10, top: 26, bottom: height - 44 };

type Attributes = Record<string, string | number>;

function draw<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Attributes,
  ...children: (Node | string)[]
): SVGElementTagNameMap[Tag] {
  const element = document.createElementNS(namespace, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

export interface ChartCurve {
  curve: Curve;
  /** For the style. */
  kind: string;
}

export interface Chart {
  element: SVGSVGElement;
  /** Draws the curves anew, over the band of random orders. */
  show: (
    curves: readonly ChartCurve[],
    band: Band | null,
    labels: { x: string; y: string; title: string },
  ) => void;
  /** Moves the mark: to a part of the pixels and the score there. */
  mark: (part: number, score: number) => void;
}

/** The smallest of a few round numbers that no value exceeds. */
export function ceiling(values: readonly number[]): number {
  const most = Math.max(0, ...values);
  return [0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1].find((limit) => most <= limit) ?? most;
}

export function curveChart(): Chart {
  const element = draw("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img" });
  let top = 1;
  const x = (part: number) => plot.left + part * (plot.right - plot.left);
  const y = (score: number) => plot.bottom - (Math.min(score, top) / top) * (plot.bottom - plot.top);
  const done = draw("clipPath", { id: "chart-done" });
  const doneTo = draw("rect", { x: 0, y: 0, width: 0, height });
  done.append(doneTo);
  const line = draw("line", { class: "now", y1: plot.top, y2: plot.bottom });
  const dot = draw("circle", { class: "now", r: 5 });

  const path = ({ x: parts, y: scores }: Curve) =>
    parts
      .map((part, i) => `${i === 0 ? "M" : "L"}${x(part).toFixed(1)} ${y(scores[i] ?? 0).toFixed(1)}`)
      .join("");

  const backwards = ({ x: parts, y: scores }: Curve) =>
    parts
      .map((part, i) => `L${x(part).toFixed(1)} ${y(scores[i] ?? 0).toFixed(1)}`)
      .reverse()
      .join("");

  return {
    element,
    show(curves, band, { x: across, y: up, title }) {
      top = ceiling([...curves.flatMap(({ curve }) => curve.y), ...(band?.high.y ?? [])]);
      element.setAttribute("aria-label", title);
      const grid = [0, 0.25, 0.5, 0.75, 1].flatMap((share) => {
        const at = { x: x(share), y: y(share * top) };
        const digits = top < 0.04 ? 1 : 0;
        return [
          draw("line", { class: "grid", x1: plot.left, x2: plot.right, y1: at.y, y2: at.y }),
          draw(
            "text",
            { x: plot.left - 6, y: at.y + 4, "text-anchor": "end" },
            `${(100 * share * top).toFixed(digits)}%`,
          ),
          draw(
            "text",
            { x: at.x, y: plot.bottom + 16, "text-anchor": share === 1 ? "end" : "middle" },
            `${100 * share}%`,
          ),
        ];
      });
      const behind = band
        ? [
            draw("path", { class: "band", d: `${path(band.high)}${backwards(band.low)}Z` }),
            draw("path", { class: "curve random", d: path(band.mean) }),
          ]
        : [];
      const drawn = curves.flatMap(({ curve, kind }) => {
        const shape = path(curve);
        if (kind !== "map") return [draw("path", { class: `curve ${kind}`, d: shape })];
        const area = `${shape}L${x(curve.x.at(-1) ?? 1)} ${plot.bottom}L${plot.left} ${plot.bottom}Z`;
        return [
          draw("path", { class: "under", d: area, "clip-path": "url(#chart-done)" }),
          draw("path", { class: `curve ${kind} to-come`, d: shape }),
          draw("path", { class: `curve ${kind}`, d: shape, "clip-path": "url(#chart-done)" }),
        ];
      });
      element.replaceChildren(
        draw("title", {}, title),
        done,
        ...grid,
        draw(
          "text",
          { class: "axis", x: (plot.left + plot.right) / 2, y: height - 8, "text-anchor": "middle" },
          across,
        ),
        draw("text", { class: "axis", x: 0, y: 12 }, up),
        ...behind,
        ...drawn,
        line,
        dot,
      );
    },
    mark(part, score) {
      const [left, up] = [x(part).toFixed(1), y(score).toFixed(1)];
      line.setAttribute("x1", left);
      line.setAttribute("x2", left);
      dot.setAttribute("cx", left);
      dot.setAttribute("cy", up);
      doneTo.setAttribute("width", left);
    },
  };
}
