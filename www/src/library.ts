// What lies beside the page: networks, and examples of each kind that they take. And networks of the user's own.

import { t } from "./strings/strings.js";
import { decodeImage, modelCache, type ModelSource, type Preprocessing } from "adversight";
import type { Kind } from "./kinds.js";
import type { Given } from "./state.js";

/** A network that can be chosen. */
export interface Network {
  name: string;
  title: string;
  kind: Kind;
  /** Whether it is the user's own. */
  own: boolean;
  /** Of its ONNX file, in hexadecimal, where it is known without reading it. */
  sha256: string | null;
  /** All that is needed to load it, on any engine. */
  source: () => Promise<ModelSource & { labels: string[] | undefined }>;
}

/** A network of pictures beside the page: models/<name>.json with models/<name>.onnx beside it. */
interface PictureCard {
  name: string;
  title: string;
  /** Of the ONNX file, in hexadecimal. */
  sha256: string;
  preprocessing: Preprocessing;
  /** The file of the classes' names. */
  labels: string;
  licence: string;
  source: string;
}

/** A network of something else: models/<name>/about.json with its files beside it. */
interface FolderCard {
  name: string;
  title: string;
  kind: "text" | "audio" | "bytes" | "table" | "series";
  sha256: string;
  /** The file of its tokenizer, or of its words, one a line. */
  tokenizer?: string;
  vocabulary?: string;
  /** What the columns of its tables are, and the rows to compare with. */
  columns?: string;
  background?: string;
  preprocessing?: string;
  labels: string;
  examples: string;
}

/** A photograph. */
export interface Sample {
  file: string;
  title: string;
  licence: string;
  credit: string;
}

/** Something to try, of one kind. */
export interface Example {
  kind: Kind;
  /** By which it is told from the others: a file, or the text itself. */
  name: string;
  title: string;
  read: () => Promise<Given>;
}

/** As examples.json of a network has them. */
interface ExampleCard {
  text?: string;
  file?: string;
  word?: string;
  by?: string;
  title?: string;
  /** Of a table. */
  row?: number;
}

/** The networks of pictures, the one to start with first. */
const pictureNetworks = ["efficientnet_lite0", "squeezenet1_1"];
/** The networks of other kinds that the engine takes; of each kind, the one to start with first. */
const otherNetworks: Record<string, Exclude<Kind, "image">> = {
  kim_reviews: "text",
  minilm_reviews: "text",
  tenet_keywords: "audio",
  magika: "file",
  wine: "table",
  machine: "series",
};
/** The kinds for which there is a network. */
export const offeredKinds: readonly Kind[] = ["image", ...new Set(Object.values(otherNetworks))];
/** So many examples of a kind are offered. */
const offered = 6;

const kindOf: Record<FolderCard["kind"], Kind> = {
  text: "text",
  audio: "audio",
  bytes: "file",
  table: "table",
  series: "series",
};

const modelUrl = (file: string) => new URL(`models/${file}`, document.baseURI);
export const photoUrl = (file: string) => new URL(`photos/${file}`, document.baseURI);

/** Begins to fetch the first network while the engine is starting, unless the browser keeps it. */
export async function fetchFirst(): Promise<void> {
  const [name] = pictureNetworks;
  const { href } = modelUrl(`${name ?? ""}.onnx`);
  if ((await modelCache.contents()).some(({ url }) => url === href)) return;
  const link = document.createElement("link");
  Object.assign(link, { rel: "preload", as: "fetch", href, crossOrigin: "anonymous", fetchPriority: "low" });
  document.head.append(link);
}

/** The networks, and what can be tried with those that take no pictures. */
export async function loadNetworks(): Promise<{ networks: Network[]; examples: Example[] }> {
  const [pictures, others] = await Promise.all([
    Promise.all(pictureNetworks.map((name) => json<PictureCard>(modelUrl(`${name}.json`)))),
    Promise.all(Object.keys(otherNetworks).map((name) => json<FolderCard>(modelUrl(`${name}/about.json`)))),
  ]);
  const networks = [...pictures.map(pictureNetwork), ...others.map(folderNetwork)];
  // Of several networks of one kind, those of the first.
  const firsts = others.filter(({ kind }, at) => others.findIndex((other) => other.kind === kind) === at);
  const examples = await Promise.all(
    firsts.map(async (card) => {
      const cards = await json<ExampleCard[]>(modelUrl(`${card.name}/${card.examples}`));
      return cards.slice(0, offered).map((example) => exampleOf(card, example));
    }),
  );
  return { networks, examples: examples.flat() };
}

