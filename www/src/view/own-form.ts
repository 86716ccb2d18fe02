// The fields of a network of the user's own: which input and output, open sizes, and how pictures are prepared.

import { t } from "../strings/strings.js";
import { parseNpy, presetNames, type Activation, type PresetName } from "adversight";
import { fill, find, make, segments, type Choice } from "../dom.js";
import { figure } from "../format.js";
import type { Draft, OwnNetwork, PreparedBy } from "../own.js";
import type { PictureForm } from "../picture-form.js";
import { openAxes, pictureAxes, pictureInputs, shapeText } from "../report.js";
import { filledBy } from "../told.js";

const presets: Record<PresetName, string> = {
  imagenet: t`torchvision: ImageNet’s mean and deviation`,
  timm: t`timm, ViT: −1 to 1, cut`,
  keras_tf: t`Keras, mode “tf”: −1 to 1`,
  keras_caffe: t`Keras, mode “caffe”: BGR less the mean`,
  unit: t`Raw values, 0 to 1`,
  bytes: t`Raw values, 0 to 255`,
};

const filters = [t`Nearest`, t`Lanczos`, t`Bilinear`, t`Bicubic`];

const activations: Choice[] = [
  { value: "softmax", label: t`Softmax: one class out of all` },
  { value: "sigmoid", label: t`Sigmoid: each class by itself` },
  { value: "none", label: t`None: scores as they are` },
];

export function mountOwnForm(own: OwnNetwork): void {
  mountChoices(own);
  mountSizes(own);
  mountInputs(own);
  mountPreset(own);
  mountFields(own);
  own.store.watch(["report"], ({ report }) => {
    find("own-fields", HTMLElement).hidden =
      !report || report.problems.length > 0 || pictureInputs(report).length === 0;
  });
}

/** Input, output and activation; a choice of one is none. */
function mountChoices(own: OwnNetwork): void {
  const input = find("own-input", HTMLSelectElement);
  const output = find("own-output", HTMLSelectElement);
  const activation = find("own-activation", HTMLSelectElement);
  const offer = (select: HTMLSelectElement, choices: Choice[], value: string) => {
    fill(select, choices, value);
    const row = select.closest("label");
    if (row) row.hidden = choices.length < 2;
  };
  own.store.watch(["report", "input", "output", "activation"], (draft) => {
    const { report } = draft;
    if (!report) return;
    const choices = (values: typeof report.inputs) =>
      values.map((info) => ({ value: info.name, label: `${info.name}: ${shapeText(info)}` }));
    offer(input, choices(pictureInputs(report)), own.inputOf(report)?.name ?? "");
    offer(output, choices(report.outputs), own.outputOf(report)?.name ?? "");
    const found = report.activation
      ? t`As found: ${report.activation}`
      : t`Not found: a softmax of several classes`;
    fill(activation, [{ value: "", label: found }, ...activations], draft.activation ?? "");
  });
  input.addEventListener("change", () => {
    own.chooseInput(input.value);
  });
  output.addEventListener("change", () => {
    own.chooseOutput(output.value);
  });
  activation.addEventListener("change", () => {
    own.chooseActivation(activation.value === "" ? null : (activation.value as Activation));
  });
}

/** Open dimensions other than the picture's height and width, which the preprocessing decides. */
function mountSizes(own: OwnNetwork): void {
  const place = find("own-sizes", HTMLElement);
  own.store.watch(["report", "input"], ({ report, sizes }) => {
    const input = report && own.inputOf(report);
    const axes = input && pictureAxes(input);
    const open = input ? openAxes(input).filter((axis) => axis !== axes?.height && axis !== axes?.width) : [];
    place.replaceChildren(
      ...open.map((axis) => {
        const field = make("input", {
          testid: `own-size-${axis}`,
          attributes: {
            type: "number",
            min: "1",
            step: "1",
            value: String(sizes[axis] ?? axes?.channels ?? 1),
          },
        });
        field.addEventListener("change", () => {
          if (field.validity.valid && field.value !== "") own.setSize(axis, field.valueAsNumber);
        });
        return make(
          "label",
          {},
          make("span", {
            text: t`Size of dimension ${input?.symbols[axis] ?? axis} of “${input?.name ?? ""}”`,
          }),
          field,
        );
      }),
    );
  });
}

