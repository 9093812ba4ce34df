// The units of a search. The fragment of the address selects a layer, #conv3_1, or one of its units, #conv3_1/17.
const layers = JSON.parse(document.getElementById("data").textContent);
const dialog = document.getElementById("unit"), main = document.getElementById("layer");

function make(kind, properties, ...children) {
  const element = Object.assign(document.createElement(kind), properties);
  element.append(...children);
  return element;
}

function svg(parent, kind, attributes, title) {
  const element = parent.appendChild(document.createElementNS("http://www.w3.org/2000/svg", kind));
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (title) svg(element, "title", {}).textContent = title;
  return element;
}

const picture = (folder, layer, unit, what) => make("img", {
  src: `${folder}/${layer}/${unit}.png`, loading: "lazy", alt: `${layer} unit ${unit}: ${what}`});
const link = (layer, unit, ...children) => make("a", {href: `#${layer}/${unit}`}, ...children);
const fired = unit => unit.patches.length > 0;
const number = value => String(+value.toPrecision(3));

// The units of a layer in the order of the page: those with a picture, then the others.
function orderOf(layer) {
  const {drawn, units} = layers[layer], shown = new Set(drawn.map(String));
  const withPicture = Object.keys(units).filter(unit => shown.has(unit) && fired(units[unit]));
  return [withPicture, Object.keys(units).filter(unit => !withPicture.includes(unit))];
}

// Images by the maximum of the unit, on a logarithmic axis, with a line at each quantile.
// Empty if the unit never fired.
function histogram({histogram: {counts, edges}, quantiles}) {
  if (!counts.length) return [];
  const most = Math.max(...counts), [from, to] = [edges[0], edges.at(-1)].map(Math.log);
  const across = value => 100 * (Math.log(value) - from) / (to - from);
  const box = make("div", {className: "histogram"},
    make("div", {className: "up"}, make("span", {}, most + " images"), make("span", {}, "0")));
  const plot = svg(box, "svg", {viewBox: "0 0 100 100", preserveAspectRatio: "none", role: "img", "aria-label": "Histogram"});
  counts.forEach((count, bin) => svg(plot, "rect", {
    x: across(edges[bin]), width: across(edges[bin + 1]) - across(edges[bin]),
    y: 100 - 100 * count / most, height: 100 * count / most,
  }, `${count} images from ${number(edges[bin])} to ${number(edges[bin + 1])}`));
  for (const at of quantiles) {
    const value = at[MEASURE], x = across(value);
    if (value > 0) svg(plot, "line", {x1: x, x2: x, y1: 0, y2: 100}, `quantile ${at.quantile}: ${number(value)}`);
  }
  const ends = [edges[0], `largest ${MEASURE}, logarithmic`, edges.at(-1)];
  box.append(make("div", {className: "along"}, ...ends.map(end => make("span", {}, end.toPrecision ? number(end) : end))));
  return [box];
}

function histogramText({silent, counts, edges}) {
  const firing = counts.reduce((sum, count) => sum + count, 0);
  return `fired in ${firing} of ${firing + silent} images`
    + (firing ? `, maxima from ${number(edges[0])} to ${number(edges.at(-1))}` : "");
}

const labelText = labels => Object.entries(labels).map(([label, count]) => `${label || "none"} ${count}`).join(", ");

function table(className, heads, rows) {
  const line = (kind, values) => make("tr", {}, ...values.map(value => make(kind, {}, String(value))));
  const body = make("tbody", {}, ...rows.map(row => line("td", row)));
  return make("div", {className: "scroll", tabIndex: 0}, make("table", {className}, make("thead", {}, line("th", heads)), body));
}

// What is known of the distribution of a unit's maxima over all images.
function distribution(layer, number) {
  const unit = layers[layer].units[number];
  const parts = [make("h3", {}, "Maximum in each image"), make("p", {}, histogramText(unit.histogram)), ...histogram(unit)];
  if (layers[layer].drawn.map(String).includes(number) && unit.quantiles.length)
    parts.push(make("h3", {}, "Patches at quantiles"), picture("quantiles", layer, number, "patches at quantiles"));
  const rows = unit.quantiles.map(at => [at.quantile, at[MEASURE].toPrecision(5), ...(at.labels ? [labelText(at.labels)] : [])]);
  const heads = ["quantile", MEASURE, ...(unit.labels ? ["labels of the images above"] : [])];
  if (rows.length) parts.push(table("quantiles", heads, rows));
  return parts;
}

