// Where what is given comes from: the examples, a file, a drop, the clipboard. (The camera is in camera.ts.) And which network is asked about
// it; one that is dropped goes to own.ts.

import { t } from "../strings/strings.js";
import type { App } from "../app.js";
import { fill, find, make } from "../dom.js";
import { bytes } from "../format.js";
import { concernNetwork, refusalProblem, sortFiles, type Sorted } from "../files.js";
import { kinds, type Kind } from "../kinds.js";
import { photoUrl } from "../library.js";
import type { OwnNetwork } from "../own.js";
import type { Table } from "../state.js";
import { takeReport } from "./sent.js";

/** Of a text file, in bytes: networks read a few hundred words. */
const longestText = 100_000;

export function mountSources(app: App, own: OwnNetwork): void {
  mountModels(app);
  mountSamples(app);
  mountSentences(app);
  mountFile((files) => {
    const [file] = files;
    // Whoever asks what kind of file something is means that file, whatever it is.
    const { given } = app.state;
    if (file && (given?.kind === "table" || given?.kind === "series")) return giveTable(app, given, file);
    const asked = given?.kind === "file" && file;
    return asked ? app.chooseFile("file", file, file.name) : take(app, own, files);
  });
  mountDrop(app, (files) => take(app, own, files));
  mountLaunch((files) => take(app, own, files));
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    const [file] = files;
    if (!file) {
      const text = event.clipboardData?.getData("text/plain") ?? "";
      if (isField(event.target) || text.trim() === "" || !app.takes("text")) return;
      event.preventDefault();
      void app.chooseText(text);
      return;
    }
    event.preventDefault();
    const pasted = files.map((one) => new File([one], "Pasted picture", { type: one.type }));
    void take(app, own, files.length === 1 && file.type.startsWith("image/") ? pasted : files);
  });
}

/** Whatever files there are: a photograph, a network, both, or what belongs to the network that is being set up. */
async function take(app: App, own: OwnNetwork, files: File[]): Promise<void> {
  const [first] = files;
  if (first && files.length === 1 && (await takeReport(app, first))) return;
  const { given } = app.state;
  if (
    first &&
    files.length === 1 &&
    (given?.kind === "table" || given?.kind === "series") &&
    isTable(first)
  ) {
    await giveTable(app, given, first);
    return;
  }
  const sorted = await sortFiles(files);
  const { photo, refused } = sorted;
  const other = photo === null ? otherOf(app, own, sorted) : null;
  if (other) {
    await giveOther(app, ...other);
    return;
  }
  if (concernNetwork(sorted) && (own.draft.open || own.knows(app.state.network) || !onlyUnknown(sorted))) {
    void own.take(sorted);
  } else if (own.draft.open && refused.length > 0) {
    for (const { file, reason } of refused) own.refuse(file, reason);
  } else if (photo === null) {
    const [unknown] = sorted.companions.weights;
    const problem = refusalProblem(refused);
    if (problem) app.report(problem);
    else if (unknown) await app.choosePhoto(unknown, unknown.name); // which says why it is none
    return;
  }
  if (!photo) return;
  await app.choosePhoto(photo, photo.name);
  const left = refusalProblem(refused);
  if (left && app.state.problem === null && app.state.given?.title === photo.name) app.report(left);
}

type Other = ["text" | "audio" | "file", File];

/** What among the files is for a network of another kind, unless a network of one's own is being set up, whose labels a text may be. */
function otherOf(app: App, own: OwnNetwork, { onnx, others }: Sorted): Other | null {
  if (onnx !== null || own.draft.open) return null;
  const order = own.knows(app.state.network) ? (["audio"] as const) : (["text", "audio", "file"] as const);
  for (const kind of order) {
    const file = others[kind];
    if (file && app.takes(kind)) return [kind, file];
  }
  return null;
}

const isTable = ({ name }: File) => /\.(csv|tsv)$/i.test(name);

/** Another table for the network at hand, whose columns and rows to compare with stay. */
async function giveTable(app: App, { kind, input }: Table, file: File): Promise<void> {
  const table = await file.text();
  const next = { ...input, table, row: 0, changes: {} };
  await app.chooseGiven({ kind, input: next, title: file.name, credit: kinds[kind].yours, example: null });
}

async function giveOther(app: App, kind: Other[0], file: File): Promise<void> {
  if (kind !== "text") {
    await app.chooseFile(kind, file, file.name);
    return;
  }
  try {
    if (file.size > longestText) throw new Error(`It has ${bytes(file.size)}; give it a page or two.`);
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
    if (text.trim() === "") throw new Error("It is empty: there is nothing to read.");
    await app.chooseText(text, file.name);
  } catch (error) {
    const message =
      error instanceof TypeError
        ? t`It is not UTF-8. Save it as UTF-8, or paste the text.`
        : (error as Error).message;
    app.report({ title: t`This text cannot be read.`, message: `${file.name}: ${message}`, remedy: null });
  }
}

