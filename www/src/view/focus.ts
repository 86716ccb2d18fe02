// Focus is never lost: where what has it goes away (a button that has done its work, a list that is made anew), what comes next gets it.

const focusable =
  'a[href], button, select, textarea, summary, input:not([type="hidden"]), [tabindex]:not([tabindex="-1"])';

export function mountFocus(): void {
  /** What had the focus last, and what it lay in, from the inside out: once it is taken out of the page, that is not known any more. */
  let last: { element: HTMLElement; around: HTMLElement[] } | null = null;

  document.addEventListener("focusin", ({ target }) => {
    if (!(target instanceof HTMLElement)) return;
    const around: HTMLElement[] = [];
    for (let place = target.parentElement; place; place = place.parentElement) around.push(place);
    last = { element: target, around };
  });
  // Whoever leaves something that is still there has gone elsewhere.
  document.addEventListener("focusout", ({ target }) => {
    if (target === last?.element && target instanceof HTMLElement && takesFocus(target)) last = null;
  });

  const check = () => {
    const now = document.activeElement;
    if (!last || (now instanceof HTMLElement && now !== document.body && takesFocus(now))) return;
    const { element, around } = last;
    if (takesFocus(element)) return;
    next(element, around)?.focus();
  };
  new MutationObserver(() => {
    requestAnimationFrame(check); // once for all that changes together
  }).observe(document.body, {
    subtree: true,
    childList: true,
    attributes: true,
    attributeFilter: ["hidden", "class", "disabled"],
  });
}

const takesFocus = (element: HTMLElement): boolean =>
  element.isConnected &&
  !element.matches(":disabled") &&
  element.checkVisibility({ visibilityProperty: true });

/** What stands in its place, or comes next in the smallest part of the page that has something. */
function next(element: HTMLElement, around: readonly HTMLElement[]): HTMLElement | null {
  const { testid } = element.dataset;
  for (const place of around) {
    if (!place.isConnected || !place.checkVisibility()) continue;
    const candidates = [...place.querySelectorAll<HTMLElement>(focusable)].filter(takesFocus);
    const same = candidates.find((candidate) => testid !== undefined && candidate.dataset.testid === testid);
    const following = element.isConnected
      ? candidates.find(
          (candidate) => element.compareDocumentPosition(candidate) & Node.DOCUMENT_POSITION_FOLLOWING,
        )
      : undefined;
    const found = same ?? following ?? candidates[0];
    if (found) return found;
  }
  return null;
}
