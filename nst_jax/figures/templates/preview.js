// Asks for state.json once a second and shows what it says: a run, or a sweep.
const $ = id => document.getElementById(id);
const plot = curvePlot($("plot"));

function duration(seconds) {
  if (seconds == null) return "–";
  if (seconds < 60) return seconds.toFixed(seconds < 10 ? 1 : 0) + " s";
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? minutes + " min" : Math.floor(minutes / 60) + " h " + (minutes % 60) + " min";
}

function setPicture(image, path, version) {
  const source = path + "?" + version;
  if (image.getAttribute("src") !== source) image.src = source;
}

function statusText(run) {
  const words = {painting: "Painting", waiting: "Waiting for the first step", done: "Done", diverged: "Diverged: the loss is not finite; this is the best picture before", stalled: "Stalled: no step lowers the loss", interrupted: "Interrupted; --resume continues", silent: "No news for two minutes: the run may have been stopped"};
  return words[run.status] || run.status;
}

// The slider holds every snapshot; at its right end it follows the newest picture.
function showPicture(run) {
  const slider = $("snapshot"), following = slider.value === slider.max;
  slider.max = Math.max(0, run.pictures.length - 1);
  if (following) slider.value = slider.max;
  slider.parentElement.hidden = run.pictures.length < 2;
  $("pictures").hidden = !run.pictures.length;
  if (!run.pictures.length) return;
  const {file, step} = run.pictures[slider.value];
  setPicture($("after"), file, file === run.picture ? run.version : "");
  $("step").textContent = step ?? "result";
  $("download").href = file;
  $("download").download = `${run.name}${step == null ? "" : "-" + step}.png`;
}

function showFacts(run) {
  const facts = {"Total loss": run.total == null ? "–" : run.total.toPrecision(4), "Steps a second": run.rate ? run.rate.toFixed(2) : "–", "Time so far": duration(run.seconds), "Time left": run.status === "painting" ? duration(run.left) : "–"};
  $("facts").replaceChildren();
  for (const [name, value] of Object.entries(facts)) {
    const pair = element($("facts"), "div");
    element(pair, "dt", {}, name);
    element(pair, "dd", {}, value);
  }
}

function showRun(run) {
  $("run").hidden = false;
  $("status").textContent = `${statusText(run)}: step ${run.step} of ${run.steps}` + (run.network ? `, network ${run.network}` : "");
  $("bar").value = run.status === "done" ? 1 : run.step / run.steps;
  showPicture(run);
  showFacts(run);
  plot(...runSeries(run.curves, "step"), "step");
  if ($("settings").rows.length) return;
  for (const [name, value] of Object.entries(run.settings)) {
    const row = element($("settings"), "tr");
    element(row, "th", {scope: "row"}, name);
    element(row, "td", {}, value);
  }
}

function showSweep(sweep) {
  const grid = $("sweep");
  grid.hidden = false;
  if (sweep.columns) grid.style.setProperty("--across", sweep.columns);
  $("status").textContent = `${sweep.ended} of ${sweep.runs.length} pictures painted`;
  $("bar").value = sweep.runs.reduce((sum, run) => sum + (run.status === "done" ? 1 : run.step / run.steps), 0) / sweep.runs.length;
  sweep.runs.forEach((run, index) => showCell(grid.children[index] || element(grid, "figure"), run));
}

function showCell(figure, run) {
  if (!figure.childElementCount) { element(figure, "a", {class: "cell"}); element(figure, "figcaption"); }
  const cell = figure.firstChild;
  if (run.picture) {
    if (!cell.firstElementChild) { cell.textContent = ""; element(cell, "img", {alt: run.title}); }
    cell.href = encodeURIComponent(run.folder) + "/" + run.picture;
    setPicture(cell.firstElementChild, cell.getAttribute("href"), run.version);
  } else cell.textContent = run.status;
  figure.lastChild.textContent = run.title + (run.status === "done" ? "" : ` – ${run.status}, ${run.step} of ${run.steps}` + (run.left ? `, ${duration(run.left)} left` : ""));
}

let latest = null, pause = 1000;
async function update() {
  try {
    latest = await (await fetch("state.json")).json();
    if (latest.kind === "run") showRun(latest);
    else if (latest.kind === "sweep") showSweep(latest);
    else $("status").textContent = latest.message;
    pause = ["done", "diverged", "stalled", "interrupted"].includes(latest.status) ? 5000 : 1000;
  } catch (error) {
    $("status").textContent = "The preview has ended; this is the last state that it showed.";
    pause = 5000;
  }
  document.body.dataset.updates = +(document.body.dataset.updates || 0) + 1;
  setTimeout(update, pause);
}

$("snapshot").oninput = () => showPicture(latest);
$("zoom").oninput = event => document.querySelector(".compare").style.setProperty("--zoom", event.target.value);
$("after").onload = event => document.querySelector(".compare").style.setProperty("--aspect", event.target.naturalWidth / event.target.naturalHeight);
$("sliding").onchange = event => {
  document.querySelector(".compare").classList.toggle("on", event.target.checked);
  if (event.target.checked) $("before").src = "before.png";
};
update();