/** A field for each input that is not explained: numbers, or a file of them; what is left empty has a value by the engine's rules. */
function mountInputs(own: OwnNetwork): void {
  const section = find("own-inputs", HTMLElement);
  const place = find("own-inputs-list", HTMLElement);
  own.store.watch(["report", "input"], ({ report }) => {
    const others = report ? own.otherInputs(report) : [];
    section.hidden = others.length === 0;
    place.replaceChildren(
      ...others.map((input) => {
        const id = input.name.replaceAll(/[^\w-]+/g, "-");
        const field = make("input", {
          testid: `own-input-${id}`,
          attributes: { type: "text", inputmode: "decimal", autocomplete: "off", "data-input": input.name },
        });
        field.addEventListener("change", () => {
          own.giveInput(input.name, field.value.trim() === "" ? null : { text: field.value });
        });
        const file = make("input", {
          testid: `own-input-file-${id}`,
          attributes: {
            type: "file",
            accept: ".npy",
            hidden: "",
            "aria-label": t`A .npy file for ${input.name}`,
          },
        });
        const choose = make("button", {
          class: "quiet",
          text: ".npy…",
          attributes: { type: "button", "aria-label": t`A file of numbers for ${input.name}` },
          onclick: () => {
            file.click();
          },
        });
        file.addEventListener("change", () => {
          const [chosen] = file.files ?? [];
          file.value = "";
          if (!chosen) return;
          void chosen
            .arrayBuffer()
            .then((bytes) => {
              own.giveInput(input.name, { file: chosen.name, value: parseNpy(new Uint8Array(bytes)) });
            })
            .catch((error: unknown) => {
              own.refuse(chosen.name, error instanceof Error ? error.message : String(error));
            });
        });
        return make(
          "div",
          { class: "given" },
          make(
            "label",
            {},
            make(
              "span",
              {},
              input.name,
              make("small", { text: ` ${shapeText(input)}, ${input.elementType}` }),
            ),
            field,
          ),
          choose,
          file,
          make("p", {
            class: "hint",
            testid: `own-input-rule-${id}`,
            attributes: { "data-rule": input.name },
          }),
        );
      }),
    );
  });
  own.store.watch(["report", "input", "given", "model"], ({ given, model }) => {
    for (const field of place.querySelectorAll<HTMLInputElement>("[data-input]")) {
      const value = given[field.dataset.input ?? ""];
      if (document.activeElement !== field) field.value = value && "text" in value ? value.text : "";
    }
    for (const line of place.querySelectorAll<HTMLElement>("[data-rule]")) {
      const name = line.dataset.rule ?? "";
      const value = given[name];
      const rule = model && filledBy(model.info, name);
      line.textContent =
        value && "file" in value
          ? t`From ${value.file}, ${value.value.shape.join(" × ") || t`one number`}.`
          : value
            ? ""
            : (rule ?? t`Numbers with spaces between them, or a file of NumPy.`);
    }
  });
}

function mountPreset(own: OwnNetwork): void {
  const select = find("own-preset", HTMLSelectElement);
  own.store.watch(["preparedBy", "companions"], ({ preparedBy, companions }) => {
    const { preprocessing } = companions;
    const choices: { value: PreparedBy; label: string }[] = [
      ...(preprocessing ? [{ value: "file" as const, label: t`As in ${preprocessing.file}` }] : []),
      ...presetNames.map((value) => ({ value, label: presets[value] })),
      { value: "own", label: t`By the fields below` },
    ];
    fill(select, choices, preparedBy);
  });
  select.addEventListener("change", () => {
    own.choosePreset(select.value as PreparedBy);
  });
}

