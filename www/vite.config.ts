import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { build, defineConfig, type Plugin } from "vite";
import { placeholder, type PageFile } from "./src/offline/files.js";

/**
 * The built page may load from and talk to nothing but the place it came from: that is what its line "nothing was sent
 * anywhere" rests on. A server that sends the same policy as a header binds the worker by it too, as `vite preview` does.
 */
const policy = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self' blob: data:",
  "media-src 'self' blob:",
  "connect-src 'self'",
  "worker-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

const contentSecurityPolicy: Plugin = {
  name: "content-security-policy",
  apply: "build",
  transformIndexHtml: () => [
    {
      tag: "meta",
      attrs: { "http-equiv": "Content-Security-Policy", content: policy },
      injectTo: "head-prepend",
    },
  ],
};

const serviceWorker = "worker.js";

/**
 * Builds the service worker, when all of the page lies in its folder, and tells it of what the page is made. It is a script of its own, by a
 * name that stays, and answers for its own folder.
 */
const offline: Plugin = {
  name: "offline",
  apply: "build",
  async writeBundle({ dir = "dist" }) {
    const files: PageFile[] = readdirSync(dir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((file) => ({ path: relative(dir, file).replaceAll("\\", "/"), content: readFileSync(file) }))
      .filter(({ path }) => path !== serviceWorker && !path.endsWith(".map"))
      .map(({ path, content }) => ({
        path,
        sha256: createHash("sha256").update(content).digest("hex"),
        bytes: content.byteLength,
      }))
      .sort((a, b) => (a.path < b.path ? -1 : 1));
    const version = createHash("sha256").update(JSON.stringify(files)).digest("hex").slice(0, 12);
    await build({
      configFile: false,
      publicDir: false,
      logLevel: "warn",
      build: {
        outDir: dir,
        emptyOutDir: false,
        target: "es2022",
        lib: {
          entry: "src/offline/worker.ts",
          formats: ["iife"],
          name: "offline",
          fileName: () => serviceWorker,
        },
      },
    });
    const script = join(dir, serviceWorker);
    const text = readFileSync(script, "utf8");
    if (!text.includes(placeholder)) throw new Error("The service worker has no place for the page's files.");
    writeFileSync(script, text.replace(placeholder, encodeURIComponent(JSON.stringify({ version, files }))));
  },
};

const { version } = JSON.parse(readFileSync("../pkg/package.json", "utf8")) as { version: string };

export default defineConfig({
  define: { __ENGINE__: JSON.stringify(version) },
  base: "./", // the page may lie in any folder of a server
  plugins: [contentSecurityPolicy, offline],
  // The package places its worker and its WebAssembly file by `new URL(…, import.meta.url)`, which bundling in advance would break.
  optimizeDeps: { exclude: ["adversight"] },
  worker: { format: "es" },
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    sourcemap: true,
  },
  server: { fs: { allow: [".."] } },
  preview: { headers: { "Content-Security-Policy": policy } },
});