const pictureNetwork = ({ name, title, sha256, preprocessing, labels }: PictureCard): Network => ({
  name,
  title,
  kind: "image",
  own: false,
  sha256,
  source: async () => ({
    onnx: modelUrl(`${name}.onnx`),
    sha256,
    labels: await json<string[]>(modelUrl(labels)),
    preprocessing,
    name: title,
  }),
});

const folderNetwork = (card: FolderCard): Network => ({
  name: card.name,
  title: card.title,
  kind: kindOf[card.kind],
  own: false,
  sha256: card.sha256,
  source: async () => ({
    onnx: modelUrl(`${card.name}/model.onnx`),
    sha256: card.sha256,
    labels: await json<string[]>(modelUrl(`${card.name}/${card.labels}`)),
    name: card.title,
    ...(await prepares(card)),
  }),
});

/** How what is given becomes numbers for the network. */
async function prepares({
  name,
  kind,
  ...card
}: FolderCard): Promise<Pick<ModelSource, "tokenizer" | "tokenizerOptions" | "preprocessing">> {
  if (kind === "bytes") return { tokenizer: "bytes" };
  const words = card.tokenizer ?? card.vocabulary;
  return {
    ...(words === undefined ? {} : { tokenizer: modelUrl(`${name}/${words}`) }),
    // A list of words does not say how a text is cut into them.
    ...(card.vocabulary === undefined ? {} : { tokenizerOptions: { split: "words", lowercase: true } }),
    ...(card.preprocessing === undefined
      ? {}
      : { preprocessing: await json<Preprocessing>(modelUrl(`${name}/${card.preprocessing}`)) }),
  };
}

function exampleOf(card: FolderCard, example: ExampleCard): Example {
  const { text, file = "", word, by = "" } = example;
  const kind = kindOf[card.kind];
  if (kind === "table" || kind === "series") return tableExample(card, kind, example);
  if (kind === "text") {
    const name = text ?? "";
    const given = { kind, input: name, title: name, credit: "a film review", example: name } as const;
    return { kind, name, title: name, read: () => Promise.resolve(given) };
  }
  const title = word ?? file.split("/").at(-1) ?? file;
  return {
    kind,
    name: file,
    title,
    read: async () => {
      const input = await (await get(modelUrl(`${card.name}/${file}`))).blob();
      return { kind, input, title, credit: by, example: file } as Given;
    },
  };
}

function tableExample(
  { name: folder, columns, background }: FolderCard,
  kind: "table" | "series",
  { file = "", row = 0, title = file }: ExampleCard,
): Example {
  const name = `${file}#${row}`;
  const text = async (of: string) => (await get(modelUrl(`${folder}/${of}`))).text();
  return {
    kind,
    name,
    title,
    read: async () => {
      const [table, rows, declared] = await Promise.all([
        text(file),
        background === undefined ? undefined : text(background),
        columns === undefined ? undefined : json<Record<string, unknown>>(modelUrl(`${folder}/${columns}`)),
      ]);
      const input = {
        table,
        row,
        kind: kind === "table" ? ("row" as const) : kind,
        ...(rows === undefined ? {} : { background: rows }),
        ...(declared === undefined ? {} : { columns: declared }),
      };
      const credit = kind === "table" ? t`scikit-learn’s wine table (UCI)` : t`made up by a program`;
      return { kind, input, title, credit, example: name };
    },
  };
}

export const loadSamples = () => json<Sample[]>(photoUrl("photos.json"));

export async function loadPhoto(file: string): Promise<Blob> {
  return (await get(photoUrl(file))).blob();
}

export async function readSample({ file, title, credit, licence }: Sample): Promise<Given> {
  const input = await loadPhoto(file).then(decodeImage, (error: unknown) => decodeImage(shown(file, error)));
  return { kind: "image", input, title, credit: `${credit} (${licence})`, example: file };
}

/** The SHA-256 of a network's ONNX file, in hexadecimal; one of the user's own is read for it. */
export async function hashOf({ sha256, source }: Network): Promise<string> {
  if (sha256 !== null) return sha256;
  const { onnx } = await source();
  const bytes = onnx instanceof Blob ? await onnx.arrayBuffer() : null;
  if (!bytes) return "";
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A photograph that the page shows already as a small picture: there without a network, too. */
function shown(file: string, error: unknown): HTMLImageElement {
  const { href } = photoUrl(file);
  const image = [...document.images].find(
    ({ src, complete, naturalWidth }) => src === href && complete && naturalWidth > 0,
  );
  if (!image) throw error;
  return image;
}

async function json<T>(url: URL): Promise<T> {
  return (await get(url)).json() as Promise<T>;
}

async function get(url: URL): Promise<Response> {
  const response = await fetch(url).catch(() => null);
  if (!response?.ok) {
    throw new Error(`A part of this page could not be loaded (${url.pathname}). Try again.`);
  }
  return response;
}
