// The words of a text, coloured by how far an attack has moved the numbers by which the network knows them.

import { t } from "../strings/strings.js";
import { stretches, wordColour } from "adversight";
import { make } from "../dom.js";
import { percent } from "../format.js";
import type { MovedWords } from "../proof/attack.js";
import { colours } from "./text.js";

export function movedWordsView({ parts, texts }: MovedWords, bytes: boolean, dark: boolean): HTMLElement[] {
  const most = Math.max(...parts.map(({ special, score }) => (special ? 0 : score)), 1e-9);
  return texts.map((_, source) =>
    make(
      "p",
      { class: bytes ? t`reading bytes` : "reading", attributes: { dir: "auto" } },
      ...stretches({ parts, texts }, source).map(({ text, part }) => {
        const found = part === null ? undefined : parts[part];
        if (!found) return text;
        const said = t`moved by ${percent(found.score)}`;
        const word = make("span", { class: "game-word", text, attributes: { title: said } });
        word.style.setProperty("background-color", wordColour(found.score, most, colours({ dark })));
        return word;
      }),
    ),
  );
}
