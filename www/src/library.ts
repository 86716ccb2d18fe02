// The networks and photographs that lie beside the page, and networks of the user's own.

import type { ModelSource, Preprocessing } from "adversight";

/** A network that can be chosen. */
export interface Network {
  name: string;
  title: string;
  /** Whether it is the user's own. */
  own: boolean;
  /** All that is needed to load it, on any engine. */
  source: () => Promise<ModelSource & { labels: string[] | undefined }>;
}

/** A network beside the page: models/<name>.json with models/<name>.onnx beside it. */
interface ModelCard {
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

export interface Sample {
  file: string;
  title: string;
  licence: string;
  credit: string;
}

/** The networks, the one to start with first. */
const names = ["efficientnet_lite0", "squeezenet1_1"];

const modelUrl = (file: string) => new URL(`models/${file}`, document.baseURI);
export const photoUrl = (file: string) => new URL(`photos/${file}`, document.baseURI);

export async function loadNetworks(): Promise<Network[]> {
  const cards = await Promise.all(names.map((name) => json<ModelCard>(modelUrl(`${name}.json`))));
  return cards.map(({ name, title, sha256, preprocessing, labels }) => ({
    name,
    title,
    own: false,
    source: async () => ({
      onnx: modelUrl(`${name}.onnx`),
      sha256,
      labels: await json<string[]>(modelUrl(labels)),
      preprocessing,
      name: title,
    }),
  }));
}

export const loadSamples = () => json<Sample[]>(photoUrl("photos.json"));

export async function loadPhoto(file: string): Promise<Blob> {
  return (await get(photoUrl(file))).blob();
}

async function json<T>(url: URL): Promise<T> {
  return (await get(url)).json() as Promise<T>;
}

async function get(url: URL): Promise<Response> {
  const response = await fetch(url).catch(() => null);
  if (!response?.ok) {
    throw new Error(
      `A part of this page could not be loaded (${url.pathname}). Reload the page to try again.`,
    );
  }
  return response;
}
