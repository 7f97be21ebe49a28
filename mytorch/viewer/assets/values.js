// Values: numbers as a table, larger arrays as heat maps with the value under the pointer, images as images.
"use strict";

const decoded = new Map(); // by value: its cells as numbers

function cellsOf(value) {
  if (decoded.has(value)) return decoded.get(value);
  let cells;
  if (value.kind === "numbers") {
    const columns = value.shape.length ? value.shape.at(-1) : 1;
    const data = value.numbers.map(magnitude);
    cells = { rows: data.length / columns, columns, data, ...range(data) };
  } else {
    const bytes = Uint8Array.from(atob(value.data), (letter) => letter.charCodeAt(0));
    cells = {
      rows: value.rows,
      columns: value.columns,
      data: new Float32Array(bytes.buffer),
      low: value.low,
      high: value.high,
    };
  }
  decoded.set(value, cells);
  return cells;
}

const magnitude = (x) => (typeof x === "number" ? x : NaN);

function range(data) {
  const finite = data.filter(Number.isFinite);
  return finite.length ? { low: Math.min(...finite), high: Math.max(...finite) } : { low: 0, high: 0 };
}

const colour = (name) => {
  const text = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  return [1, 3, 5].map((i) => parseInt(text.slice(i, i + 2), 16));
};

// Below zero blue, zero like the paper, above zero orange: told apart by people who see few colours too.
function palette() {
  const [zero, below, above, odd] = ["--heat-zero", "--heat-below", "--heat-above", "--heat-odd"].map(colour);
  return (x, largest) => {
    if (!Number.isFinite(x)) return odd;
    const share = largest ? Math.min(Math.abs(x) / largest, 1) ** 0.75 : 0;
    const end = x < 0 ? below : above;
    return zero.map((z, i) => Math.round(z + (end[i] - z) * share));
  };
}

function greys(low, high) {
  return (x) => Array(3).fill(Number.isFinite(x) ? Math.round((255 * (x - low)) / (high - low || 1)) : 128);
}

// A picture of cells with one dot for each of them.
function paint(canvas, rows, columns, at, colourOf) {
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d");
  const dots = context.createImageData(columns, rows);
  for (let i = 0; i < rows * columns; i++) {
    const x = at(Math.floor(i / columns), i % columns);
    const [r, g, b] = x === undefined ? [0, 0, 0] : colourOf(x);
    dots.data.set([r, g, b, x === undefined ? 0 : 255], 4 * i);
  }
  context.putImageData(dots, 0, 0);
}

const LONG = 32; // a single row or column of more cells is wrapped

// How the cells are laid out as a picture: its size, and for a dot the number of its cell.
function arranged(value, cells, asImages) {
  if (asImages) {
    const side = value.image,
      count = Math.min((cells.rows * cells.columns) / (side * side), 24);
    const across = Math.min(count, side > 16 ? 4 : 8),
      wide = side + 1;
    const down = Math.ceil(count / across);
    return {
      rows: down * wide - 1,
      columns: across * wide - 1,
      note: count < (value.of[0] * value.of[1]) / (side * side) ? `the first ${count} images` : "",
      cell: (r, c) => {
        const image = Math.floor(r / wide) * across + Math.floor(c / wide);
        const inside = r % wide < side && c % wide < side && image < count;
        return inside ? image * side * side + (r % wide) * side + (c % wide) : -1;
      },
    };
  }
  const count = cells.rows * cells.columns;
  if (Math.min(cells.rows, cells.columns) === 1 && count > LONG) {
    const columns = Math.ceil(Math.sqrt(count * 2));
    return {
      rows: Math.ceil(count / columns),
      columns,
      cell: (r, c) => (r * columns + c < count ? r * columns + c : -1),
      note: "in rows, one after the other",
    };
  }
  return { rows: cells.rows, columns: cells.columns, cell: (r, c) => r * cells.columns + c };
}

// The index, in the array's own shape, of a cell.
function indexOf(value, cell) {
  const [rowStep, columnStep] = value.steps;
  const row = Math.floor(cell / value.columns) * rowStep,
    column = (cell % value.columns) * columnStep;
  let flat = row * value.of[1] + column;
  return value.shape.map((_, axis) => {
    const below = value.shape.slice(axis + 1).reduce((a, b) => a * b, 1);
    const i = Math.floor(flat / below);
    flat %= below;
    return i;
  });
}

function describe(value) {
  if (value.kind === "empty") return `${value.shape.join(" × ")}, empty, ${value.dtype}`;
  if (value.kind === "other") return value.text;
  if (value.kind === "numbers") return `${shapeText(value.shape)}, ${value.dtype}`;
  const odd = value.not_finite ? `, ${value.not_finite.toLocaleString("en")} not finite` : "";
  const size = value.magnitude ? "absolute values, " : "";
  const range = `from ${digits(value.low)} to ${digits(value.high)}, mean ${digits(value.mean)}`;
  return `${value.shape.join(" × ")} ${value.dtype}, ${size}${range}${odd}`;
}

// A value with what is known of it. name: for people who hear the page. picture: its images are shown as such at first.
function valueView(index, name, picture = false) {
  const value = DATA.values[index];
  if (value.kind === "numbers" && value.shape.length === 0)
    return el("p", { class: "value single" }, number(value.numbers[0]));
  if (value.kind === "numbers") return el("div", { class: "value" }, numberTable(value, name));
  if (value.kind !== "cells") return el("p", { class: "value note-text" }, describe(value));
  return heatMap(value, name, picture);
}

