"use strict";
// What Python wrote: {title, sequences: {name: parts}, maps: [{path, queries, keys, heads, ...}]}.
// Text from it enters the page as `textContent` alone.
const data = JSON.parse(document.getElementById("data").textContent);
const LIST_UP_TO = 40; // tokens that stand in columns, with lines between them
const DENSE_FROM = 150; // tokens that are written smaller
const THUMBNAIL = 64; // cells of a head's picture, at most
const TOP = 6; // weights that are told in words
const DARKEST = 0.85; // opacity of the largest weight

const byId = (id) => document.getElementById(id);
const element = (tag, className, text = "") => {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
};

// ---- weights

/** Numbers, and by how much rounding may have moved each. */
class Weights {
  constructor(size) {
    this.values = new Float32Array(size);
    this.errors = new Float32Array(size);
  }

  /** Adds a share of the weight with this level, in a row with this largest weight. */
  add(i, level, largest) {
    this.values[i] += (largest * level * level) / 65025;
    this.errors[i] += (largest * (level + 0.25)) / 65025;
  }

  get largest() {
    return this.values.reduce((a, b) => Math.max(a, b), 0);
  }

  /** A weight in the digits that are right, and no more than one beyond those of the largest. */
  text(i) {
    this.most ??= digits(Math.max(...this.errors)) + 1;
    return this.values[i].toFixed(Math.min(digits(this.errors[i]), this.most));
  }
}

const digits = (error) => Math.max(0, Math.min(8, Math.floor(-Math.log10(2 * error + 1e-12))));

class Layer {
  /**
   * levels: a byte per weight, (N, T, S), 255 times the square root of its share of the largest
   * weight of its row; largest: those, (N, T).
   */
  constructor(map, levels, largest) {
    [this.heads, this.queries, this.keys] = map.shape;
    Object.assign(this, { levels, largest, averages: new Map() });
  }

  chosen(head) {
    return head < 0 ? [...Array(this.heads).keys()] : [head];
  }

  /** What a query attends to, (S). */
  row(query, head) {
    const found = new Weights(this.keys);
    const heads = this.chosen(head);
    for (const n of heads) {
      const row = n * this.queries + query;
      const share = this.largest[row] / heads.length;
      for (let s = 0; s < this.keys; s++) found.add(s, this.levels[row * this.keys + s], share);
    }
    return found;
  }

  /** What attends to a key, (T). */
  column(key, head) {
    const found = new Weights(this.queries);
    const heads = this.chosen(head);
    for (const n of heads) {
      for (let t = 0; t < this.queries; t++) {
        const row = n * this.queries + t;
        found.add(t, this.levels[row * this.keys + key], this.largest[row] / heads.length);
      }
    }
    return found;
  }

  /** The mean of all rows, (S). */
  average(head) {
    if (!this.averages.has(head)) {
      const found = new Weights(this.keys);
      const heads = this.chosen(head);
      for (const n of heads) {
        for (let t = 0; t < this.queries; t++) {
          const row = n * this.queries + t;
          const share = this.largest[row] / heads.length / this.queries;
          for (let s = 0; s < this.keys; s++) found.add(s, this.levels[row * this.keys + s], share);
        }
      }
      this.averages.set(head, found);
    }
    return this.averages.get(head);
  }

  /** The largest weights of a head's blocks of cells, at most THUMBNAIL x THUMBNAIL. */
  thumbnail(n) {
    const height = Math.min(this.queries, THUMBNAIL);
    const width = Math.min(this.keys, THUMBNAIL);
    const values = new Float32Array(height * width);
    for (let t = 0, i = n * this.queries * this.keys; t < this.queries; t++) {
      const start = Math.floor((t * height) / this.queries) * width;
      const scale = this.largest[n * this.queries + t] / 65025;
      for (let s = 0; s < this.keys; s++, i++) {
        const cell = start + Math.floor((s * width) / this.keys);
        values[cell] = Math.max(values[cell], scale * this.levels[i] ** 2);
      }
    }
    return { values, width, height };
  }
}

function bytes(base64) {
  const text = atob(base64);
  const found = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) found[i] = text.charCodeAt(i);
  return found;
}

async function unpacked(base64) {
  const stream = new Blob([bytes(base64)]).stream();
  const whole = new Response(stream.pipeThrough(new DecompressionStream("deflate")));
  return new Uint8Array(await whole.arrayBuffer());
}

