// ---- the view of the weights: a layer, a head, and what is pointed at

const LIST_UP_TO = 40; // tokens that stand in columns, with lines between them
const TOP = 6; // weights that are told in words

const queries = new Side("queries");
const keys = new Side("keys");
const view = byId("view");
const state = { example: null, map: null, layer: null, head: -1, at: null, held: null };
const listed = () => view.classList.contains("list");
let hues = {};

function readHues() {
  const style = getComputedStyle(document.documentElement);
  const hue = (name) => style.getPropertyValue(`--${name}`);
  hues = { keys: hue("to"), queries: hue("from"), against: hue("against") };
}

async function chooseExample(index) {
  const path = state.map?.path;
  state.example = data.examples[index];
  const { maps } = state.example;
  byId("layer").replaceChildren(...maps.map((map, i) => new Option(map.path, i)));
  const same = Math.max(0, maps.findIndex((map) => map.path === path));
  byId("layer").value = same;
  showAnswer(state.example);
  showReasons(state.example);
  await chooseLayer(same);
}

/** The key that stands where the first query does; null where the two have no common order. */
function offsetOf(map) {
  const { sequences } = state.example;
  const inOrder = [map.queries, map.keys].every((name) => sequences[name].every((p) => p.tokens));
  if (!inOrder) return null;
  if (map.queries === map.keys) return 0;
  return map.offset ?? null;
}

async function chooseLayer(index) {
  const { example } = state;
  const map = example.maps[index];
  view.setAttribute("aria-busy", "true");
  const layer = await layerOf(map, offsetOf(map));
  if (state.example !== example || Number(byId("layer").value) !== index) return; // another one was chosen
  const name = state.layer === null ? undefined : state.map.heads[state.head];
  const [before, ...parts] = [[queries.parts, keys.parts], example.sequences[map.queries], example.sequences[map.keys]];
  if (before.some((part, i) => part !== parts[i])) Object.assign(state, { at: null, held: null });
  Object.assign(state, { map, layer, head: map.heads.indexOf(name) });
  if (layer.heads === 1) state.head = 0;
  queries.fill(map.queries, parts[0]);
  keys.fill(map.keys, parts[1]);
  const text = [queries, keys].every((side) => side.items.every((item) => item.number));
  const longest = Math.max(queries.items.length, keys.items.length);
  view.classList.toggle("list", text && longest <= LIST_UP_TO);
  fillHeads(map, layer);
  fillSliders(layer);
  show();
  view.setAttribute("aria-busy", "false");
}

// ---- heads, temperature, window

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
    (_, i) => pictures.reduce((total, { values }) => total + values[i], 0) / pictures.length,
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

/** Sets the ends of the sliders for a layer; those that it has no use for are hidden. */
function fillSliders(layer) {
  const of = (id) => byId(id).closest("label");
  const head = byId("head");
  Object.assign(head, { min: -1, max: layer.heads - 1, value: state.head });
  of("head").hidden = layer.heads === 1;
  of("temperature").hidden = layer.bits !== 16;
  of("window").hidden = layer.offset === null;
  const window = byId("window");
  const all = Number(window.value) >= Number(window.max);
  window.max = Math.max(layer.keys, layer.queries);
  if (all || layer.offset === null) window.value = window.max;
  adjust();
}

function adjust() {
  const { layer, map, head } = state;
  const window = byId("window");
  const wide = Number(window.value) >= Number(window.max);
  const temperature = layer.bits === 16 ? 2 ** Number(byId("temperature").value) : 1;
  layer.adjust(temperature, wide ? Infinity : Number(window.value));
  const texts = {
    temperature: temperature.toFixed(2),
    window: wide ? "all" : `${window.value} on each side`,
    head: head < 0 ? "mean" : `${map.heads[head]}`,
  };
  for (const [id, text] of Object.entries(texts)) {
    byId(id).nextElementSibling.textContent = text;
    byId(id).setAttribute("aria-valuetext", text);
  }
  const changed = temperature !== 1 || !wide;
  byId("hypothetical").textContent = changed
    ? "As this layer's softmax would give them; what later layers would then read is not computed."
    : "";
}

function chooseHead(head) {
  state.head = head;
  const radio = document.querySelector(`#heads input[value="${head}"]`);
  if (radio) radio.checked = true;
  byId("head").value = head;
  adjust();
  show();
}

