// The kinds of figures. Each takes a spec ({rows, keys, …}), a width and what was chosen, and returns an svg.
const CHARTS = {};
// Stored colors are made for white paper; in the dark they are mixed with white.
const lit = (color) => (color.startsWith("#") ? `color-mix(in srgb, ${color} var(--mix), white)` : color);
const shadeOf = (spec, name, fallback = "var(--accent)") => lit(spec.colors?.[name] ?? DATA.colors?.[name] ?? fallback);

function legend(spec, names, width, left = 4) {
  const group = draw("g", { class: "legend" });
  let [x, y] = [left, 14];
  for (const { name, color, shape } of names) {
    const w = wide(name) + 30;
    if (x + w > width && x > left) [x, y] = [left, y + 18];
    if (shape === "tick") group.append(draw("line", { x1: x + 5, x2: x + 5, y1: y - 10, y2: y, stroke: color, "stroke-width": 2 }));
    else if (shape === "ring") group.append(draw("circle", { cx: x + 5, cy: y - 4, r: 4, class: "ring", stroke: color }));
    else if (shape === "diamond") group.append(draw("path", { d: diamondAt(x + 5, y - 4), fill: color }));
    else if (shape === "box" || shape === "bar") group.append(draw("rect", { x, y: y - 9, width: 10, height: 10, fill: color }));
    else if (shape === "cross") group.append(draw("path", { d: crossAt(x + 5, y - 4), stroke: color, class: "cross" }));
    else group.append(draw("circle", { cx: x + 5, cy: y - 4, r: 4.5, fill: color }));
    group.append(letters(x + 15, y, name, { size: LETTER }));
    x += w;
  }
  return { group, height: names.length ? y + 10 : 0 };
}
const crossAt = (x, y, r = 4) => `M${x - r} ${y - r}L${x + r} ${y + r}M${x - r} ${y + r}L${x + r} ${y - r}`;
const diamondAt = (x, y, r = 5) => `M${x} ${y - r}L${x + r} ${y}L${x} ${y + r}L${x - r} ${y}Z`;

