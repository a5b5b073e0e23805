// The parts of a figure: scales, axes, letters. Lengths are CSS pixels, and no letter is below 11.
const SMALL = 11;
const LETTER = 12;
const NARROW = 700;
const pen = make("canvas").getContext("2d");
const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif";
function wide(text, size = LETTER) {
  pen.font = `${size}px ${FONT}`;
  return pen.measureText(text).width;
}
function shortened(text, room, size = LETTER) {
  if (wide(text, size) <= room) return text;
  let n = text.length;
  while (n > 1 && wide(`${text.slice(0, n)}…`, size) > room) n -= 1;
  return `${text.slice(0, n)}…`;
}
function folded(text, room, size = LETTER) {
  const lines = [];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length && wide(longer, size) <= room) lines.splice(-1, 1, longer);
    else lines.push(word);
  }
  return lines;
}
function letters(x, y, text, { size = LETTER, anchor = "start", kind = "", turn = 0, room = Infinity } = {}) {
  const node = draw("text", { x, y, "font-size": size, "text-anchor": anchor, class: kind || null });
  if (turn) node.setAttribute("transform", `rotate(${turn} ${x} ${y})`);
  node.textContent = room < Infinity ? shortened(text, room, size) : text;
  if (node.textContent !== text) node.append(draw("title", {}, text));
  return node;
}

// Evenly spaced round values.
function steps(low, high, n) {
  const raw = (high - low) / Math.max(n, 1);
  if (!(raw > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(raw));
  const sizes = [0.2, 0.25, 0.5, 1, 2, 2.5, 5, 10].map((m) => m * power);
  // Two ticks at least, not counting 0.
  let at = sizes.findIndex((s) => s >= raw * 0.999);
  const count = (step) => Math.floor(high / step + 1e-9) - Math.ceil(low / step - 1e-9) + 1;
  while (at > 0 && count(sizes[at]) < 3) at -= 1;
  const step = sizes[at];
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i += 1) ticks.push(i * step);
  return ticks;
}
function scaleOf([low, high], [from, to]) {
  const span = high - low || 1;
  const place = (v) => from + ((clamp(v, low, high) - low) / span) * (to - from);
  return Object.assign(place, { low, high, from, to, has: (v) => v >= low && v <= high });
}
// The range of some values, with room at both ends; `limits` are kept where they are stated.
function extent(values, limits = [null, null], include = []) {
  const seen = values.filter(known).concat(include.filter(known));
  let low = seen.length ? Math.min(...seen) : 0;
  let high = seen.length ? Math.max(...seen) : 1;
  if (high === low) [low, high] = [low - 0.5, high + 0.5];
  const room = (high - low) * 0.04;
  return [limits?.[0] ?? low - room, limits?.[1] ?? high + room];
}
// Ticks have the decimals of their step.
function written(axis, ticks) {
  if (axis.percent) return percent;
  const step = ticks.length > 1 ? ticks[1] - ticks[0] : 1;
  const decimals = clamp(Math.ceil(-Math.log10(step) - 1e-9), 0, 6) + (/^[1-9]*25/.test(String(step).replace(/[0.]/g, "")) && step < 1 ? 1 : 0);
  return (v) => (Math.abs(v) < step * 1e-6 ? "0" : Math.abs(v) >= 1000 ? number(v) : minus(v.toFixed(decimals)));
}

