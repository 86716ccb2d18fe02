// The licences of the crates that are compiled into the WebAssembly files, from their own folders.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";

/** The crates that become WebAssembly files, where they are there, with the features that they are built with. */
const roots = { adversight: ["webgpu", "threads"], "adversight-text": [], "adversight-sound": [] };

const target = "wasm32-unknown-unknown";

/** All licences, as one text. */
export function licences(root) {
  const crates = compiled(root);
  const own = new Map(crates.map((crate) => [crate, filesOf(crate)]));
  const texts = new Map();
  for (const crate of crates) {
    const files = own.get(crate);
    for (const text of files.length > 0 ? files : [named(crate, own, root)]) {
      const key = text.replace(/\s+/g, " "); // the same in other lines is the same
      const { users } = texts.get(key) ?? texts.set(key, { text, users: [] }).get(key);
      users.push(`${crate.name} ${crate.version}`);
    }
  }
  const list = crates.map(({ name, version, license, repository }) =>
    `  ${name} ${version}: ${license ?? "see below"}${repository ? ` (${repository})` : ""}`.trimEnd(),
  );
  const parts = [...texts.values()].map(
    ({ text, users }) => `${"-".repeat(80)}\n${users.join(", ")}\n\n${text}`,
  );
  return [
    "The WebAssembly files of Adversight hold these works of others, compiled. Rust's standard library is among them\n" +
      "(https://github.com/rust-lang/rust, Copyright (c) The Rust Project Contributors, MIT OR Apache-2.0).\n",
    list.join("\n"),
    ...parts,
  ].join("\n\n");
}

/** The crates behind the roots: what they depend on for this target, without what only builds or tests them. */
function compiled(root) {
  const features = Object.entries(roots).flatMap(([name, list]) =>
    list.map((feature) => `${name}/${feature}`),
  );
  const all = metadata(root, ["--no-default-features", "--features", features.join(",")]);
  const packages = new Map(all.packages.map((crate) => [crate.id, crate]));
  const nodes = new Map(all.resolve.nodes.map((node) => [node.id, node]));
  const own = new Set(all.workspace_members);
  const seen = new Set();
  const visit = (id) => {
    if (seen.has(id)) return;
    seen.add(id);
    for (const { pkg, dep_kinds } of nodes.get(id).deps) {
      const isMacro = packages.get(pkg).targets.every(({ kind }) => kind.includes("proc-macro"));
      if (!isMacro && dep_kinds.some(({ kind }) => kind === null)) visit(pkg);
    }
  };
  for (const id of all.workspace_members) if (packages.get(id).name in roots) visit(id);
  return [...seen]
    .filter((id) => !own.has(id))
    .map((id) => packages.get(id))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.version < b.version ? -1 : 1));
}

function metadata(root, more) {
  const text = execFileSync(
    "cargo",
    ["metadata", "--format-version", "1", "--locked", "--filter-platform", target, ...more],
    { cwd: root, maxBuffer: 1 << 28, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] },
  );
  return JSON.parse(text);
}

const isLicence = /^(licen[cs]e|copying|notice|copyright|unlicense)([-_.].*)?$/i;

/** The texts of a crate's own licence files; of a choice between MIT and others, MIT's. */
function filesOf({ license, license_file, manifest_path }) {
  const folder = dirname(manifest_path);
  let files = readdirSync(folder).filter((file) => isLicence.test(file) && !/\.(rs|html|toml)$/.test(file));
  if (license_file && !files.includes(license_file)) files.push(license_file);
  const mit = files.filter((file) => /mit|notice|copyright/i.test(file));
  if (/\bMIT\b/.test(license ?? "") && /\bOR\b|\//.test(license) && mit.some((file) => /mit/i.test(file)))
    files = mit;
  const read = (file) => readFileSync(join(folder, file), "utf8").replaceAll("\r\n", "\n").trim();
  return files.flatMap((file) => {
    const isFolder = statSync(join(folder, file)).isDirectory();
    return isFolder ? readdirSync(join(folder, file)).map((inner) => read(join(file, inner))) : [read(file)];
  });
}

/** The text of the licence that a crate names without giving it: ours, or, of one without a holder's name in it, another crate's. */
function named(crate, own, root) {
  const { name, version, license, authors } = crate;
  if (/\bMIT\b/.test(license)) {
    const holder = authors.length > 0 ? authors.join(", ") : `the authors of ${name}`;
    return readFileSync(join(root, "LICENSE-MIT"), "utf8")
      .replace(/^Copyright.*$/m, `Copyright (c) ${holder}`)
      .trim();
  }
  if (/\bApache-2\.0\b/.test(license)) return readFileSync(join(root, "LICENSE-APACHE"), "utf8").trim();
  const other = [...own].find(([{ license: its }, texts]) => its === license && texts.length > 0);
  if (license === "MPL-2.0" && other) return other[1].join("\n\n");
  throw new Error(
    `${name} ${version} comes without the text of its licence (${license}): add it to licences.mjs.`,
  );
}