CHARTS.scatter = (spec, width, chosen = {}) => {
  const c = columnsOf(spec.rows);
  const { x, y } = spec;
  const use = Array.from(c[x.field], (_, i) => i).filter((i) => known(c[x.field][i]) && known(c[y.field][i])
    && (!spec.choose || !chosen[spec.choose] || c[spec.choose][i] === chosen[spec.choose]));
  // Under 500 px names that all must be read stand above the dots.
  const listed = spec.always && width < 500;
  const names = spec.legend || listed ? [...new Set(use.map((i) => c[spec.color][i]))].map((name) => ({ name, color: shadeOf(spec, name) })) : [];
  const key = legend(spec, names, width);
  const height = spec.equal ? width - (spec.left ?? 46) + 56 + key.height : spec.height && width >= NARROW ? spec.height : Math.min(width * 0.85, spec.small ?? 400) + (listed ? key.height : 0);
  const [left, right, bottom] = [spec.left ?? 46, 14, 44];
  const top = 11 + key.height + 15 * folded(y.title, width - right - 8).length;
  const svg = canvas(width, height, spec.label);
  key.group.setAttribute("transform", "translate(0 0)");
  const pull = (axis) => use.flatMap((i) => [c[axis.field][i], c[axis.low]?.[i], c[axis.high]?.[i]]);
  const sx = scaleOf(extent(pull(x), x.domain, x.include), [left, width - right]);
  const [low, high] = extent(pull(y), y.domain, y.include);
  const sy = scaleOf([low - (spec.quadrants ? 0.1 * (high - low) : 0), high], [height - bottom, top]);
  svg.append(key.group);
  if (spec.quadrants) quadrants(svg, spec, sx, sy);
  axisBelow(svg, sx, height - bottom, x, top);
  axisBeside(svg, sy, left, y, width - right);
  references(svg, sx, x.refs, top, height - bottom);
  for (const { at } of y.refs ?? []) if (sy.has(at)) svg.append(draw("line", { x1: left, x2: width - right, y1: sy(at), y2: sy(at), class: "reference" }));
  if (spec.diagonal) {
    const [low, high] = [Math.max(sx.low, sy.low), Math.min(sx.high, sy.high)];
    if (high > low) svg.append(draw("line", { x1: sx(low), y1: sy(low), x2: sx(high), y2: sy(high), class: "reference" }));
  }
  const dots = use.map((i) => ({ i, x: sx(c[x.field][i]), y: sy(c[y.field][i]), keys: keysOf(spec, c, i), name: listed ? "" : c[spec.text]?.[i], crossed: spec.always }));
  const lined = dots.flatMap(({ i, x: px, y: py }) => [
    known(c[x.low]?.[i]) && { x: sx(c[x.low][i]), y: py - 2, w: sx(c[x.high][i]) - sx(c[x.low][i]), h: 4 },
    known(c[y.low]?.[i]) && { x: px - 2, y: sy(c[y.high][i]), w: 4, h: sy(c[y.low][i]) - sy(c[y.high][i]) },
  ].filter(Boolean));
  const radius = spec.radius ?? (use.length > 400 ? 2.5 : use.length > 60 ? 3.5 : 5);
  for (const dot of dots) {
    const color = spec.color ? shadeOf(spec, c[spec.color][dot.i]) : "var(--accent)";
    const group = mark(draw("g", { stroke: color, fill: color }), dot.i, dot.keys);
    const { i } = dot;
    if (known(c[x.low]?.[i])) group.append(draw("line", { x1: sx(c[x.low][i]), x2: sx(c[x.high][i]), y1: dot.y, y2: dot.y, class: "range" }));
    if (known(c[y.low]?.[i])) group.append(draw("line", { y1: sy(c[y.low][i]), y2: sy(c[y.high][i]), x1: dot.x, x2: dot.x, class: "range" }));
    const [dx, dy] = [beyond(sx, c[x.field][i]), beyond(sy, c[y.field][i])];
    group.append(dx || dy ? draw("path", { d: `M${dot.x - 5} ${dot.y + 5}h10l-5 -10Z`, transform: `rotate(${(Math.atan2(dx, dy) * 180) / Math.PI} ${dot.x} ${dot.y})`, class: "dot" })
      : draw("circle", { cx: dot.x, cy: dot.y, r: radius, class: "dot" }));
    svg.append(group);
  }
  nameDots(svg, dots, { x: left, y: top - 6, w: width - left - 4, h: height - bottom - top + 6 }, { always: spec.always, obstacles: lined });
  return svg;
};
// On which side of a scale a value lies, 0 on it.
const beyond = (scale, v) => (v > scale.high) - (v < scale.low);
function quadrants(svg, spec, sx, sy) {
  const [x0, y0] = [sx(0), sy(0)];
  const corners = [[sx.from, sy.to, x0, y0], [x0, sy.to, sx.to, y0], [sx.from, y0, x0, sy.from], [x0, y0, sx.to, sy.from]];
  corners.forEach(([x1, y1, x2, y2], k) => {
    if (x2 - x1 < 24 || y2 - y1 < 24) return;
    svg.append(draw("rect", { x: x1, y: y1, width: x2 - x1, height: y2 - y1, class: k === 1 ? "corner best" : "corner" }));
    const last = k % 2 === 1;
    // Left of the line of the ceiling.
    const end = last && sx(1) > x1 + 60 && sx(1) < x2 ? sx(1) : x2;
    const room = end - x1 - 16;
    const lines = folded(spec.quadrants[k], room);
    if (lines.some((line) => wide(line) > room) || lines.length * 15 > y2 - y1) return;
    lines.forEach((line, n) => svg.append(letters(last ? end - 8 : x1 + 8, k < 2 ? Math.max(y1, sy(1)) + 17 + 15 * n : y2 - 9 - 15 * (lines.length - 1 - n), line,
      { anchor: last ? "end" : "start", kind: k === 1 ? "corner-name best" : "corner-name" })));
  });
}

