// The language of the page: the reader's by itself, or the one that is chosen.

import type { App } from "../app.js";
import { fill, find } from "../dom.js";
import { linked, toHash } from "../sent/link.js";
import { language, languageKey, languages, t } from "../strings/strings.js";

export function mountLanguage(app: App): void {
  const select = find("language", HTMLSelectElement);
  fill(
    select,
    Object.entries(languages).map(([value, label]) => ({ value, label })),
    language,
  );
  for (const option of select.options) option.lang = option.value;
  select.addEventListener("change", () => {
    const { given } = app.state;
    // The page starts anew in its other words; what is the person's own is not kept anywhere.
    if (
      given?.example === null &&
      !confirm(t`The page starts anew in the other language, without what you gave. Go on?`)
    ) {
      select.value = language;
      return;
    }
    try {
      localStorage.setItem(languageKey, select.value);
    } catch {
      // A browser that keeps nothing: the link says it.
    }
    if (given && app.state.explanation) history.replaceState(null, "", toHash(linked(app.state)));
    location.reload();
  });
}
