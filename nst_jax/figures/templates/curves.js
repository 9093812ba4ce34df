// Loss curves on a logarithmic axis, with a legend beside them.
// A series is {name, off, points: [[x, y], ...]}, a mark {x, text}. Those that are `off` are not drawn until they
// are asked for; in the legend, those of single layers are folded.
const COLORS = ["#4477cc", "#d9622b", "#3d8f50", "#b0559e", "#9a7d1e", "#2a8f97", "#d1495b", "#7a6ad8", "#7d7d7d", "#a0623c"];
const DASHES = ["", "7 3", "2 2.5", "9 3 2 3"];  // of another period than the colours, so that 20 pairs differ
const MARGIN = {left: 52, right: 12, top: 16, bottom: 34};
const BELOW = 2;  // decades that other terms may add below the total

function element(parent, kind, attributes, text) {
  const made = document.createElementNS(kind === "svg" ? "http://www.w3.org/2000/svg" : parent.namespaceURI, kind);
  for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return parent.appendChild(made);
}

// The series and marks of one run, from what nst_jax.figures.curves makes of its metrics.
function runSeries(curves, across) {
  const xs = curves.across[across];
  const terms = Object.entries(curves.terms).map(([name, values]) => ({name, off: curves.off.includes(name), points: values.map((y, i) => [xs[i], y])}));
  return [terms, curves.stages.map(({at, scale}) => ({x: xs[at], text: "scale " + scale}))];
}

function extent(values) {
  return values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
}

// Whole decades that hold the visible series, but reach no further below the total of all: a term that begins at
// 1e-12 would flatten the rest.
function decades(visible, series) {
  const range = some => extent(some.flatMap(each => each.points.filter(p => p[1] > 0).map(p => Math.log10(p[1]))));
  const total = range(series.filter(each => each.name === "total"))[0], [lowest, high] = range(visible);
  const low = isFinite(total) && high > total - BELOW ? Math.max(lowest, total - BELOW) : lowest;
  return [Math.floor(low), Math.max(Math.ceil(high), Math.floor(low) + 1)];
}

// Up to about five round numbers from 0 to `last`.
function ticks(last) {
  const power = 10 ** Math.floor(Math.log10(last / 4)), step = [1, 2, 5, 10].find(each => each * power * 5 >= last) * power;
  return Array.from({length: Math.floor(last / step + 1e-9) + 1}, (_, i) => +(i * step).toPrecision(6));
}

const ofLayer = each => each.off && each.name.includes("/");

function style(index) {
  return {stroke: COLORS[index % COLORS.length], "stroke-dasharray": DASHES[index % DASHES.length]};
}

// Returns a function (series, marks, across) that draws into `box`, as often as it is called.
function curvePlot(box) {
  const svg = element(box, "svg", {role: "img", "aria-label": "Losses, on a logarithmic axis"});
  const legend = element(box, "div", {class: "legend", role: "group", "aria-label": "Curves", tabindex: 0});
  const hidden = new Set(), known = new Set();
  let shown = [[], [], ""], names = "", values = [];
  const draw = () => drawCurves(svg, shown[0], hidden, shown[1], shown[2]);
  new ResizeObserver(draw).observe(svg);
  return (series, marks, across) => {
    shown = [series, marks, across];
    const asked = series.map(each => each.name).join("\n");
    if (names !== asked) values = drawLegend(legend, series, {hidden, known}, draw);
    names = asked;
    series.forEach(({points}, i) => values[i].textContent = points.findLast(p => p[1] != null)?.[1].toPrecision(3) ?? "–");
    draw();
  };
}

// Returns the elements for the newest values.
function drawLegend(legend, series, {hidden, known}, draw) {
  legend.replaceChildren();
  const layers = series.filter(ofLayer);
  const fold = layers.length ? element(legend, "details") : null;
  if (fold) element(fold, "summary", {}, `Per layer (${layers.length})`);
  const values = series.map((each, index) => {
    const {name, off} = each, label = element(ofLayer(each) ? fold : legend, "label"), check = element(label, "input", {type: "checkbox"});
    if (off && !known.has(name)) hidden.add(name);
    known.add(name);
    check.checked = !hidden.has(name);
    check.onchange = () => { check.checked ? hidden.delete(name) : hidden.add(name); draw(); };
    element(element(label, "svg", {viewBox: "0 0 26 8", "aria-hidden": true}), "path", {d: "M0 4H26", ...style(index)});
    element(label, "span", {}, name);
    return element(label, "b");
  });
  if (fold) legend.append(fold);  // below the others
  return values;
}

function drawCurves(svg, series, hidden, marks, across) {
  const width = svg.clientWidth, height = svg.clientHeight;
  const visible = series.map((each, index) => ({...each, index})).filter(each => !hidden.has(each.name));
  svg.replaceChildren();
  if (!width || !visible.some(each => each.points.some(p => p[1] > 0))) return;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const last = extent(visible.flatMap(each => each.points.map(p => p[0])))[1] || 1, [low, high] = decades(visible, series);
  const right = width - MARGIN.right, bottom = height - MARGIN.bottom;
  const x = value => MARGIN.left + (right - MARGIN.left) * value / last;
  const y = power => bottom - (bottom - MARGIN.top) * (power - low) / (high - low);
  for (let power = low; power <= high; power += Math.ceil((high - low) / 8)) {
    element(svg, "line", {x1: MARGIN.left, x2: right, y1: y(power), y2: y(power), stroke: "var(--line)"});
    element(svg, "text", {x: MARGIN.left - 6, y: y(power) + 4, "text-anchor": "end"}, power < -3 || power > 4 ? `1e${power}` : +(10 ** power).toPrecision(1));
  }
  for (const tick of ticks(last)) element(svg, "text", {x: x(tick), y: bottom + 15, "text-anchor": "middle"}, tick);
  element(svg, "text", {x: (MARGIN.left + right) / 2, y: height - 4, "text-anchor": "middle"}, across);
  for (const mark of marks) {
    element(svg, "line", {x1: x(mark.x), x2: x(mark.x), y1: MARGIN.top, y2: bottom, class: "stage"});
    element(svg, "text", {x: x(mark.x) + 3, y: MARGIN.top - 4, class: "stage-name"}, mark.text);
  }
  const size = {x: MARGIN.left, y: MARGIN.top, width: right - MARGIN.left, height: bottom - MARGIN.top};
  const inside = element(svg, "svg", {...size, viewBox: Object.values(size).join(" ")});  // clips what lies below the axis
  const line = points => points.filter(p => p[1] > 0).map(p => x(p[0]).toFixed(1) + " " + y(Math.log10(p[1])).toFixed(1));
  for (const {name, points, index} of visible) {
    const path = line(points);
    if (path.length) element(inside, "path", {d: "M" + path.join("L"), ...style(index), "data-term": name});
  }
}
