// The units of a search. The fragment of the address selects a layer, #conv3_1, one of its units, #conv3_1/17, or one
// of the unit's patches, #conv3_1/17/2.
const {layers, photos} = JSON.parse(document.getElementById("data").textContent);
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

function showLayer(layer) {
  const {units, about, reading, quantiles, filters} = layers[layer], [drawn, others] = orderOf(layer);
  const silent = others.filter(unit => !fired(units[unit])), rest = others.filter(unit => fired(units[unit]));
  main.dataset.layer = layer;
  main.replaceChildren(make("h2", {}, layer), make("p", {className: "how"}, `${about} ${reading} `,
    make("a", {href: layer + ".png"}, "Contact sheet"),
    ...(quantiles ? [" ", make("a", {href: `quantiles/${layer}.png`}, "Sheet of quantiles")] : [])));
  if (filters)
    main.append(figure("", `The filters of ${layer}, unit after unit: gray is a weight of 0.`,
      make("img", {src: "filters.png", className: "filters", alt: `Filters of ${layer}`})));
  main.append(make("div", {className: "units"}, ...drawn.map(unit => make("figure", {},
    link(layer, unit, picture("units", layer, unit, "patches and their projections")),
    make("figcaption", {}, "unit " + unit), ...histogram(units[unit])))));
  const numbers = some => make("p", {className: "others"}, ...some.map(unit => link(layer, unit, unit)));
  const cards = some => make("div", {className: "cards"}, ...some.map(unit => card(layer, unit, "unit " + unit)));
  const hasPhotos = Object.keys(photos).length > 0;
  if (rest.length) main.append(make("h3", {}, "Other units"), hasPhotos ? cards(rest) : numbers(rest));
  if (silent.length) main.append(make("h3", {}, "Units that never fired"), numbers(silent));
  for (const tab of document.querySelectorAll("#layers a")) {
    if (tab.textContent === layer) tab.setAttribute("aria-current", "page"); else tab.removeAttribute("aria-current");
  }
}

function show() {
  const [asked, unit, rank] = decodeURIComponent(location.hash.slice(1)).split("/"), names = Object.keys(layers);
  const layer = asked in layers ? asked : names[names.length >> 1];  // the first layers have little to show, the last are hard to read
  if (main.dataset.layer !== layer) showLayer(layer);
  if (!(unit in layers[layer].units)) return dialog.close();
  if (!dialog.open || dialog.dataset.unit !== `${layer}/${unit}`) showUnit(layer, unit);
  showPatch(layer, unit, rank);
  if (rank) dialog.querySelector(".photo")?.scrollIntoView({block: "nearest"});
}

document.getElementById("layers").append(
  ...Object.keys(layers).map(layer => make("a", {className: "plain", href: "#" + layer}, layer)));
// Unless the Back button has closed it.
dialog.onclose = () => { if (location.hash.includes("/")) location.hash = main.dataset.layer; };
dialog.onclick = event => { if (event.target === dialog) dialog.close(); };
dialog.onkeydown = turnByKeys;
addEventListener("hashchange", show);
show();
