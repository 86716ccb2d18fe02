// The networks that this browser keeps for the page, and how to be rid of them.

import { modelCache } from "adversight";
import type { App } from "../app.js";
import { find } from "../dom.js";
import { bytes } from "../format.js";

export function mountKept(app: App): void {
  const line = find("kept", HTMLElement);
  const forget = find("forget", HTMLButtonElement);
  const show = async () => {
    const size = await modelCache.size();
    forget.hidden = size === 0;
    line.textContent =
      size === 0
        ? "Nothing is kept in this browser."
        : `Kept in this browser, so that it need not be fetched again: ${bytes(size)} of networks, and nothing of yours.`;
  };
  app.store.watch(["model"], () => void show());
  forget.addEventListener("click", () => {
    void modelCache.clear().then(show);
  });
}
