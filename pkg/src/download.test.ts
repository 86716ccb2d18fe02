import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import test, { after, before } from "node:test";

import { download, downloadJson, downloadOnce } from "./download.js";

const server = createServer((request, response) => {
  switch (request.url) {
    case "/model.onnx":
      response.writeHead(200, { "content-length": 5 });
      response.write("ab");
      setTimeout(() => response.end("cde"), 5);
      break;
    case "/broken.onnx":
      response.writeHead(200, { "content-length": 5 });
      response.write("ab");
      setTimeout(() => response.destroy(), 5);
      break;
    case "/page":
      response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
      response.end("<!doctype html>");
      break;
    case "/labels.json":
      response.end('["cat", "dog"]');
      break;
    case "/slow":
      break; // never answers
    default:
      response.writeHead(404);
      response.end("nothing here");
  }
});
let base = "";
before(async () => {
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});

test("a download gives its bytes and tells its progress", async () => {
  const told: [number, number][] = [];
  const bytes = await download(`${base}/model.onnx`, {
    onProgress: ({ done, total }) => told.push([done, total]),
  });
  assert.equal(new TextDecoder().decode(bytes), "abcde");
  assert.deepEqual(told.at(-1), [5, 5]);
});

/** The browser's storage, by address. */
function fakeStorage() {
  const kept = new Map<string, Response>();
  const cache = {
    match: (url: string) => Promise.resolve(kept.get(url)?.clone()),
    put: (url: string, response: Response) => Promise.resolve(void kept.set(url, response)),
    delete: (url: string) => Promise.resolve(kept.delete(url)),
  };
  Object.assign(globalThis, { caches: { open: () => Promise.resolve(cache) } });
  return kept;
}

// Of "abcde".
const sha256 = "36bbe50ed96841d10443bcb670d6554f0a34b761be67ec9c4a8ad2c0c44ca42c";

test("a file whose hash is known is downloaded once, and what is kept is checked", async () => {
  const kept = fakeStorage();
  const url = `${base}/model.onnx`;
  let downloads = 0;
  const get = async () => {
    const onProgress = ({ done, total }: { done: number; total: number }) =>
      (downloads += Number(done === total));
    return new TextDecoder().decode(await downloadOnce(url, sha256.toUpperCase(), { onProgress }));
  };
  assert.equal(await get(), "abcde");
  assert.equal(await get(), "abcde");
  assert.equal(downloads, 1);
  kept.set(url, new Response("abcdf"));
  assert.equal(await get(), "abcde");
  assert.equal(downloads, 2);
});

test("a file with another hash is an error, and is not kept", async () => {
  const kept = fakeStorage();
  await assert.rejects(downloadOnce(`${base}/labels.json`, sha256), {
    code: "download_failed",
    message: /its content is another than expected/,
  });
  assert.equal(kept.size, 0);
});

test("without storage a file is downloaded each time", async () => {
  Object.assign(globalThis, { caches: undefined });
  assert.equal((await downloadOnce(`${base}/model.onnx`, sha256)).byteLength, 5);
});

test("JSON is read", async () => {
  assert.deepEqual(await downloadJson(`${base}/labels.json`), ["cat", "dog"]);
});

test("each way to fail says what happened", async () => {
  const fails = (promise: Promise<unknown>, message: RegExp) =>
    assert.rejects(promise, { name: "AdversightError", code: "download_failed", message });
  await fails(download(`${base}/nothing`), /the server answered 404 Not Found/);
  await fails(download(`${base}/page`), /nothing lies at this address/);
  await fails(download(`${base}/broken.onnx`), /the connection broke off/);
  await fails(downloadJson(`${base}/model.onnx`), /not JSON/);
  await fails(download("http://127.0.0.1:1/"), /no answer/);
});

test("an aborted download rejects with the signal's reason", async () => {
  const controller = new AbortController();
  const running = download(`${base}/slow`, { signal: controller.signal });
  controller.abort();
  await assert.rejects(running, { name: "AbortError" });
});
