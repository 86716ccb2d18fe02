// What the page is made of, as the build writes it into the service worker (`offline()` in vite.config.ts).

/** A file of the page, by its address from the page's folder. */
export interface PageFile {
  path: string;
  /** In hexadecimal. */
  sha256: string;
  bytes: number;
}

/** The build puts the files in its place. */
export const placeholder = "__ADVERSIGHT_FILES__";

/** The page's own storage, beside that of the package for networks. */
export const pageStorage = "adversight-page-";
/** The package's storage for networks, by its names: what lies there is found by it before it asks the network. */
export const modelStorage = {
  name: "adversight-models",
  sha256: "x-adversight-sha256",
  used: "x-adversight-used",
};

/** What is kept of the page for a day without a network. */
export interface Wanted {
  /** Starts of the names of the engine's files that this browser uses. */
  engines: readonly string[];
  /** The ONNX files, by their paths. */
  networks: readonly string[];
}

/** The files to keep: all but source maps, the engines that this browser does not use, and other networks than those that are wanted. */
export function filesToKeep(files: readonly PageFile[], { engines, networks }: Wanted): PageFile[] {
  return files.filter(({ path }) => {
    if (path.endsWith(".map")) return false;
    if (path.endsWith(".onnx")) return networks.includes(path);
    const engine = /^assets\/(adversight(?:_cpu|_cpu_threads)?(?:_bg)?)-[^/]*\.(wasm|js)$/.exec(path)?.[1];
    return engine === undefined || engines.includes(engine.replace(/_bg$/, ""));
  });
}
