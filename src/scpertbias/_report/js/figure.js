// Figures on the page: drawn when they come into view, again when the width changes; tips, highlights, menus.
const FIGURES = new Map();
const PICKED = ["model", "perturbation", "gene"];

function describe(spec, i, chosen) {
  if (spec.matrix) {
    const { rows, columns, groups } = spec.matrix;
    const [r, j] = [Math.floor(i / columns.length), i % columns.length];
    const values = heatValues(spec, columnsOf(spec.matrix.layers), chosen);
    return [`${rows[r]} · ${columns[j]}`, groups[j], `${spec.value}: ${number(values[i])}`].filter(Boolean);
  }
  const c = columnsOf(spec.rows);
  return spec.tips.map((tip, k) => {
    const text = valueOf(tip, c, i);
    return k === 0 ? text : text && `${tip.title}: ${text}`;
  }).filter(Boolean);
}
function valueOf(tip, c, i) {
  const v = c[tip.field]?.[i];
  if (typeof v === "string") return v;
  const write = tip.form === "percent" ? percent : tip.form === "p" ? pValue : tip.form === "count" ? (n) => (known(n) ? Math.round(n).toLocaleString("en") : "–") : number;
  if (!known(v)) return "";
  return [write(v), tip.low && interval(c[tip.low][i], c[tip.high][i], write)].filter(Boolean).join(" ");
}

// Tips and the keyboard in one svg: one tab stop, arrows go from mark to mark, Enter highlights.
function alive(svg, spec, chosen) {
  const lines = (node) => describe(spec, Number(node.dataset.i), chosen);
  const marks = all(".mark[data-i]", svg).filter((node, k, list) => node.tagName !== "text" || list.length < 2);
  const ready = (node) => { node.setAttribute("tabindex", "0"); node.setAttribute("role", "img"); node.setAttribute("aria-label", lines(node).join(", ")); };
  if (marks.length) ready(marks[0]);
  const point = (event) => {
    const node = event.target.closest(".mark[data-i]");
    if (node && svg.contains(node)) showTip(node, lines(node));
    else hideTip();
  };
  svg.addEventListener("pointerover", point);
  svg.addEventListener("focusin", point);
  svg.addEventListener("pointerleave", hideTip);
  svg.addEventListener("focusout", hideTip);
  svg.addEventListener("click", (event) => pick(event.target.closest(".mark"), event));
  svg.addEventListener("keydown", (event) => {
    const at = marks.indexOf(event.target.closest(".mark"));
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); pick(event.target.closest(".mark"), event); }
    const move = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!move || at < 0) return;
    event.preventDefault();
    marks[at].removeAttribute("tabindex");
    const next = marks[(at + move + marks.length) % marks.length];
    ready(next);
    next.focus();
  });
}
// A name of a perturbation opens it; any other mark is highlighted, once more clears it.
function pick(node, event) {
  if (!node) return;
  const kind = ["perturbation", "gene", "model"].find((k) => node.dataset[k]);
  if (!kind) return;
  const name = node.dataset[kind];
  if (kind === "perturbation" && event.target.closest("text.name") && canExplore(name)) { put({ p: name }, { step: true }); return; }
  put({ pick: state.get("pick") === `${kind}:${name}` ? "" : `${kind}:${name}` });
}
function highlight(root = document) {
  const [kind, ...rest] = (state.get("pick") ?? "").split(":");
  const name = rest.join(":");
  const query = (state.get("q") ?? "").trim().toLowerCase();
  for (const svg of all("svg.chart", root)) {
    let any = false;
    for (const node of all(".mark", svg)) {
      const on = name ? (node.dataset[kind] ?? "").split(", ").includes(name)
        : query.length > 1 && PICKED.some((k) => node.dataset[k]?.toLowerCase().includes(query));
      node.classList.toggle("on", on);
      any ||= on;
    }
    svg.classList.toggle("picked", any);
  }
  if (root !== document) return;
  for (const row of all("tr[data-keys]")) row.classList.toggle("on", Boolean(name) && row.dataset.keys.split("|").includes(name));
  const chip = byId("picked");
  chip.hidden = !name;
  chip.querySelector("b").textContent = name;
  chip.querySelector(".open").hidden = !(kind === "perturbation" && canExplore(name));
}
listen("pick", () => highlight());

function choicesOf(spec) {
  return Object.fromEntries((spec.choices ?? []).map((c) => [c.name, state.get(`f.${spec.name}.${c.name}`) ?? c.first]));
}
function redraw(figure) {
  const { spec, place } = figure;
  const width = Math.max(Math.floor(place.clientWidth), 280);
  figure.width = width;
  const chosen = choicesOf(spec);
  const svg = CHARTS[spec.chart](spec, width, chosen);
  alive(svg, spec, chosen);
  place.replaceChildren(svg);
  highlight(place);
}

function tsv(spec) {
  if (spec.matrix) {
    const { rows, columns } = spec.matrix;
    const values = heatValues(spec, columnsOf(spec.matrix.layers), choicesOf(spec));
    return [["", ...columns], ...rows.map((name, r) => [name, ...columns.map((_, j) => values[r * columns.length + j])])];
  }
  const c = columnsOf(spec.rows);
  const names = Object.keys(c);
  return [names, ...Array.from(c[names[0]], (_, i) => names.map((name) => c[name][i]))];
}
const plain = (v) => (v === null || v === undefined || Number.isNaN(v) ? "" : String(v).replace(/[\t\n]/g, " "));

