// The search, the links inside the page, and what happens when it opens.
const ENTITIES = [
  ...[...placeOf.keys()].map((name) => ["perturbation", name]),
  ...(DATA.models ?? []).map((name) => ["model", name]),
  ...(DATA.genes ?? []).map((name) => ["gene", name]),
].map(([kind, name]) => ({ kind, name, text: name.toLowerCase() }));

function choose({ kind, name }) {
  if (kind === "perturbation") put({ p: name, q: "" }, { step: true });
  else put({ pick: `${kind}:${name}`, q: "" });
}
// A search field with proposals: arrows move among them, Enter takes one.
function proposals(input, list, kinds) {
  let at = -1;
  const items = () => [...list.children];
  const close = () => { list.hidden = true; at = -1; input.setAttribute("aria-expanded", "false"); input.removeAttribute("aria-activedescendant"); };
  const propose = () => {
    const query = input.value.trim().toLowerCase();
    const fit = query ? ENTITIES.filter((e) => kinds.includes(e.kind) && e.text.includes(query)) : [];
    fit.sort((a, b) => (b.text === query) - (a.text === query) || b.text.startsWith(query) - a.text.startsWith(query));
    list.replaceChildren(...fit.slice(0, 8).map((e, k) => make("li", { role: "option", id: `${list.id}-${k}`, onmousedown: (event) => { event.preventDefault(); take(e); } }, e.name, make("small", {}, ` ${e.kind}`))));
    items().forEach((item, k) => { item.entity = fit[k]; });
    list.hidden = !fit.length;
    input.setAttribute("aria-expanded", String(!list.hidden));
    at = -1;
  };
  const take = (entity) => { choose(entity); input.value = state.get("q") ?? ""; close(); };
  input.addEventListener("input", propose);
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (move && !list.hidden) {
      event.preventDefault();
      at = (at + move + items().length) % items().length;
      items().forEach((item, k) => item.setAttribute("aria-selected", String(k === at)));
      input.setAttribute("aria-activedescendant", items()[at].id);
    }
    if (event.key === "Enter" && !list.hidden) take(items()[Math.max(at, 0)].entity);
    if (event.key === "Escape" && !list.hidden) { event.stopPropagation(); close(); }
  });
}
const search = byId("search");
let waiting;
proposals(search, byId("proposals"), ["perturbation", "model", "gene"]);
proposals(byId("go"), byId("go-proposals"), ["perturbation"]);
search.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => put({ q: search.value }), 80);
});
listen("q", () => { if (document.activeElement !== search) search.value = state.get("q") ?? ""; });

// Links: to a section (the state stays in the address), or to a perturbation.
function visit(id) {
  const target = byId(id);
  if (!target) return;
  for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
  target.scrollIntoView();
  target.setAttribute("tabindex", "-1");
  target.focus({ preventScroll: true });
}
document.addEventListener("click", (event) => {
  const link = event.target.closest?.('a[href^="#"]');
  if (!link || event.metaKey || event.ctrlKey) return;
  event.preventDefault();
  const text = link.getAttribute("href").slice(1);
  if (text.startsWith("p=")) put({ p: decodeURIComponent(text.slice(2)) }, { step: true });
  else { put({ at: text }); visit(text); }
});
document.addEventListener("click", (event) => {
  const key = event.target.closest?.("[data-copy]");
  if (key) copy(DATA.copied[key.dataset.copy], key.dataset.what);
});
byId("picked").querySelector(".open").addEventListener("click", () => put({ p: state.get("pick").slice("perturbation:".length) }, { step: true }));
byId("picked").querySelector(".clear").addEventListener("click", () => put({ pick: "" }));

parse();
document.documentElement.classList.add("live");
search.value = state.get("q") ?? "";
for (const table of all("table.data")) setUp(table);
styleColumns();
for (const node of all("figure[data-figure]")) mount(node);
highlight();
// What is below the screen is drawn when there is time, so that nothing moves under the reader.
const later = [...FIGURES.values()];
const idle = window.requestIdleCallback ?? ((act) => setTimeout(act, 30));
const drawNext = () => {
  const figure = later.shift();
  if (!figure) return;
  if (!figure.width && figure.place.clientWidth) redraw(figure);
  idle(drawNext);
};
idle(drawNext);
if (EXPLORE) explore();
const start = state.get("at") ?? (location.hash.includes("=") ? "" : location.hash.slice(1));
if (start && !state.get("p")) visit(start);
// The navigation shows where one is.
const here = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    for (const link of all("nav a")) {
      if (link.getAttribute("href") === `#${entry.target.id}`) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }
}, { rootMargin: "-20% 0px -70% 0px" });
for (const section of all("main > section[id]")) here.observe(section);
