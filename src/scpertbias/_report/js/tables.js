// Tables: sorted by one column or several (shift), filtered by the search, columns chosen, saved as CSV.
const SHORT = 200;
const TABLES = new Map();
const sheet = new CSSStyleSheet();
document.adoptedStyleSheets = [sheet];
const isNumeric = (head) => /\b(count|percent|number|interval|percent_interval)\b/.test(head.className);
const countText = (n) => n.toLocaleString("en");
const words = new Intl.Collator("en", { numeric: true });

function orderOf(table) {
  return (state.get(`s.${table.name}`) ?? "").split(",").filter(Boolean).map((text) => [parseInt(text, 10), text.endsWith("a") ? 1 : -1]);
}
function press(table, column, several) {
  const order = orderOf(table);
  const before = order.find(([at]) => at === column);
  // Numbers first show their largest, words their first.
  const sign = before ? -before[1] : isNumeric(table.heads[column]) ? -1 : 1;
  const next = several ? (before ? order.map((o) => (o === before ? [column, sign] : o)) : [...order, [column, sign]]) : [[column, sign]];
  put({ [`s.${table.name}`]: next.map(([at, s]) => `${at}${s > 0 ? "a" : "d"}`).join(",") });
}
function arrange(table) {
  const order = orderOf(table).filter(([at]) => table.heads[at]);
  table.heads.forEach((head, at) => {
    const rank = order.findIndex(([column]) => column === at);
    head.removeAttribute("aria-sort");
    head.querySelector("sup")?.remove();
    if (rank < 0) return;
    head.setAttribute("aria-sort", order[rank][1] > 0 ? "ascending" : "descending");
    if (order.length > 1) head.querySelector("button").append(make("sup", {}, String(rank + 1)));
  });
  const keyed = table.rows.map((row) => [order.map(([at]) => row.cells[at].dataset.v), row]);
  keyed.sort(([a], [b]) => {
    for (let k = 0; k < order.length; k += 1) {
      const [at, sign] = order[k];
      // Cells without a value stay last.
      if (a[k] === "" || b[k] === "") { if (a[k] !== b[k]) return (a[k] === "") - (b[k] === ""); continue; }
      const difference = sign * (isNumeric(table.heads[at]) ? a[k] - b[k] : words.compare(a[k], b[k]));
      if (difference) return difference;
    }
    return 0;
  });
  table.node.tBodies[0].append(...keyed.map(([, row]) => row));
  filter(table);
}
// Shows the rows that hold all words; of a long table only the first, until all are asked for.
function filter(table) {
  const terms = (state.get("q") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const rows = [...table.node.tBodies[0].rows];
  let fit = 0;
  for (const row of rows) {
    if (terms.length) row.text ??= row.textContent.toLowerCase();
    const fits = terms.every((term) => row.text.includes(term));
    fit += fits;
    row.dataset.fits = fits ? "yes" : "no";
    row.hidden = !fits || (fit > SHORT && !table.full);
  }
  const cut = fit > SHORT && !table.full ? `first ${SHORT} of ` : "";
  table.output.textContent = terms.length ? `${cut}${countText(fit)} of ${countText(rows.length)} rows match “${state.get("q").trim()}”` : cut ? `${cut}${countText(fit)} rows` : "";
  table.more.hidden = !cut;
  return fit;
}
function hiddenColumns(table) {
  const stated = state.get(`h.${table.name}`);
  if (stated !== undefined) return stated.split(",").filter((t) => t !== "" && t !== "-").map(Number);
  return table.heads.map((head, at) => (head.dataset.extra ? at : -1)).filter((at) => at >= 0);
}
function styleColumns() {
  const rules = [];
  for (const table of TABLES.values()) {
    for (const at of hiddenColumns(table)) rules.push(`#${table.node.id} :is(th,td):nth-child(${at + 1}){display:none}`);
  }
  sheet.replaceSync(rules.join("\n"));
}
function chooseColumns(table) {
  const box = make("details", { class: "menu columns" }, make("summary", { "aria-label": `Columns: ${table.caption}` }, "Columns"));
  const items = make("div", { class: "items" });
  table.heads.forEach((head, at) => {
    if (!at) return;
    const tick = make("input", { type: "checkbox" });
    tick.checked = !hiddenColumns(table).includes(at);
    tick.addEventListener("change", () => {
      const others = hiddenColumns(table).filter((other) => other !== at);
      put({ [`h.${table.name}`]: (tick.checked ? others : [...others, at]).join(",") || "-" });
    });
    listen(`h.${table.name}`, () => { tick.checked = !hiddenColumns(table).includes(at); });
    items.append(make("label", {}, tick, ` ${head.querySelector("button").textContent}`));
  });
  box.append(items);
  return box;
}
function saveTable(table) {
  const quote = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const names = table.heads.map((head) => head.querySelector("button").firstChild.textContent);
  // Numbers with all digits, words as the stored tables have them.
  const line = (row) => [...row.cells].map((cell, i) => (isNumeric(table.heads[i]) ? cell.dataset.v : cell.dataset.code ?? cell.textContent));
  const rows = [...table.node.tBodies[0].rows].filter((row) => row.dataset.fits !== "no").map(line);
  save(new Blob([`${[names, ...rows].map((cells) => cells.map(quote).join(",")).join("\n")}\n`], { type: "text/csv" }), `${table.name}.csv`);
}
// Says where columns lie beyond the right edge.
function cue(table) {
  const more = table.box.scrollWidth - table.box.clientWidth - table.box.scrollLeft > 4;
  table.box.classList.toggle("cut", more);
  table.right.hidden = !more;
}
function setUp(node) {
  const tools = byId(`tools-${node.id}`);
  const table = { node, name: node.id.replace("table-", ""), heads: [...node.tHead.rows[0].cells], rows: [...node.tBodies[0].rows], caption: node.caption.textContent, full: false };
  TABLES.set(table.name, table);
  table.box = node.parentElement;
  table.right = make("button", { type: "button", class: "right", hidden: true, onclick: () => table.box.scrollBy({ left: table.box.clientWidth / 2 }) }, "more columns →");
  table.box.addEventListener("scroll", () => cue(table), { passive: true });
  const sized = new ResizeObserver(() => cue(table));
  sized.observe(table.box);
  sized.observe(node);
  table.output = make("output", {});
  table.more = make("button", { type: "button", class: "more", onclick: () => { table.full = true; filter(table); } }, "Show all");
  tools.append(table.output, table.more, table.right);
  if (table.heads.length > 5) tools.append(chooseColumns(table));
  tools.append(make("button", { type: "button", class: "save", "aria-label": `Save as CSV: ${table.caption}`, onclick: () => saveTable(table) }, "CSV"));
  table.heads.forEach((head, at) => head.querySelector("button").addEventListener("click", (event) => press(table, at, event.shiftKey)));
  listen(`s.${table.name}`, () => arrange(table));
  listen(`h.${table.name}`, styleColumns);
  if (state.has(`s.${table.name}`)) arrange(table);
  else filter(table);
}
listen("q", () => {
  for (const table of TABLES.values()) filter(table);
  highlight();
});