const layers = new Map();
async function layerOf(index) {
  if (!layers.has(index)) {
    const map = data.maps[index];
    const largest = new Float32Array(bytes(map.largest).buffer);
    layers.set(index, new Layer(map, await unpacked(map.levels), largest));
  }
  return layers.get(index);
}

// ---- items: tokens and patches, of the queries and of the keys

/** A token as it is read; what has no ink gets some. */
function legible(token) {
  const marked = token.replace(/\n/g, "\u23ce").replace(/\t/g, "\u21e5");
  return /^[\s\p{C}]*$/u.test(marked) ? "\u2423".repeat(Math.max(1, marked.length)) : marked;
}

class Side {
  constructor(name) {
    this.name = name;
    this.root = document.querySelector(`section.${name}`);
    this.box = this.root.querySelector(".items");
    this.sequence = null;
    this.items = [];
  }

  fill(sequence) {
    this.root.querySelector(".name").textContent = sequence;
    this.box.setAttribute("aria-label", `${this.name}: ${sequence}`);
    if (this.sequence === sequence) return;
    this.sequence = sequence;
    this.items = [];
    this.box.replaceChildren();
    for (const part of data.sequences[sequence]) {
      if (part.tokens) part.tokens.forEach((token) => this.token(token));
      else this.picture(part);
    }
    this.box.classList.toggle("dense", this.items.length >= DENSE_FROM);
    this.items[0].node.tabIndex = 0;
  }

  token(token) {
    const node = element("div", "token item");
    node.title = token.length > 30 ? token : "";
    const number = element("small", "");
    const text = element("span", "", legible(token));
    node.append(number, text);
    this.add(this.box, { node, number, label: legible(token), step: 1 });
  }

  picture({ image, rows, columns, width, height }) {
    const frame = element("div", "picture");
    const picture = element("img", width <= 96 ? "small" : "");
    Object.assign(picture, { src: image, width, height, alt: "" });
    frame.setAttribute("role", "group");
    frame.setAttribute("aria-label", `image in ${rows} x ${columns} patches`);
    const grid = element("div", "patches");
    grid.style.gridTemplate = `repeat(${rows}, 1fr) / repeat(${columns}, 1fr)`;
    for (let i = 0; i < rows * columns; i++) {
      const label = `patch ${Math.floor(i / columns)},${i % columns}`;
      const node = element("div", "patch item");
      node.setAttribute("aria-label", label);
      this.add(grid, { node, label, step: columns });
    }
    frame.append(picture, grid);
    this.box.append(frame);
  }

  add(parent, item) {
    item.node.dataset.index = this.items.length;
    item.node.tabIndex = -1;
    item.node.setAttribute("role", "option");
    this.items.push(item);
    parent.append(item.node);
  }

  /** Colours the items by their weights, or none; marks one. */
  shade(weights, marked, held) {
    this.root.classList.toggle("shaded", weights !== null);
    const most = weights === null ? 0 : weights.largest;
    if (weights !== null) {
      this.root.querySelector("output").textContent = weights.text(weights.values.indexOf(most));
    }
    const hue = hues[this.name];
    this.items.forEach((item, i) => {
      const share = most > 0 ? weights.values[i] / most : 0;
      // The colour itself, as a custom property per item takes browsers thirty times as long; and
      // few colours, as most items then keep theirs.
      const shade = share < 0.006 ? "" : `rgb(${hue} / ${(DARKEST * share).toFixed(2)})`;
      if (item.shade !== shade) item.node.style.backgroundColor = shade;
      item.shade = shade;
      if (item.number) {
        const text = weights === null || !listed() ? "" : weights.text(i);
        if (item.number.textContent !== text) item.number.textContent = text;
      }
    });
    if (this.marked !== undefined) this.items[this.marked]?.node.classList.remove("current", "held");
    this.marked = marked ?? undefined;
    if (this.marked !== undefined) {
      this.items[marked].node.classList.add("current");
      this.items[marked].node.classList.toggle("held", held);
    }
  }
}

// ---- the view

const queries = new Side("queries");
const keys = new Side("keys");
const view = byId("view");
const state = { index: 0, layer: null, head: -1, at: null, held: null };
const listed = () => view.classList.contains("list");
let hues = {};

function readHues() {
  const style = getComputedStyle(document.documentElement);
  hues = { keys: style.getPropertyValue("--to"), queries: style.getPropertyValue("--from") };
}

