// The few helpers with which the views touch the document.

/** The element of this id in index.html, of the kind that is expected there. */
export function find<T extends HTMLElement>(id: string, kind: new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`index.html has no ${kind.name} with the id "${id}"`);
  return element;
}

interface Properties {
  class?: string;
  text?: string;
  testid?: string;
  attributes?: Record<string, string>;
  onclick?: () => void;
}

/** A new element with its children. */
export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  { class: className, text, testid, attributes = {}, onclick }: Properties = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  if (className !== undefined) element.className = className;
  if (text !== undefined) element.textContent = text;
  if (testid !== undefined) element.dataset.testid = testid;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (onclick) element.addEventListener("click", onclick);
  element.append(...children);
  return element;
}

export interface Choice {
  value: string;
  label: string;
}

/** A row of radio buttons that looks like one control: arrow keys move in it, as the browser has it. */
export function segments(
  parent: HTMLElement,
  name: string,
  choices: readonly Choice[],
  onchange: (value: string) => void,
  testid = name,
): (value: string) => void {
  const inputs = choices.map(({ value, label }) => {
    const input = make("input", {
      testid: `${testid}-${value}`,
      attributes: { type: "radio", name, value },
    });
    input.addEventListener("change", () => {
      if (input.checked) onchange(value);
    });
    parent.append(make("label", {}, input, make("span", { text: label })));
    return input;
  });
  return (value) => {
    for (const input of inputs) input.checked = input.value === value;
  };
}

/** Fills a list of options, keeping the chosen one. */
export function fill(select: HTMLSelectElement, choices: readonly Choice[], value: string): void {
  select.replaceChildren(
    ...choices.map((choice) => {
      const option = make("option", { text: choice.label });
      option.value = choice.value;
      return option;
    }),
  );
  select.value = value;
}

/** Hands a file to the user. */
export function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  make("a", { attributes: { href: url, download: name } }).click();
  setTimeout(() => {
    URL.revokeObjectURL(url);
  }, 60_000);
}
