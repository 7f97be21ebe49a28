// The current step in words: its title, the line of the program, and what was found there.
"use strict";

function updateStep(at) {
  const step = STEPS[at];
  const view = {
    begin: viewBegin,
    record: viewRecord,
    seed: viewSeed,
    back: viewBack,
    skip: viewSkip,
    stop: viewStop,
    end: viewEnd,
  }[step.kind](step, at);
  const phase = step.kind === "begin" ? "begin" : isBackward(at) ? "backward" : "forward";
  byId("now").className = `card now ${phase}`;
  byId("now").replaceChildren(
    el(
      "p",
      { class: "phase" },
      {
        begin: "Before the first step",
        forward: "Forward: recording",
        backward: "Backward pass: from the end of the list",
      }[phase],
    ),
    el("h2", { id: "now-title" }, view.title),
    ...view.body.filter(Boolean),
  );
  byId("now").scrollTop = 0;
  byId("spoken").textContent = `Step ${at} of ${LAST}. ${byId("now-title").textContent}. ${view.spoken || ""}`;
}

function where(operation) {
  const { line, within } = operation;
  if (!line) return null;
  return el(
    "p",
    { class: "source" },
    el("code", {}, lineText(line)),
    el(
      "span",
      { class: "place" },
      `${line.file}, line ${line.number}`,
      within && `, in ${within.function} of ${within.file}, line ${within.number}`,
    ),
  );
}

function findingList(operation, at) {
  const findings = findingsOf(operation, at);
  return findings.length
    ? el(
        "ul",
        { class: "findings" },
        findings.map((f) => el("li", { class: `finding ${f.serious ? "serious" : "follows"}` }, f.text)),
      )
    : null;
}
