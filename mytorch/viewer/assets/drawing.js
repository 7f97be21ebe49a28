// The graph: operations as boxes, arrays as lines between them. Lines light up when a gradient flows back along them.
"use strict";

let drawn = null; // the part of the list that stands in the drawing

function updateDrawing(at) {
  const operation =
    STEPS[at].operation ??
    (at === 0 || !OPERATIONS.length ? 0 : isBackward(at) ? (STEPS[at].kind === "end" ? 0 : OPERATIONS.length - 1) : 0);
  const part = DATA.drawings.find((drawing) => drawing.first <= operation && operation < drawing.last);
  if (!part) {
    byId("graph").replaceChildren(el("p", { class: "empty" }, "There is nothing to draw yet: the list is empty."));
    return;
  }
  if (drawn?.part !== part) build(part);
  for (const node of drawn.nodes) updateNode(node, at);
  for (const edge of drawn.edges) updateEdge(edge, at);
  const current = drawn.nodes.find(
    (node) => node.about.operation === STEPS[at].operation && STEPS[at].operation !== undefined,
  );
  if (current) keepInView(byId("graph"), current.box);
}

function build(part) {
  const margin = 16,
    width = Math.max(part.width, 60) + 2 * margin + 36,
    height = part.height + 2 * margin;
  const picture = svg("svg", {
    class: "drawing",
    viewBox: `${-margin} ${-margin} ${width} ${height}`,
    width,
    height,
    role: "img",
    "aria-label": `Graph of ${counted(part.last - part.first, "operation")}. The list says the same in words.`,
  });
  picture.style.minWidth = `${Math.min(width, Math.max(width * 0.62, 200))}px`;
  picture.append(
    svg(
      "defs",
      {},
      ["plain", "lit"].map((kind) =>
        svg(
          "marker",
          {
            id: `arrow-${kind}`,
            viewBox: "0 0 8 8",
            refX: 7,
            refY: 4,
            markerWidth: 10,
            markerHeight: 10,
            markerUnits: "userSpaceOnUse",
            orient: "auto-start-reverse",
          },
          svg("path", { class: `arrow ${kind}`, d: "M0 0L8 4L0 8z" }),
        ),
      ),
    ),
  );
  const edges = part.edges.map((about) => {
    const path = svg("path", { class: "edge", d: curve(about.points, part.nodeHeight) });
    const label = svg("text", { class: "sent" });
    return { about, path, label };
  });
  const nodes = part.nodes.map((about) => drawNode(about, part.nodeHeight));
  picture.append(
    svg(
      "g",
      {},
      edges.map((edge) => edge.path),
    ),
    svg(
      "g",
      {},
      nodes.map((node) => node.box),
    ),
    svg(
      "g",
      {},
      edges.map((edge) => edge.label),
    ),
  );
  const note =
    DATA.drawings.length > 1
      ? el(
          "p",
          { class: "caption" },
          `Operations ${part.first} to ${part.last - 1} of ${OPERATIONS.length.toLocaleString("en")}. ` +
            "The drawing follows the step.",
        )
      : null;
  byId("graph").replaceChildren(...[note, picture].filter(Boolean));
  drawn = { part, nodes, edges };
}

// A line through its points that leaves and arrives upright.
function curve(points, nodeHeight) {
  const half = nodeHeight / 2;
  const through = points.map(([x, y], i) => [x, i === 0 ? y + half : i === points.length - 1 ? y - half - 1 : y]);
  let path = `M${through[0][0]} ${through[0][1]}`;
  for (let i = 1; i < through.length; i++) {
    const [x0, y0] = through[i - 1],
      [x1, y1] = through[i];
    const reach = (y1 - y0) * 0.45;
    const leaving = x0 + slope(through, i - 1) * reach;
    const arriving = x1 - slope(through, i) * reach;
    path += `C${leaving} ${y0 + reach} ${arriving} ${y1 - reach} ${x1} ${y1}`;
  }
  return path;
}