// Rows with estimates and intervals: forests, dumbbells, bars. Under 700 px each name has a line of its own.
CHARTS.rows = (spec, width, chosen = {}) => {
  const c = columnsOf(spec.rows);
  let use = Array.from(c[spec.names], (_, i) => i).filter((i) => !spec.choose || !chosen[spec.choose] || c[spec.choose][i] === chosen[spec.choose]);
  if (spec.most) use = use.slice(0, spec.most);
  const narrow = width < (spec.narrow ?? NARROW);
  const names = use.map((i) => c[spec.names][i]);
  const texts = spec.texts ?? [];
  const textWidths = texts.map((t) => Math.max(wide(t.title, SMALL), ...use.map((i) => wide(c[t.field][i] ?? ""))) + 14);
  const left = narrow ? 10 : Math.min(Math.max(90, ...names.map((n) => wide(n) + 18)), width * 0.32);
  const right = narrow ? 14 : textWidths.reduce((a, b) => a + b, 12);
  const step = narrow ? 42 : spec.step ?? 26;
  // Only what is drawn has a key; where each row has its own color that of the key is neutral.
  const drawn = spec.series.filter((s) => s.title && use.some((i) => known(c[s.field][i]) && (s.shape !== "box" || known(c[s.low][i]))));
  const keys = drawn.map((s) => ({ name: s.title, color: lit(s.color ?? (spec.color ? "var(--soft)" : "var(--accent)")), shape: s.shape }));
  for (const s of drawn) if (s.untested && use.some((i) => !known(c[s.filled][i]))) keys.push({ name: s.untested, color: "var(--rest)" });
  const key = legend(spec, keys.length > 1 ? keys : [], width);
  const groups = spec.group ? [...new Set(use.map((i) => c[spec.group][i]))] : [];
  const top = key.height + (spec.x.refs?.some((r) => r.label) || texts.length ? 24 : 10);
  const height = top + use.length * step + groups.length * 26 + 44;
  const svg = canvas(width, height, spec.label);
  svg.append(key.group);
  const fields = spec.series.flatMap((s) => [s.field, s.low, s.high].filter(Boolean));
  const sx = scaleOf(extent(use.flatMap((i) => fields.map((f) => c[f][i])), spec.x.domain, [...(spec.x.refs ?? []).map((r) => r.at), ...(spec.x.include ?? [])]), [left, width - right]);
  axisBelow(svg, sx, height - 40, spec.x, top);
  references(svg, sx, spec.x.refs, top, height - 40);
  if (!narrow) {
    let at = width - right + 12;
    texts.forEach((t, k) => { svg.append(letters(at, top - 7, t.title, { size: SMALL, kind: "soft" })); at += textWidths[k]; });
  }
  let y = top;
  let group;
  for (const i of use) {
    if (spec.group && c[spec.group][i] !== group) {
      group = c[spec.group][i];
      svg.append(letters(4, y + 18, group, { kind: "strong" }));
      y += 26;
    }
    const middle = y + (narrow ? 30 : step / 2);
    const keys = keysOf(spec, c, i);
    const color = spec.color ? shadeOf(spec, c[spec.color][i]) : "var(--accent)";
    const row = mark(draw("g", { stroke: color, fill: color }), i, keys);
    row.append(draw("rect", { x: 0, y, width, height: step, class: "hit" }));
    const own = narrow ? texts.map((t) => c[t.field][i]).filter(Boolean) : [];
    while (own.length > 1 && wide(names[use.indexOf(i)]) + wide(own.join(" · "), SMALL) + 24 > width) own.pop();
    const text = own.join(" · ");
    const nameRoom = narrow ? width - wide(text, SMALL) - 24 : left - 14;
    row.append(letters(narrow ? 4 : left - 10, narrow ? y + 15 : middle + 4, names[use.indexOf(i)], { anchor: narrow ? "start" : "end", kind: "name", room: nameRoom }));
    if (narrow && text) row.append(letters(width - 4, y + 15, text, { size: SMALL, anchor: "end", kind: "soft" }));
    if (spec.joined) {
      const ends = spec.joined.map((f) => c[f][i]);
      if (ends.every(known)) row.append(draw("line", { x1: sx(ends[0]), x2: sx(ends[1]), y1: middle, y2: middle, class: "joined" }));
    }
    for (const s of spec.series) estimate(row, s, c, i, sx, middle);
    if (!narrow) {
      let at = width - right + 12;
      texts.forEach((t, k) => { row.append(letters(at, middle + 4, c[t.field][i] ?? "", { kind: "figures" })); at += textWidths[k]; });
    }
    svg.append(row);
    y += step;
  }
  return svg;
};
function estimate(row, s, c, i, sx, y) {
  const v = c[s.field][i];
  const own = s.color ? { stroke: lit(s.color), fill: lit(s.color) } : {};
  if (s.shape === "box") {
    if (known(c[s.low][i])) row.append(draw("rect", { x: sx(c[s.low][i]), y: y - 7, width: Math.max(sx(c[s.high][i]) - sx(c[s.low][i]), 1.5), height: 14, class: "chance" }));
    return;
  }
  if (!known(v)) return;
  if (s.shape === "bar") { row.append(draw("rect", { x: Math.min(sx(0), sx(v)), y: y - 6, width: Math.abs(sx(v) - sx(0)), height: 12, class: "dot", ...own })); return; }
  if (s.low && known(c[s.low][i])) row.append(draw("line", { x1: sx(c[s.low][i]), x2: sx(c[s.high][i]), y1: y, y2: y, class: "range", ...own }));
  if (s.shape === "tick") row.append(draw("line", { x1: sx(v), x2: sx(v), y1: y - 8, y2: y + 8, class: "tick", ...own }));
  else if (s.shape === "cross") row.append(draw("path", { d: crossAt(sx(v), y), class: "cross", ...own }));
  else if (s.shape === "diamond") row.append(draw("path", { d: diamondAt(sx(v), y), class: "dot", ...own }));
  else {
    const tested = !s.filled || known(c[s.filled][i]);
    const ring = s.shape === "ring" || (s.filled && tested && !c[s.filled][i]);
    row.append(draw("circle", { cx: sx(v), cy: y, r: s.shape === "ring" ? 6.5 : 5, class: ring ? "ring" : "dot", ...own, ...(tested ? {} : { fill: "var(--rest)" }) }));
  }
}

