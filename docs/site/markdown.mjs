// The part of Markdown that this project's documents use, as HTML: headings, paragraphs, lists, tables, code, links, pictures, quotes.

export const escape = (text) =>
  text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");

/** A heading's anchor, as forges make it. */
export const slug = (text) =>
  text
    .toLowerCase()
    .replace(/[`*]/g, "")
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replace(/\s/g, "-");

/** What stands within a line. `link` is given each address and tells where it leads. */
export function inline(text, link = (address) => address) {
  const kept = [];
  const keep = (html) => `\u0000${kept.push(html) - 1}\u0000`;
  let out = text
    .replace(/(`+)(.+?)\1/g, (_, _ticks, code) =>
      keep(`<code>${escape(code.trim())}</code>`),
    )
    .replace(/<(https?:[^>\s]+)>/g, (_, url) =>
      keep(`<a href="${escape(url)}">${escape(url)}</a>`),
    );
  out = escape(out)
    .replace(/!\[([^\]]*)\]\(([^)\s]+)\)/g, (_, alt, url) =>
      keep(`<img src="${link(url, true)}" alt="${alt}" loading="lazy">`),
    )
    .replace(
      /\[([^\]]+)\]\(([^)\s]+)\)/g,
      (_, label, url) =>
        `${keep(`<a href="${link(url)}">`)}${label}${keep("</a>")}`,
    )
    .replace(/\*\*([^*]+)\*\*/g, "<strong>$1</strong>")
    .replace(/(^|[\s(])\*([^*\s][^*]*)\*/g, "$1<em>$2</em>");
  while (out.includes("\u0000"))
    out = out.replace(/\u0000(\d+)\u0000/g, (_, i) => kept[Number(i)]);
  return out;
}

const cells = (line) =>
  line
    .trim()
    .replace(/^\|/, "")
    .replace(/\|$/, "")
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll("\\|", "|"));

/** A document as HTML, with its headings. */
export function render(text, { link, shift = 0 } = {}) {
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  const headings = [];
  const used = new Map();
  const html = [];
  const span = (text) => inline(text, link);
  let i = 0;
  const isItem = (line) => /^\s*([-*]|\d+\.) /.test(line);

  const list = (indent) => {
    const ordered = /^\s*\d+\. /.test(lines[i]);
    const items = [];
    while (
      i < lines.length &&
      isItem(lines[i]) &&
      lines[i].search(/\S/) === indent
    ) {
      const body = [lines[i++].replace(/^\s*([-*]|\d+\.) /, "")];
      let inner = "";
      while (i < lines.length && lines[i].trim() !== "") {
        const depth = lines[i].search(/\S/);
        if (isItem(lines[i])) {
          if (depth <= indent) break;
          inner += list(depth);
        } else if (depth > indent) body.push(lines[i++].trim());
        else break;
      }
      items.push(`<li>${span(body.join(" "))}${inner}</li>`);
      if (
        lines[i]?.trim() === "" &&
        isItem(lines[i + 1] ?? "") &&
        lines[i + 1].search(/\S/) === indent
      )
        i++;
    }
    return ordered
      ? `<ol>${items.join("")}</ol>`
      : `<ul>${items.join("")}</ul>`;
  };

  while (i < lines.length) {
    const line = lines[i];
    if (line.trim() === "") {
      i++;
    } else if (/^```/.test(line)) {
      const language = line.slice(3).trim().split(/\s/)[0];
      const code = [];
      for (i++; i < lines.length && !/^```/.test(lines[i]); i++)
        code.push(lines[i]);
      i++;
      html.push(code_(code.join("\n"), language));
    } else if (/^#{1,6} /.test(line)) {
      const [, marks, title] = /^(#+) (.*)$/.exec(line);
      const level = Math.min(6, marks.length + shift);
      let id = slug(title);
      const seen = used.get(id) ?? 0;
      used.set(id, seen + 1);
      if (seen > 0) id = `${id}-${seen}`;
      headings.push({ level, id, title });
      html.push(`<h${level} id="${id}">${span(title)}</h${level}>`);
      i++;
    } else if (
      line.startsWith("|") &&
      /^\|[-| :]+\|$/.test(lines[i + 1] ?? "")
    ) {
      const head = cells(line);
      i += 2;
      const rows = [];
      while (i < lines.length && lines[i].startsWith("|"))
        rows.push(cells(lines[i++]));
      html.push(
        table(
          head.map(span),
          rows.map((row) => row.map(span)),
        ),
      );
    } else if (line.startsWith(">")) {
      const quoted = [];
      while (i < lines.length && lines[i].startsWith(">"))
        quoted.push(lines[i++].replace(/^> ?/, ""));
      html.push(
        `<blockquote>${render(quoted.join("\n"), { link, shift }).html}</blockquote>`,
      );
    } else if (isItem(line)) {
      html.push(list(line.search(/\S/)));
    } else if (/^(---+|\*\*\*+)$/.test(line.trim())) {
      html.push("<hr>");
      i++;
    } else {
      const paragraph = [];
      while (
        i < lines.length &&
        lines[i].trim() !== "" &&
        !/^(```|#{1,6} |>|\|)/.test(lines[i]) &&
        !(paragraph.length > 0 && isItem(lines[i]))
      ) {
        paragraph.push(lines[i++].trim());
      }
      html.push(`<p>${span(paragraph.join(" "))}</p>`);
    }
  }
  return { html: html.join("\n"), headings };
}

const code_ = (text, language) =>
  `<pre tabindex="0"${language ? ` data-language="${escape(language)}"` : ""}><code>${escape(text)}</code></pre>`;

/** A code block; it can be scrolled by the keyboard. */
export const code = code_;

/** A table whose cells are HTML, which is scrolled by itself where it is wide. */
export function table(head, rows) {
  const row = (list, name) =>
    `<tr>${list.map((cell) => (name === "th" && cell !== "" ? `<th scope="col">${cell}</th>` : `<td>${cell}</td>`)).join("")}</tr>`;
  return `<div class="table" tabindex="0" role="group" aria-label="Table"><table><thead>${row(head, "th")}</thead><tbody>${rows.map((list) => row(list, "td")).join("\n")}</tbody></table></div>`;
}