// How far a line moves sideways for each step down where it passes a point: not at all at its ends.
function slope(points, i) {
  const before = points[i - 1],
    after = points[i + 1];
  return before && after ? (after[0] - before[0]) / (after[1] - before[1]) : 0;
}

function drawNode(about, height) {
  const given = about.variable !== undefined;
  const left = about.x - about.width / 2,
    top = about.y - height / 2;
  const variable = given ? about.variable : OPERATIONS[about.operation].outputs[0];
  const middle = (about.width - pictureRoom(variable)) / 2;
  const box = svg(
    "g",
    { class: `node ${given ? "given" : "made"}`, transform: `translate(${left} ${top})` },
    svg("rect", { class: "body", width: about.width, height, rx: given ? height / 2 : 8 }),
    svg("text", { class: "title", x: middle, y: 19, "text-anchor": "middle" }),
  );
  const node = {
    about,
    variable,
    box,
    second: svg("g", {}),
    gradient: svg("g", { class: "pill" }),
    mark: svg("g", {}),
    shown: "",
  };
  box.append(node.second, node.gradient, node.mark);
  if (given) svgName(box.children[1], variable);
  else
    box.children[1].append(
      svg("tspan", { class: "hash" }, `${about.operation} `),
      cut(OPERATIONS[about.operation].name, 18),
    );
  box.append(
    svg(
      "title",
      {},
      given
        ? DATA.variables[variable].path || DATA.variables[variable].name
        : `operation ${about.operation}: ${OPERATIONS[about.operation].name}`,
    ),
  );
  if (!given) box.addEventListener("click", () => go(stepOf(about.operation, at)));
  else if (DATA.variables[variable].producer !== null)
    box.addEventListener("click", () => go(stepOf(DATA.variables[variable].producer, at)));
  return node;
}

const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

function svgName(text, variable) {
  const [, letters, index] = DATA.variables[variable].name.match(/^(.*?)_?(\d*)$/);
  text.append(svg("tspan", { class: "name" }, cut(letters || index, 20)));
  if (letters && index) text.append(svg("tspan", { class: "index", dy: 3 }, index), svg("tspan", { dy: -3 }, "\u200b"));
}

function updateNode(node, at) {
  const { about, variable, box } = node;
  const given = about.variable !== undefined;
  const recorded = given ? isGiven(variable, at) : isRecorded(about.operation, at);
  const current = !given && STEPS[at].operation === about.operation && STEPS[at].kind !== "seed";
  const gradient = gradientOf(variable, at);
  const skipped = !given && STEPS[walkedAt[about.operation]]?.kind === "skip" && walkedAt[about.operation] <= at;
  const findings = given || !recorded ? [] : findingsOf(about.operation, at);
  const state = [recorded, current, gradient, skipped, findings.length, isBackward(at)].join();
  if (state === node.shown) return;
  node.shown = state;
  box.setAttribute(
    "class",
    [
      "node",
      given ? "given" : "made",
      DATA.variables[variable].parameter && "parameter",
      recorded ? "recorded" : "coming",
      current && "current",
      isBackward(at) ? "backward" : "forward",
      skipped && "skipped",
    ]
      .filter(Boolean)
      .join(" "),
  );
  node.second.replaceChildren(...(recorded ? secondLine(variable, about.width, given) : []));
  node.gradient.replaceChildren(...(gradient === undefined ? [] : pill(gradient, about.width)));
  node.mark.replaceChildren(
    ...(findings.length
      ? [
          svg("circle", { class: "mark", cx: 4, cy: 4, r: 8 }),
          svg("text", { class: "mark", x: 4, y: 8, "text-anchor": "middle" }, "!"),
        ]
      : []),
  );
}

// A given array is there from the step at which an operation first reads it.
const isGiven = (variable, at) => DATA.variables[variable].readers.some((reader) => isRecorded(reader, at));

