"use strict";
// What Python wrote: {title, scores} of the toy of scores, or {title, size} of the mask to paint.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const element = (tag, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
};

/** Weights of scores; of none that is visible, none. */
function softmax(scores) {
  const most = Math.max(...scores);
  const parts = scores.map((score) => (score === -Infinity ? 0 : Math.exp(score - most)));
  const total = parts.reduce((a, b) => a + b, 0);
  return parts.map((part) => (total > 0 ? part / total : 0));
}

// ---- scores

function showScores(scores) {
  byId("how").textContent =
    "Move a score. All weights change, as they share 1; adding the same to all changes nothing.";
  const lines = scores.map((score, i) => {
    const slider = element("input", { type: "range", min: -5, max: 5, step: 0.1, value: score });
    slider.setAttribute("aria-label", `score of key ${i + 1}`);
    const bar = element("i", { className: "bar" });
    const line = { slider, bar, score: element("output"), weight: element("output") };
    const track = element("span", { className: "track" }, bar);
    byId("toy").append(
      element("div", { className: "score" }, `key ${i + 1}`, slider, line.score, track, line.weight),
    );
    slider.addEventListener("input", () => update(lines));
    return line;
  });
  update(lines);
}

function update(lines) {
  const scores = lines.map(({ slider }) => Number(slider.value));
  const weights = softmax(scores);
  lines.forEach(({ bar, score, weight }, i) => {
    score.textContent = scores[i].toFixed(1);
    weight.textContent = weights[i].toFixed(3);
    bar.style.width = `${100 * weights[i]}%`;
  });
  byId("told").textContent = `Weights: ${weights.map((w) => w.toFixed(3)).join(", ")}; sum 1.`;
}

// ---- the mask

const PRESETS = {
  all: () => true,
  causal: (t, s) => s <= t,
  "window of 1": (t, s) => Math.abs(t - s) <= 1,
  "last two padded": (t, s, size) => s < size - 2,
  none: () => false,
};

function showMask(size) {
  byId("how").textContent =
    "Rows are queries, columns keys. Press a cell to hide a key from a query, or to show it. All " +
    "scores are equal here, so what a query may see shares its weight of 1.";
  const mask = Array.from({ length: size }, () => Array(size).fill(true));
  const cells = mask.map((_, t) => mask.map((_, s) => cellOf(mask, t, s, () => showWeights(mask, cells, sums))));
  const sums = mask.map(() => element("td"));
  const heads = mask.map((_, s) => element("th", { scope: "col" }, `${s + 1}`));
  const rows = cells.map((row, t) =>
    element("tr", {}, element("th", { scope: "row" }, `${t + 1}`), ...row.map((cell) => element("td", {}, cell)), sums[t]),
  );
  const top = element("tr", {}, element("th", {}, "query \\ key"), ...heads, element("th", {}, "sum"));
  const presets = Object.entries(PRESETS).map(([name, sees]) => {
    const button = element("button", { type: "button" }, name);
    button.addEventListener("click", () => {
      mask.forEach((row, t) => row.forEach((_, s) => (row[s] = sees(t, s, size))));
      showWeights(mask, cells, sums);
    });
    return button;
  });
  byId("toy").append(element("p", { className: "presets" }, ...presets), element("table", {}, top, ...rows));
  showWeights(mask, cells, sums);
}

function cellOf(mask, t, s, changed) {
  const button = element("button", { type: "button" });
  button.addEventListener("click", () => {
    mask[t][s] = !mask[t][s];
    changed();
  });
  return button;
}

function showWeights(mask, cells, sums) {
  mask.forEach((row, t) => {
    const weights = softmax(row.map((sees) => (sees ? 0 : -Infinity)));
    cells[t].forEach((cell, s) => {
      cell.textContent = row[s] ? weights[s].toFixed(2) : "";
      cell.style.backgroundColor = row[s] ? `rgb(var(--heat) / ${0.7 * weights[s] + 0.05})` : "";
      cell.setAttribute("aria-pressed", row[s]);
      cell.setAttribute("aria-label", `query ${t + 1}, key ${s + 1}: weight ${weights[s].toFixed(2)}`);
    });
    sums[t].textContent = row.some(Boolean) ? "1" : "0";
  });
  const seen = mask.flat().filter(Boolean).length;
  byId("told").textContent = `${seen} of ${mask.length ** 2} pairs are visible. A row that sees nothing has weights of zero.`;
}

document.title = data.title;
byId("title").textContent = data.title;
if (data.scores) showScores(data.scores);
else showMask(data.size);