// ---- what is pointed at

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
  queries.show(from, query, held);
  keys.show(to, key, held);
  tell(query, key, to, from);
  if (listed()) drawLines(query, key, to, from);
  const { answer } = state.example;
  const answered = query !== null && answer?.of === queries.sequence;
  if (answered && answer.choices[query]) showChoices(answer, query);
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

// ---- lines between the columns of a list

function drawLines(query, key, to, from) {
  const pen = new Pen(byId("lines"));
  if (query === null && key === null) {
    const rows = queries.items.map((_, t) => state.layer.row(t, state.head));
    const most = Math.max(...rows.map((row) => row.largest));
    rows.forEach(({ values }, t) => values.forEach((v, s) => pen.line(t, s, v / most, hues.keys)));
  }
  if (key !== null) from.values.forEach((v, t) => pen.line(t, key, v / from.largest, hues.queries));
  if (query !== null) to.values.forEach((v, s) => pen.line(query, s, v / to.largest, hues.keys));
}

/** Draws lines from queries to keys on a canvas as large as it is shown. */
class Pen {
  constructor(canvas) {
    this.box = canvas.getBoundingClientRect();
    const ratio = window.devicePixelRatio || 1;
    Object.assign(canvas, { width: this.box.width * ratio, height: this.box.height * ratio });
    this.context = canvas.getContext("2d");
    this.context.scale(ratio, ratio);
    [this.left, this.right] = [queries, keys].map((side) => this.middles(side));
  }

  middles(side) {
    return side.items.map(({ node }) => {
      const { top, height } = node.getBoundingClientRect();
      return top + height / 2 - this.box.top;
    });
  }

  line(t, s, share, hue) {
    if (!(share >= 0.01)) return; // not a number where all weights are zero
    const { context, box, left, right } = this;
    context.strokeStyle = `rgb(${hue} / ${Math.min(1, DARKEST * share)})`;
    context.lineWidth = 1 + 2.5 * share;
    context.beginPath();
    context.moveTo(0, left[t]);
    context.bezierCurveTo(box.width / 2, left[t], box.width / 2, right[s], box.width, right[s]);
    context.stroke();
  }
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
    items.forEach(({ node }) => node.setAttribute("aria-selected", "false"));
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
    const ends = { Home: -i, End: last - i };
    const by = { ...side.items[i].moves, ...ends }[event.key];
    if (event.key === "Enter" || event.key === " ") hold(side, i);
    else if (by === undefined) return;
    else move(side, Math.max(0, Math.min(last, i + by)));
    event.preventDefault();
  });
  side.box.addEventListener("pointerleave", () => point(null));
  side.box.addEventListener("focusout", (event) => {
    if (!side.box.contains(event.relatedTarget)) point(null);
  });
}

/** One item of a side is in the order of Tab: the one that was visited last. */
function move(side, target) {
  side.items.forEach(({ node }) => (node.tabIndex = -1));
  side.items[target].node.tabIndex = 0;
  side.items[target].node.focus();
}

/** Shows the answer at a position, and what the model read for it. */
function choosePosition(position) {
  const { answer } = state.example;
  showChoices(answer, position);
  if (answer.of !== queries.sequence) return;
  state.held = null;
  hold(queries, position);
  point(null);
}

const onEvent = (type) => (id, act) =>
  byId(id).addEventListener(type, ({ target }) => act(Number(target.value)));
const onInput = onEvent("input");
const onChange = onEvent("change");
onInput("temperature", () => (adjust(), show()));
onInput("window", () => (adjust(), show()));
onInput("head", chooseHead);
onInput("position", (number) => choosePosition(number - 1));
onChange("example", chooseExample);
onChange("layer", chooseLayer);
onChange("heads", chooseHead);
document.addEventListener("keydown", (event) => event.key === "Escape" && release());
window.addEventListener("resize", () => state.layer && show());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  readHues();
  if (state.layer) chooseExample(data.examples.indexOf(state.example));
});

readHues();
document.title = data.title;
byId("title").textContent = data.title;
byId("note").textContent = data.note;
data.examples.forEach(({ name }, i) => byId("example").add(new Option(`${i + 1}: ${name}`, i)));
byId("example").closest("label").hidden = data.examples.length === 1;
chooseExample(0).catch((error) => {
  document.querySelector("#readout p").textContent = `The weights cannot be shown: ${error}`;
});
