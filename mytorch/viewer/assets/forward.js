// The steps forward in words: an operation, its inputs and its output, and the tangents that forward mode carries along.
"use strict";

function viewBegin() {
  const recorded = OPERATIONS.length;
  if (!recorded)
    return {
      title: "Nothing was recorded",
      body: [
        el(
          "p",
          {},
          "The list of this engine is empty. Compute something with its layers, or call add_operation, and write the " +
            "page before zero_grad().",
        ),
      ],
    };
  const back = LAST + 1 - walkBegins;
  return {
    title: `${counted(recorded, "operation")}, ready to be stepped through`,
    body: [
      el(
        "p",
        {},
        "On the way forward each operation is written down with its inputs and its output. Then the backward pass goes " +
          "through the list from its end: each operation takes the gradient of its output and sends gradients to its inputs.",
      ),
      el(
        "p",
        { class: "hint" },
        back > 0 ? "Press → or the play button." : "The program has made no backward pass. Press → or the play button.",
      ),
    ],
  };
}

function viewRecord(step, at) {
  const operation = OPERATIONS[step.operation];
  const rule = DATA.rules[operation.rule];
  const scalar = rule.output && isScalar(operation);
  const equation = [el("p", { class: "equation" }, does(operation))];
  if (scalar)
    equation.push(
      el(
        "p",
        { class: "equation numbers" },
        number(single(valueOf(operation.outputs[0]))),
        " = ",
        formula(rule.output, operation, withNumbers()),
      ),
    );
  return {
    title: ["Operation ", String(step.operation), ", ", operation.name, ", is recorded"],
    body: [
      where(operation),
      findingList(step.operation, at),
      el("div", { class: "equations" }, equation),
      ...tangentsOf(operation, rule),
      el(
        "div",
        { class: "values" },
        operation.inputs.map((input, i) => inputView(input, i)),
        operation.outputs.map((v) => arrayView(v, "output")),
      ),
    ],
    spoken: briefWords(operation.outputs[0]),
  };
}

const briefWords = (variable) => {
  const one = single(valueOf(variable));
  const { name } = DATA.variables[variable];
  return one === undefined ? `${name} has shape ${valueOf(variable).shape.join(" by ")}` : `${name} is ${digits(one)}`;
};

function inputView(input, i) {
  if (input.variable === undefined)
    return el(
      "div",
      { class: "array" },
      el("p", { class: "label" }, `input ${i}`, el("span", { class: "tag" }, "constant")),
      el("p", { class: "value single" }, el("code", {}, input.constant)),
    );
  return arrayView(input.variable, `input ${i}`);
}

function arrayView(variable, role) {
  const about = DATA.variables[variable];
  const from = about.parameter
    ? "parameter"
    : about.producer === null
      ? "given"
      : role === "output"
        ? ""
        : `from ${about.producer}`;
  return el(
    "div",
    { class: `array ${role === "output" ? "output" : ""}` },
    el(
      "p",
      { class: "label" },
      nameOf(variable),
      " ",
      el("span", { class: "role" }, role),
      from && el("span", { class: "tag" }, from),
    ),
    about.path && about.path !== about.name ? el("p", { class: "path" }, el("code", {}, about.path)) : null,
    valueView(about.value, about.name, about.producer === null && !about.parameter),
  );
}

// Forward mode: the tangent of the output along each direction, by the same slopes.
function tangentsOf(operation, rule) {
  if (!DATA.forward.length) return [];
  const output = operation.outputs[0];
  return [
    el(
      "div",
      { class: "tangent-box" },
      el("p", { class: "label" }, "Forward mode carries tangents along"),
      DATA.forward.map((direction) => {
        const tangent = direction.tangents[output];
        const parts = operation.inputs
          .map((input, i) => ({ input, template: rule.gradients?.[i] }))
          .filter(({ input }) => input.variable !== undefined && direction.tangents[input.variable] !== null);
        const readable = rule.elementwise && parts.every(({ template }) => template);
        const sum = (place) =>
          parts.map(({ input, template }, i) => [i ? " + " : "", formula(template, operation, place(input.variable))]);
        const names = readable && parts.length ? [" = ", sum((variable) => withNames("tangent", variable))] : "";
        const numeric =
          readable && parts.length && isScalar(operation)
            ? [" = ", sum((variable) => withNumbers(single(DATA.values[direction.tangents[variable]])))]
            : "";
        return el(
          "p",
          { class: "equation" },
          el("span", { class: "along" }, "along ", labelled(direction.label), ": "),
          nameOf(output, "tangent"),
          names,
          numeric,
          " = ",
          tangent === null ? "0" : brief(tangent),
        );
      }),
    ),
  ];
}
