import { defineConfig, type Plugin } from "vite";

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

export default defineConfig({
  base: "./", // the page may lie in any folder of a server
  plugins: [contentSecurityPolicy],
  // The package places its worker and its WebAssembly file by `new URL(…, import.meta.url)`, which bundling in advance would break.
  optimizeDeps: { exclude: ["adversight"] },
  worker: { format: "es" },
  build: { target: "es2022", assetsInlineLimit: 0, sourcemap: true },
  server: { fs: { allow: [".."] } },
  preview: { headers: { "Content-Security-Policy": policy } },
});