function axisBelow(svg, scale, y, axis, top) {
  const ticks = steps(scale.low, scale.high, axis.ticks ?? clamp((scale.to - scale.from) / 90, 3, 9));
  const write = written(axis, ticks);
  const group = draw("g", { class: "axis" });
  for (const tick of ticks) {
    group.append(draw("line", { x1: scale(tick), x2: scale(tick), y1: top, y2: y, class: "grid" }));
    group.append(letters(scale(tick), y + 15, write(tick), { size: SMALL, anchor: "middle", kind: "soft" }));
  }
  group.append(draw("line", { x1: scale.from, x2: scale.to, y1: y, y2: y, class: "rule" }));
  const title = axis.short && wide(axis.title) > scale.to - scale.from ? axis.short : axis.title;
  group.append(letters((scale.from + scale.to) / 2, y + 33, title, { anchor: "middle", room: scale.to - scale.from + 60 }));
  svg.append(group);
}
function axisBeside(svg, scale, x, axis, right) {
  const group = draw("g", { class: "axis" });
  const ticks = steps(scale.low, scale.high, axis.ticks ?? clamp((scale.from - scale.to) / 55, 2, 8));
  const write = written(axis, ticks);
  for (const tick of ticks) {
    group.append(draw("line", { x1: x, x2: right, y1: scale(tick), y2: scale(tick), class: "grid" }));
    group.append(letters(x - 7, scale(tick) + 4, write(tick), { size: SMALL, anchor: "end", kind: "soft" }));
  }
  group.append(draw("line", { x1: x, x2: x, y1: scale.to, y2: scale.from, class: "rule" }));
  const lines = folded(axis.title, right - 8);
  lines.forEach((line, n) => group.append(letters(4, scale.to + 5 - 15 * (lines.length - n), line)));
  svg.append(group);
}
function references(svg, scale, refs, top, bottom) {
  for (const { at, label } of refs ?? []) {
    if (!scale.has(at)) continue;
    svg.append(draw("line", { x1: scale(at), x2: scale(at), y1: top, y2: bottom, class: "reference" }));
    if (label) {
      const anchor = scale(at) > scale.to - 60 ? "end" : scale(at) < scale.from + 40 ? "start" : "middle";
      svg.append(letters(scale(at), top - 6, label, { size: SMALL, anchor, kind: "soft" }));
    }
  }
}
function canvas(width, height, label) {
  return draw("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": label, class: "chart" });
}
// Marks can be pointed at: `keys` are their model, perturbation or gene.
function mark(node, i, keys = {}) {
  node.classList.add("mark");
  node.dataset.i = i;
  for (const [kind, name] of Object.entries(keys)) if (name) node.dataset[kind] = name;
  return node;
}
function keysOf(spec, columns, i) {
  return Object.fromEntries((spec.keys ?? []).filter((k) => columns[k]).map((k) => [k, columns[k][i]]));
}
// Names next to their dots where there is room; with `always`, names that moved have a leader.
function nameDots(svg, dots, bounds, { always = false, obstacles = [] } = {}) {
  const boxes = [...obstacles];
  const free = (box) => box.x > bounds.x && box.x + box.w < bounds.x + bounds.w && box.y > bounds.y && box.y + box.h < bounds.y + bounds.h
    && !boxes.some((o) => box.x < o.x + o.w && o.x < box.x + box.w && box.y < o.y + o.h && o.y < box.y + box.h);
  for (const dot of dots) boxes.push({ x: dot.x - 4, y: dot.y - 4, w: 8, h: 8 });
  for (const dot of dots.filter((d) => d.name)) {
    const w = wide(dot.name, LETTER) + 2;
    const offsets = dot.crossed ? [[9, -9], [9, 18], [-9 - w, -9], [-9 - w, 18]] : [[9, 4], [-9 - w, 4], [-w / 2, -10], [-w / 2, 19]];
    for (let k = 1; k < (always ? 9 : 3); k += 1) offsets.push([12, 4 + 17 * k], [12, 4 - 17 * k], [-12 - w, 4 + 17 * k], [-12 - w, 4 - 17 * k]);
    const place = offsets.find(([dx, dy]) => free({ x: dot.x + dx, y: dot.y + dy - 11, w, h: 14 }));
    if (!place) continue;
    const [dx, dy] = place;
    boxes.push({ x: dot.x + dx, y: dot.y + dy - 11, w, h: 14 });
    if (Math.abs(dy - 4) > 16) svg.append(draw("line", { x1: dot.x, y1: dot.y, x2: dot.x + dx + (dx < 0 ? w : 0), y2: dot.y + dy - 4, class: "leader" }));
    svg.append(mark(letters(dot.x + dx, dot.y + dy, dot.name, { kind: "name" }), dot.i, dot.keys));
  }
}
