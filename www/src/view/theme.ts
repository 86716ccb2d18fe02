// Light, dark, or as the system has it. The choice is kept in this browser.

import { t } from "../strings/strings.js";
import type { App } from "../app.js";
import { find } from "../dom.js";

const themes = ["auto", "light", "dark"] as const;
type Theme = (typeof themes)[number];
const names: Record<Theme, string> = {
  auto: t`Theme: automatic`,
  light: t`Theme: light`,
  dark: t`Theme: dark`,
};

export function mountTheme(app: App): void {
  const darkness = matchMedia("(prefers-color-scheme: dark)");
  const button = find("theme", HTMLButtonElement);
  let theme = themes.find((name) => name === stored()) ?? "auto";
  const apply = () => {
    const dark = theme === "dark" || (theme === "auto" && darkness.matches);
    // Told to the style by name even where the system chooses.
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    button.textContent = names[theme];
    app.setDark(dark);
  };
  darkness.addEventListener("change", apply);
  button.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length] ?? "auto";
    try {
      localStorage.setItem("theme", theme);
    } catch {
      // A browser may refuse to store anything: the choice then lasts as long as the page.
    }
    apply();
  });
  // Paper is bright.
  window.addEventListener("beforeprint", () => {
    document.documentElement.dataset.theme = "light";
    app.setDark(false);
  });
  window.addEventListener("afterprint", apply);
  apply();
}

function stored(): string | null {
  try {
    return localStorage.getItem("theme");
  } catch {
    return null;
  }
}
