// The page: which step is shown, and the buttons, keys and address that lead to another one.
"use strict";

let at = 0;
let playing = 0;
const PACE = 1400; // milliseconds per step

function go(step) {
  at = Math.min(Math.max(step, 0), LAST);
  updateStep(at);
  updateDrawing(at);
  updateList(at);
  updateLedger(at);
  byId("slider").value = at;
  byId("slider").setAttribute("aria-valuetext", `step ${at} of ${LAST}: ${byId("now-title").textContent}`);
  byId("count").textContent = `${at} / ${LAST}`;
  for (const id of ["first", "back"]) byId(id).disabled = at === 0;
  for (const id of ["next", "last"]) byId(id).disabled = at === LAST;
  document.body.dataset.phase = isBackward(at) ? "backward" : "forward";
  // In a frame or from a file some browsers refuse a new address; the page works without.
  try {
    history.replaceState(null, "", `#step=${at}`);
  } catch {
    /* as it was */
  }
}

function play(on) {
  clearInterval(playing);
  playing = 0;
  if (on && at === LAST) go(0);
  if (on) playing = setInterval(() => (at < LAST ? go(at + 1) : play(false)), PACE);
  byId("play").classList.toggle("on", Boolean(playing));
  byId("play").setAttribute("aria-label", playing ? "Pause" : "Play");
}

function stepOfAddress() {
  const found = location.hash.match(/^#step=(\d+)$/);
  return found ? Number(found[1]) : null;
}

function nextFinding() {
  const steps = DATA.findings
    .filter((finding) => finding.operation !== null)
    .map((finding) => (finding.back ? walkedAt : recordedAt)[finding.operation])
    .filter((step) => step !== undefined)
    .sort((a, b) => a - b);
  if (steps.length) go(steps.find((step) => step > at) ?? steps[0]);
}

function setTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme || (dark ? "dark" : "light");
  document.documentElement.dataset.theme = now === "dark" ? "light" : "dark";
  repaint();
}

// Pictures were painted in the colours of the other theme.
function repaint() {
  small.clear();
  drawn = null;
  rows.forEach((row) => (row.shown = ""));
  go(at);
}

const KEYS = {
  ArrowRight: () => go(at + 1),
  ArrowLeft: () => go(at - 1),
  Home: () => go(0),
  End: () => go(LAST),
  " ": () => play(!playing),
  b: () => go(Math.min(walkBegins, LAST)),
  f: nextFinding,
  t: setTheme,
  "?": () => byId("help").showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
  const inside = event.target instanceof HTMLElement ? event.target : document.body;
  if (event.key === " " && inside.closest("button, input, summary")) return; // they have a meaning for it
  if (/^(Arrow|Home|End)/.test(event.key) && inside.id === "slider") return;
  const action = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!action) return;
  event.preventDefault();
  if (event.key !== " ") play(false);
  action();
});

const buttons = { first: () => go(0), back: () => go(at - 1), next: () => go(at + 1), last: () => go(LAST) };
for (const [id, action] of Object.entries(buttons)) {
  byId(id).addEventListener("click", () => {
    play(false);
    action();
  });
}
byId("play").addEventListener("click", () => play(!playing));
byId("slider").max = LAST;
byId("slider").addEventListener("input", (event) => {
  play(false);
  go(Number(event.target.value));
});
byId("addresses").addEventListener("change", () => go(at));
byId("theme").addEventListener("click", setTheme);
byId("help-open").addEventListener("click", () => byId("help").showModal());
window.addEventListener("hashchange", () => stepOfAddress() !== null && go(stepOfAddress()));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);

function buildNotes() {
  const whole = DATA.findings.filter((finding) => finding.operation === null);
  const marked = DATA.findings.filter((finding) => finding.operation !== null && finding.serious);
  const summary = marked.length
    ? el(
        "p",
        { class: "note finding serious" },
        `${counted(marked.length, "finding")}: `,
        el("button", { type: "button", class: "quiet small", onclick: nextFinding }, "go to the next"),
        " ",
        marked[0].text,
      )
    : null;
  byId("notes").replaceChildren(
    ...[
      comparisonCard(),
      summary,
      ...whole.map((f) => el("p", { class: "note finding serious" }, f.text)),
      ...DATA.notes.map((text) => el("p", { class: "note" }, text)),
    ].filter(Boolean),
  );
}

// Where on the slider the walk back begins.
byId("phases").style.setProperty("--turn", LAST ? `${(100 * Math.min(walkBegins - 0.5, LAST)) / LAST}%` : "100%");
document.body.classList.toggle("both", DATA.forward.length > 0);
if (DATA.title) byId("title").textContent = DATA.title;
buildNotes();
buildList();
const asked = stepOfAddress();
go(asked ?? 0);
if (DATA.comparison && asked === null) nextFinding(); // the page of a failing check opens where it parts