async function chooseLayer(index) {
  const map = data.maps[index];
  view.setAttribute("aria-busy", "true");
  const layer = await layerOf(index);
  if (Number(byId("layer").value) !== index) return; // another was chosen meanwhile
  const name = state.layer === null ? undefined : data.maps[state.index].heads[state.head];
  const same = queries.sequence === map.queries && keys.sequence === map.keys;
  Object.assign(state, { index, layer, head: map.heads.indexOf(name) });
  if (layer.heads === 1) state.head = 0;
  if (!same) Object.assign(state, { at: null, held: null });
  queries.fill(map.queries);
  keys.fill(map.keys);
  const text = [queries, keys].every((side) => side.items.every((item) => item.number));
  const longest = Math.max(queries.items.length, keys.items.length);
  view.classList.toggle("list", text && longest <= LIST_UP_TO);
  fillHeads(map, layer);
  show();
  view.setAttribute("aria-busy", "false");
}

function fillHeads(map, layer) {
  const pictures = map.heads.map((_, n) => layer.thumbnail(n));
  const choices = map.heads.map((head, n) => [n, `${head}`, [pictures[n]]]);
  if (layer.heads > 1) choices.unshift([-1, "mean", pictures]);
  byId("heads").replaceChildren(
    byId("heads").firstElementChild,
    ...choices.map(([head, name, of]) => {
      const label = element("label", "");
      const radio = element("input", "");
      Object.assign(radio, { type: "radio", name: "head", value: head, checked: head === state.head });
      radio.setAttribute("aria-label", head < 0 ? "mean over heads" : `head ${name}`);
      label.append(radio, drawn(of), name);
      return label;
    }),
  );
}

/** The mean of pictures, from 0 to its largest value. */
function drawn(pictures) {
  const { width, height } = pictures[0];
  const values = pictures[0].values.map(
    (_, i) => pictures.reduce((sum, { values }) => sum + values[i], 0) / pictures.length,
  );
  const most = values.reduce((a, b) => Math.max(a, b), 1e-12);
  const canvas = Object.assign(element("canvas", ""), { width, height });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const hue = hues.keys.trim().split(" ").map(Number);
  values.forEach((value, i) => image.data.set([...hue, (255 * value) / most], 4 * i));
  context.putImageData(image, 0, 0);
  return canvas;
}

/** The query and the key that are pointed at; in self-attention an item is both. */
function pair(at) {
  if (at === null) return { query: null, key: null };
  const self = queries.sequence === keys.sequence;
  return {
    query: self || at.side === queries ? at.i : null,
    key: self || at.side === keys ? at.i : null,
  };
}

function show() {
  const at = state.held ?? state.at;
  const { query, key } = pair(at);
  const { layer, head } = state;
  const to = at === null ? layer.average(head) : query === null ? null : layer.row(query, head);
  const from = key === null ? null : layer.column(key, head);
  const held = state.held !== null;
  queries.shade(from, query, held);
  keys.shade(to, key, held);
  tell(query, key, to, from);
  if (listed()) drawLines(query, key, to, from);
}

function tell(query, key, to, from) {
  const [first, second] = document.querySelectorAll("#readout p");
  const single = queries.items.length === 1 ? 0 : query;
  sentence(first, single, queries, "attends to", to, keys, "On average over the queries:");
  sentence(second, key, keys, "is attended to by", from, queries, "");
  const pointed = state.held && state.at;
  if (!pointed) return;
  // Something is held and something else is pointed at: the weight between the two.
  if (pointed.side === keys && query !== null) exact(first, query, pointed.i, to.text(pointed.i));
  if (pointed.side === queries && key !== null) exact(second, pointed.i, key, from.text(pointed.i));
}

function sentence(line, i, side, verb, weights, others, otherwise) {
  line.replaceChildren();
  if (weights === null) return;
  if (i === null) line.append(otherwise);
  else line.append(element("span", "token", side.items[i].label), ` ${verb}`);
  const order = [...weights.values.keys()].sort((a, b) => weights.values[b] - weights.values[a]);
  for (const other of order.slice(0, TOP)) {
    const top = element("span", "top");
    const value = element("b", "", weights.text(other));
    top.append(element("span", "token", others.items[other].label), " ", value);
    line.append(top);
  }
}

