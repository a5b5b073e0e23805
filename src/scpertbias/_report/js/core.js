// What all parts share: the data of the page, elements, numbers as text, the state in the address.
const byId = (id) => document.getElementById(id);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const DATA = JSON.parse(byId("data").textContent);
const SVG = byId("glyphs").namespaceURI;
const known = (v) => typeof v === "number" && Number.isFinite(v);
const clamp = (v, low, high) => Math.min(Math.max(v, low), high);

// An element with attributes and children; `text` in it is never markup.
function make(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  return dress(node, attributes, children);
}
function draw(name, attributes = {}, ...children) {
  return dress(document.createElementNS(SVG, name), attributes, children);
}
function dress(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== null && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== undefined && child !== null));
  return node;
}

// Columns are lists, or packed: {type, data} in base64, {words, at} for repeated texts.
function unpack(column) {
  if (Array.isArray(column)) return column;
  if (column.words) return Array.from(unpack(column.at), (i) => column.words[i]);
  const text = atob(column.data);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
  if (column.type === "f32") return new Float32Array(bytes.buffer);
  const words = new Uint16Array(bytes.buffer);
  if (column.type === "u16") return words;
  const values = new Float32Array(words.length);
  for (let i = 0; i < words.length; i += 1) values[i] = half(words[i]);
  return values;
}
function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : sign * 2 ** -14 * (fraction / 1024);
}
const unpacked = new WeakMap();
function columnsOf(rows) {
  if (!unpacked.has(rows)) {
    unpacked.set(rows, Object.fromEntries(Object.entries(rows).map(([name, column]) => [name, unpack(column)])));
  }
  return unpacked.get(rows);
}

// Numbers as people read them: three digits, a real minus sign.
const minus = (text) => text.replace(/^-/, "−");
function number(v) {
  if (!known(v)) return "–";
  const size = Math.abs(v);
  if (size < 5e-4) return "0";
  if (size >= 1000) return minus(Math.round(v).toLocaleString("en"));
  return minus(v.toFixed(clamp(2 - Math.floor(Math.log10(size)), 0, size < 0.1 ? 3 : 2)));
}
const percent = (v) => (!known(v) ? "–" : Math.abs(v) < 5e-4 ? "0%" : minus(`${(100 * v).toFixed(Math.abs(v) < 0.0995 ? 1 : 0)}%`));
function interval(low, high, write = number) {
  if (!known(low) || !known(high)) return "";
  const ends = [write(low), write(high)];
  return `(${ends.join(ends.join("").includes("−") ? " to " : "–")})`;
}
const pValue = (v) => (!known(v) ? "–" : v < 0.001 ? "< 0.001" : v.toFixed(v < 0.1 ? 3 : 2));

// State: what is open, searched, highlighted and chosen, kept in the address after #.
const state = new Map();
const listeners = [];
function parse() {
  state.clear();
  if (!location.hash.includes("=")) return;
  for (const [key, value] of new URLSearchParams(location.hash.slice(1))) state.set(key, value);
}
function tell(keys) {
  for (const [of, act] of listeners) if (keys.some((key) => of(key))) act(keys);
}
function listen(key, act) {
  listeners.push([typeof key === "string" ? (k) => k === key : key, act]);
}
function put(changes, { step = false } = {}) {
  const keys = Object.keys(changes).filter((key) => (state.get(key) ?? "") !== (changes[key] ?? ""));
  if (!keys.length) return;
  for (const key of keys) {
    if (changes[key]) state.set(key, changes[key]);
    else state.delete(key);
  }
  const text = [...state].map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`).join("&");
  history[step ? "pushState" : "replaceState"](null, "", text ? `#${text}` : location.pathname + location.search);
  tell(keys);
}
addEventListener("hashchange", () => {
  if (location.hash && !location.hash.includes("=")) return;
  const before = [...state.keys()];
  parse();
  tell([...new Set([...before, ...state.keys()])]);
});

// Text that is copied, files that are saved, and a word that it was done.
function say(text) {
  byId("said").textContent = text;
  byId("said").classList.add("now");
  clearTimeout(say.timer);
  say.timer = setTimeout(() => byId("said").classList.remove("now"), 1800);
}
async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = make("textarea", { "aria-hidden": "true" });
    area.value = text;
    (document.querySelector("dialog[open]") ?? document.body).append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  say(`${what} copied`);
}
function save(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  say(`${name} saved`);
}

// One tooltip for all: it follows what is under the pointer or in focus.
const tooltip = byId("tooltip");
let tipOwner = null;
function showTip(owner, lines) {
  tipOwner = owner;
  (document.querySelector("dialog[open]") ?? document.body).append(tooltip);
  tooltip.replaceChildren(...lines.map((line, i) => make(i || lines.length === 1 ? "div" : "b", {}, line)));
  tooltip.hidden = false;
  placeTip();
}
function placeTip() {
  const box = (tipOwner.querySelector("circle,path,rect:not(.hit)") ?? tipOwner).getBoundingClientRect();
  const size = tooltip.getBoundingClientRect();
  const left = clamp(box.left + box.width / 2 - size.width / 2, 6, innerWidth - size.width - 6);
  const above = box.top - size.height - 8;
  tooltip.style.left = `${left}px`;
  tooltip.style.top = `${above > 4 ? above : Math.min(box.bottom + 8, innerHeight - size.height - 4)}px`;
}
function hideTip() { tooltip.hidden = true; }
// What has the focus keeps its tip while it scrolls into view.
addEventListener("scroll", () => (tipOwner && tipOwner === document.activeElement && !tooltip.hidden ? placeTip() : hideTip()), { passive: true, capture: true });
addEventListener("keydown", (event) => { if (event.key === "Escape") hideTip(); });
function tipOf(event) {
  const owner = event.target.closest?.("[data-tip]");
  if (!owner) return;
  showTip(owner, [owner.dataset.tip]);
}
for (const kind of ["pointerover", "focusin", "click"]) document.addEventListener(kind, tipOf);
for (const kind of ["pointerout", "focusout"]) {
  document.addEventListener(kind, (event) => { if (event.target.closest?.("[data-tip]")) hideTip(); });
}