function showLayer(layer) {
  const {units, about, quantiles} = layers[layer], [drawn, others] = orderOf(layer);
  const silent = others.filter(unit => !fired(units[unit])), rest = others.filter(unit => fired(units[unit]));
  main.dataset.layer = layer;
  main.replaceChildren(make("h2", {}, layer), make("p", {}, about + " ",
    make("a", {href: layer + ".png"}, "Contact sheet"),
    ...(quantiles ? [" ", make("a", {href: `quantiles/${layer}.png`}, "Sheet of quantiles")] : [])));
  if (layer === "conv1_1")
    main.append(make("p", {}, make("img", {src: "filters.png", className: "filters", alt: "Filters of conv1_1"})));
  main.append(make("div", {className: "units"}, ...drawn.map(unit => make("figure", {},
    link(layer, unit, picture("units", layer, unit, "patches and their projections")),
    make("figcaption", {}, "unit " + unit), ...histogram(units[unit])))));
  for (const [title, some] of [["Units without a picture", rest], ["Units that never fired", silent]])
    if (some.length) main.append(make("h3", {}, title), make("p", {className: "others"}, ...some.map(unit => link(layer, unit, unit))));
  for (const tab of document.querySelectorAll("#layers a")) {
    if (tab.textContent === layer) tab.setAttribute("aria-current", "page"); else tab.removeAttribute("aria-current");
  }
}

// Opens the unit `steps` further on; the Back button of the browser leads out of the dialog, not through the units.
function turn(layer, unit, steps) {
  const next = orderOf(layer).flat().at(orderOf(layer).flat().indexOf(unit) + steps);
  location.replace(`#${layer}/${next}`);
}

function bar(layer, unit) {
  const order = orderOf(layer).flat(), at = order.indexOf(unit);
  const button = (text, label, steps, ends) => make("button", {
    className: "plain", type: "button", ariaLabel: label, disabled: ends, onclick: () => turn(layer, unit, steps)}, text);
  return make("div", {className: "bar"}, make("h2", {id: "name"}, `${layer} unit ${unit}`),
    button("\u2190", "Previous unit", -1, at === 0), button("\u2192", "Next unit", 1, at === order.length - 1),
    make("form", {method: "dialog"}, make("button", {className: "plain close", autofocus: true}, "Close")));
}

function showUnit(layer, unit) {
  const found = layers[layer].units[unit];
  const rows = found.patches.map((patch, rank) =>
    [rank + 1, patch[MEASURE].toPrecision(5), patch.image, patch.row, patch.column, ...patch.box]);
  const drawn = layers[layer].drawn.map(String).includes(unit) && fired(found);
  dialog.replaceChildren(bar(layer, unit),
    ...(drawn ? [picture("units", layer, unit, "patches and their projections")] : []),
    rows.length ? table("patches", ["rank", MEASURE, "image", "row", "column", "x0", "y0", "x1", "y1"], rows)
      : make("p", {}, "This unit never fired."),
    ...(found.labels && rows.length ? [make("p", {}, "Labels: " + labelText(found.labels))] : []),
    ...distribution(layer, unit));
  dialog.onkeydown = event => {
    const steps = {ArrowRight: 1, ArrowLeft: -1}[event.key];
    if (steps) dialog.querySelector(`.bar > button:nth-of-type(${steps < 0 ? 1 : 2})`).click();
  };
  if (!dialog.open) dialog.showModal();
  dialog.querySelector(".close").focus();
  dialog.scrollTop = 0;
}

function show() {
  const [asked, unit] = decodeURIComponent(location.hash.slice(1)).split("/"), names = Object.keys(layers);
  const layer = asked in layers ? asked : names[names.length >> 1];  // the first layers have little to show, the last are hard to read
  if (main.dataset.layer !== layer) showLayer(layer);
  if (unit in layers[layer].units) showUnit(layer, unit); else dialog.close();
}

document.getElementById("layers").append(
  ...Object.keys(layers).map(layer => make("a", {className: "plain", href: "#" + layer}, layer)));
dialog.onclose = () => { location.hash = main.dataset.layer; };
dialog.onclick = event => { if (event.target === dialog) dialog.close(); };
addEventListener("hashchange", show);
show();
