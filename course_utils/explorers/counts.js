// The explorer of chapter 05: what a layer costs, to learn and to keep, if it is wired in one of three ways.

const [LEFT, RIGHT, DECADES] = DATA.axis;
const [WIDTH, HEIGHT, ROW] = [1064, 390, 40];
const WIRINGS = ["fully connected", "locally connected", "convolution"];
const PAINT = ["red", "orange", "blue"];
const BYTES = 4; // bytes of a number in float32

const state = { ...DATA.start };
const shown = {}; // the numbers in the picture

// What is computed.

/** Weights to learn and outputs to keep, of each of the three; or the sentence that says why there are none. */
function compute() {
  const { side, hidden, field, filters } = state, units = 10 ** hidden, places = (side - field + 1) ** 2;
  const misfit = `No window fits: the field has ${field} × ${field} pixels, the image ${side} × ${side}.`;
  shown.refused = field > side ? misfit : "";
  shown.weights = [side ** 2 * units, field ** 2 * units, field ** 2 * filters];
  shown.outputs = [units, units, places * filters];
  const comma = units.toLocaleString("en");
  shown.learned = [`${side}² · ${comma}`, `${field}² · ${comma}`, `${field}² · ${filters}`];
  shown.kept = [comma, comma, `${side - field + 1}² · ${filters}`];
}

function scaled(value, units) {
  const [scale, name] = units.find(([least]) => value >= least);
  return number(value / scale) + name;
}
const amount = (count) => (count < 1e6 ? count.toLocaleString("en") : scaled(count, DATA.units));
const memory = (count) => scaled(BYTES * count, DATA.memory);

function told() {
  const [full, local, shared] = shown.weights, times = (more, less) => amount(Math.round(more / less));
  const local_saves = `A local field has ${times(full, local)} times fewer weights`;
  const sharing = local >= shared ? `${times(local, shared)} times fewer` : `${times(shared, local)} times more`;
  return `${local_saves}; sharing has ${sharing} again: ${memory(full)} become ${memory(shared)}.`;
}

// What is drawn.
const { svg, layers: [axis, bars] } = stage(WIDTH, HEIGHT);
const across = (count) => LEFT + ((RIGHT - LEFT) * Math.log10(count)) / DECADES;
const straight = ([x, y], [right, end], style) => path(`M${x} ${y}L${right} ${end}`, style);

function drawAxis() {
  const y = HEIGHT - 68, card = across(DATA.card / BYTES);
  const parts = DATA.ticks.map(([power, name]) => {
    const x = across(10 ** power), quiet = (below, words) => text([x, y + below], words, 12, "quiet");
    return straight([x, 26], [x, y], stroke("light", 1)) + quiet(12, name) + quiet(28, memory(10 ** power));
  });
  parts.push(straight([LEFT, y], [RIGHT, y], stroke("grey", 1)));
  parts.push(straight([card, 26], [card, y], `${stroke("red")}; stroke-dasharray: 5 4`));
  parts.push(text([card, 14], "80 GB: a large GPU", 12), text([8, HEIGHT - 14], DATA.note, 12, "start quiet"));
  axis.innerHTML = parts.join("");
}

function group(title, top, counts, formulas) {
  const rows = counts.map((count, i) => {
    const y = top + ROW * (i + 1), bar = box([LEFT, y - 12], across(count) - LEFT, 24, `fill: var(--${PAINT[i]})`);
    const label = text([LEFT - 10, y - 7], WIRINGS[i], 14, "end");
    const told = `${amount(count)} · ${memory(count)}`, place = [across(count) + 8, y];
    const ground = box([place[0] - 4, y - 11], 7.6 * told.length, 22, "fill: white");
    const formula = text([LEFT - 10, y + 9], formulas[i], 12, "end quiet");
    return bar + ground + label + formula + text(place, told, 14, "start bold");
  });
  return text([8, top], title, 16, "start bold") + rows.join("");
}

function draw(changes) {
  Object.assign(state, changes);
  compute();
  say(shown.refused || told(), Boolean(shown.refused));
  const below = 14 + 4 * ROW - 6;
  const all = () =>
    group("weights to learn", 14, shown.weights, shown.learned) +
    group("outputs to keep, for one image", below, shown.outputs, shown.kept);
  bars.innerHTML = shown.refused ? "" : all();
}

// What is chosen.
const NAMES = Object.keys(DATA.bounds);
const same = (values) => NAMES.every((name, i) => state[name] === values[i]);
const begun = Object.keys(DATA.presets).find((name) => same(DATA.presets[name]));
const choose = choice("example", Object.keys(DATA.presets), begun, (name) => {
  const values = DATA.presets[name];
  values.forEach((value, i) => put[i](value));
  draw(Object.fromEntries(NAMES.map((name, i) => [name, values[i]])));
});
const put = NAMES.map((name) =>
  slider(
    name, state[name], DATA.bounds[name],
    (value) => {
      choose("");
      draw({ [name]: value });
    },
    (value) => (name === "hidden" ? `10${[..."⁰¹²³⁴⁵⁶⁷"][value]}` : value)
  )
);
drawAxis();
draw();
live();
