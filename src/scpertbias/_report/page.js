// Tables: sort by the column whose heading is pressed, search, save as CSV. Nothing is loaded, nothing leaves the page.
"use strict";
const numeric = (head) => /\b(count|percent|number|interval)\b/.test(head.className);
const value = (row, column) => row.cells[column].dataset.v;

function sort(table, heads, column) {
  const head = heads[column];
  // Numbers first show their largest, words their first; cells without a value stay last.
  const first = numeric(head) ? "descending" : "ascending";
  const next = head.getAttribute("aria-sort") === first ? (numeric(head) ? "ascending" : "descending") : first;
  heads.forEach((other) => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", next);
  const sign = next === "ascending" ? 1 : -1;
  const words = new Intl.Collator("en", { numeric: true });
  const keyed = [...table.tBodies[0].rows].map((row) => [value(row, column), row]);
  keyed.sort(([x], [y]) => {
    if (x === "" || y === "") return (x === "") - (y === "");
    return sign * (numeric(head) ? x - y : words.compare(x, y));
  });
  table.tBodies[0].append(...keyed.map(([, row]) => row));
}

// Shows the rows that hold all words; of a long table only the first, until all are asked for.
const SHORT = 200;
function show(table, tools) {
  const words = (tools.querySelector("input")?.value ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const rows = [...table.tBodies[0].rows];
  const all = table.dataset.all === "yes" ? Infinity : SHORT;
  let found = 0;
  for (const row of rows) {
    row.dataset.text ??= row.textContent.toLowerCase();
    const fits = words.every((word) => row.dataset.text.includes(word));
    found += fits;
    row.dataset.fits = fits ? "yes" : "no";
    row.hidden = !fits || found > all;
  }
  const count = (n) => n.toLocaleString("en");
  const output = tools.querySelector("output");
  if (output) {
    const shown = found > all ? `first ${count(all)} of ` : "";
    output.textContent = words.length ? `${shown}${count(found)} found in ${count(rows.length)} rows` : `${shown}${count(found)} rows`;
  }
  const more = tools.querySelector(".more");
  if (more) more.hidden = found <= all;
}

function save(table, heads) {
  const quote = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const names = heads.map((head) => head.querySelector("button").textContent);
  // Numbers with all digits, words as they stand.
  const line = (row) => [...row.cells].map((cell, i) => (numeric(heads[i]) ? cell.dataset.v : cell.textContent));
  const rows = [...table.tBodies[0].rows].filter((row) => row.dataset.fits !== "no").map(line);
  const text = [names, ...rows].map((cells) => cells.map(quote).join(",")).join("\n") + "\n";
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = `${table.id.replace("table-", "")}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

for (const table of document.querySelectorAll("table.data")) {
  const heads = [...table.tHead.rows[0].cells];
  const tools = document.getElementById(`tools-${table.id}`);
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    sort(table, heads, column);
    show(table, tools);
  }));
  tools.hidden = false;
  let waiting;
  tools.querySelector("input")?.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => show(table, tools), 80);
  });
  tools.querySelector(".more")?.addEventListener("click", () => { table.dataset.all = "yes"; show(table, tools); });
  tools.querySelector(".save").addEventListener("click", () => save(table, heads));
  show(table, tools);
}

addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((details) => { details.open = true; }));
