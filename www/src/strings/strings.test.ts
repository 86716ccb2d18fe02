// That en.ts lists what the page says, and each other language says all of it. UPDATE_STRINGS=1 writes en.ts anew, with what was worded otherwise there kept.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import test from "node:test";
import { fileURLToPath } from "node:url";
import ts from "typescript";

import { de } from "./de.js";
import { en } from "./en.js";
import { languageFor, said, tidy, toldAttributes } from "./strings.js";

// The tests run from a folder beside src.
const source = fileURLToPath(new URL("../../src/", import.meta.url));
const markup = fileURLToPath(new URL("../../index.html", import.meta.url));

function inCode(): string[] {
  const files = readdirSync(source, { recursive: true, encoding: "utf8" });
  return files
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
    .flatMap((name) => {
      const found: string[] = [];
      const file = ts.createSourceFile(
        name,
        readFileSync(source + name, "utf8"),
        ts.ScriptTarget.Latest,
        true,
      );
      const look = (node: ts.Node) => {
        if (ts.isTaggedTemplateExpression(node) && node.tag.getText() === "t") {
          const { template } = node;
          found.push(
            ts.isNoSubstitutionTemplateLiteral(template)
              ? template.text
              : template.head.text +
                  template.templateSpans.map(({ literal }, at) => `{${at}}${literal.text}`).join(""),
          );
        }
        ts.forEachChild(node, look);
      };
      look(file);
      return found;
    });
}

function inMarkup(): string[] {
  const html = readFileSync(markup, "utf8")
    .replaceAll(/<!--[\s\S]*?-->/g, "")
    .replaceAll(/<(code|kbd|script|style)\b[\s\S]*?<\/\1>/g, "<br>");
  const body = html.slice(html.indexOf("<body"));
  const title = /<title>([\s\S]*?)<\/title>/.exec(html)?.[1] ?? "";
  const attributes = toldAttributes.flatMap((name) =>
    [...body.matchAll(new RegExp(`\\s${name}="([^"]*)"`, "g"))].map(([, text]) => text ?? ""),
  );
  const texts = body.split(/<[^>]*>/);
  return [title, ...texts, ...attributes].map(tidy).filter((text) => /\p{L}{2}/u.test(text));
}

const wanted = [...new Set([...inMarkup(), ...inCode()])].sort();

test("en.ts has every sentence of the page, and none that is gone", () => {
  if (process.env.UPDATE_STRINGS) {
    const lines = wanted.map((text) => `  ${JSON.stringify(text)}: ${JSON.stringify(en[text] ?? text)},`);
    writeFileSync(
      `${source}strings/en.ts`,
      `// All that the page says, by its words in the code: made by UPDATE_STRINGS=1 npm test. What stands on the right is shown.\n\nimport type { Strings } from "./strings.js";\n\n// prettier-ignore\nexport const en: Strings = {\n${lines.join("\n")}\n};\n`,
    );
    return;
  }
  assert.deepEqual(Object.keys(en).sort(), wanted);
});

const places = (text: string) => [...new Set([...text.matchAll(/\{\d+\}/g)].map(([place]) => place))].sort();

test(
  "German says all of it, with the same things put in",
  { skip: Boolean(process.env.UPDATE_STRINGS) },
  () => {
    assert.deepEqual(
      wanted.filter((text) => !(text in de)),
      [],
      "not translated",
    );
    assert.deepEqual(
      Object.keys(de).filter((text) => !(text in en)),
      [],
      "no longer said",
    );
    for (const [text, german] of Object.entries(de)) assert.deepEqual(places(german), places(text), text);
  },
);

test("things are put in where the language has them, and what is not known is said in English", () => {
  assert.equal(said("{0} of {1}", ["2", "7"], { "{0} of {1}": "von {1} sind es {0}" }), "von 7 sind es 2");
  assert.equal(said("Unheard of: {0}", [3], {}), "Unheard of: 3");
});

test("the chosen language comes first, then the reader's, then English", () => {
  assert.equal(languageFor("de", ["en-GB"]), "de");
  assert.equal(languageFor(null, ["fr-CH", "de-CH", "en"]), "de");
  assert.equal(languageFor("xx", []), "en");
});
