"use strict";
// What Python wrote: {title, note, images, examples: [{name, sequences, maps, answer, reasons}]}.
// Text from it enters the page as `textContent` alone.
const data = JSON.parse(document.getElementById("data").textContent);
const THUMBNAIL = 64; // cells of a head's picture, at most
const NOTHING = 65535; // the code of no weight in 16 bits

// ---- weights, and what softmax would have made of them at another temperature, in a window

/** Numbers, and by how much rounding may have moved each. */
class Weights {
  constructor(size) {
    this.values = new Float32Array(size);
    this.errors = new Float32Array(size);
  }

  get largest() {
    return this.values.reduce((a, b) => Math.max(a, b), 0);
  }

  /** A weight in the digits that are right, and no more than one beyond those of the largest. */
  text(i) {
    this.most ??= digits(Math.max(...this.errors)) + 1;
    return this.values[i].toFixed(Math.min(digits(this.errors[i]), this.most, 4));
  }
}

const digits = (error) => Math.max(0, Math.min(8, Math.floor(-Math.log10(2 * error + 1e-12))));

/** The share of its row's largest weight that a code stands for, and how far off it may be. */
const decoders = {
  8: (code) => [(code * code) / 65025, (code + 0.25) / 65025],
  16: (code) => (code === NOTHING ? [0, 0] : [2 ** (-code / 256), 2 ** (-code / 256) * 0.0014]),
};

/** The shares of all codes, to the power of 1 / temperature, and their errors. */
function sharesByCode(bits, temperature) {
  const values = new Float32Array(2 ** bits);
  const errors = new Float32Array(2 ** bits);
  for (let code = 0; code < values.length; code++) {
    const [share, error] = decoders[bits](code);
    values[code] = share ** (1 / temperature);
    errors[code] = share > 0 ? (values[code] * error) / share / temperature : error;
  }
  return { values, errors };
}

class Layer {
  /**
   * codes: of weights, (N, T, S), see `decoders`; largest: of each row, (N, T); offset: the key
   * that stands where the first query does, or null where queries and keys are not in one order.
   */
  constructor(map, codes, largest, offset) {
    [this.heads, this.queries, this.keys] = map.shape;
    Object.assign(this, { bits: map.bits, codes, largest, offset });
    this.plain = sharesByCode(map.bits, 1);
    this.adjust(1, Infinity);
  }

  /** Takes another temperature, and a window: how far away a key may be. */
  adjust(temperature, window) {
    if (this.temperature === temperature && this.window === window) return;
    Object.assign(this, { temperature, window, averages: new Map() });
    this.shares = temperature === 1 ? this.plain : sharesByCode(this.bits, temperature);
    this.scales = temperature === 1 && window === Infinity ? this.largest : this.rescaled();
  }

  /** By what a share is multiplied in each row, so that its weights keep their sum. */
  rescaled() {
    const { shares, plain, codes, keys, largest } = this;
    this.sums ??= largest.map((_, row) => sum(plain.values, codes, row * keys, (row + 1) * keys));
    return largest.map((most, row) => {
      const [from, to] = this.reach(row % this.queries);
      const left = sum(shares.values, codes, row * keys + from, row * keys + to);
      return left > 0 ? (most * this.sums[row]) / left : 0;
    });
  }

  /** The first key in a query's window, and the first one behind it. */
  reach(query) {
    if (this.window === Infinity || this.offset === null) return [0, this.keys];
    const middle = query + this.offset;
    return [Math.max(0, middle - this.window), Math.min(this.keys, middle + this.window + 1)];
  }

  chosen(head) {
    return head < 0 ? [...Array(this.heads).keys()] : [head];
  }

  /** Adds a share of a row to weights of the keys. */
  addRow(weights, row, share) {
    const { values, errors } = this.shares;
    const scale = this.scales[row] * share;
    const [from, to] = this.reach(row % this.queries);
    for (let s = from, i = row * this.keys + from; s < to; s++, i++) {
      weights.values[s] += scale * values[this.codes[i]];
      weights.errors[s] += scale * errors[this.codes[i]];
    }
  }

  /** What a query attends to, (S). */
  row(query, head) {
    const weights = new Weights(this.keys);
    const heads = this.chosen(head);
    for (const n of heads) this.addRow(weights, n * this.queries + query, 1 / heads.length);
    return weights;
  }

  /** What attends to a key, (T). */
  column(key, head) {
    const weights = new Weights(this.queries);
    const heads = this.chosen(head);
    for (let t = 0; t < this.queries; t++) {
      const [from, to] = this.reach(t);
      if (key < from || key >= to) continue;
      for (const n of heads) {
        const row = n * this.queries + t;
        const code = this.codes[row * this.keys + key];
        weights.values[t] += (this.scales[row] * this.shares.values[code]) / heads.length;
        weights.errors[t] += (this.scales[row] * this.shares.errors[code]) / heads.length;
      }
    }
    return weights;
  }

  /** The mean of all rows, (S). */
  average(head) {
    if (!this.averages.has(head)) {
      const weights = new Weights(this.keys);
      const heads = this.chosen(head);
      const share = 1 / heads.length / this.queries;
      for (const n of heads) {
        for (let t = 0; t < this.queries; t++) this.addRow(weights, n * this.queries + t, share);
      }
      this.averages.set(head, weights);
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
      const most = this.largest[n * this.queries + t];
      for (let s = 0; s < this.keys; s++, i++) {
        const cell = start + Math.floor((s * width) / this.keys);
        values[cell] = Math.max(values[cell], most * this.plain.values[this.codes[i]]);
      }
    }
    return { values, width, height };
  }
}

function sum(values, codes, from, to) {
  let total = 0;
  for (let i = from; i < to; i++) total += values[codes[i]];
  return total;
}

// ---- unpacking

function bytes(base64) {
  const text = atob(base64);
  const content = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) content[i] = text.charCodeAt(i);
  return content;
}

async function unpacked(base64) {
  const stream = new Blob([bytes(base64)]).stream();
  const whole = new Response(stream.pipeThrough(new DecompressionStream("deflate")));
  return new Uint8Array(await whole.arrayBuffer());
}

/** Codes of 16 bits from all their low bytes, and then all their high ones. */
function joined(planes) {
  const size = planes.length / 2;
  return Uint16Array.from({ length: size }, (_, i) => planes[i] + 256 * planes[size + i]);
}

const layers = new Map(); // by map: each is unpacked when it is first shown
async function layerOf(map, offset) {
  if (!layers.has(map)) {
    const levels = await unpacked(map.levels);
    const largest = new Float32Array(bytes(map.largest).buffer);
    layers.set(map, new Layer(map, map.bits === 16 ? joined(levels) : levels, largest, offset));
  }
  return layers.get(map);
}
