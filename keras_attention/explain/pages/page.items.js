// ---- items: tokens, patches and nodes, at the positions of a sequence

const DENSE_FROM = 150; // tokens that are written smaller
const DARKEST = 0.85; // opacity of the largest weight

const byId = (id) => document.getElementById(id);
const SVG = byId("drawing").namespaceURI;

const element = (tag, className, text = "") => {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
};

const drawing = (tag, attributes) => {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
};

/** A token as it is read; what has no ink gets some. */
function legible(token) {
  const marked = token.replace(/\n/g, "\u23ce").replace(/\t/g, "\u21e5");
  return /^[\s\p{C}]*$/u.test(marked) ? "\u2423".repeat(Math.max(1, marked.length)) : marked;
}

/** How many items further each arrow key goes. */
const moves = (right, down) => ({
  ArrowRight: right,
  ArrowLeft: -right,
  ArrowDown: down,
  ArrowUp: -down,
});

/** Puts what stands at the positions of a sequence into a box, and returns it. */
function build(box, parts) {
  const made = [];
  for (const part of parts) {
    if (part.tokens) made.push(...part.tokens.map((token) => buildToken(box, token)));
    else if (part.nodes) made.push(...buildGraph(box, part));
    else made.push(...buildImage(box, part));
  }
  box.classList.toggle("dense", made.length >= DENSE_FROM);
  return made;
}

function buildToken(box, token) {
  const node = element("div", "token item");
  node.title = token.length > 30 ? token : "";
  const number = element("small", "");
  node.append(number, element("span", "", legible(token)));
  box.append(node);
  return { node, number, label: legible(token), moves: moves(1, 1) };
}

/** The items of a picture, in a frame of its own. */
function frame(box, name, content, nodes, className) {
  const whole = element("div", `picture ${className}`);
  whole.setAttribute("role", "group");
  whole.setAttribute("aria-label", name);
  whole.append(content, nodes);
  box.append(whole);
}

const imageOf = (part) => {
  const picture = element("img", part.width <= 96 ? "small" : "");
  const { width, height } = part;
  return Object.assign(picture, { src: data.images[part.image], width, height, alt: "" });
};

function buildImage(box, part) {
  const { rows, columns, upright } = part;
  const grid = element("div", "patches");
  grid.style.gridTemplate = `repeat(${rows}, 1fr) / repeat(${columns}, 1fr)`;
  const made = Array.from({ length: rows * columns }, (_, i) => {
    const node = element("div", "patch item");
    const [row, column] = upright
      ? [rows - 1 - (i % rows), Math.floor(i / rows)] // from below, then to the right
      : [Math.floor(i / columns), i % columns];
    node.style.gridArea = `${row + 1} / ${column + 1}`;
    const label = upright
      ? part.labels[column] + (rows > 1 ? `, band ${rows - row}` : "")
      : `row ${row + 1}, column ${column + 1}`;
    node.setAttribute("aria-label", label);
    grid.append(node);
    return { node, label, moves: upright ? moves(rows, -1) : moves(1, columns) };
  });
  const name = upright
    ? `spectrogram: time to the right, pitch upwards, ${columns} x ${rows} patches`
    : `image in ${rows} x ${columns} patches`;
  frame(box, name, imageOf(part), grid, upright ? "upright" : "");
  return made;
}

function buildGraph(box, { nodes, places, edges }) {
  const lines = drawing("svg", { viewBox: "0 0 100 100", "aria-hidden": "true" });
  for (const [source, target] of edges) {
    const [[x1, y1], [x2, y2]] = [places[source], places[target]];
    lines.append(drawing("line", { x1, y1, x2, y2 }));
  }
  const group = element("div", "nodes");
  const made = nodes.map((label, i) => {
    const node = element("div", "node item", label);
    [node.style.left, node.style.top] = places[i].map((place) => `${place}%`);
    node.title = label;
    group.append(node);
    return { node, label, moves: moves(1, 1) };
  });
  frame(box, `graph of ${nodes.length} nodes`, lines, group, "graph");
  return made;
}

/** Colours items by numbers from -1 to 1: one hue for what is positive, another for the rest. */
function shade(items, shares, hue, other = hue) {
  items.forEach((item, i) => {
    const share = shares === null ? 0 : shares[i];
    // The colour itself, as a custom property per item takes browsers thirty times as long; and
    // few colours, as most items then keep theirs.
    const size = (DARKEST * Math.abs(share)).toFixed(2);
    const colour = Math.abs(share) < 0.006 ? "" : `rgb(${share > 0 ? hue : other} / ${size})`;
    if (item.colour !== colour) item.node.style.backgroundColor = colour;
    item.colour = colour;
  });
}

/** The queries or the keys: a list from which one item can be chosen. */
class Side {
  constructor(name) {
    this.name = name;
    this.root = document.querySelector(`section.${name}`);
    this.box = this.root.querySelector(".items");
    this.parts = null;
    this.sequence = "";
    this.items = [];
  }

  fill(sequence, parts) {
    this.root.querySelector(".name").textContent = sequence;
    this.box.setAttribute("aria-label", `${this.name}: ${sequence}`);
    if (this.parts === parts) return;
    Object.assign(this, { parts, sequence, marked: undefined });
    this.box.replaceChildren();
    this.items = build(this.box, parts);
    this.items.forEach(({ node }, i) => {
      node.dataset.index = i;
      node.tabIndex = i === 0 ? 0 : -1;
      node.setAttribute("role", "option");
      node.setAttribute("aria-selected", "false");
    });
  }

  /** Colours the items by their weights, or none; marks one. */
  show(weights, marked, held) {
    this.root.classList.toggle("shaded", weights !== null);
    const most = weights === null ? 0 : weights.largest;
    if (weights !== null) {
      this.root.querySelector("output").textContent = weights.text(weights.values.indexOf(most));
    }
    shade(this.items, most > 0 ? weights.values.map((value) => value / most) : null, hues[this.name]);
    this.write(weights);
    this.mark(marked, held);
  }

  /** Writes the weights beside the tokens of a list. */
  write(weights) {
    this.items.forEach(({ number }, i) => {
      if (!number) return;
      const text = weights === null || !listed() ? "" : weights.text(i);
      if (number.textContent !== text) number.textContent = text;
    });
  }

  mark(marked, held) {
    if (this.marked !== undefined) this.items[this.marked].node.classList.remove("current", "held");
    this.marked = marked ?? undefined;
    if (this.marked === undefined) return;
    this.items[marked].node.classList.add("current");
    this.items[marked].node.classList.toggle("held", held);
  }
}
