// A value beside the one that was expected: two tables, the entries that differ marked in both.
"use strict";

function comparisonCard() {
  const comparison = DATA.comparison;
  if (!comparison) return null;
  const [expected, received] = ["expected", "received"].map((side) =>
    comparison[side] === null ? null : DATA.values[comparison[side]],
  );
  const comparable =
    expected?.kind === "numbers" && received?.kind === "numbers" && `${expected.shape}` === `${received.shape}`;
  const apart = comparable ? expected.numbers.map((x, i) => differ(x, received.numbers[i])) : [];
  const side = (name, value, index) =>
    el(
      "div",
      {},
      el("h3", {}, name, value && el("span", { class: "caption" }, ` ${describe(value)}`)),
      value === null ? el("p", {}, "nothing that can be shown") : markedView(value, index, `${name} ${comparison.what}`, apart),
    );
  return el(
    "section",
    { class: "comparison", "aria-label": "What the check expected and received" },
    el("h2", {}, comparison.what ? `The check looked at: ${comparison.what}` : "The check failed"),
    expected || received
      ? el(
          "div",
          { class: "sides" },
          side("Expected", expected, comparison.expected),
          side("Received", received, comparison.received),
        )
      : null,
    apart.some(Boolean) &&
      el("p", { class: "caption" }, `${apart.filter(Boolean).length} of ${apart.length} entries differ; they are framed.`),
    comparison.hint && el("p", { class: "hint" }, comparison.hint),
    comparison.given && el("details", {}, el("summary", {}, "Given"), el("pre", {}, comparison.given)),
  );
}

function differ(a, b) {
  if (typeof a !== "number" || typeof b !== "number") return a !== b;
  return Math.abs(a - b) > 1e-6 * Math.max(Math.abs(a), Math.abs(b));
}

function markedView(value, index, name, apart) {
  const view = valueView(index, name);
  view.querySelectorAll("td").forEach((cell, i) => {
    if (apart[i]) cell.classList.add("apart");
  });
  return view;
}
