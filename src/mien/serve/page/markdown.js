// Model cards are Markdown of a simple kind: headings, paragraphs, lists, tables, code. No HTML passes through.
const INLINE = /`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\(([^)\s]+)\)/g;

function inline(text, parent) {
  let from = 0;
  for (const found of text.matchAll(INLINE)) {
    parent.append(text.slice(from, found.index));
    const [whole, code, bold, label, address] = found;
    const one = document.createElement(code ? "code" : bold ? "strong" : "span");
    one.textContent = code ?? bold ?? (/^https?:/.test(address) ? `${label} (${address})` : label);
    parent.append(one);
    from = found.index + whole.length;
  }
  parent.append(text.slice(from));
  return parent;
}

const cells = (line) => line.replace(/^\||\|\s*$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));

function table(lines) {
  const one = document.createElement("table");
  lines.filter((line, i) => i !== 1).forEach((line, i) => {
    const row = document.createElement("tr");
    for (const cell of cells(line)) row.append(inline(cell, document.createElement(i ? "td" : "th")));
    one.append(row);
  });
  const box = document.createElement("div");
  box.className = "wide";
  box.append(one);
  return box;
}

export function renderMarkdown(text, parent) {
  parent.replaceChildren();
  const lines = text.split("\n");
  for (let i = 0; i < lines.length; ) {
    const line = lines[i];
    const take = (test) => {
      const taken = [];
      while (i < lines.length && test(lines[i])) taken.push(lines[i++]);
      return taken;
    };
    const heading = line.match(/^(#{1,4}) (.*)/);
    if (!line.trim()) i += 1;
    else if (heading) {
      parent.append(inline(heading[2], document.createElement(`h${heading[1].length + 1}`)));
      i += 1;
    } else if (line.startsWith("```")) {
      i += 1;
      const pre = document.createElement("pre");
      pre.textContent = take((one) => !one.startsWith("```")).join("\n");
      i += 1;
      parent.append(pre);
    } else if (line.startsWith("|")) parent.append(table(take((one) => one.startsWith("|"))));
    else if (/^[-*] /.test(line)) {
      const list = document.createElement("ul");
      for (const item of take((one) => /^([-*] |\s+\S)/.test(one)).join("\n").split(/\n(?=[-*] )/)) {
        list.append(inline(item.slice(2).replace(/\s*\n\s*/g, " "), document.createElement("li")));
      }
      parent.append(list);
    } else parent.append(inline(take((one) => one.trim() && !/^(#|\||```|[-*] )/.test(one)).join(" "), document.createElement("p")));
  }
}
