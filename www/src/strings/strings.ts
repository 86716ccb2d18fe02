// The page's words: in the code they stand in English, marked by t`…`; en.ts lists them all, and each other language is a file beside it. What the
// engine says is English and marked as such.

import { de } from "./de.js";
import { en } from "./en.js";

export type Strings = Readonly<Record<string, string>>;

/** The languages, each by its own name. */
export const languages = { en: "English", de: "Deutsch" } as const;
export type Language = keyof typeof languages;

const catalogues: Record<Language, Strings> = { en, de };

/** The language that was chosen, or else the first of the reader's that is there; English where none is. */
export function languageFor(chosen: string | null, preferred: readonly string[]): Language {
  const known = (tag: string) =>
    Object.keys(languages).find((name) => tag.toLowerCase().split("-")[0] === name);
  const found = [...(chosen === null ? [] : [chosen]), ...preferred].map(known).find(Boolean);
  return (found ?? "en") as Language;
}

/** Where the choice is kept. */
export const languageKey = "language";

function choose(): Language {
  if (typeof document === "undefined") return "en";
  try {
    return languageFor(localStorage.getItem(languageKey), navigator.languages);
  } catch {
    return languageFor(null, navigator.languages); // a browser that keeps nothing
  }
}

export const language: Language = choose();
/** As the browser writes numbers in it. */
export const locale = language === "en" ? "en-GB" : language;

/** A sentence of the page in its language; what stands in its places is put in. */
export function t(parts: TemplateStringsArray, ...values: readonly (string | number)[]): string {
  return said(
    parts.reduce((all, part, at) => `${all}{${at - 1}}${part}`),
    values,
  );
}

/** The same by its English words, with {0}, {1} ... for what is put in. */
export function said(
  english: string,
  values: readonly (string | number)[] = [],
  strings = catalogues[language],
): string {
  const text = strings[english] ?? english;
  return values.length === 0
    ? text
    : text.replaceAll(/\{(\d+)\}/g, (place, number: string) => {
        const value = values[Number(number)];
        return value === undefined ? place : String(value);
      });
}

/** What can be read in the document's markup: its texts, and the attributes that are told. */
export const toldAttributes = ["aria-label", "title", "placeholder", "alt"] as const;

/** Words as they stand in markup, on one line. */
export const tidy = (text: string): string => text.replaceAll(/\s+/g, " ").trim();

/** Puts the document as it was written into the page's language. */
export function translate(root: Document): void {
  root.documentElement.lang = locale;
  if (language === "en") return;
  root.title = said(tidy(root.title));
  const walker = root.createTreeWalker(root.body, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node instanceof Element) {
      for (const name of toldAttributes) {
        const text = node.getAttribute(name);
        if (text !== null) node.setAttribute(name, said(tidy(text)));
      }
    } else if (
      node.nodeValue &&
      tidy(node.nodeValue) !== "" &&
      !node.parentElement?.closest("code, kbd, script, style")
    ) {
      const [, before = "", , after = ""] = /^(\s*)([\s\S]*?)(\s*)$/.exec(node.nodeValue) ?? [];
      node.nodeValue = before + said(tidy(node.nodeValue)) + after;
    }
  }
}
