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

function search(table, text, count) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = [...table.tBodies[0].rows];
  let shown = 0;
  for (const row of rows) {
    const content = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => content.includes(word));
    shown += !row.hidden;
  }
  count.textContent = words.length ? `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} rows` : count.dataset.all;
}

function save(table, heads) {
  const quote = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const names = heads.map((head) => head.querySelector("button").textContent);
  // Numbers with all digits, words as they stand.
  const line = (row) => [...row.cells].map((cell, i) => (numeric(heads[i]) ? cell.dataset.v : cell.textContent));
  const rows = [...table.tBodies[0].rows].filter((row) => !row.hidden).map(line);
  const text = [names, ...rows].map((cells) => cells.map(quote).join(",")).join("\n") + "\n";
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = `${table.id.replace("table-", "")}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

for (const table of document.querySelectorAll("table.data")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => sort(table, heads, column)));
  const tools = document.getElementById(`tools-${table.id}`);
  tools.hidden = false;
  const field = tools.querySelector("input");
  if (field) {
    let waiting;
    const find = () => search(table, field.value, tools.querySelector("output"));
    field.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(find, 80); });
  }
  tools.querySelector("button").addEventListener("click", () => save(table, heads));
}

addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((details) => { details.open = true; }));