// One box a model, lying, with its dots; very many dots are left out, as no eye tells them apart.
const MOST_DOTS = 3000;
CHARTS.boxes = (spec, width) => {
  const c = columnsOf(spec.rows);
  const groups = [...new Set(c[spec.names])];
  const narrow = width < NARROW;
  const left = narrow ? 10 : Math.min(Math.max(90, ...groups.map((n) => wide(n) + 18)), width * 0.32);
  const step = narrow ? 58 : 40;
  const key = legend(spec, (spec.ticks ?? []).map((t) => ({ name: t.title, color: lit(t.color), shape: "tick" })), width);
  const top = key.height + 10;
  const height = top + groups.length * step + 44;
  const svg = canvas(width, height, spec.label);
  svg.append(key.group);
  const sx = scaleOf(extent(Array.from(c[spec.value]), spec.x.domain, spec.x.include), [left, width - (narrow ? 14 : 60)]);
  axisBelow(svg, sx, height - 40, spec.x, top);
  references(svg, sx, spec.x.refs, top, height - 40);
  const rowsOf = new Map(groups.map((g) => [g, []]));
  c[spec.names].forEach((g, i) => { if (known(c[spec.value][i])) rowsOf.get(g).push(i); });
  const dots = c[spec.names].length <= MOST_DOTS;
  groups.forEach((g, k) => {
    const y = top + k * step + (narrow ? 37 : step / 2);
    const own = rowsOf.get(g);
    const color = shadeOf(spec, g);
    svg.append(mark(letters(narrow ? 4 : left - 10, narrow ? y - 21 : y + 4, g, { anchor: narrow ? "start" : "end", kind: "name", room: narrow ? width * 0.7 : left - 14 }), own[0] ?? 0, { model: g }));
    svg.append(letters(width - 4, narrow ? y - 21 : y + 4, `n = ${own.length}`, { size: SMALL, anchor: "end", kind: "soft" }));
    if (!own.length) return;
    const sorted = own.map((i) => c[spec.value][i]).sort((a, b) => a - b);
    const at = (q) => sorted[Math.round(q * (sorted.length - 1))];
    const [q1, q2, q3] = [0.25, 0.5, 0.75].map(at);
    const [w1, w2] = [sorted.find((v) => v >= q1 - 1.5 * (q3 - q1)), sorted.findLast((v) => v <= q3 + 1.5 * (q3 - q1))];
    const box = draw("g", { stroke: color, fill: color, "data-model": g, class: "mark" });
    box.append(draw("line", { x1: sx(w1), x2: sx(w2), y1: y, y2: y, class: "whisker" }));
    box.append(draw("rect", { x: sx(q1), y: y - 9, width: Math.max(sx(q3) - sx(q1), 1), height: 18, class: "box" }));
    box.append(draw("line", { x1: sx(q2), x2: sx(q2), y1: y - 9, y2: y + 9, class: "median" }));
    svg.append(box);
    own.forEach((i, n) => {
      if (!dots) return;
      svg.append(mark(draw("circle", { cx: sx(c[spec.value][i]), cy: y + (((n * 37) % 15) - 7), r: 2.2, fill: color, class: "dot faint" }), i, { model: g, perturbation: c.perturbation[i] }));
    });
    for (const t of spec.ticks ?? []) {
      const v = own.map((i) => c[t.field][i]).filter(known).sort((a, b) => a - b);
      if (v.length) svg.append(draw("line", { x1: sx(v[v.length >> 1]), x2: sx(v[v.length >> 1]), y1: y - 14, y2: y + 14, stroke: lit(t.color), class: "tick" }));
    }
  });
  return svg;
};

