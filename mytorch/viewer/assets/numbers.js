// Numbers, names and formulas as a reader sees them. A title shows every digit.
"use strict";

const WHOLE = 1e6; // integers up to here are written out

function digits(x, most = 5) {
  if (typeof x === "string") return x;
  if (Number.isInteger(x) && Math.abs(x) < WHOLE) return String(x).replace("-", "−");
  const size = Math.abs(x);
  const text =
    size >= 1e5 || size < 1e-3 ? x.toExponential(Math.min(most - 1, 3)) : String(Number(x.toPrecision(most)));
  return text.replace("e+", "e").replaceAll("-", "−");
}

function number(x, most = 5) {
  const node = el("span", { class: "number" }, digits(x, most));
  if (digits(x, most) !== String(x)) node.title = String(x);
  return node;
}

// The shape of a small array in words.
function shapeText(shape) {
  if (shape.length !== 1) return shape.join(" × ") || "a number";
  return shape[0] === 1 ? "1 entry" : `${shape[0]} entries`;
}

// The only number of a value of one entry; undefined for others.
function single(value) {
  return value && value.kind === "numbers" && value.numbers.length === 1 ? value.numbers[0] : undefined;
}

// A variable's name with its number as an index: x1 as x₁. role: "gradient" has a bar, "tangent" a dot.
function nameOf(variable, role = "value") {
  const { name, path } = DATA.variables[variable];
  const [, letters, index] = name.match(/^(.*?)_?(\d*)$/);
  const base = letters || name;
  const node = el("var", { class: `name ${role}` }, el("span", { class: "base" }, base));
  if (letters && index) node.append(el("sub", {}, index));
  const what = { value: "", gradient: "gradient of ", tangent: "tangent of " }[role];
  if (what) node.setAttribute("aria-label", what + name);
  if (path && path !== name) node.title = path;
  return node;
}

// The name of a direction, with its number as an index.
function labelled(label) {
  const [, letters, index, entry] = label.match(/^(.*?)_?(\d*)(\[.*\])?$/);
  return el("var", {}, letters || index, letters && index ? el("sub", {}, index) : "", entry || "");
}

// A formula's template with names or, where every array is one number, with numbers in the places of {a}, {y}, {g}.
function formula(template, operation, place) {
  return template.split(/(\{[abcyg]\})/).map((part) => {
    const letter = part.match(/^\{(.)\}$/);
    return letter ? place(letter[1], operation) : part;
  });
}

function withNames(gradientRole = "gradient", of = null) {
  return (letter, operation) => {
    if (letter === "y") return nameOf(operation.outputs[0]);
    if (letter === "g") return nameOf(of === null ? operation.outputs[0] : of, gradientRole);
    const input = operation.inputs["abc".indexOf(letter)];
    if (!input) return "?";
    return input.variable === undefined ? input.constant : nameOf(input.variable);
  };
}

// gradient: the number that stands for {g}. Negative numbers stand in parentheses.
function withNumbers(gradient) {
  return (letter, operation) => {
    let x = gradient;
    if (letter === "y") x = single(valueOf(operation.outputs[0]));
    else if (letter !== "g") {
      const input = operation.inputs["abc".indexOf(letter)];
      x = input.variable === undefined ? Number(input.constant) : single(valueOf(input.variable));
      if (input.variable === undefined && Number.isNaN(x)) return input.constant;
    }
    const text = digits(x);
    return el("span", { class: "number" }, text.startsWith("−") ? `(${text})` : text);
  };
}

const valueOf = (variable) => DATA.values[DATA.variables[variable].value];

// True if all arrays of an operation are single numbers, so that a formula can be read with numbers.
function isScalar(operation) {
  const arrays = [...operation.outputs, ...operation.inputs.map((input) => input.variable)];
  return arrays.every((variable) => variable === undefined || typeof single(valueOf(variable)) === "number");
}
