// The steps back in words: the gradient of an output, what each input receives, and where it is added.
"use strict";

function viewSeed(step) {
  const { variable, value } = step.given[0];
  const one = single(DATA.values[value]);
  return {
    title: ["The backward pass begins with the gradient of ", nameOf(variable)],
    body: [
      el(
        "p",
        {},
        one === 1
          ? [
              "How does ",
              nameOf(variable),
              " change with itself? Its gradient is 1. Everything else follows from it, from the end of the list to ",
              "its beginning.",
            ]
          : "This is the gradient that the backward pass was started with.",
      ),
      el(
        "div",
        { class: "values" },
        step.given.map((given) => gradientView(given.variable, given.value)),
      ),
      DATA.own
        ? el(
            "p",
            { class: "hint" },
            "The program itself has made no backward pass. This one was made for the page, and left the program's gradients " +
              "as they were.",
          )
        : null,
    ],
    spoken: one === undefined ? "" : `It is ${digits(one)}`,
  };
}

const gradientView = (variable, value) =>
  el(
    "div",
    { class: "array gradient" },
    el(
      "p",
      { class: "label" },
      nameOf(variable, "gradient"),
      " ",
      el("span", { class: "role" }, "gradient of ", nameOf(variable)),
    ),
    valueView(value, `gradient of ${DATA.variables[variable].name}`),
  );

function viewBack(step, at) {
  const operation = OPERATIONS[step.operation];
  const rule = DATA.rules[operation.rule];
  const given = single(DATA.values[step.given[0]]);
  const came = received(operation.outputs[0], at - 1).length;
  const sends = step.sends.map((send) => sendView(send, step, operation, rule, given));
  const silent = operation.inputs.filter(
    (input, i) => input.variable !== undefined && !step.sends.some((send) => send.input === i),
  );
  return {
    title: ["Back through operation ", String(step.operation), ", ", operation.name],
    body: [
      where(operation),
      findingList(step.operation, at),
      el(
        "p",
        {},
        "It takes the gradient of ",
        operation.outputs.map((v, i) => [i ? ", " : "", nameOf(v)]),
        came > 1 ? `, the sum of ${came} contributions,` : "",
        " and sends to each input what it is due.",
      ),
      el(
        "div",
        { class: "values" },
        operation.outputs.map((v, i) => gradientView(v, step.given[i])),
      ),
      ownRule(rule),
      ...sends,
      silent.length
        ? el(
            "p",
            { class: "hint" },
            "Nothing flows to ",
            silent.map((input, i) => [i ? ", " : "", nameOf(input.variable)]),
            ".",
          )
        : null,
    ],
    spoken: step.sends.map((send) => `${DATA.variables[send.variable].name} receives ${one(send.value)}`).join(", "),
  };
}

const one = (value) => {
  const x = single(DATA.values[value]);
  return x === undefined ? `an array of shape ${DATA.values[value].shape.join(" by ")}` : digits(x);
};

// The layer's own gradient of a parameter: dW of W.
const slotName = (variable) => el("span", { class: "slot" }, "d", nameOf(variable));

// What one input receives, by which formula, and the entry that it is added to.
function sendView(send, step, operation, rule, given) {
  const template = rule.gradients?.[send.input] ?? (rule.gradients?.length === 1 ? rule.gradients[0] : "");
  const name = () => nameOf(send.variable);
  const equation = [nameOf(send.variable, "gradient"), " ← "];
  if (template) equation.push(formula(template, operation, withNames()));
  if (template && template !== "{g}" && isScalar(operation))
    equation.push(" = ", formula(template, operation, withNumbers(given)));
  const value = single(DATA.values[send.value]);
  if (value !== undefined) equation.push(template ? " = " : "", number(value));
  const parameter = DATA.variables[send.variable].parameter;
  const place = send.to === "slot" ? slotName(send.variable) : "the buffer";
  const earlier = arrivals[send.variable].filter((arrival) => arrival.nth < send.nth);
  let bookkeeping;
  if (send.wrong)
    bookkeeping = el("p", { class: "finding serious" }, `This is ${send.wrong}, so the engine refuses it.`);
  else if (send.nth === 1)
    bookkeeping = el(
      "p",
      { class: "hint" },
      "The first contribution to ",
      name(),
      ": ",
      send.to === "slot" ? ["it goes to ", place, "."] : ["it is kept in ", place, " as it is."],
    );
  else
    bookkeeping = el(
      "p",
      { class: "hint" },
      `The ${ordinal(send.nth)} contribution to `,
      name(),
      ": ",
      earlier.map((arrival) => [brief(arrival.value), " + "]),
      brief(send.value),
      " = ",
      el("strong", {}, brief(send.sum)),
      send.to === "slot" ? [", which goes to ", place] : "",
      ".",
    );
  return el(
    "div",
    { class: "send" },
    el(
      "p",
      { class: "label" },
      el("span", { class: "arrow", "aria-hidden": "true" }, "↳ "),
      name(),
      " receives",
      parameter && el("span", { class: "tag" }, "parameter"),
    ),
    el("p", { class: "equation" }, equation),
    bookkeeping,
    value === undefined &&
      el(
        "div",
        { class: "values" },
        el(
          "div",
          { class: "array gradient" },
          el("p", { class: "label" }, el("span", { class: "role" }, "contribution")),
          valueView(send.value, `contribution to ${DATA.variables[send.variable].name}`),
        ),
        send.nth > 1 &&
          !send.wrong &&
          el(
            "div",
            { class: "array gradient" },
            el("p", { class: "label" }, el("span", { class: "role" }, "sum so far")),
            valueView(send.sum, `gradient of ${DATA.variables[send.variable].name} so far`),
          ),
      ),
  );
}