// The room for a small picture at the right end of a box, as it was counted into its width.
const pictureRoom = (variable) => (single(valueOf(variable)) === undefined ? 26 : 0);

function secondLine(variable, width, given) {
  const value = valueOf(variable);
  const one = single(value);
  const label = svg("text", {
    class: "second",
    x: (width - pictureRoom(variable)) / 2,
    y: 36,
    "text-anchor": "middle",
  });
  const url = one === undefined ? thumbnail(DATA.variables[variable].value) : "";
  if (!given) {
    svgName(label, variable);
    label.append(one === undefined ? "  " : " = ");
  }
  label.append(one === undefined ? value.shape.join("×") : digits(one));
  const picture = url
    ? svg("image", {
        href: url,
        x: width - 32,
        y: 11,
        width: 22,
        height: 22,
        preserveAspectRatio: "none",
        class: "pixels",
      })
    : null;
  return picture ? [label, picture] : [label];
}

// The gradient so far, on the lower edge of its box.
function pill(gradient, width) {
  const value = DATA.values[gradient];
  const one = single(value);
  const text = one === undefined ? "" : digits(one);
  const wide = one === undefined ? 40 : Math.max(30, text.length * 7 + 14);
  const left = Math.max(width / 2 + 14, width - wide + 14); // clear of the line that leaves in the middle
  const parts = [svg("rect", { class: "pill", x: left, y: 41, width: wide, height: 18, rx: 9 })];
  if (one === undefined)
    parts.push(
      svg("image", {
        href: thumbnail(gradient),
        x: left + 6,
        y: 44,
        width: wide - 12,
        height: 12,
        preserveAspectRatio: "none",
        class: "pixels",
      }),
    );
  else parts.push(svg("text", { class: "pill", x: left + wide / 2, y: 54, "text-anchor": "middle" }, text));
  return parts;
}

function updateEdge(edge, at) {
  const { about, path, label } = edge;
  const recorded = isRecorded(about.to, at);
  if (about.cut) return updateCut(edge, recorded);
  const walked = isBackward(at) && walkedAt[about.to] <= at && STEPS[walkedAt[about.to]].kind === "back";
  const send = walked && STEPS[walkedAt[about.to]].sends.find((sent) => sent.input === about.input);
  const now = STEPS[at].operation === about.to && STEPS[at].kind !== "seed" && STEPS[at].kind !== "skip";
  path.setAttribute(
    "class",
    ["edge", recorded ? "recorded" : "coming", send && "sent", now && "now", isBackward(at) ? "backward" : "forward"]
      .filter(Boolean)
      .join(" "),
  );
  path.setAttribute("marker-end", send || !recorded ? "" : `url(#arrow-${recorded && now ? "lit" : "plain"})`);
  path.setAttribute("marker-start", send ? "url(#arrow-lit)" : "");
  const one = send ? single(DATA.values[send.value]) : undefined;
  label.replaceChildren(one === undefined ? "" : digits(one));
  if (one !== undefined) {
    const middle = path.getPointAtLength(path.getTotalLength() * 0.42);
    label.setAttribute("x", middle.x + 6);
    label.setAttribute("y", middle.y + 4);
    label.setAttribute("class", now ? "sent now" : "sent");
  }
}

// From an operation to a copy of its output: a dotted line along which no gradient passes.
function updateCut({ about, path, label }, recorded) {
  path.setAttribute("class", "cut");
  path.setAttribute("visibility", recorded ? "visible" : "hidden");
  const [[x0, y0], [x1, y1]] = [about.points[0], about.points.at(-1)];
  label.setAttribute("class", "cut-label");
  label.setAttribute("x", (x0 + x1) / 2 + 8);
  label.setAttribute("y", (y0 + y1) / 2 + 4);
  label.replaceChildren(recorded ? "a copy: the path is cut" : "");
}
