// The API reference, read from the package's declarations by the TypeScript compiler that builds them.

import { createRequire } from "node:module";
import { join } from "node:path";
import { code, escape, inline } from "./markdown.mjs";

/** Everything that an entry of the package exports: its name, what it is, what it is for, its declaration, its members. */
export function exportsOf(root, entry) {
  const ts = createRequire(join(root, "pkg/package.json"))("typescript");
  const file = join(root, "pkg/dist", entry);
  const program = ts.createProgram([file], {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    lib: ["lib.es2022.d.ts", "lib.dom.d.ts"],
    strict: true,
    types: [],
  });
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(file);
  if (!source)
    throw new Error(`${file} is not there: build the package first.`);
  const doc = (symbol) =>
    ts
      .displayPartsToString(symbol.getDocumentationComment(checker))
      .replace(/\{@link ([^}]+)\}/g, "`$1`")
      .trim();
  const textOf = (node) =>
    node
      .getText()
      .replace(/\/\*\*[\s\S]*?\*\/\s*/g, "")
      .replace(/^(export|declare|default)\s+/gm, "")
      .replace(/^\s*(private|protected)[^\n]*\n/gm, "")
      .replace(/^\s*#private;\n/gm, "")
      .trim();
  const isPublic = (symbol) => {
    const declaration = symbol.declarations?.[0];
    const flags = declaration ? ts.getCombinedModifierFlags(declaration) : 0;
    return (
      !(flags & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected)) &&
      !/^(__|#)/.test(symbol.name)
    );
  };
  return checker
    .getExportsOfModule(checker.getSymbolAtLocation(source))
    .map((exported) => {
      const symbol =
        exported.flags & ts.SymbolFlags.Alias
          ? checker.getAliasedSymbol(exported)
          : exported;
      const declaration = symbol.declarations?.[0];
      if (!declaration) return null;
      const kind = ts.isClassDeclaration(declaration)
        ? "class"
        : ts.isInterfaceDeclaration(declaration)
          ? "interface"
          : ts.isTypeAliasDeclaration(declaration)
            ? "type"
            : ts.isFunctionDeclaration(declaration)
              ? "function"
              : "constant";
      const members =
        kind === "class" || kind === "interface"
          ? [...(symbol.members?.values() ?? [])]
              .filter(isPublic)
              .map((member) => ({
                name: member.name,
                text: (member.declarations ?? []).map(textOf).join("\n"),
                doc: doc(member),
              }))
          : [];
      const texts =
        kind === "class" || kind === "interface"
          ? [heading(ts, declaration)]
          : symbol.declarations.map(textOf);
      return {
        name: exported.name,
        kind,
        doc: doc(symbol),
        text: texts.join("\n"),
        members,
      };
    })
    .filter(Boolean)
    .sort(
      (a, b) =>
        order.indexOf(a.kind) - order.indexOf(b.kind) ||
        a.name.localeCompare(b.name, "en"),
    );
}

const order = ["function", "class", "constant", "interface", "type"];

/** The first line of a class or an interface, without its members. */
function heading(ts, declaration) {
  const name = declaration.name?.getText() ?? "";
  const parameters = declaration.typeParameters
    ?.map((one) => one.getText())
    .join(", ");
  const clauses = declaration.heritageClauses
    ?.map((clause) => clause.getText())
    .join(" ");
  const word = ts.isClassDeclaration(declaration) ? "class" : "interface";
  return `${word} ${name}${parameters ? `<${parameters}>` : ""}${clauses ? ` ${clauses}` : ""}`;
}

/** Documentation in comments is Markdown; its code blocks stand by themselves. */
const prose = (text) =>
  text
    .split(/```\w*\n([\s\S]*?)```/)
    .map((part, i) =>
      i % 2 === 1
        ? code(part.trimEnd(), "ts")
        : part.trim() &&
          `<p>${part
            .trim()
            .split(/\n\s*\n/)
            .map((one) => inline(one.replace(/\s+/g, " ")))
            .join("</p><p>")}</p>`,
    )
    .join("");

/** One entry of the package as HTML. */
export function reference(list) {
  const titles = {
    function: "Functions",
    class: "Classes",
    constant: "Values",
    interface: "Interfaces",
    type: "Types",
  };
  return order
    .map((kind) => {
      const some = list.filter((one) => one.kind === kind);
      if (some.length === 0) return "";
      return `<h2 id="${kind}s">${titles[kind]}</h2>${some.map(section).join("\n")}`;
    })
    .join("\n");
}

function section({ name, doc, text, members }) {
  const rows = members.map(
    (member) =>
      `<dt id="${escape(name)}.${escape(member.name)}"><code>${escape(member.text)}</code></dt><dd>${prose(member.doc) || "<p></p>"}</dd>`,
  );
  return `<section class="api"><h3 id="${escape(name)}">${escape(name)}</h3>${prose(doc)}${code(text, "ts")}${rows.length > 0 ? `<dl>${rows.join("\n")}</dl>` : ""}</section>`;
}
