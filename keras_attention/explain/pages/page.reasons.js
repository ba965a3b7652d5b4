// ---- the model's answer, and why: relevance, weights, and what deleting elements does

const percent = (p) => (p >= 0.9995 ? "> 99.9 %" : p < 0.0005 ? "< 0.1 %" : `${(100 * p).toFixed(1)} %`);
const rounded = (value) => String(Number(value.toPrecision(4)));

/** Fills the panel of the answer; an answer may be one for each position of a sequence. */
function showAnswer({ answer, name }) {
  byId("answer").hidden = !answer;
  if (!answer) return;
  byId("input").textContent = name;
  const each = answer.of !== "";
  byId("position").closest("label").hidden = !each;
  byId("position").max = answer.choices.length;
  byId("position").value = answer.choices.length;
  showChoices(answer, answer.choices.length - 1);
}

/** Shows what the model says at a position, or of the whole input. */
function showChoices(answer, position) {
  const choices = answer.choices[position];
  const written = answer.chosen?.[position];
  byId("position").value = position + 1;
  const place = `${position + 1} of ${answer.choices.length}`;
  byId("position").setAttribute("aria-valuetext", place);
  byId("where").textContent = answer.of === "" ? "" : `${answer.of}: ${place}`;
  byId("choices").replaceChildren(
    ...choices.map(([name, value]) => {
      const line = element("li", name === written ? "written" : "");
      const text = answer.probable ? percent(value) : typeof value === "number" ? rounded(value) : value;
      const bar = element("i", "bar");
      bar.style.width = answer.probable ? `${100 * value}%` : "0";
      const track = element("span", "track");
      track.append(bar);
      line.append(element("span", "token", legible(name)), track, element("b", "", text));
      return line;
    }),
  );
}

/** Fills the panel of reasons with those of an example, one for each of its inputs, or says why
 * there are none. */
function showReasons({ reasons, unexplained = "" }) {
  byId("why").hidden = !reasons.length && !unexplained;
  byId("how").hidden = !reasons.length;
  const said = element("p", "quiet", unexplained);
  byId("reasons").replaceChildren(...reasons.map((reason) => new Reason(reason).root), said);
}

/** One input: its elements under each method's scores, and a slider that takes elements away. */
class Reason {
  constructor(reason) {
    this.reason = reason;
    this.root = element("article", "reason");
    this.panels = reason.methods.filter(({ shares }) => shares).map((method) => this.panel(method));
    const panels = element("div", "panels");
    panels.append(...this.panels.map(({ root }) => root));
    this.root.append(element("h3", "", `${reason.of}, for ${reason.target}`), panels);
    if (reason.counts) this.addSlider();
  }

  panel(method) {
    const root = element("figure", "panel shaded");
    const box = element("div", "items");
    box.setAttribute("role", "group");
    box.tabIndex = 0; // keys have to reach what scrolls
    box.setAttribute("aria-label", `elements by ${method.name}`);
    const items = build(box, this.reason.parts);
    items.forEach(({ node, label }, i) => {
      node.setAttribute("role", "img");
      node.setAttribute("aria-label", `${label}: ${method.shares[i].toFixed(2)} of the largest`);
    });
    shade(items, method.shares, hues.keys, hues.against);
    root.append(element("figcaption", "", method.title), box, element("p", "quiet", method.says));
    return { root, items, method };
  }

  addSlider() {
    const { counts } = this.reason;
    const label = element("label", "slider", "Take away the highest ");
    const slider = element("input", "deletion");
    Object.assign(slider, { type: "range", min: 0, max: counts.length - 1, value: 0 });
    label.append(slider);
    this.chart = drawing("svg", { viewBox: "0 0 300 120", class: "chart", role: "img" });
    this.told = element("p", "told");
    this.told.setAttribute("role", "status");
    slider.addEventListener("input", () => this.takeAway(Number(slider.value)));
    this.slider = slider;
    this.root.append(label, this.told, this.chart);
    this.takeAway(0);
  }

  /** Shows the inputs without the elements that each method ranks highest. */
  takeAway(point) {
    const { counts, methods, target, kind } = this.reason;
    const count = counts[point];
    this.slider.setAttribute("aria-valuetext", `${count} of ${counts.at(-1)} ${kind}`);
    for (const { items, method } of this.panels) {
      const away = new Set(method.order.slice(0, count));
      items.forEach(({ node }, i) => node.classList.toggle("away", away.has(i)));
    }
    const by = methods.map(({ name, curve }) => `${name} ${percent(curve[point])}`).join(", ");
    this.told.textContent = `Without ${count} of ${counts.at(-1)} ${kind}, ${target} has: by ${by}.`;
    this.draw(point);
  }

  draw(point) {
    const { counts, methods } = this.reason;
    const most = Math.max(...methods.flatMap(({ curve }) => curve), 1e-9);
    const x = (i) => 8 + (284 * counts[i]) / Math.max(1, counts.at(-1));
    const y = (p) => 104 - (92 * p) / most;
    this.chart.replaceChildren(drawing("path", { d: "M8 12V104H292", class: "axis" }));
    const mark = drawing("path", { d: `M${x(point)} 12V104`, class: "axis" });
    this.chart.append(mark, ...methods.map(({ name, curve }) => {
      const points = curve.map((p, i) => `${x(i)},${y(p)}`).join(" ");
      return drawing("polyline", { points, class: name });
    }));
    const lines = "blue relevance, orange dashes weights, grey dots random";
    this.chart.setAttribute(
      "aria-label",
      `Probability, up to ${percent(most)}, as elements are taken away: ${lines}`,
    );
  }
}
