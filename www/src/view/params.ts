// A control for a setting of a method, as its description asks.

import { t } from "../strings/strings.js";
import type { ModelInfo, ParamDescription } from "adversight";
import { fill, make, segments } from "../dom.js";
import { capitalised, figure } from "../format.js";
import { classList, findClass, sliderScale } from "../settings.js";

export interface Control {
  name: string;
  element: HTMLElement;
  /** Shows a value that came from elsewhere. */
  show: (value: unknown) => void;
}

type OnChange = (value: unknown) => void;

export function paramControl(
  param: ParamDescription,
  labels: readonly string[],
  info: Pick<ModelInfo, "layers" | "layer"> | undefined,
  onChange: OnChange,
): Control {
  switch (param.kind) {
    case "boolean":
      return booleanControl(param, onChange);
    case "choice":
      return choiceControl(param, onChange);
    case "classes":
      return classesControl(param, labels, onChange);
    case "number":
    case "integer":
      return numberControl(param, onChange);
    case "text":
      return textControl(param, onChange);
    case "layer":
      return layerControl(param, info, onChange);
  }
}

const idOf = (param: ParamDescription) => `param-${param.name}`;

/** A row: title and control, with what the setting means under it. */
function row(param: ParamDescription, ...content: HTMLElement[]): HTMLElement {
  const description = make("small", {
    class: "meaning",
    text: param.description.replaceAll(/`(\w+)`/g, (_, name: string) => `“${capitalised(name)}”`),
    attributes: { id: `${idOf(param)}-meaning` },
  });
  return make("div", { class: `param param-${param.kind}` }, ...content, description);
}

const labelled = (param: ParamDescription) =>
  make("label", { text: param.title, attributes: { for: idOf(param) } });

const described = (param: ParamDescription) => ({
  id: idOf(param),
  "aria-describedby": `${idOf(param)}-meaning`,
});

function numberControl(param: ParamDescription, onChange: OnChange): Control {
  const { minimum, maximum } = param;
  const limits = {
    ...(minimum === undefined ? {} : { min: String(minimum) }),
    ...(maximum === undefined ? {} : { max: String(maximum) }),
  };
  const field = make("input", {
    testid: idOf(param),
    attributes: {
      type: "number",
      step: param.kind === "integer" ? "1" : "any",
      ...limits,
      ...described(param),
    },
  });
  field.addEventListener("change", () => {
    if (!Number.isNaN(field.valueAsNumber) && field.validity.valid) onChange(field.valueAsNumber);
  });
  // The slider does the same as the field, for pointers and for trying things; the field takes exact values.
  const scale = sliderScale(param);
  const slider = scale && make("input", { attributes: { type: "range", min: "0", max: "100", step: "1" } });
  slider?.setAttribute("aria-label", param.title);
  slider?.addEventListener("input", () => {
    onChange(scale?.value(slider.valueAsNumber / 100));
  });
  return {
    name: param.name,
    element: row(param, labelled(param), ...(slider ? [slider] : []), field),
    show(value) {
      if (typeof value !== "number") return;
      field.value = param.kind === "integer" ? String(value) : figure(value);
      if (!slider) return;
      slider.setAttribute("aria-valuetext", field.value);
      // While it is dragged it stays where it was put, whatever its value is rounded to.
      if (scale.value(slider.valueAsNumber / 100) !== value)
        slider.value = String(Math.round(scale.place(value) * 100));
    },
  };
}

function booleanControl(param: ParamDescription, onChange: OnChange): Control {
  const input = make("input", {
    testid: idOf(param),
    attributes: { type: "checkbox", role: "switch", ...described(param) },
  });
  input.addEventListener("change", () => {
    onChange(input.checked);
  });
  return {
    name: param.name,
    element: row(param, labelled(param), input),
    show(value) {
      input.checked = value === true;
    },
  };
}