// Stacked shares: standing columns, or under 700 px lying bars of the strongest.
CHARTS.stack = (spec, width) => {
  const c = columnsOf(spec.rows);
  const narrow = width < NARROW;
  const use = Array.from(c[spec.names], (_, i) => i).slice(0, narrow ? 30 : spec.most ?? 150);
  const key = legend(spec, spec.series.map((s) => ({ name: s.title, color: lit(s.color), shape: "box" })), width);
  const left = narrow ? 96 : 46;
  const column = narrow ? 17 : Math.min((width - left - 14) / use.length, 34);
  const labelled = !narrow && column >= 13;
  const names = labelled ? Math.min(Math.max(...use.map((i) => wide(c[spec.names][i], SMALL))) + 10, 110) : 8;
  const top = key.height + 26;
  const height = narrow ? key.height + 14 + use.length * column + 40 : top + 220 + names + 6;
  const svg = canvas(width, height, spec.label);
  svg.append(key.group);
  const axis = { title: spec.axis, percent: true };
  const s = narrow ? scaleOf([0, 1], [left, width - 14]) : scaleOf([0, 1], [top + 220, top]);
  if (narrow) axisBelow(svg, s, height - 36, axis, key.height + 8);
  else axisBeside(svg, s, left, axis, left + column * use.length);
  use.forEach((i, k) => {
    const bar = mark(draw("g", {}), i, keysOf(spec, c, i));
    let sum = 0;
    for (const part of spec.series) {
      const v = Math.max(c[part.field][i] || 0, 0);
      const [a, b] = [s(Math.min(sum, 1)), s(Math.min(sum + v, 1))];
      const place = narrow ? { x: a, y: key.height + 12 + k * column, width: b - a, height: column - 3 }
        : { x: left + k * column + 0.5, y: b, width: Math.max(column - 1, 1), height: a - b };
      if (v > 0) bar.append(draw("rect", { ...place, fill: lit(part.color) }));
      sum += v;
    }
    if (narrow) bar.append(letters(left - 6, key.height + 12 + k * column + 11, c[spec.names][i], { size: SMALL, anchor: "end", kind: "name", room: left - 10 }));
    else if (labelled) bar.append(letters(left + (k + 0.5) * column + 4, top + 228, c[spec.names][i], { size: SMALL, anchor: "end", turn: -90, kind: "name", room: names }));
    svg.append(bar);
  });
  return svg;
};

