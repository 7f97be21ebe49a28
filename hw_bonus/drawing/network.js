"use strict";
// The network: weights from text, the forward pass, and a drawing brought to the form that it knows. The same arithmetic as in
// hw_bonus/images.py and hw_bonus/model.py.

function numbersOf(base64) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

// W. J. Cody's kind of accuracy is not needed here: the series and the continued fraction below agree with erf to 1e-12.
function erf(x) {
  const a = Math.abs(x);
  if (a > 6) return Math.sign(x);
  if (a < 2.5) {
    let term = a, sum = a;
    for (let n = 1; Math.abs(term) > 1e-17 * sum && n < 100; n++) {
      term *= (-a * a) / n;
      sum += term / (2 * n + 1);
    }
    return Math.sign(x) * 2 / Math.sqrt(Math.PI) * sum;
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = (n / 2) / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / (Math.sqrt(Math.PI) * (a + fraction)));
}

const ACTIVATIONS = {
  relu: (x) => Math.max(x, 0),
  leaky_relu: (x) => (x > 0 ? x : 0.01 * x),
  gelu: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  silu: (x) => x / (1 + Math.exp(-x)),
  softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  tanh: Math.tanh,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
};

class Network {
  constructor(model) {
    this.model = model;
    this.layers = model.layers.map(({ W, b }) => ({ W: numbersOf(W), b: numbersOf(b) }));
  }

  // pixels: in the units of the training data. Returns the activations of each layer and the probabilities.
  forward(pixels) {
    const f = ACTIVATIONS[this.model.activation];
    let x = Float64Array.from(pixels, (p) => (p - this.model.mean) / this.model.std);
    const hidden = [];
    this.layers.forEach(({ W, b }, number) => {
      const y = new Float64Array(b.length);
      for (let o = 0; o < b.length; o++) {
        let sum = b[o];
        for (let i = 0, at = o * x.length; i < x.length; i++, at++) sum += W[at] * x[i];
        y[o] = number < this.layers.length - 1 ? f(sum) : sum;
      }
      if (number < this.layers.length - 1) hidden.push(y);
      x = y;
    });
    const top = Math.max(...x);
    const exps = Array.from(x, (score) => Math.exp(score - top));
    const total = exps.reduce((a, b) => a + b, 0);
    return { hidden, probabilities: exps.map((e) => e / total) };
  }
}

const FAINT = 0.15;
const NARROWED = 1.5;

// ink: rows * columns numbers from 0 to 1. Returns pixels in the units of the training data, or null without ink.
function fitted(ink, rows, columns, model) {
  const [height, width] = model.image_shape;
  const { low, high, centre } = model.frame;
  let top = rows, bottom = 0, left = columns, right = 0, mass = 0, down = 0, across = 0;
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const value = ink[r * columns + c];
      mass += value; down += value * (r + 0.5); across += value * (c + 0.5);
      if (value > FAINT) {
        top = Math.min(top, r); bottom = Math.max(bottom, r + 1);
        left = Math.min(left, c); right = Math.max(right, c + 1);
      }
    }
  }
  if (bottom <= top) return null;
  const upright = model.frame.height * height / (bottom - top);
  const wide = Math.min(upright, model.frame.width * width / (right - left));
  const tall = Math.min(upright, NARROWED * wide);
  const [y, x] = centre === "mass" ? [down / mass, across / mass] : [(top + bottom) / 2, (left + right) / 2];
  const vertical = cover(y, tall, rows, height), horizontal = cover(x, wide, columns, width);
  const small = new Float64Array(height * width);
  for (let r = 0; r < height; r++) {
    for (let c = 0; c < width; c++) {
      let sum = 0;
      for (const [i, a] of vertical[r]) for (const [j, b] of horizontal[c]) sum += a * b * ink[i * columns + j];
      small[r * width + c] = sum;
    }
  }
  const most = Math.max(...small) || 1;
  return small.map((value) => low + Math.min(value / most, 1) * (high - low));
}

// For each new pixel the old ones that it covers, with their shares, along one axis: the old place "centre" comes to the middle.
function cover(centre, scale, old, count) {
  return Array.from({ length: count }, (_, n) => {
    const begin = centre + (n - count / 2) / scale, end = begin + 1 / scale, parts = [];
    for (let i = Math.max(0, Math.floor(begin)); i < Math.min(old, Math.ceil(end)); i++) {
      const share = Math.min(i + 1, end) - Math.max(i, begin);
      if (share > 0) parts.push([i, share * scale]);
    }
    return parts;
  });
}
