"use strict";
// The page: strokes on the paper, and the answer each time that something is drawn.

const network = new Network(MODEL);
const element = (id) => document.getElementById(id);
const paper = element("paper"), pen = paper.getContext("2d");
// Ink lies on a canvas of its own, white on nothing, so that neither the theme nor the screen matters to the network.
const INK = 280;
const inked = Object.assign(document.createElement("canvas"), { width: INK, height: INK });
const ink = inked.getContext("2d", { willReadFrequently: true });
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
let example = -1, last = null, waiting = false;
// The largest activation seen so far in each layer, so that brightness keeps its meaning while one draws.
const brightest = MODEL.layers.slice(0, -1).map(() => 1e-6);

element("about").textContent = `A network of ${MODEL.sizes.join("-")} units, trained on ${MODEL.data}. `
  + "It reads while you draw, on this page alone: nothing is sent anywhere.";

MODEL.classes.forEach((name) => {
  const bar = document.createElement("div");
  bar.className = "bar";
  bar.innerHTML = '<span class="name"></span><span class="track"><span class="fill" style="display:block"></span></span>'
    + '<span class="share">0%</span>';
  bar.querySelector(".name").textContent = name;
  element("bars").append(bar);
});

MODEL.sizes.slice(1, -1).forEach((size, number) => {
  const layer = document.createElement("div");
  layer.className = "layer";
  const name = Object.assign(document.createElement("div"), { className: "name", textContent: `Layer ${number + 1}: ${size} units` });
  const columns = Math.min(size, innerWidth < 720 ? 32 : 64);
  const canvas = Object.assign(document.createElement("canvas"), { width: columns * 8, height: Math.ceil(size / columns) * 8 });
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `Activations of layer ${number + 1}`);
  layer.append(name, canvas);
  element("layers").append(layer);
});
if (MODEL.sizes.length === 2) document.querySelector(".layers").hidden = true;

function drawLayer(number, values) {
  const canvas = document.querySelectorAll(".layer canvas")[number], c = canvas.getContext("2d");
  const columns = canvas.width / 8;
  values.forEach((v) => { brightest[number] = Math.max(brightest[number], Math.abs(v)); });
  c.clearRect(0, 0, canvas.width, canvas.height);
  values.forEach((value, i) => {
    const x = (i % columns) * 8, y = Math.floor(i / columns) * 8;
    c.fillStyle = colour("--dark-cell");
    c.fillRect(x + 0.5, y + 0.5, 7, 7);
    c.fillStyle = `rgba(${colour("--light")}, ${Math.min(1, (Math.abs(value) / brightest[number]) ** 0.6)})`;
    c.fillRect(x + 0.5, y + 0.5, 7, 7);
  });
}

function drawSeen(pixels) {
  const [height, width] = MODEL.image_shape, canvas = element("seen");
  const { low, high } = MODEL.frame;
  canvas.width = width;
  canvas.height = height;
  const c = canvas.getContext("2d");
  pixels.forEach((pixel, i) => {
    c.fillStyle = colour("--paper");
    c.fillRect(i % width, Math.floor(i / width), 1, 1);
    c.globalAlpha = Math.min(1, Math.max(0, (pixel - low) / (high - low)));
    c.fillStyle = colour("--stroke");
    c.fillRect(i % width, Math.floor(i / width), 1, 1);
    c.globalAlpha = 1;
  });
}

// What the page shows for pixels in the units of the training data; null: for an empty paper.
function show(pixels) {
  last = pixels;
  const blank = pixels === null;
  document.querySelector(".paper").classList.toggle("drawn", !blank);
  const empty = new Float64Array(MODEL.sizes[0]).fill(MODEL.frame.low);
  const { hidden, probabilities } = network.forward(blank ? empty : pixels);
  const best = probabilities.indexOf(Math.max(...probabilities));
  drawSeen(blank ? empty : pixels);
  hidden.forEach((values, number) => drawLayer(number, blank ? values.map(() => 0) : values));
  document.querySelectorAll(".bar").forEach((bar, k) => {
    const share = blank ? 0 : probabilities[k];
    bar.classList.toggle("first", !blank && k === best);
    bar.querySelector(".fill").style.width = `${100 * share}%`;
    bar.querySelector(".share").textContent = share > 0 && share < 0.001 ? "<0.1%" : `${(100 * share).toFixed(1)}%`;
  });
  element("digit").textContent = blank ? "?" : MODEL.classes[best];
  element("sure").textContent = blank ? "The network is waiting."
    : probabilities[best] < 0.5 ? "It is not sure." : `${(100 * probabilities[best]).toFixed(1)}% sure`;
  return probabilities;
}

function readPaper() {
  waiting = false;
  const data = ink.getImageData(0, 0, INK, INK).data;
  const values = new Float64Array(INK * INK);
  for (let i = 0; i < values.length; i++) values[i] = data[4 * i + 3] / 255;
  show(fitted(values, INK, INK, MODEL));
}

function refresh() {
  pen.clearRect(0, 0, paper.width, paper.height);
  pen.drawImage(inked, 0, 0, paper.width, paper.height);
  pen.globalCompositeOperation = "source-in";
  pen.fillStyle = colour("--stroke");
  pen.fillRect(0, 0, paper.width, paper.height);
  pen.globalCompositeOperation = "source-over";
}

function place(event) {
  const box = paper.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width * INK, (event.clientY - box.top) / box.height * INK];
}

let from = null;
function stroke(event) {
  if (from === null) return;
  for (const one of event.getCoalescedEvents?.().length ? event.getCoalescedEvents() : [event]) {
    const to = place(one);
    ink.lineWidth = INK / 11;
    ink.lineCap = ink.lineJoin = "round";
    ink.strokeStyle = "white";
    ink.beginPath();
    ink.moveTo(...from);
    ink.lineTo(...to);
    ink.stroke();
    from = to;
  }
  refresh();
  if (!waiting) {
    waiting = true;
    requestAnimationFrame(readPaper);
  }
}

paper.addEventListener("pointerdown", (event) => {
  if (example >= 0 && document.querySelector(".paper").dataset.example) clear();
  paper.setPointerCapture(event.pointerId);
  from = place(event);
  stroke(event);
  event.preventDefault();
});
paper.addEventListener("pointermove", stroke);
for (const name of ["pointerup", "pointercancel"]) paper.addEventListener(name, () => { from = null; });

function clear() {
  delete document.querySelector(".paper").dataset.example;
  ink.clearRect(0, 0, INK, INK);
  refresh();
  show(null);
}

// An image of the test data, drawn on the paper in squares.
function showExample() {
  if (!MODEL.examples.length) return;
  clear();
  example = (example + 1) % MODEL.examples.length;
  document.querySelector(".paper").dataset.example = "yes";
  const [height, width] = MODEL.image_shape, pixels = MODEL.examples[example];
  const { low, high } = MODEL.frame, cell = 0.8 * INK / Math.max(height, width);
  const x0 = (INK - width * cell) / 2, y0 = (INK - height * cell) / 2;
  pixels.forEach((pixel, i) => {
    ink.fillStyle = `rgba(255, 255, 255, ${(pixel - low) / (high - low)})`;
    ink.fillRect(x0 + (i % width) * cell, y0 + Math.floor(i / width) * cell, cell, cell);
  });
  refresh();
  show(Float64Array.from(pixels));
}

element("clear").addEventListener("click", clear);
element("example").addEventListener("click", showExample);
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" || event.key === "Delete") clear();
  if (event.key === "e" || event.key === "E") showExample();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { refresh(); show(last); });
clear();
