// The explorer of chapter 11: layers in a stack, the field that grows with each, and one window that sees as much.

const [LEFT, RIGHT, ROW, SIDE] = DATA.frame;
const [WIDTH, HEIGHT] = [1064, SIDE + 66];
const PAINT = ["blue", "red"]; // of the stack and of the single window
const UNITS = [[1e9, " billion"], [1e6, " million"], [1e3, " thousand"]];

const state = { ...DATA.start };
const shown = {}; // the numbers in the picture

// What is computed.

/** The field behind each layer, and weights, multiply-adds and outputs: of the stack, and of one window. */
function compute() {
  const { kernel_size: kernel, layers, stride } = state, maps = 2 ** state.channels;
  const side = Math.floor((DATA.size + 2 * Math.floor(kernel / 2) - kernel) / stride) + 1;
  shown.fields = range(layers).map((i) => kernel + i * (kernel - 1) * stride);
  shown.field = shown.fields.at(-1);
  const cost = (size, count) => {
    const weights = count * size ** 2 * maps ** 2;
    return [weights, weights * side ** 2, count * maps * side ** 2];
  };
  shown.costs = [cost(kernel, layers), cost(shown.field, 1)];
  const several = `${layers} layer${layers > 1 ? "s" : ""} of ${kernel} × ${kernel}`;
  shown.names = [several, `one of ${shown.field} × ${shown.field}`];
}

function amount(count) {
  const [scale, unit] = UNITS.find(([least]) => count >= least) ?? [1, ""];
  return number(count / scale) + unit;
}

function told() {
  const { kernel_size: kernel, layers } = state, field = shown.field;
  const [small, large] = [layers * kernel ** 2, field ** 2];
  const wide = field > DATA.size ? ", more than the picture" : "";
  const sees = `A unit of the last layer sees ${field} × ${field} pixels${wide}.`;
  if (layers === 1) return `${sees} Stack more layers.`;
  const weights = `Between C maps the stack has ${small} C² weights, one window ${large} C²`;
  const factor = large > small ? `: ${number(large / small)} times as many` : large < small ? ": fewer" : "";
  return `${sees} ${weights}${factor}. It keeps ${layers} outputs in place of one.`;
}

// What is drawn.
const { ground, layers: [, marks] } = stage(WIDTH, HEIGHT);
const pixels = bytes(DATA.photograph);
const photograph = range(DATA.size).map((i) => range(DATA.size).map((j) => DATA.size * i + j));
const color = (place) => [...pixels.slice(3 * place, 3 * place + 3)];

function drawFields() {
  const scale = SIDE / DATA.size;
  const frames = shown.fields.map((field, i) => {
    const middle = DATA.size / 2, half = Math.floor(field / 2);
    const start = Math.max(0, middle - half), end = Math.min(DATA.size, middle + half + 1);
    const corner = 8 + start * scale;
    return square([corner, corner + 26], (end - start) * scale, stroke(DATA.colors[i], 3));
  });
  const heading = text([8, 14], "the field behind each layer [pixels]", 14, "start bold");
  return heading + frames.join("") + text([8, SIDE + 52], [1, ...shown.fields].join(" → "), 14, "start bold");
}

function drawCosts(title, i) {
  const y = 14 + i * (3 * ROW + 16), counts = shown.costs.map((costs) => costs[i]), most = Math.max(...counts);
  const rows = counts.map((count, k) => {
    const place = y + ROW * (k + 1), wide = ((RIGHT - LEFT) * count) / most;
    const name = text([LEFT - 10, place], shown.names[k], 13, "end");
    const bar = box([LEFT, place - 12], wide, 24, `fill: var(--${PAINT[k]})`);
    return name + bar + text([LEFT + wide + 8, place], amount(count), 14, "start bold");
  });
  return text([LEFT - 110, y], title, 14, "start bold") + rows.join("");
}

function draw(changes) {
  Object.assign(state, changes);
  compute();
  marks.innerHTML = drawFields() + DATA.titles.map(drawCosts).join("");
  say(told());
}

// What is chosen.
const windowed = (size) => `${size} × ${size}`;
choice("window", DATA.kernels, state.kernel_size, (kernel_size) => draw({ kernel_size }), windowed);
const worded = { layers: String, stride: String, channels: (power) => String(2 ** power) };
for (const [name, bounds] of Object.entries(DATA.bounds))
  slider(name, state[name], bounds, (value) => draw({ [name]: value }), worded[name]);
ground.sheet([8, 34], SIDE / DATA.size, photograph, color);
draw();
live();
