// The explanation in words, on the page and spoken.

import { t } from "../strings/strings.js";
import type { App } from "../app.js";
import { find, make } from "../dom.js";
import type { State } from "../state.js";

export function mountWords(app: App): void {
  const kicker = find("kicker", HTMLElement);
  const words = find("words", HTMLElement);
  const say = find("say", HTMLButtonElement);

  app.store.watch(["explanation", "classification", "firstLook"], (state) => {
    kicker.textContent = title(state);
    // The engine's own sentences are English, whatever the page's language.
    const attributes: Record<string, string> = state.explanation ? { lang: "en" } : {};
    words.replaceChildren(...sentences(state).map((text) => make("p", { text, attributes })));
    say.hidden = !("speechSynthesis" in window) || !state.explanation;
  });

  // A map on the way is another than the one that the words are of.
  app.store.watch(["partial"], ({ partial }) => {
    words.classList.toggle("earlier", partial !== null);
    words.ariaBusy = String(partial !== null);
  });

  const synthesis = "speechSynthesis" in window ? window.speechSynthesis : null;
  const speaking = (on: boolean) => {
    say.setAttribute("aria-pressed", String(on));
    say.textContent = on ? t`Stop reading` : t`Read aloud`;
  };
  speaking(false);
  say.addEventListener("click", () => {
    if (!synthesis) return;
    const wasSpeaking = say.getAttribute("aria-pressed") === "true";
    synthesis.cancel();
    speaking(!wasSpeaking);
    if (wasSpeaking) return;
    const utterance = new SpeechSynthesisUtterance(app.state.explanation?.words.join(" ") ?? "");
    utterance.lang = "en-GB";
    const done = () => {
      speaking(false);
    };
    utterance.addEventListener("end", done);
    utterance.addEventListener("error", done);
    synthesis.speak(utterance);
  });
  app.store.watch(["explanation"], () => {
    synthesis?.cancel();
    speaking(false);
  });
}

function title({ explanation, classification, firstLook }: State): string {
  if (!explanation) return t`The answer`;
  const { target, against } = explanation.info;
  const winner = classification?.top[0];
  const [rival] = against;
  if (rival && against.length === 1) return t`Why “${target.label}” and not “${rival.label}”?`;
  const question =
    winner?.index === target.index ? t`Why “${target.label}”?` : t`What counts for “${target.label}”?`;
  return firstLook ? t`${question} A first look` : question;
}

function sentences({ explanation, classification }: State): string[] {
  if (explanation) return explanation.words;
  const winner = classification?.top[0];
  return [winner ? t`The network says “${winner.label}”.` : t`The network is about to look.`];
}