// A matrix in colors: red above 0, blue below. Columns are in groups; under 700 px each keeps its first ones.
CHARTS.heat = (spec, width, chosen = {}) => {
  const { rows, columns, groups } = spec.matrix;
  const layers = columnsOf(spec.matrix.layers);
  const values = heatValues(spec, layers, chosen);
  const left = Math.min(Math.max(...rows.map((n) => wide(n, SMALL))) + 12, width < NARROW ? 110 : 190);
  const room = Math.max(Math.floor((width - left - 10) / 14), 4);
  const counts = new Map();
  for (const g of groups) counts.set(g, (counts.get(g) ?? 0) + 1);
  const share = Math.min(1, room / columns.length);
  const seen = new Map();
  const use = columns.map((_, j) => j).filter((j) => {
    const n = (seen.get(groups[j]) ?? 0) + 1;
    seen.set(groups[j], n);
    return n <= Math.max(1, Math.floor(counts.get(groups[j]) * share));
  });
  const cell = spec.square ? Math.min(46, (width - left - 10) / use.length) : Math.min(Math.max((width - left - 10) / use.length, 12), 26);
  const step = spec.square ? Math.min(cell, 34) : 16;
  const names = Math.min(Math.max(...use.map((j) => wide(columns[j], SMALL))) + 10, 160);
  const grouped = counts.size > 1;
  // Names of groups start above their first column; one that has no room stands a line higher.
  const starts = [];
  const labels = [];
  for (let k = use.length - 1; grouped && k >= 0; k -= 1) {
    const name = groups[use[k]];
    if (k && groups[use[k - 1]] === name) continue;
    const w = wide(name, SMALL) * 1.1 + 8;
    const at = left + k * cell + 2;
    const x = Math.max(Math.min(at, width - w), 0);
    const free = starts.findIndex((start) => x + w < start);
    const line = free < 0 ? starts.length : free;
    for (let n = 0; n <= line; n += 1) starts[n] = x;
    labels.push({ x, line, name, at });
  }
  const ruled = starts.length * 15 + 5;
  const top = (grouped ? ruled + 4 : 4) + names;
  const finite = Array.from(values).filter(known).map(Math.abs).sort((a, b) => a - b);
  const most = spec.most ?? (finite[Math.floor(finite.length * 0.98)] || 1);
  const below = folded(`red: ${spec.positive}, blue: ${spec.negative}; full color at ±${number(most)} ${spec.unit ?? ""}`, width - 8, SMALL);
  const height = top + rows.length * step + 16 + 14 * below.length;
  const svg = canvas(width, height, spec.label);
  for (const { x, line, name, at } of labels) {
    if (line) svg.append(draw("line", { x1: at, x2: at, y1: ruled - 15 * line - 4, y2: ruled, class: "leader" }));
    svg.append(letters(x, ruled - 5 - 15 * line, name, { size: SMALL, kind: "strong" }));
  }
  let start = 0;
  use.forEach((j, k) => {
    const x = left + k * cell;
    svg.append(mark(letters(x + cell / 2 + 4, top - 6, columns[j], { size: SMALL, turn: -90, kind: "name", room: names }), j, { [spec.columnKey]: columns[j] }));
    const ends = k + 1 === use.length || groups[use[k + 1]] !== groups[j];
    if (grouped && ends) {
      const [x1, x2] = [left + start * cell, x + cell];
      svg.append(draw("line", { x1: x1 + 2, x2: x2 - 2, y1: ruled, y2: ruled, class: "rule" }));
      start = k + 1;
    }
  });
  rows.forEach((name, r) => {
    const y = top + r * step;
    svg.append(mark(letters(left - 7, y + step / 2 + 4, name, { size: SMALL, anchor: "end", kind: "name", room: left - 10 }), r * columns.length, { [spec.rowKey]: name }));
    use.forEach((j, k) => {
      const v = values[r * columns.length + j];
      const x = left + k * cell;
      if (!known(v)) return;
      svg.append(mark(draw("rect", { x, y, width: cell - 1, height: step - 1, class: v < 0 ? "low" : "high", "fill-opacity": Math.min(Math.abs(v) / most, 1).toFixed(3) }), r * columns.length + j,
        { [spec.rowKey]: name, [spec.columnKey]: columns[j] }));
      if (spec.square && cell > 30) svg.append(letters(x + cell / 2, y + step / 2 + 4, number(v), { size: SMALL, anchor: "middle", kind: Math.abs(v) / most > 0.6 ? "in-cell full" : "in-cell" }));
    });
  });
  below.forEach((line, n) => svg.append(letters(4, height + 6 - 14 * (below.length - n), line, { size: SMALL, kind: "soft" })));
  return svg;
};
function heatValues(spec, layers, chosen) {
  const model = layers[chosen.model];
  if (!chosen.view || chosen.view === "observed" || !model) return layers.observed;
  return chosen.view === "predicted" ? model : layers.observed.map((v, i) => v - model[i]);
}
