// The gallery of a sweep: filters, order, the dialogs of the pictures, the curves, and tables that sort.
const $ = id => document.getElementById(id);
const curves = JSON.parse($("curves").textContent);  // by folder
const gallery = document.querySelector(".gallery"), figures = [...gallery.children];
const dialogOf = figure => $(figure.querySelector("button").dataset.opens);
const titleOf = figure => figure.querySelector("figcaption").textContent;
const visible = () => [...gallery.children].filter(figure => !figure.hidden);
const across = gallery.style.getPropertyValue("--across");
let other = "";  // the picture to compare with, kept from one dialog to the next

function compare(dialog) {
  const select = dialog.querySelector(".with"), box = dialog.querySelector(".compare");
  select.value = other;
  box.classList.toggle("on", select.value !== "");
  if (select.value) box.querySelector(".under").src = select.value === "photo" ? dialog.dataset.photo : select.value;
}

// Everything that the picture can be compared with: its photo, the sources, and the other pictures.
function fillChoices(figure) {
  const select = dialogOf(figure).querySelector(".with");
  if (dialogOf(figure).dataset.photo) select.add(new Option("its photo", "photo"));
  for (const source of document.querySelectorAll(".sources img")) select.add(new Option(source.alt, source.getAttribute("src")));
  for (const each of figures) if (each !== figure) select.add(new Option(titleOf(each), each.querySelector("img").getAttribute("src")));
}

// A dialog gets its choices and curves when it is first opened: a sweep can have a thousand.
function show(figure) {
  const dialog = dialogOf(figure), shown = visible(), at = shown.indexOf(figure);
  if (!dialog.dataset.filled) {
    fillChoices(figure);
    curvePlot(dialog.querySelector(".curves"))(...runSeries(curves[dialog.id], "evaluations"), "evaluations");
    dialog.dataset.filled = "yes";
  }
  compare(dialog);
  for (const button of dialog.querySelectorAll("[data-turn]")) button.disabled = !shown[at + +button.dataset.turn];
  dialog.showModal();
  dialog.scrollTop = 0;
}

function turn(figure, steps) {
  const shown = visible(), next = shown[shown.indexOf(figure) + steps];
  if (!next) return;
  dialogOf(figure).close();
  show(next);
  next.querySelector("button").focus({preventScroll: true});  // where a closed dialog leaves the keyboard
  dialogOf(next).querySelector("form button").focus();
}

async function copyCommand(dialog, button) {
  const code = dialog.querySelector("code");
  getSelection().selectAllChildren(code);
  try { await navigator.clipboard.writeText(code.textContent); } catch { document.execCommand("copy"); }
  button.textContent = "Copied";
}

for (const figure of figures) {
  const dialog = dialogOf(figure), select = dialog.querySelector(".with");
  figure.querySelector("button").onclick = () => show(figure);
  select.onchange = () => { other = select.value; compare(dialog); };
  dialog.onclick = event => { if (event.target === dialog) dialog.close(); };
  dialog.querySelector(".copy").onclick = event => copyCommand(dialog, event.target);
  for (const button of dialog.querySelectorAll("[data-turn]")) button.onclick = () => turn(figure, +button.dataset.turn);
  dialog.onkeydown = event => {
    if (["INPUT", "SELECT"].includes(event.target.tagName)) return;
    if (event.key === "c" && !event.ctrlKey && !event.metaKey) {
      other = other ? "" : select.options[1].value;
      compare(dialog);
    }
    const steps = {ArrowRight: 1, ArrowLeft: -1}[event.key];
    if (steps) turn(figure, steps);
  };
}

gallery.onkeydown = event => {
  const shown = visible(), at = shown.indexOf(event.target.closest("figure"));
  const columns = getComputedStyle(gallery).gridTemplateColumns.split(" ").length;
  const step = {ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns}[event.key];
  if (!step || at < 0) return;
  event.preventDefault();
  shown[at + step]?.querySelector("button").focus();
};

function arrange() {
  const filters = [...document.querySelectorAll("[data-filter]")].filter(select => select.value);
  for (const figure of figures) {
    const values = JSON.parse(figure.dataset.values);
    figure.hidden = filters.some(select => values[select.dataset.filter] !== select.value);
  }
  const score = $("sort").value, down = $("turn").ariaPressed === "true";
  const value = figure => JSON.parse(figure.dataset.scores)[score] ?? Infinity;
  const sorted = score ? figures.toSorted((a, b) => down ? value(b) - value(a) : value(a) - value(b)) : figures;
  gallery.append(...sorted);
  gallery.style.setProperty("--across", score || filters.length ? "auto-fill" : across);
  $("count").textContent = `${visible().length} of ${figures.length}`;
}

for (const select of document.querySelectorAll(".controls select")) select.onchange = arrange;
$("turn").onclick = event => {
  const down = event.target.ariaPressed !== "true";
  event.target.ariaPressed = down;
  event.target.textContent = down ? "\u2191" : "\u2193";
  arrange();
};
$("arrange").open = matchMedia("(min-width: 601px)").matches;
arrange();

const losses = curvePlot($("losses"));
function drawLosses() {
  const axis = $("across").value;
  losses(figures.map(figure => {
    const run = curves[dialogOf(figure).id], total = run.terms.total;
    return {name: titleOf(figure), points: total[0] > 0 ? total.map((y, i) => [run.across[axis][i], y == null ? null : y / total[0]]) : []};
  }), [], axis);
}
$("across").onchange = drawLosses;
drawLosses();

document.querySelectorAll("th button").forEach(button => button.onclick = () => {
  const head = button.parentElement, column = head.cellIndex, body = head.closest("table").tBodies[0];
  const up = head.getAttribute("aria-sort") !== "ascending";
  for (const other of head.parentElement.children) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const value = row => row.cells[column].textContent;
  const compare = (a, b) => {
    const x = value(a), y = value(b);
    return x !== "" && y !== "" && !isNaN(x) && !isNaN(y) ? x - y : x.localeCompare(y);
  };
  body.append(...[...body.rows].sort((a, b) => up ? compare(a, b) : compare(b, a)));
});
