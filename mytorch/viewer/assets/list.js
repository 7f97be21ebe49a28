// The list as a table: one row per operation, with its value, its tangents and, on the way back, its gradient.
"use strict";

const rows = [];

function buildList() {
  const directions = DATA.forward;
  if (!OPERATIONS.length) {
    byId("list").replaceChildren(el("p", { class: "empty" }, "No operation was recorded."));
    return;
  }
  const heads = ["#", "operation", "value", ...directions.map((d) => tangentHead(d)), "gradient"];
  const table = el(
    "table",
    { class: "list" },
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        heads.map((head, i) => el("th", { scope: "col", class: i === 0 ? "order" : i === 1 ? "" : "amount" }, head)),
      ),
    ),
    el("tbody", {}, OPERATIONS.map(listRow)),
  );
  byId("list").replaceChildren(table);
}

// The head of a column of tangents. One direction of its own is an argument's entry.
const tangentHead = (direction) =>
  direction.label === "every entry"
    ? "tangent"
    : el("span", { "aria-label": `tangent along ${direction.label}` }, "∂ / ∂", labelled(direction.label));

function listRow(operation, number) {
  const row = {
    mark: el("span", { class: "marks" }),
    value: el("td", { class: "amount value-cell" }),
    tangents: DATA.forward.map(() => el("td", { class: "amount tangents" })),
    gradient: el("td", { class: "amount gradients" }),
    shown: "",
  };
  row.button = el(
    "button",
    {
      type: "button",
      class: "order",
      onclick: () => go(stepOf(number, at)),
      "aria-label": `operation ${number}, ${operation.name}`,
    },
    String(number),
  );
  row.tr = el(
    "tr",
    { "data-operation": number },
    el("td", { class: "order" }, row.button),
    el(
      "td",
      { class: "operation" },
      el("div", { class: "does" }, does(operation), row.mark),
      isNewLine(number) && el("code", { class: "line", title: lineText(operation.line) }, lineText(operation.line)),
    ),
    row.value,
    row.tangents,
    row.gradient,
  );
  row.tr.addEventListener("click", () => go(stepOf(number, at)));
  rows.push(row);
  return row.tr;
}

// A line that recorded several operations in a row stands at the first of them.
function isNewLine(number) {
  const line = OPERATIONS[number].line,
    before = OPERATIONS[number - 1]?.line;
  return line && !(before && before.file === line.file && before.number === line.number);
}

const lineText = (line) => line.text || `${line.file}, line ${line.number}`;

// An operation as an equation: v1 = x1 · x2, or v1 = name(x1, x2) where no formula is known.
function does(operation) {
  const outputs = operation.outputs.map((v, i) => [i ? ", " : "", nameOf(v)]);
  const rule = DATA.rules[operation.rule];
  if (rule.output && !rule.output.includes("the arrays"))
    return [outputs, " = ", formula(rule.output, operation, withNames())];
  const inputs = operation.inputs.map((input, i) => [
    i ? ", " : "",
    input.variable === undefined ? input.constant : nameOf(input.variable),
  ]);
  return [outputs, " = ", operation.name, "(", inputs, ")"];
}

function updateList(at) {
  const current = STEPS[at].operation;
  rows.forEach((row, number) => {
    const recorded = isRecorded(number, at);
    const output = OPERATIONS[number].outputs[0];
    const gradient = gradientOf(output, at);
    const skipped = isBackward(at) && STEPS[walkedAt[number]]?.kind === "skip" && walkedAt[number] <= at;
    const findings = recorded ? findingsOf(number, at) : [];
    const state = `${recorded} ${current === number} ${gradient} ${skipped} ${findings.length} ${isBackward(at)}`;
    if (row.shown === state) return;
    row.shown = state;
    row.tr.className = [
      recorded ? "recorded" : "coming",
      current === number && "current",
      isBackward(at) ? "backward" : "forward",
      skipped && "skipped",
    ]
      .filter(Boolean)
      .join(" ");
    if (current === number) row.button.setAttribute("aria-current", "step");
    else row.button.removeAttribute("aria-current");
    row.value.replaceChildren(recorded ? brief(DATA.variables[output].value) : "");
    row.tangents.forEach((cell, i) => {
      const tangent = DATA.forward[i].tangents[output];
      cell.replaceChildren(!recorded ? "" : tangent === null ? "0" : brief(tangent, true));
    });
    row.gradient.replaceChildren(gradient !== undefined ? brief(gradient, true) : skipped ? "none" : "");
    row.mark.replaceChildren(...(findings.length ? [mark(findings)] : []));
  });
  if (current !== undefined && rows[current]) keepInView(byId("list"), rows[current].tr);
}

const mark = (findings) =>
  el(
    "span",
    {
      class: `mark ${findings.some((f) => f.serious) ? "serious" : "follows"}`,
      role: "img",
      "aria-label": counted(findings.length, "finding"),
      title: findings.map((f) => f.text).join("\n"),
    },
    "!",
  );

// Scrolls a box, and never the page, so that a part of it can be seen.
function keepInView(box, part) {
  if (box.scrollHeight <= box.clientHeight + 1 && box.scrollWidth <= box.clientWidth + 1) return;
  const outer = box.getBoundingClientRect(),
    inner = part.getBoundingClientRect();
  const room = Math.min(90, outer.height / 4);
  if (inner.top < outer.top + room) box.scrollTop += inner.top - outer.top - room;
  else if (inner.bottom > outer.bottom - room) box.scrollTop += inner.bottom - outer.bottom + room;
  if (inner.left < outer.left) box.scrollLeft += inner.left - outer.left - 20;
  else if (inner.right > outer.right && inner.width < outer.width) box.scrollLeft += inner.right - outer.right + 20;
}