function exact(line, query, key, weight) {
  line.replaceChildren(
    element("span", "token", queries.items[query].label),
    " attends to ",
    element("span", "token", keys.items[key].label),
    " with weight ",
    element("b", "weight", weight),
  );
}

function drawLines(query, key, to, from) {
  const canvas = byId("lines");
  const box = canvas.getBoundingClientRect();
  const ratio = window.devicePixelRatio || 1;
  Object.assign(canvas, { width: box.width * ratio, height: box.height * ratio });
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  const middles = (side) =>
    side.items.map(({ node }) => {
      const { top, height } = node.getBoundingClientRect();
      return top + height / 2 - box.top;
    });
  const left = middles(queries);
  const right = middles(keys);
  const line = (t, s, share, hue) => {
    if (!(share >= 0.01)) return; // not a number where all weights are zero
    context.strokeStyle = `rgb(${hue} / ${Math.min(1, DARKEST * share)})`;
    context.lineWidth = 1 + 2.5 * share;
    context.beginPath();
    context.moveTo(0, left[t]);
    context.bezierCurveTo(box.width / 2, left[t], box.width / 2, right[s], box.width, right[s]);
    context.stroke();
  };
  const { keys: blue, queries: orange } = hues;
  if (query === null && key === null) {
    const rows = left.map((_, t) => state.layer.row(t, state.head));
    const most = Math.max(...rows.map((row) => row.largest));
    rows.forEach(({ values }, t) => values.forEach((v, s) => line(t, s, v / most, blue)));
  }
  if (key !== null) from.values.forEach((v, t) => line(t, key, v / from.largest, orange));
  if (query !== null) to.values.forEach((v, s) => line(query, s, v / to.largest, blue));
}

// ---- pointing: mouse, finger, keyboard

function point(side, i) {
  state.at = side === null ? null : { side, i };
  show();
}

function hold(side, i) {
  const again = state.held !== null && state.held.side === side && state.held.i === i;
  state.held = again ? null : { side, i };
  for (const { items } of [queries, keys]) {
    items.forEach(({ node }) => node.removeAttribute("aria-selected"));
  }
  if (!again) side.items[i].node.setAttribute("aria-selected", "true");
  point(side, i);
}

function release() {
  if (state.held !== null) hold(state.held.side, state.held.i);
  point(null);
}

const itemOf = (event) => event.target.closest?.(".item")?.dataset.index;

for (const side of [queries, keys]) {
  const onItem = (type, act) =>
    side.box.addEventListener(type, (event) => {
      const index = itemOf(event);
      if (index !== undefined) act(Number(index), event);
    });
  onItem("pointerover", (i) => point(side, i));
  onItem("focusin", (i) => point(side, i));
  onItem("click", (i) => hold(side, i));
  onItem("keydown", (i, event) => {
    const last = side.items.length - 1;
    const { step } = side.items[i];
    const target = {
      ArrowRight: i + 1,
      ArrowLeft: i - 1,
      ArrowDown: i + step,
      ArrowUp: i - step,
      Home: 0,
      End: last,
    }[event.key];
    if (event.key === "Enter" || event.key === " ") hold(side, i);
    else if (target === undefined) return;
    else move(side, i, Math.max(0, Math.min(last, target)));
    event.preventDefault();
  });
  side.box.addEventListener("pointerleave", () => point(null));
  side.box.addEventListener("focusout", (event) => {
    if (!side.box.contains(event.relatedTarget)) point(null);
  });
}

/** One item of a side is in the order of Tab: the one that was visited last. */
function move(side, i, target) {
  side.items.forEach(({ node }) => (node.tabIndex = -1));
  side.items[target].node.tabIndex = 0;
  side.items[target].node.focus();
}

document.addEventListener("keydown", (event) => event.key === "Escape" && release());
byId("layer").addEventListener("change", (event) => chooseLayer(Number(event.target.value)));
byId("heads").addEventListener("change", (event) => {
  state.head = Number(event.target.value);
  show();
});
window.addEventListener("resize", () => state.layer && show());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  readHues();
  if (state.layer) chooseLayer(state.index);
});

readHues();
document.title = data.title;
byId("title").textContent = data.title;
data.maps.forEach(({ path }, i) => byId("layer").add(new Option(path, i)));
chooseLayer(0).catch((error) => {
  document.querySelector("#readout p").textContent = `The weights cannot be shown: ${error}`;
});
