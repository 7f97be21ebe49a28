// The table of gradients: for each array the contributions that have arrived, and their sum.
"use strict";

const MOST_ROWS = 80;

function updateLedger(at) {
  const listed = inTable(at);
  if (!listed.length) {
    byId("ledger").replaceChildren(el("p", { class: "empty" }, "No array has been recorded yet."));
    return;
  }
  const withAddress = byId("addresses").checked;
  const heads = ["array", "shape", "contributions", "gradient so far", "kept in", withAddress && "address"].filter(
    Boolean,
  );
  const body = listed.map((variable) => ledgerRow(variable, at, withAddress));
  const left = DATA.variables.length - listed.length;
  const note =
    left > 0 && OPERATIONS.length > MOST_ROWS
      ? el(
          "p",
          { class: "caption" },
          `The arrays that stand in the drawing; ${left.toLocaleString("en")} others are left out here.`,
        )
      : null;
  byId("ledger").replaceChildren(
    ...[
      note,
      el(
        "table",
        { class: "gradients" },
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            heads.map((head) => el("th", { scope: "col" }, head)),
          ),
        ),
        el("tbody", {}, body),
      ),
    ].filter(Boolean),
  );
  const now = byId("ledger").querySelector("tr.arriving");
  if (now) keepInView(byId("ledger"), now);
}

// All arrays of a short list in their order; of a long one, those of the drawing.
function inTable(at) {
  const all = DATA.variables.map((_, i) => i);
  const near =
    OPERATIONS.length <= MOST_ROWS || !drawn ? all : [...new Set([...drawn.nodes.map((node) => node.variable)])];
  return near.filter((i) =>
    DATA.variables[i].producer === null ? isGiven(i, at) : isRecorded(DATA.variables[i].producer, at),
  );
}

function ledgerRow(variable, at, withAddress) {
  const about = DATA.variables[variable];
  const here = received(variable, at);
  const now = here.some((arrival) => arrival.at === at);
  const chips = here.map((arrival, i) => [
    i ? el("span", { class: "plus", "aria-hidden": "true" }, "+") : null,
    el(
      "span",
      { class: `chip ${arrival.at === at ? "new" : ""} ${arrival.wrong ? "wrong" : ""}` },
      el(
        "span",
        { class: "from" },
        arrival.from === null ? "start" : `${arrival.from} ${cut(OPERATIONS[arrival.from].name, 14)}`,
      ),
      brief(arrival.value),
    ),
  ]);
  const sum = gradientOf(variable, at);
  // What nobody reads has no entry in the buffer.
  const kept = about.parameter ? slotName(variable) : about.readers.length ? "buffer" : "";
  return el(
    "tr",
    { class: now ? "arriving" : here.length ? "some" : "none" },
    el("th", { scope: "row" }, nameOf(variable), about.parameter && el("span", { class: "tag" }, "parameter")),
    el("td", { class: "shape" }, valueOf(variable).shape.join(" × ") || "number"),
    el(
      "td",
      {},
      el(
        "span",
        { class: "chips" },
        chips.length ? chips : el("span", { class: "nothing" }, isBackward(at) ? "none yet" : "–"),
      ),
    ),
    el("td", { class: "sum" }, sum === undefined ? "" : brief(sum)),
    el("td", { class: "kept" }, kept),
    withAddress && el("td", {}, el("code", {}, about.address)),
  );
}
