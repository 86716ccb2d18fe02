// Workers from the package's own scripts.

/**
 * The worker that `start` starts from `script`, a file beside this one. A page may not start a worker from another site, as where the package
 * comes from a CDN; a worker of its own may import one.
 */
export function spawn(script: string, start: () => Worker): Worker {
  try {
    return start();
  } catch (error) {
    if (!(error instanceof DOMException && error.name === "SecurityError")) throw error;
    const address = import.meta.url.replace(/[^/]*$/, script);
    const importing = new Blob([`import ${JSON.stringify(address)};`], { type: "text/javascript" });
    return new Worker(URL.createObjectURL(importing), { type: "module", name: "adversight" });
  }
}
