// The timeline: at which step an operation is recorded and walked, and when a gradient arrives where.
"use strict";

const STEPS = DATA.steps;
const OPERATIONS = DATA.operations;
const LAST = STEPS.length - 1;

const recordedAt = [];
const walkedAt = [];
// By variable: {at, from, value, sum, nth, to, wrong}. What the walk was started with comes from null.
const arrivals = DATA.variables.map(() => []);
let walkBegins = LAST + 1;

STEPS.forEach((step, at) => {
  if (step.kind === "record") recordedAt[step.operation] = at;
  else if (step.kind !== "begin") walkBegins = Math.min(walkBegins, at);
  if (step.kind === "back" || step.kind === "skip" || step.kind === "stop") walkedAt[step.operation] ??= at;
  if (step.kind === "seed") {
    for (const { variable, value } of step.given) {
      arrivals[variable].push({ at, from: null, value, sum: value, nth: 1, to: "buffer" });
    }
  }
  if (step.kind === "back") {
    for (const send of step.sends) arrivals[send.variable].push({ ...send, at, from: step.operation });
  }
});

const isBackward = (at) => at >= walkBegins;
const isRecorded = (operation, at) => recordedAt[operation] <= at;

// The contributions that a variable has received up to a step.
const received = (variable, at) => arrivals[variable].filter((arrival) => arrival.at <= at);

// The gradient of a variable so far: the number of its value, or undefined.
const gradientOf = (variable, at) => received(variable, at).at(-1)?.sum;

const findingsAt = OPERATIONS.map(() => []);
for (const finding of DATA.findings) if (finding.operation !== null) findingsAt[finding.operation].push(finding);

// Findings of an operation that are known at a step: those of the walk only once it has come there.
const findingsOf = (operation, at) =>
  findingsAt[operation].filter((finding) => !finding.back || (walkedAt[operation] ?? Infinity) <= at);

// The step at which an operation stands in the phase of another step.
const stepOf = (operation, at) =>
  isBackward(at) && walkedAt[operation] !== undefined ? walkedAt[operation] : recordedAt[operation];