function numberTable(value, name) {
  const upright = value.shape.at(-1) === 1 && value.numbers.length > 4; // one column, which would take a lot of room
  const columns = upright ? 4 : value.shape.at(-1);
  const rows = [];
  const most = columns > 4 ? 3 : 5; // digits: every one of them is in the title
  for (let i = 0; i < value.numbers.length; i += columns) {
    rows.push(
      el(
        "tr",
        {},
        value.numbers.slice(i, i + columns).map((x) => el("td", {}, number(x, most))),
      ),
    );
  }
  const about = upright ? `${describe(value)}: one column, in rows` : value.shape.length > 2 ? describe(value) : "";
  const lead = about && el("p", { class: "caption" }, about);
  return [
    el("table", { class: columns > 4 ? "numbers wide" : "numbers", "aria-label": name }, el("tbody", {}, rows)),
    lead,
  ];
}

function heatMap(value, name, picture) {
  const cells = cellsOf(value);
  const figure = el("figure", { class: "value heat" });
  const draw = (asImages) => {
    const grid = arranged(value, cells, asImages);
    const canvas = el("canvas", {
      class: "dots",
      tabindex: 0,
      role: "img",
      "aria-label": `${name}: ${describe(value)}`,
    });
    const largest = Math.max(Math.abs(cells.low), Math.abs(cells.high));
    const heat = palette(),
      grey = greys(cells.low, cells.high);
    const colourOf = asImages && (picture || cells.low >= 0) ? grey : (x) => heat(x, largest);
    paint(
      canvas,
      grid.rows,
      grid.columns,
      (r, c) => (grid.cell(r, c) < 0 ? undefined : cells.data[grid.cell(r, c)]),
      colourOf,
    );
    const size = Math.max(
      1,
      Math.min(12, Math.floor(250 / grid.columns), Math.floor((asImages ? 240 : 170) / grid.rows) || 1),
    );
    canvas.style.width = `${Math.min(grid.columns * size, 300)}px`;
    const strip = Math.min(grid.columns * size, 20); // a single row of many cells has to be seen too
    canvas.style.height = `${Math.max(grid.rows * size, strip)}px`;
    const pointed = el("span", { class: "pointed", role: "status" }, grid.note || "point at a cell to read its value");
    follow(canvas, grid, (cell) => {
      pointed.replaceChildren(`[${indexOf(value, cell).join(", ")}] = `, number(cells.data[cell]));
    });
    const sampled =
      value.rows * value.columns < value.of[0] * value.of[1] && !asImages
        ? `${value.rows} × ${value.columns} of its entries`
        : "";
    const choice = value.image
      ? el(
          "button",
          { type: "button", class: "quiet small", onclick: () => draw(!asImages) },
          asImages ? "as a matrix" : `as ${value.image} × ${value.image} images`,
        )
      : null;
    figure.replaceChildren(
      canvas,
      el("figcaption", { class: "caption" }, describe(value), sampled && `; ${sampled}`, el("br"), pointed, choice),
    );
  };
  draw(Boolean(value.image) && picture);
  return figure;
}

// Calls tell(cell) for the cell under the pointer, or for the one that the arrow keys have come to.
function follow(canvas, grid, tell) {
  let row = 0,
    column = 0;
  const go = (r, c) => {
    row = Math.min(Math.max(r, 0), grid.rows - 1);
    column = Math.min(Math.max(c, 0), grid.columns - 1);
    const cell = grid.cell(row, column);
    if (cell >= 0) tell(cell);
  };
  canvas.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect();
    go(
      Math.floor(((event.clientY - box.top) / box.height) * grid.rows),
      Math.floor(((event.clientX - box.left) / box.width) * grid.columns),
    );
  });
  canvas.addEventListener("keydown", (event) => {
    const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!move) return;
    event.preventDefault();
    event.stopPropagation();
    go(row + move[0], column + move[1]);
  });
}

// A small picture of a value, for the graph and the tables; kept, because each of them is drawn often.
const small = new Map();
function thumbnail(index) {
  if (!small.has(index)) small.set(index, smallPicture(index));
  return small.get(index);
}

// The values of arrays that were given and are no parameters: data, whose images are shown as images.
const pictures = new Set(DATA.variables.filter((v) => v.producer === null && !v.parameter).map((v) => v.value));

function smallPicture(index) {
  const value = DATA.values[index];
  if (value.kind === "cells" || (value.kind === "numbers" && value.numbers.length > 1)) {
    const cells = cellsOf(value);
    const asImage = value.image && pictures.has(index);
    const rows = asImage ? value.image : Math.min(cells.rows, 24),
      columns = asImage ? value.image : Math.min(cells.columns, 24);
    const largest = Math.max(Math.abs(cells.low), Math.abs(cells.high));
    const heat = palette();
    const canvas = document.createElement("canvas");
    const at = asImage
      ? (r, c) => cells.data[r * columns + c]
      : (r, c) =>
          cells.data[Math.floor((r * cells.rows) / rows) * cells.columns + Math.floor((c * cells.columns) / columns)];
    paint(canvas, rows, columns, at, asImage ? greys(cells.low, cells.high) : (x) => heat(x, largest));
    return canvas.toDataURL();
  }
  return "";
}

// A value in one line: the number itself, or a small picture and the shape.
function brief(index, pictureOnly = false) {
  const value = DATA.values[index];
  const one = single(value);
  if (one !== undefined) return number(one);
  if (value.kind === "numbers" && value.numbers.length <= 3)
    return el(
      "span",
      { class: "number", title: value.numbers.join(", ") },
      "[",
      value.numbers.map((x) => digits(x, 3)).join(", "),
      "]",
    );
  const url = thumbnail(index);
  const text = value.shape.join(" × ") + (value.kind === "empty" ? " (empty)" : "");
  return el(
    "span",
    { class: "brief", title: describe(value) },
    url && el("img", { src: url, alt: "", class: "thumb" }),
    pictureOnly && url ? el("span", { class: "spoken" }, text) : el("span", {}, text),
  );
}
