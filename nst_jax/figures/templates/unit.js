// The dialog of a unit: its patches, the photo that a patch is from, and the distribution of its maxima.
const percent = share => 100 * share + "%";
const exact = value => String(+value.toPrecision(5));
const isDrawn = (layer, unit) => layers[layer].drawn.map(String).includes(unit);

// The border of the central square of a photo, which is all that the network sees: left and right, top and bottom.
const beyond = ([width, height]) => [Math.max(0, width - height) / 2, Math.max(0, height - width) / 2];

// A patch, cut out of the photo. A field that reaches over the border of the square is gray there.
function crop({photo, box}, side) {
  const [width, height] = photos[photo], [left, top] = beyond([width, height]);
  const field = side * Math.min(width, height) / SIZE;
  // A box is clipped to the square. One that begins at its border ends where the field does.
  const [x, y] = [left, top].map((border, axis) => box[axis] > border ? box[axis] : box[axis + 2] - field);
  const image = make("img", {src: photo, alt: ""});
  Object.assign(image.style, {
    width: percent(width / field), left: percent(-x / field), top: percent(-y / field),
    clipPath: `inset(${percent(top / height)} ${percent(left / width)})`});
  return make("span", {className: "crop"}, image);
}

// The patches of a unit in reading order: those of its picture, or else cut out of the photos.
// `cell` makes the element at the place of a patch from its rank and its content.
function mosaic(layer, unit, cell) {
  const drawn = isDrawn(layer, unit), {units, side} = layers[layer];
  const grid = make("div", {className: "mosaic"});
  grid.style.setProperty("--across", ACROSS);
  grid.style.aspectRatio = ACROSS / DOWN;
  if (drawn) grid.append(picture("units", layer, unit, "patches"));
  units[unit].patches.forEach((patch, index) =>
    grid.append(cell(index + 1, drawn ? [] : patch.photo ? [crop(patch, side)] : [String(index + 1)])));
  return grid;
}

function patchButtons(layer, unit) {
  const {patches} = layers[layer].units[unit];
  return mosaic(layer, unit, (rank, content) => make("button", {
    type: "button", className: "cell", disabled: !patches[rank - 1].photo,
    ariaLabel: `Patch ${rank}: ${MEASURE} ${number(patches[rank - 1][MEASURE])}, from ${patches[rank - 1].image}`,
    onclick: () => location.replace(`#${layer}/${unit}/${rank}`)}, ...content));
}

const figure = (className, caption, ...content) =>
  make("figure", {className}, ...content, make("figcaption", {}, caption));

// The right half of a unit's picture.
function projections(layer, unit) {
  const half = make("div", {className: "mosaic right"}, picture("units", layer, unit, "projections of its patches"));
  half.style.aspectRatio = ACROSS / DOWN;
  return half;
}

// A patch, or its projection, enlarged out of the unit's picture.
function closeUp(layer, unit, rank, isProjection) {
  const {cell} = layers[layer], pitch = cell + PATCH_GAP, group = ACROSS * pitch - PATCH_GAP + GROUP_GAP;
  const [row, column] = [Math.floor((rank - 1) / ACROSS), (rank - 1) % ACROSS];
  const image = picture("units", layer, unit, `${isProjection ? "projection of " : ""}patch ${rank}, enlarged`);
  Object.assign(image.style, {
    width: percent((2 * group - GROUP_GAP) / cell),
    left: percent(-(column * pitch + (isProjection ? group : 0)) / cell), top: percent(-row * pitch / cell)});
  return make("div", {className: "crop"}, image);
}

// The whole photo of a patch, in which it is outlined, and what the network does not see is dimmed.
function wholePhoto(patch, rank) {
  const [width, height] = photos[patch.photo], [left, top] = beyond([width, height]), [x0, y0, x1, y1] = patch.box;
  const outline = make("span", {className: "outline"}), frame = make("span", {className: "frame"});
  Object.assign(outline.style, {
    left: percent(x0 / width), top: percent(y0 / height),
    width: percent((x1 - x0) / width), height: percent((y1 - y0) / height)});
  frame.style.inset = `${percent(top / height)} ${percent(left / width)}`;
  const image = make("img", {src: patch.photo, width, height, alt: `${patch.image}, with patch ${rank} outlined`});
  return make("div", {className: "whole"}, make("div", {className: "dimmed"}, image, frame), outline);
}

// Shows the photo of a patch in the open dialog, by default that of the strongest one.
function showPatch(layer, unit, rank = 1) {
  const patch = layers[layer].units[unit].patches[rank - 1], place = dialog.querySelector(".photo");
  if (!place || !patch?.photo) return;
  dialog.querySelectorAll("button.cell").forEach((cell, index) => cell.setAttribute("aria-pressed", index === rank - 1));
  const closeUps = isDrawn(layer, unit) ? [false, true].map(isProjection => closeUp(layer, unit, +rank, isProjection))
    : [crop(patch, layers[layer].side)];
  place.replaceChildren(wholePhoto(patch, rank), make("div", {className: "close-ups"}, ...closeUps),
    make("figcaption", {}, `Patch ${rank}, outlined in ${patch.image}: ${MEASURE} ${exact(patch[MEASURE])} at row ${patch.row}, column ${patch.column}`));
}