// A rule that users wrote, as they wrote it.
function ownRule(rule) {
  if (!rule.doc && !rule.source) return null;
  return el(
    "details",
    { class: "rule", open: rule.source && rule.source.split("\n").length < 9 },
    el("summary", {}, "The backward function"),
    rule.doc && el("p", {}, rule.doc),
    rule.source && el("pre", {}, el("code", {}, rule.source)),
  );
}

function viewSkip(step, at) {
  const operation = OPERATIONS[step.operation];
  return {
    title: ["Operation ", String(step.operation), ", ", operation.name, ", is passed over"],
    body: [
      findingList(step.operation, at),
      el(
        "p",
        {},
        "No gradient has arrived at ",
        operation.outputs.map((v, i) => [i ? ", " : "", nameOf(v)]),
        ", so there is nothing to send on. The result does not depend on it.",
      ),
    ],
  };
}

function viewStop(step, at) {
  const operation = OPERATIONS[step.operation];
  return {
    title: ["The backward pass stops at operation ", String(step.operation), ", ", operation.name],
    body: [
      where(operation),
      findingList(step.operation, at),
      el("p", { class: "finding serious" }, step.text),
      ownRule(DATA.rules[operation.rule]),
    ],
  };
}

function viewEnd(step) {
  const given = step.results;
  const parameters = given.filter((result) => result.to === "slot");
  const others = given.filter((result) => result.to !== "slot");
  const view = (result) =>
    el(
      "div",
      { class: "array gradient" },
      el(
        "p",
        { class: "label" },
        result.to === "slot" ? slotName(result.variable) : nameOf(result.variable, "gradient"),
        " ",
        el("span", { class: "role" }, "gradient of ", nameOf(result.variable)),
      ),
      result.before && el("p", { class: "hint" }, "It was not zero before the backward pass, which added to it."),
      result.to === "nowhere"
        ? el("p", { class: "hint" }, "declared to be data: nobody reads it")
        : result.value === null || result.value === undefined
          ? el("p", { class: "hint" }, "no gradient arrived: it counts as zero")
          : valueView(result.value, `gradient of ${DATA.variables[result.variable].name}`),
    );
  return {
    title: "The backward pass is complete",
    body: [
      modes(given),
      parameters.length ? el("h3", {}, "Added to the parameters' gradients") : null,
      parameters.length ? el("div", { class: "values" }, parameters.map(view)) : null,
      others.length ? el("h3", {}, "Left in the buffer for what was given") : null,
      others.length ? el("div", { class: "values" }, others.slice(0, 40).map(view)) : null,
    ],
    spoken: given
      .slice(0, 6)
      .filter((result) => typeof result.value === "number")
      .map((result) => `gradient of ${DATA.variables[result.variable].name}: ${one(result.value)}`)
      .join(", "),
  };
}

// The same derivatives by both modes, side by side.
function modes(results) {
  if (!DATA.forward.length || DATA.forward[0].label === "every entry") return null;
  const output = OPERATIONS.at(-1).outputs[0];
  const reverse = results
    .filter((result) => result.to === "buffer" && result.value !== null && DATA.variables[result.variable].path)
    .flatMap((result) => DATA.values[result.value].numbers || []);
  if (reverse.length !== DATA.forward.length || single(valueOf(output)) === undefined) return null;
  return el(
    "table",
    { class: "modes" },
    el("caption", {}, "One function, both modes: the same numbers"),
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        ["derivative by", "forward mode, a pass for each", "reverse mode, one pass for all"].map((head) =>
          el("th", { scope: "col" }, head),
        ),
      ),
    ),
    el(
      "tbody",
      {},
      DATA.forward.map((direction, i) =>
        el(
          "tr",
          {},
          el("th", { scope: "row" }, labelled(direction.label)),
          el("td", {}, direction.tangents[output] === null ? "0" : brief(direction.tangents[output])),
          el("td", {}, number(reverse[i])),
        ),
      ),
    ),
  );
}
