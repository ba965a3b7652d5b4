// Builds a form for what the model reads, asks the server, and shows its answers.
"use strict";

const one = (selector) => document.querySelector(selector);
let model = null;
let readers = []; // of a field each: its name, and a function that returns its value

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function addLabel(text, field, className = "") {
  one("#fields").append(make("label", { className }, text, " ", field));
  return field;
}

function addText(label, rows = 3) {
  const field = addLabel(label, make("textarea", { rows, required: true }));
  return () => field.value;
}

function addFile(label, accept, isImage) {
  const field = addLabel(label, make("input", { type: "file", accept, required: true }));
  const preview = make("img", { alt: "", hidden: true });
  if (isImage) field.after(preview);
  const read = () => new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new Error("The file cannot be read."));
    if (field.files.length) reader.readAsDataURL(field.files[0]);
    else reject(new Error("Choose a file first."));
  });
  field.addEventListener("change", async () => {
    preview.hidden = !field.files.length;
    if (isImage && field.files.length) preview.src = await read();
  });
  return read;
}

function addTable() {
  const fields = Object.entries(model.columns).map(([name, words]) => {
    const field = words === null
      ? make("input", { name, inputMode: "decimal" })
      : make("select", { name }, ...words.map((word) => make("option", {}, word)));
    return [name, addLabel(name, field, "column")];
  });
  return () => Object.fromEntries(fields.map(([name, field]) => [name, field.value]));
}

function addArray(name) {
  const shape = (model.shapes[name] ?? []).map((size) => size ?? "any").join(", ");
  const read = addText(`${name}, an array (${shape}) as JSON`, 6);
  return () => JSON.parse(read());
}

function addField(name, kind) {
  if (kind === "images") return addFile("Image", "image/*", true);
  if (kind === "recordings") return addFile("Recording", "audio/*", false);
  if (kind === "tables") return addTable();
  if (kind === "arrays") return addArray(name);
  if (model.pairs) {
    const question = addText("Question", 1);
    const text = addText("Text", 6);
    return () => [question(), text()];
  }
  return addText(model.is_object ? name : "Text");
}

function build() {
  const inputs = Object.entries(model.reads);
  const shown = model.is_object ? inputs : inputs.slice(0, 1);
  readers = shown.map(([name, kind]) => [name, addField(name, kind)]);
  one("#options").hidden = !model.writes;
  one("#most").max = model.limits.new_tokens;
  if (model.continues) one("#sampler").selectedIndex = 1; // the most probable tokens soon repeat
  one("#ask").textContent = model.writes ? "Write" : "Answer";
  const kinds = [...new Set(Object.values(model.reads))].join(" and ");
  const classes = model.classes.length ? `, ${model.classes.length} classes` : "";
  one("#about").textContent =
    `Reads ${kinds}${classes}; ${model.parameters.toLocaleString("en")} weights.`;
  one("#card").hidden = !model.card;
  one("#card pre").textContent = model.card;
}

async function readInput() {
  const values = [];
  for (const [name, read] of readers) values.push([name, await read()]);
  return model.is_object ? Object.fromEntries(values) : values[0][1];
}

async function post(path, content) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(content),
  });
  const isJson = (response.headers.get("Content-Type") ?? "").startsWith("application/json");
  if (response.ok) return isJson ? response.json() : response.text();
  throw new Error(isJson ? (await response.json()).error.message : response.statusText);
}

function showShares(ranking) {
  const rows = ranking.map(([name, share]) => {
    const isShare = share >= 0 && share <= 1;
    const bar = make("meter", { min: 0, max: 1, value: isShare ? share : 0, hidden: !isShare });
    const number = isShare ? `${(100 * share).toFixed(1)} %` : share.toPrecision(4);
    return make("tr", {}, make("th", {}, name), make("td", {}, bar), make("td", {}, number));
  });
  return make("table", {}, ...rows);
}

function mark(text, label) {
  return make("mark", {}, text, make("small", {}, label));
}

function showEntities(text, entities) {
  const shown = make("p");
  let end = 0;
  const characters = [...text]; // the server counts characters, JavaScript halves of some
  for (const entity of entities) {
    shown.append(characters.slice(end, entity.start).join(""), mark(entity.text, entity.label));
    end = entity.end;
  }
  shown.append(characters.slice(end).join(""));
  return shown;
}

function show(answer, input) {
  if (typeof answer === "string") return make("pre", {}, answer);
  if (Array.isArray(answer?.ranking)) return showShares(answer.ranking);
  if (Array.isArray(answer?.entities) && typeof input === "string") {
    return showEntities(input, answer.entities);
  }
  if (Array.isArray(answer?.words)) {
    const words = answer.words.flatMap((each) => [mark(each.word, each.label), " "]);
    return make("p", {}, ...words);
  }
  if (Array.isArray(answer?.masks)) {
    return make("div", {}, make("p", {}, answer.text),
      ...answer.masks.map((each) => showShares(each.ranking)));
  }
  if (typeof answer?.text === "string" && "start" in answer) {
    return make("p", {}, answer.text || "(no answer)",
      make("small", {}, ` ${(100 * answer.probability).toFixed(1)} %`));
  }
  return make("pre", {}, JSON.stringify(answer, null, 1));
}

async function run(work) {
  const answer = one("#answer");
  answer.setAttribute("aria-busy", "true");
  for (const button of document.querySelectorAll("button")) button.disabled = true;
  try {
    await work(answer);
  } catch (error) {
    answer.replaceChildren(make("p", { className: "error" }, error.message));
  }
  for (const button of document.querySelectorAll("button")) button.disabled = false;
  answer.setAttribute("aria-busy", "false");
}

function options() {
  const most = one("#most").value; // empty: as the server chooses
  return model.writes && most ? { max_new_tokens: Number(most) } : {};
}

one("#form").addEventListener("submit", (event) => {
  event.preventDefault();
  run(async (answer) => {
    const input = await readInput();
    const sampler = model.writes ? { sampler: JSON.parse(one("#sampler").value) } : {};
    const path = model.writes ? "/generate" : "/predict";
    const found = await post(path, { inputs: [input], ...options(), ...sampler });
    answer.replaceChildren(show(found.answers[0], input));
  });
});

one("#explain").addEventListener("click", () => run(async (answer) => {
  const page = await post("/explain", { input: await readInput(), ...options() });
  const frame = one("#attention");
  frame.hidden = false;
  frame.srcdoc = page;
  answer.replaceChildren();
}));

(async () => {
  try {
    model = await (await fetch("/model")).json();
    build();
  } catch (error) {
    one("#about").textContent = `The server does not answer: ${error.message}`;
  }
  one("#form").setAttribute("aria-busy", "false");
})();
