// One perturbation: what is known of it, its strongest genes, and what each model predicts of them.
const EXPLORE = DATA.explore;
const dialog = byId("explore");
const explorable = EXPLORE ? columnsOf(EXPLORE.rows).perturbation : [];
const placeOf = new Map(explorable.map((name, i) => [name, i]));
const canExplore = (name) => placeOf.has(name);

function factsOf(i) {
  const c = columnsOf(EXPLORE.rows);
  const list = make("dl", { class: "facts-list" });
  for (const fact of EXPLORE.facts) {
    const text = valueOf(fact, c, i);
    if (text) list.append(make("div", {}, make("dt", fact.tip ? { "data-tip": fact.tip, tabindex: "0" } : {}, fact.title), make("dd", {}, text)));
  }
  return list;
}
function block(title, note, ...nodes) {
  return make("section", {}, make("h3", {}, title), note ? make("p", { class: "how" }, note) : null, ...nodes);
}
function chartIn(spec, width) {
  const svg = CHARTS[spec.chart](spec, width);
  alive(svg, spec, {});
  return svg;
}
// The strongest genes of one perturbation, from the packed matrices.
function genesOf(i) {
  const c = columnsOf(EXPLORE.top);
  const k = EXPLORE.k;
  const pull = (column) => Array.from(column.slice(i * k, (i + 1) * k));
  const at = pull(c.gene);
  const use = at.map((_, n) => n).filter((n) => at[n] < EXPLORE.genes.length);
  const of = (column) => { const values = pull(column); return use.map((n) => values[n]); };
  const effect = of(c.effect);
  const error = of(c.error);
  return { gene: use.map((n) => EXPLORE.genes[at[n]]), effect, error, low: effect.map((v, n) => v - 1.96 * error[n]), high: effect.map((v, n) => v + 1.96 * error[n]), of };
}
const EFFECT_TIPS = [{ field: "gene" }, { field: "effect", title: "observed", low: "low", high: "high" }];
function topGenes(i, width) {
  const { gene, effect, error, low, high } = genesOf(i);
  if (!gene.length) return null;
  return chartIn({
    chart: "rows", name: "top", label: "Strongest genes", rows: { gene, effect, error, low, high, text: effect.map((v, n) => `${number(v)} ± ${number(error[n])}`) },
    names: "gene", keys: ["gene"], tips: [...EFFECT_TIPS, { field: "error", title: "standard error" }], series: [{ field: "effect", low: "low", high: "high" }], texts: [{ field: "text", title: "effect ± SE" }], step: 19, narrow: 300,
    x: { title: "change of mean log expression", refs: [{ at: 0 }] },
  }, width);
}
function shares(i, width) {
  const c = columnsOf(EXPLORE.rows);
  const use = EXPLORE.axes.filter((axis) => known(c[axis.field]?.[i])).sort((a, b) => c[b.field][i] - c[a.field][i]).slice(0, 12);
  if (!use.length) return make("p", {}, "No share was estimated, because the effect is too weak or shares were not stored.");
  return chartIn({
    chart: "rows", name: "shares", label: "Share of the effect on each set and direction", rows: { name: use.map((a) => a.title), share: use.map((a) => c[a.field][i]), text: use.map((a) => percent(c[a.field][i])) },
    names: "name", tips: [{ field: "name" }, { field: "share", title: "share", form: "percent" }], series: [{ field: "share", shape: "bar", color: "var(--accent)" }], texts: [{ field: "text", title: "share" }], step: 22, narrow: 400,
    x: { title: "share of the squared effect", percent: true, domain: [null, null], include: [0, 1] },
  }, width);
}
function modelCard(model, i, genes, width) {
  const c = columnsOf(EXPLORE.models[model]);
  const predicted = c.predicted ? genes.of(c.predicted) : [];
  const title = make("h4", {}, make("i", { class: "swatch" }), model);
  title.firstChild.style.background = lit(DATA.colors[model] ?? "var(--accent)");
  const text = (v, write = number) => (v && known(v[i]) ? write(v[i]) : "–");
  const stats = make("dl", { class: "stats" });
  for (const [name, value, tip] of [
    ["r", text(c.r), "Pearson correlation of predicted and observed effects, without shared noise"],
    ["relative error", text(c.relative_error), "L2 error divided by the L2 error of the mean baseline; below 1 is better"],
    ["on shared axis", text(c.on, percent), "Predicted change along the shared axis, in percent of the observed change"],
    ["off shared axis", text(c.off), "Cosine of predicted and observed effects after the shared axis is removed"],
  ]) if (value !== "–" || predicted.some(known)) stats.append(make("div", {}, make("dt", { "data-tip": tip, tabindex: "0" }, name), make("dd", {}, value)));
  if (!predicted.some(known)) {
    return make("article", {}, title, make("p", { class: "how" }, EXPLORE.stored ? "This model has no prediction for this perturbation." : "This audit does not store predictions."), stats);
  }
  const both = [...genes.effect, ...predicted].filter(known);
  const most = Math.max(...both.map(Math.abs)) * 1.08;
  const spec = {
    chart: "scatter", name: model, label: `Predicted against observed, ${model}`, rows: { gene: genes.gene, named: genes.gene.map((name, n) => (n < 5 && known(predicted[n]) ? name : "")), effect: genes.effect, low: genes.low, high: genes.high, predicted, model: genes.gene.map(() => model) },
    keys: ["gene"], tips: [...EFFECT_TIPS, { field: "predicted", title: "predicted" }], color: "model", diagonal: true, equal: true, radius: 3.5, text: "named", left: 46,
    x: { field: "effect", title: "observed", domain: [-most, most], ticks: 4, refs: [{ at: 0 }] }, y: { field: "predicted", title: "predicted", domain: [-most, most], ticks: 4, refs: [{ at: 0 }] },
  };
  return make("article", {}, title, chartIn(spec, width), stats);
}
function fill(name) {
  const i = placeOf.get(name);
  const body = dialog.querySelector(".body");
  const width = body.clientWidth;
  const two = width >= NARROW;
  const c = columnsOf(EXPLORE.rows);
  byId("explore-name").textContent = name;
  dialog.querySelector(".badge").textContent = c.kind[i];
  const half = two ? Math.floor((width - 32) / 2) : width;
  const parts = [factsOf(i)];
  if (EXPLORE.top) {
    const genes = genesOf(i);
    const models = Object.keys(EXPLORE.models);
    const across = Math.max(1, Math.min(models.length, Math.floor((width + 20) / 250)));
    const each = Math.floor((width - 20 * (across - 1)) / across) - 26;
    parts.push(make("div", { class: two ? "pair" : "" },
      block("Strongest genes", "Genes with the largest |z|; lines are 95% intervals.", topGenes(i, half)),
      block("Share of the effect on each set and direction", "Sets overlap, so shares need not add up to 100%.", shares(i, half))));
    if (models.length) {
      parts.push(block("Predicted against observed", "Each panel is a model, and dots are the same strongest genes. Perfect predictions are on the dashed line.",
        make("div", { class: "models" }, ...models.map((model) => modelCard(model, i, genes, each)))));
    } else parts.push(make("p", { class: "how" }, "This audit has no model that predicts unseen perturbations."));
  } else {
    parts.push(make("p", { class: "notice" }, "This audit does not store profiles, so genes and predictions cannot be shown."), block("Share of the effect on each set and direction", "", shares(i, half)));
  }
  body.replaceChildren(...parts);
  body.scrollTop = 0;
  highlight(dialog);
}
function explore() {
  const name = state.get("p");
  if (!name || !canExplore(name)) { if (dialog.open) dialog.close(); return; }
  if (!dialog.open) { dialog.showModal(); byId("explore-name").focus(); }
  fill(name);
}
function move(by) {
  put({ p: explorable[(placeOf.get(state.get("p")) + by + explorable.length) % explorable.length] });
}
if (EXPLORE) {
  listen("p", explore);
  dialog.addEventListener("close", () => put({ p: "" }));
  dialog.querySelector(".previous").addEventListener("click", () => move(-1));
  dialog.querySelector(".next").addEventListener("click", () => move(1));
  dialog.querySelector(".shut").addEventListener("click", () => dialog.close());
  dialog.addEventListener("keydown", (event) => {
    if (event.target.closest("input, svg, dl")) return;
    if (event.key === "ArrowLeft") move(-1);
    if (event.key === "ArrowRight") move(1);
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
}