function mountFields(own: OwnNetwork): void {
  const fit = segments(
    find("own-fit", HTMLElement),
    "own-fit",
    [
      { value: "crop", label: t`Cut the centre` },
      { value: "stretch", label: t`Stretch` },
    ],
    (value) => {
      own.change({ fit: value as PictureForm["fit"] });
    },
  );
  const order = segments(
    find("own-order", HTMLElement),
    "own-order",
    [
      { value: "RGB", label: "RGB" },
      { value: "BGR", label: "BGR" },
    ],
    (value) => {
      own.change({ order: value as PictureForm["order"] });
    },
  );
  const resample = find("own-resample", HTMLSelectElement);
  const scale = find("own-scale", HTMLSelectElement);
  resample.addEventListener("change", () => {
    own.change({ resample: Number(resample.value) });
  });
  scale.addEventListener("change", () => {
    own.change({ scale: Number(scale.value) });
  });
  const height = numberField("own-height", (value) => ({ height: value }), own);
  const width = numberField("own-width", (value) => ({ width: value }), own);
  const edge = numberField("own-edge", (value) => ({ edge: value }), own);
  const mean = channelFields(
    "own-mean",
    t`Mean`,
    own,
    (form) => form.mean,
    (values) => ({ mean: values }),
  );
  const std = channelFields(
    "own-std",
    t`Deviation`,
    own,
    (form) => form.std,
    (values) => ({ std: values }),
  );

  own.store.watch(["form", "report", "input"], (draft) => {
    const { form } = draft;
    fit(form.fit);
    order(form.order);
    show(edge, form.edge);
    show(height, form.height);
    show(width, form.width);
    const axes = axesOf(own, draft);
    height.disabled = axes !== null && !axes.heightOpen;
    width.disabled = axes !== null && !axes.widthOpen;
    const row = edge.closest("label");
    if (row) row.hidden = form.fit !== "crop";
    find("own-order-row", HTMLElement).hidden = form.mean.length === 1;
    fill(
      resample,
      filters.map((label, i) => ({ value: String(i), label })),
      String(form.resample),
    );
    fill(scale, scales(form.scale), String(form.scale));
    mean(form);
    std(form);
  });
}

function axesOf(own: OwnNetwork, { report }: Draft): { heightOpen: boolean; widthOpen: boolean } | null {
  const input = report && own.inputOf(report);
  const axes = input && pictureAxes(input);
  if (!axes) return null;
  const open = openAxes(input);
  return { heightOpen: open.includes(axes.height), widthOpen: open.includes(axes.width) };
}

function scales(current: number): Choice[] {
  const usual = [
    { value: String(1 / 255), label: "0 to 1" },
    { value: "1", label: "0 to 255" },
  ];
  const value = String(current);
  return usual.some((choice) => choice.value === value)
    ? usual
    : [...usual, { value, label: t`0 to ${figure(255 * current)}` }];
}

/** A field that is being typed in keeps what was typed. */
function show(field: HTMLInputElement, value: number): void {
  if (document.activeElement !== field || field.valueAsNumber !== value)
    field.value = String(Number(value.toPrecision(6)));
}

function numberField(
  id: string,
  changeOf: (value: number) => Partial<PictureForm>,
  own: OwnNetwork,
): HTMLInputElement {
  const field = find(id, HTMLInputElement);
  field.addEventListener("change", () => {
    if (!Number.isNaN(field.valueAsNumber)) own.change(changeOf(field.valueAsNumber));
  });
  return field;
}

/** A field for each channel. */
function channelFields(
  id: string,
  title: string,
  own: OwnNetwork,
  read: (form: PictureForm) => number[],
  changeOf: (values: number[]) => Partial<PictureForm>,
): (form: PictureForm) => void {
  const place = find(id, HTMLElement);
  let fields: HTMLInputElement[] = [];
  return (form) => {
    const values = read(form);
    if (fields.length !== values.length) {
      fields = values.map((_, i) => {
        const field = make("input", {
          testid: `${id}-${i}`,
          attributes: { type: "number", step: "any", "aria-label": t`${title}, channel ${i + 1}` },
        });
        field.addEventListener("change", () => {
          if (Number.isNaN(field.valueAsNumber)) return;
          own.change(changeOf(fields.map((other) => other.valueAsNumber)));
        });
        return field;
      });
      place.replaceChildren(...fields);
    }
    fields.forEach((field, i) => {
      show(field, values[i] ?? 0);
    });
  };
}