function maximizedPicture(layer, unit) {
  const {maximized, patches} = layers[layer].units[unit];
  const compared = MEASURE === "activation" ? `, that of the strongest patch ${number(patches[0].activation)}` : "";
  return figure("", `Painted from noise to activate the unit: the largest activation is ${number(maximized.activation)}${compared}.`,
    make("img", {src: maximized.file, loading: "lazy", alt: `${layer} unit ${unit}: a picture painted to activate it`}));
}

function pictures(layer, unit) {
  const {maximized, patches} = layers[layer].units[unit], shown = [];
  const hasPhotos = patches.some(patch => patch.photo);
  if (hasPhotos || isDrawn(layer, unit))
    shown.push(figure("patches", "Patches, strongest first." + (hasPhotos ? " Select one to see its photo." : ""), patchButtons(layer, unit)));
  if (isDrawn(layer, unit)) shown.push(figure("", `Projections of the patches (${RULE})`, projections(layer, unit)));
  if (hasPhotos) shown.push(make("figure", {className: "photo", ariaLive: "polite"}));
  if (maximized) shown.push(maximizedPicture(layer, unit));
  return make("div", {className: "pictures"}, ...shown);
}

// Fills cards as they come into view: a layer may have hundreds of units.
const whenSeen = new IntersectionObserver(entries => entries.filter(entry => entry.isIntersecting).forEach(({target}) => {
  whenSeen.unobserve(target);
  target.append(mosaic(...target.dataset.unit.split("/"), (rank, content) => make("span", {className: "cell"}, ...content)));
}), {rootMargin: "300px"});

// A small link to a unit, with its patches.
function card(layer, unit, caption) {
  const place = make("div", {className: "patches-of"});
  place.dataset.unit = `${layer}/${unit}`;
  whenSeen.observe(place);
  return link(layer, unit, make("figure", {}, place, make("figcaption", {}, caption)));
}

// Units whose maxima rise and fall with those of this one.
function similarUnits(layer, unit) {
  const {units, sampled} = layers[layer];
  const cards = units[unit].similar.map(({unit: other, correlation}) => {
    const caption = `unit ${other}: ${correlation.toFixed(2)}`;
    return other in units ? card(layer, other, caption) : make("p", {}, caption);
  });
  return [make("h3", {}, "Units like this one"),
    make("p", {}, `Correlation of the largest ${MEASURE} in each of ${sampled} images.`),
    make("div", {className: "cards"}, ...cards)];
}

const labelText = labels => Object.entries(labels).map(([label, count]) => `${label || "none"} ${count}`).join(", ");

function table(className, heads, rows) {
  const line = (kind, values) => make("tr", {}, ...values.map(value => make(kind, {}, String(value))));
  const body = make("tbody", {}, ...rows.map(row => line("td", row)));
  return make("div", {className: "scroll", tabIndex: 0}, make("table", {className}, make("thead", {}, line("th", heads)), body));
}

// What is known of the distribution of a unit's maxima over all images.
function distribution(layer, unit) {
  const found = layers[layer].units[unit];
  const parts = [make("h3", {}, `Largest ${MEASURE} in each image`), make("p", {}, histogramText(found.histogram)), ...histogram(found)];
  if (isDrawn(layer, unit) && found.quantiles.length)
    parts.push(make("h3", {}, "Patches at quantiles"), picture("quantiles", layer, unit, "patches at quantiles"));
  const rows = found.quantiles.map(at => [at.quantile, exact(at[MEASURE]), ...(at.labels ? [labelText(at.labels)] : [])]);
  const heads = ["quantile", MEASURE, ...(found.labels ? ["labels of the images above"] : [])];
  if (rows.length) parts.push(table("quantiles", heads, rows));
  return parts;
}

// Where each patch is, in numbers.
function places(layer, unit) {
  const {patches, labels} = layers[layer].units[unit];
  const rows = patches.map((patch, index) => [index + 1, exact(patch[MEASURE]), patch.image, patch.row, patch.column, ...patch.box]);
  return [make("h3", {}, "Places of the patches"),
    table("patches", ["rank", MEASURE, "image", "row", "column", "x0", "y0", "x1", "y1"], rows),
    ...(labels ? [make("p", {}, "Labels: " + labelText(labels))] : [])];
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

function turnByKeys(event) {
  const steps = {ArrowRight: 1, ArrowLeft: -1}[event.key];
  if (steps) dialog.querySelector(`.bar > button:nth-of-type(${steps < 0 ? 1 : 2})`).click();
}

function showUnit(layer, unit) {
  const found = layers[layer].units[unit];
  dialog.dataset.unit = `${layer}/${unit}`;
  dialog.replaceChildren(bar(layer, unit), ...(fired(found)
    ? [make("p", {className: "soft"}, layers[layer].reading), pictures(layer, unit),
      ...(found.similar.length ? similarUnits(layer, unit) : []), ...distribution(layer, unit), ...places(layer, unit)]
    : [make("p", {}, "This unit never fired."), ...distribution(layer, unit)]));
  if (!dialog.open) dialog.showModal();
  dialog.querySelector(".close").focus();
  dialog.scrollTop = 0;
}
