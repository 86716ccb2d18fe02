// What went wrong and what to do about it. The photograph and the results before it stay as they are.

import type { Remedy } from "../advice.js";
import type { App } from "../app.js";
import { find, make } from "../dom.js";

const buttons: Record<Remedy, string> = { restart: "Start the engine again", retry: "Try again" };

export function mountBanner(app: App): void {
  const banner = find("banner", HTMLElement);
  app.store.watch(["problem"], ({ problem }) => {
    banner.hidden = problem === null;
    banner.replaceChildren();
    if (!problem) return;
    const { title, message, remedy } = problem;
    banner.append(
      make(
        "p",
        {},
        make("strong", { text: title, testid: "banner-title" }),
        " ",
        make("span", { text: message, testid: "banner-message" }),
      ),
    );
    if (remedy) {
      const onclick = () => void app.retry();
      banner.append(
        make("button", {
          text: buttons[remedy],
          testid: "banner-action",
          attributes: { type: "button" },
          onclick,
        }),
      );
    }
    const dismiss = () => {
      app.report(null);
    };
    banner.append(
      make("button", {
        class: "quiet",
        text: "Dismiss",
        testid: "banner-dismiss",
        attributes: { type: "button" },
        onclick: dismiss,
      }),
    );
  });
}
