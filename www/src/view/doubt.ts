// Above the map: that the network is not sure, or that its answers look like noise.

import type { App } from "../app.js";
import { find, make } from "../dom.js";
import { doubtsOf } from "../doubt.js";

export function mountDoubt(app: App): void {
  const line = find("doubt", HTMLElement);
  app.store.watch(["explanation", "network", "doubts"], (state) => {
    const doubts = doubtsOf(state);
    line.hidden = doubts.length === 0;
    line.replaceChildren(
      ...doubts.map(({ title, text }) => make("span", {}, make("strong", { text: title }), ` ${text}`)),
    );
  });
}