/** A node of the network, from the input to the scores; at first the one that the method chooses. */
function layerControl(
  param: ParamDescription,
  info: Pick<ModelInfo, "layers" | "layer"> | undefined,
  onChange: OnChange,
): Control {
  const { layers = [], layer } = info ?? {};
  const choices = layers.map(({ name, operator, shape }) => ({
    value: name,
    label: `${name} (${operator}, ${shape.join(" × ")})`,
  }));
  const own = layer === undefined ? t`as the method chooses` : t`as the method chooses: ${layer}`;
  return selectControl(param, [{ value: "", label: own }, ...choices], onChange);
}

/** Words. */
function textControl(param: ParamDescription, onChange: OnChange): Control {
  const input = make("input", {
    testid: idOf(param),
    attributes: {
      type: "text",
      autocomplete: "off",
      spellcheck: "false",
      autocapitalize: "off",
      ...(param.default === "" ? { placeholder: t`as the method chooses` } : {}),
      ...described(param),
    },
  });
  input.addEventListener("change", () => {
    onChange(input.value.trim());
  });
  return {
    name: param.name,
    element: row(param, labelled(param), input),
    show(value) {
      if (typeof value === "string" && document.activeElement !== input) input.value = value;
    },
  };
}

function choiceControl(param: ParamDescription, onChange: OnChange): Control {
  const choices = (param.choices ?? []).map((value) => ({ value, label: value.replaceAll("_", " ") }));
  if (choices.length <= 3) {
    const group = make("fieldset", { class: "segments small", testid: idOf(param) });
    group.append(make("legend", { class: "hidden", text: param.title }));
    const show = segments(group, idOf(param), choices, onChange);
    const title = make("span", { class: "title", text: param.title, attributes: { "aria-hidden": "true" } });
    return {
      name: param.name,
      element: row(param, title, group),
      show: (value) => {
        show(String(value));
      },
    };
  }
  return selectControl(param, choices, onChange);
}

function selectControl(
  param: ParamDescription,
  choices: { value: string; label: string }[],
  onChange: OnChange,
): Control {
  const select = make("select", { testid: idOf(param), attributes: described(param) });
  fill(select, choices, String(param.default));
  select.addEventListener("change", () => {
    onChange(select.value);
  });
  return {
    name: param.name,
    element: row(param, labelled(param), select),
    show: (value) => {
      select.value = String(value);
    },
  };
}

/** Classes by name or number: each that is chosen stands as a button that removes it. */
function classesControl(param: ParamDescription, labels: readonly string[], onChange: OnChange): Control {
  let chosen: number[] = [];
  const names = make("datalist", { attributes: { id: `${idOf(param)}-names` } });
  names.append(...labels.map((label) => make("option", { attributes: { value: label } })));
  const input = make("input", {
    testid: idOf(param),
    attributes: {
      type: "text",
      list: names.id,
      placeholder: t`drawn at random`,
      autocomplete: "off",
      ...described(param),
    },
  });
  const chips = make("span", { class: "chips" });
  const add = () => {
    if (input.value.trim() === "") return;
    const index = findClass(input.value, labels);
    input.setCustomValidity(index === null ? t`There is no class of this name or number.` : "");
    if (index === null) {
      input.reportValidity();
      return;
    }
    input.value = "";
    if (!chosen.includes(index)) onChange([...chosen, index]);
  };
  input.addEventListener("change", add);
  input.addEventListener("input", () => {
    input.setCustomValidity("");
  });
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || input.value === "") return;
    event.preventDefault(); // adds the class instead of sending the form
    add();
  });
  const show = (value: unknown) => {
    chosen = classList(value);
    input.placeholder = chosen.length === 0 ? t`drawn at random` : t`another class`;
    chips.replaceChildren(
      ...chosen.map((index) => {
        const label = labels[index] ?? t`class ${index}`;
        return make("button", {
          class: "chip",
          text: label,
          attributes: { type: "button", "aria-label": t`Remove ${label}` },
          onclick: () => {
            const rest = chosen.filter((other) => other !== index);
            onChange(rest.length === 0 ? param.default : rest);
            input.focus();
          },
        });
      }),
    );
  };
  return { name: param.name, element: row(param, labelled(param), chips, input, names), show };
}
