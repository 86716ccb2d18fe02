// The networks and photographs that lie beside the page.

import type { Preprocessing } from "adversight";

/** A network: models/<name>.json with models/<name>.onnx beside it. */
export interface ModelCard {
  name: string;
  title: string;
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

export const modelUrl = (file: string) => new URL(`models/${file}`, document.baseURI);
export const photoUrl = (file: string) => new URL(`photos/${file}`, document.baseURI);

export async function loadCards(): Promise<ModelCard[]> {
  return Promise.all(names.map((name) => json<ModelCard>(modelUrl(`${name}.json`))));
}

export const loadLabels = (card: ModelCard) => json<string[]>(modelUrl(card.labels));
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