// An svg file that needs no style sheet: the light colors are written into each element.
const WRITTEN = ["fill", "stroke", "stroke-width", "stroke-dasharray", "fill-opacity", "opacity", "font-weight", "font-family", "font-size", "stroke-opacity"];
function plainColor(text) {
  const parts = /^color\(srgb ([\d.e-]+) ([\d.e-]+) ([\d.e-]+)/.exec(text);
  return parts ? `rgb(${parts.slice(1).map((v) => Math.round(255 * v)).join(", ")})` : text;
}
function standalone(svg) {
  document.documentElement.dataset.theme = "light";
  const picked = svg.classList.contains("picked");
  svg.classList.remove("picked");
  const copied = svg.cloneNode(true);
  const [from, to] = [[svg, ...svg.querySelectorAll("*")], [copied, ...copied.querySelectorAll("*")]];
  from.forEach((node, i) => {
    const style = getComputedStyle(node);
    for (const name of WRITTEN) {
      const value = plainColor(style.getPropertyValue(name));
      if (value && value !== "none" && !(name.endsWith("opacity") && value === "1")) to[i].setAttribute(name, value);
      else if (name === "fill" && value === "none") to[i].setAttribute("fill", "none");
    }
    for (const name of ["class", "tabindex", "role", "aria-label"]) to[i].removeAttribute(name);
  });
  svg.classList.toggle("picked", picked);
  delete document.documentElement.dataset.theme;
  const { width, height } = svg.viewBox.baseVal;
  copied.prepend(draw("rect", { width, height, fill: "#ffffff" }));
  return { text: new XMLSerializer().serializeToString(copied), width, height };
}
function png(svg, name) {
  const { text, width, height } = standalone(svg);
  const image = new Image();
  image.onload = () => {
    const sheet = make("canvas", { width: width * 2, height: height * 2 });
    const brush = sheet.getContext("2d");
    brush.scale(2, 2);
    brush.drawImage(image, 0, 0, width, height);
    sheet.toBlob((blob) => save(blob, `${name}.png`));
  };
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
}
function menu(figure) {
  const { spec, place } = figure;
  const svg = () => { if (!place.firstChild) redraw(figure); return place.querySelector("svg"); };
  const actions = {
    "Save SVG": () => save(new Blob([standalone(svg()).text], { type: "image/svg+xml" }), `${spec.name}.svg`),
    "Save PNG": () => png(svg(), spec.name),
    "Save TSV": () => save(new Blob([`${tsv(spec).map((row) => row.map(plain).join("\t")).join("\n")}\n`], { type: "text/tab-separated-values" }), `${spec.name}.tsv`),
    "Copy code": spec.code && (() => copy(spec.code, "Code")),
    "Copy caption": () => copy(`${spec.label}. ${spec.reading}`, "Caption"),
  };
  const box = make("details", { class: "menu" }, make("summary", { "aria-label": `Save or copy: ${spec.label}` }, "Save"));
  const items = make("div", { class: "items" });
  for (const [name, act] of Object.entries(actions)) {
    if (act) items.append(make("button", { type: "button", onclick: () => { act(); box.open = false; } }, name));
  }
  box.append(items);
  box.addEventListener("keydown", (event) => { if (event.key === "Escape") { box.open = false; box.firstChild.focus(); } });
  return box;
}
document.addEventListener("click", (event) => {
  for (const box of all("details.menu[open]")) if (!box.contains(event.target)) box.open = false;
});
function chooser(spec, choice) {
  const select = make("select", { "aria-label": `${choice.title}: ${spec.label}` });
  for (const name of choice.of) select.append(make("option", { value: name }, choice.words?.[name] ?? name));
  const key = `f.${spec.name}.${choice.name}`;
  select.value = state.get(key) ?? choice.first;
  select.addEventListener("change", () => put({ [key]: select.value === choice.first ? "" : select.value }));
  if (choice.unless) {
    const other = `f.${spec.name}.${choice.unless[0]}`;
    const enable = () => { select.disabled = choicesOf(spec)[choice.unless[0]] === choice.unless[1]; };
    listen(other, enable);
    enable();
  }
  listen(key, () => { select.value = state.get(key) ?? choice.first; redraw(FIGURES.get(spec.name)); });
  return make("label", {}, `${choice.title} `, select);
}
const inView = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) { inView.unobserve(entry.target); redraw(FIGURES.get(entry.target.dataset.figure)); }
}, { rootMargin: "600px" });
const resized = new ResizeObserver((entries) => {
  for (const entry of entries) {
    const figure = FIGURES.get(entry.target.closest("[data-figure]").dataset.figure);
    if (figure.width && Math.abs(figure.width - entry.contentRect.width) > 1) redraw(figure);
  }
});
function mount(node) {
  const spec = DATA.figures[node.dataset.figure];
  const place = node.querySelector(".drawing");
  const figure = { spec, place, node };
  FIGURES.set(spec.name, figure);
  const tools = node.querySelector(".figure-tools");
  for (const choice of spec.choices ?? []) tools.append(chooser(spec, choice));
  tools.append(menu(figure));
  if (node.getBoundingClientRect().top < innerHeight) redraw(figure);
  else inView.observe(node);
  resized.observe(place);
}
const drawAll = () => { for (const figure of FIGURES.values()) if (!figure.width) redraw(figure); };
addEventListener("beforeprint", () => {
  for (const details of all("details:not(.menu):not(.columns)")) details.open = true;
  drawAll();
});