/** Whether what is pasted goes into a field. */
const isField = (target: EventTarget | null) =>
  target instanceof HTMLElement && (target.isContentEditable || target.matches("input, textarea, select"));

/** Whether the files are of a kind that nobody knows: without a network, they are not taken for its weights. */
function onlyUnknown({ onnx, companions }: Sorted): boolean {
  const { preprocessing, labels, arrays } = companions;
  return onnx === null && !preprocessing && !labels && arrays.length === 0;
}

function mountModels(app: App): void {
  const select = find("model", HTMLSelectElement);
  app.store.watch(["networks", "network"], ({ networks, network }) => {
    fill(
      select,
      networks.map(({ name, title, own }) => ({ value: name, label: own ? t`Yours: ${title}` : title })),
      network?.name ?? "",
    );
    select.disabled = networks.length === 0;
  });
  select.addEventListener("change", () => {
    const network = app.state.networks.find(({ name }) => name === select.value);
    if (network) void app.chooseNetwork(network);
  });
}

function mountSamples(app: App): void {
  const list = find("samples", HTMLUListElement);
  app.store.watch(["samples"], ({ samples }) => {
    list.replaceChildren(
      ...samples.map((sample) => {
        const { file, title } = sample;
        const image = make("img", {
          attributes: {
            src: photoUrl(file).href,
            alt: title,
            title,
            decoding: "async",
            width: "72",
            height: "72",
          },
        });
        const button = make(
          "button",
          {
            testid: `sample-${file.replace(/\.\w+$/, "")}`,
            attributes: { type: "button", "data-file": file },
            onclick: () => void app.chooseSample(sample),
          },
          image,
        );
        return make("li", {}, button);
      }),
    );
  });
  app.store.watch(["samples", "given"], ({ given }) => {
    for (const button of list.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.dataset.file === given?.example));
    }
  });
}

/** Sentences, clips and files to try: those of the kind at hand. */
function mountSentences(app: App): void {
  const list = find("sentences", HTMLUListElement);
  let shown: Kind | null = null;
  app.store.watch(["examples", "given"], ({ examples, given }) => {
    const kind = given?.kind ?? "image";
    if (kind !== shown) {
      shown = kind;
      list.replaceChildren(
        ...examples
          .filter((example) => example.kind === kind)
          .map((example) =>
            make(
              "li",
              {},
              make("button", {
                class: "sentence",
                text: example.title,
                testid: `example-${kind}`,
                attributes: { type: "button", title: example.title, "data-name": example.name },
                onclick: () => void app.chooseExample(example),
              }),
            ),
          ),
      );
    }
    for (const button of list.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.dataset.name === given?.example));
    }
  });
}

function mountFile(onChoose: (files: File[]) => Promise<void>): void {
  const input = find("file", HTMLInputElement);
  find("choose", HTMLButtonElement).addEventListener("click", () => {
    input.click();
  });
  input.addEventListener("change", () => {
    const files = [...(input.files ?? [])];
    input.value = ""; // the same file may be chosen again
    if (files.length > 0) void onChoose(files);
  });
}

/** What is used of the queue of files that the system opens with the page once it is installed; TypeScript's library does not have it. */
interface LaunchQueue {
  setConsumer: (consumer: (launch: { files?: readonly { getFile: () => Promise<File> }[] }) => void) => void;
}

/** Files that are opened with the page, as the manifest offers. */
function mountLaunch(onLaunch: (files: File[]) => Promise<void>): void {
  const { launchQueue } = globalThis as { launchQueue?: LaunchQueue };
  launchQueue?.setConsumer(({ files = [] }) => {
    if (files.length === 0) return; // opened without a file
    void Promise.all(files.map((file) => file.getFile())).then(onLaunch);
  });
}

function mountDrop(app: App, onDrop: (files: File[]) => Promise<void>): void {
  const drop = find("drop", HTMLElement);
  const carriesFile = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
  const show = (on: boolean) => {
    drop.classList.toggle("on", on);
    find("own-dialog", HTMLDialogElement).classList.toggle("dropping", on); // it lies over the rest
  };
  window.addEventListener("dragover", (event) => {
    event.preventDefault(); // else the browser leaves the page for what is dropped
    if (carriesFile(event)) show(true);
  });
  window.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) show(false);
  });
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    show(false);
    const files = [...(event.dataTransfer?.files ?? [])];
    const text = event.dataTransfer?.types.includes("text/uri-list")
      ? ""
      : (event.dataTransfer?.getData("text/plain") ?? "");
    if (files.length > 0) {
      void onDrop(files);
    } else if (text.trim() !== "" && app.takes("text")) {
      void app.chooseText(text);
    } else {
      app.report({
        title: t`That was no file.`,
        message: t`Pictures on other sites cannot be read from here. Save the picture, and drop the file.`,
        remedy: null,
      });
    }
  });
}
