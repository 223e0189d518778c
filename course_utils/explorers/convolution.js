// The explorer of chapter 06: a window over an image. Point at an output and see what it is the sum of; point at a
// pixel and see which outputs read it; turn a weight and see what becomes of the image.

const [WIDTH, HEIGHT, TOP, TALL] = [1064, 424, 34, 360];
const [INPUT, PIXELS, WEIGHTS, PRODUCTS, SUMS, OUTPUT] = [8, 296, 427, 558, 690, 806]; // where each column begins
const [IMAGE, SLICE, BLOCK, DIAL] = [250, 112, 105, 32]; // sides: an image, one of three channels, a kernel, the bias
const CHANNELS = ["red", "green", "blue"];
const OWN = "your own";
const HINT = "Point at an output or at a pixel. Drag a weight or the bias up or down, or use the arrow keys.";

const state = { ...DATA.start, pixel: null, own: null }; // pixel: pointed at, in place of an output
const shown = {}; // the numbers in the picture
for (const each of Object.values(DATA.images)) each.planes = each.planes.map(bytes);

// What is computed.
const image = () => DATA.images[state.image];
const inside = (...place) => place.every((i) => i >= 0 && i < state.size);

/** A pixel; rows and columns count from the first one that is no padding. */
const pixel = (channel, row, column) => shown.padded[channel][row + state.padding][column + state.padding];

function weights() {
  const { kernel, kernel_size: size, channels } = state;
  if (kernel !== OWN) return Array(channels).fill(DATA.kernels[kernel][size]);
  return state.own.slice(0, channels).map((plane) => plane.slice(0, size).map((row) => row.slice(0, size)));
}

/** All outputs; or the sentence that says why there are none. */
function compute() {
  const { size, kernel_size, padding, kernel, channels } = state, { planes, side } = image();
  const used = channels === 1 ? planes.slice(3) : planes.slice(0, 3);
  Object.assign(shown, windows(state));
  shown.padded = used.map((plane) => framed(plane, side, size, padding));
  if (kernel !== OWN && !DATA.kernels[kernel][kernel_size]) shown.refused = DATA.refusals[kernel];
  if (shown.refused) Object.assign(shown, { reads: [], unread: [] });
  shown.weights = shown.refused ? [] : weights();
  shown.outputs = convolved(shown.padded, shown.weights, state.bias, shown.reads, padding);
  state.output = state.output.map((i) => clamp(i, 0, Math.max(0, shown.outputs.length - 1)));
  if (state.pixel?.some((j) => j < -padding || j >= size + padding)) state.pixel = null;
}

/** What is pointed at: its readers; of each weight the pixel that it meets, null for none, and their product; sums. */
function look() {
  const { pixel: at, output: [i, j] } = state, { reads } = shown;
  const [rows, columns] = (at ?? []).map((place) => readersOf(reads, place));
  const meets = (k, l) => rows.some((o) => reads[o][k] === at[0]) && columns.some((o) => reads[o][l] === at[1]);
  const value = (c, k, l) => (!at ? pixel(c, reads[i][k], reads[j][l]) : meets(k, l) ? pixel(c, ...at) : null);
  const each = (f) => shown.weights.map((plane, c) => plane.map((row, k) => row.map((_, l) => f(c, k, l))));
  shown.readers = at ? rows.flatMap((row) => columns.map((column) => [row, column])) : [[i, j]];
  shown.pixels = each(value);
  shown.products = each((c, k, l) => shown.pixels[c][k][l] && shown.pixels[c][k][l] * shown.weights[c][k][l]);
  shown.sums = at ? [] : shown.products.map((plane) => plane.flat().reduce((a, b) => a + b));
  shown.equation = at ? "" : `${written([...shown.sums, state.bias])} = ${number(shown.outputs[i][j])}`;
  const places = (i) => listed(reads[i]);
  if (!at) return `Output [${i}, ${j}] = ${shown.equation}. It reads rows ${places(i)} and columns ${places(j)}.`;
  const many = ["no output", "one output"][shown.readers.length] ?? `${shown.readers.length} outputs`;
  const note = shown.readers.length > 1 ? ", by each through another weight" : "";
  const values = listed(range(state.channels).map((c) => pixel(c, ...at)));
  return `${inside(...at) ? "Pixel" : "Padding"} [${listed(at)}], value ${values}, is read by ${many}${note}.`;
}

// What is drawn.
const { svg, layers: [words, marks], ground, blocks, lit } = stage(WIDTH, HEIGHT);
const numeric = () => state.image === "numbers";
const wide = () => (state.channels === 1 ? IMAGE : SLICE);
const side = () => wide() / shown.padded[0].length; // of a pixel
const cell = () => Math.min(50, IMAGE / shown.outputs.length); // of an output
const unit = () => Math.min(40, BLOCK / state.kernel_size); // of a weight
const middle = (c) => TOP + (state.channels === 1 ? IMAGE / 2 : (TALL * (c + 0.5)) / 3); // of a channel's row
const corner = (c) => [INPUT + IMAGE - wide(), middle(c) - wide() / 2];
const blockAt = (x, c) => [x + (BLOCK - unit() * state.kernel_size) / 2, middle(c) - (unit() * state.kernel_size) / 2];
const biasAt = () => [SUMS + 30 - DIAL / 2, middle(state.channels - 1) + 24];
const outputAt = ([i, j]) => [OUTPUT + j * cell(), TOP + i * cell()];
const below = (line) => [OUTPUT, TOP + cell() * shown.outputs.length + 28 + 24 * line];
const pixelAt = (c, place) => corner(c).map((start, axis) => start + (place[1 - axis] + state.padding) * side());

/** Image and output: what stays where it is while another place is pointed at. */
function drawImages() {
  ground.clear();
  const { padding, channels, size } = state, { white } = image(), { padded, outputs } = shown, many = channels > 1;
  const within = (color) => (value, i, j) => (inside(i - padding, j - padding) ? color(value, i, j) : [232, 232, 232]);
  const unread = crossings(shown.unread, range(size + 2 * padding, -padding));
  for (const [c, plane] of padded.entries()) {
    const color = (value) => shade(value / white, many ? c : null, numeric());
    ground.sheet(corner(c), side(), plane, within(color), numeric());
    ground.hatch(unread.map((place) => pixelAt(c, place)), side());
  }
  const together = within((_, i, j) => padded.map((plane) => (255 * plane[i][j]) / white));
  if (many && !numeric()) ground.sheet([INPUT, middle(1) - 42], 84 / padded[0].length, padded[0], together);
  const [color, tones] = numeric() ? [() => thinned(RGB.sky, 0.25), ""] : greys(outputs.flat());
  ground.sheet([OUTPUT, TOP], cell(), outputs, color, numeric());
  const names = many ? CHANNELS.map((name, c) => text([corner(c)[0] - 6, middle(c)], name, 14, "end")) : [];
  words.innerHTML = names.join("") + captions(outputs.length) + text(below(2), tones, 14, "start");
}

function captions(length) {
  const { size, padding, image } = state, framed = padding ? `, padded by ${padding}` : "";
  const parts = [text([INPUT, 14], `${image}, ${size} × ${size}${framed}`, 15, "start bold")];
  parts.push(text([OUTPUT, 14], length ? `output, ${length} × ${length}` : "no output", 15, "start bold"));
  const notes = [HINT, numeric() ? "" : DATA.credit], under = state.channels === 1 ? TOP + IMAGE + 28 : HEIGHT - 22;
  parts.push(...notes.map((note, i) => text([INPUT, under + 16 * i], note, 12, "start quiet")));
  const heads = [[PIXELS + BLOCK / 2, "pixels"], [WEIGHTS + BLOCK / 2, "weights"], [PRODUCTS + BLOCK / 2, "products"]];
  for (const [x, name] of length ? [...heads, [SUMS + 30, "sum"]] : []) parts.push(text([x, 14], name, 15, "bold"));
  return parts.join("") + (length ? text(below(1), shown.formula, 14, "start") : "");
}

function drawWindow(c) {
  const { output: [i, j], pixel: at } = state, { reads } = shown;
  const [x, y] = pixelAt(c, at ?? [reads[i][0], reads[j][0]]), [left, top] = blockAt(PIXELS, c);
  const reach = side() * (at ? 1 : state.dilation * (state.kernel_size - 1) + 1), right = x + reach;
  const guides = `M${right} ${y}L${left} ${top}M${right} ${y + reach}L${left} ${top + unit() * state.kernel_size}`;
  const read = at ? [] : reads[i].flatMap((row) => reads[j].map((column) => [row, column]));
  const cells = read.map((place) => lit(pixelAt(c, place), side(), numeric() ? pixel(c, ...place) : null, "orange"));
  return cells.join("") + square([x, y], reach, stroke("red", 2.5)) + path(guides, stroke("red", 1));
}

function drawProducts(c) {
  const rows = [shown.pixels, shown.weights, shown.products].map((planes) => planes[c]);
  const colors = [() => thinned(RGB.orange, 0.4), signed(shown.weights.flat(2)), signed(shown.products.flat(2))];
  [PIXELS, WEIGHTS, PRODUCTS].forEach((x, i) => blocks.sheet(blockAt(x, c), unit(), rows[i], colors[i], true));
  return text([WEIGHTS - 13, middle(c)], "×", 18) + text([PRODUCTS - 13, middle(c)], "=", 18);
}

function drawSums() {
  const [x, y] = biasAt(), end = [OUTPUT - 3, outputAt(state.output)[1] + cell() / 2];
  const parts = shown.sums.map((sum, c) => {
    const frame = box([SUMS, middle(c) - 13], 60, 26, stroke("grey", 1));
    return frame + text([SUMS + 30, middle(c)], number(sum), 15) + curve([SUMS + 60, middle(c)], end);
  });
  blocks.sheet([x, y], DIAL, [[state.bias]], signed([state.bias, ...shown.weights.flat(2)]), true);
  parts.push(text([SUMS + 30, y + DIAL + 11], "bias"), state.pixel ? "" : curve([x + DIAL, y + DIAL / 2], end));
  return parts.join("") + text(below(0), shown.equation, Math.min(18, 450 / shown.equation.length), "start bold");
}

/** What is pointed at: windows, products, sums and bias, and the outputs that they belong to. */
function drawMarks(changes) {
  Object.assign(state, changes);
  say(shown.refused || look(), Boolean(shown.refused));
  blocks.clear();
  const value = ([i, j]) => (numeric() ? shown.outputs[i][j] : null);
  const reader = (at) => lit(outputAt(at), cell(), value(at), "blue", true);
  const channels = (draw) => range(state.channels).map(draw).join("");
  const all = () => shown.readers.map(reader).join("") + channels(drawWindow) + channels(drawProducts) + drawSums();
  marks.innerHTML = shown.refused ? "" : all();
}

// What is chosen, pointed at and turned.
function draw(changes) {
  Object.assign(state, changes);
  compute();
  drawImages();
  drawMarks();
  const { channels, kernel_size: size, output } = state, length = shown.outputs.length, all = shown.padded[0].length;
  const count = (c, size) => (c < channels ? [size, size] : [0, 0]);
  inputs.forEach((put, c) => put(corner(c), side(), count(c, all)));
  dials.forEach((put, c) => put(blockAt(WEIGHTS, c), unit(), count(c, length && size)));
  bias(biasAt(), DIAL, [length && 1, 1]);
  outputs([OUTPUT, TOP], length && cell(), [length, length], output);
}

/** A kernel that is not yet the reader's own becomes it: the one that is there. */
function adopt() {
  if (state.kernel === OWN) return;
  const weight = (c, k, l) => (shown.weights[c] ?? shown.weights[0])?.[k]?.[l] ?? 0;
  state.own = range(3).map((c) => range(5).map((k) => range(5).map((l) => weight(c, k, l))));
}

function turn(steps, c, k, l) {
  adopt();
  state.own[c][k][l] = clamp(Math.round(2 * state.own[c][k][l] + steps) / 2, -9, 9); // in halves
  chooseKernel(OWN);
  draw({ kernel: OWN });
  tell(c, k, l);
}
const tell = (c, k, l) => say(`Weight [${k}, ${l}] is ${number(shown.weights[c][k][l])}. ${shown.refused || look()}`);

choice("image", Object.keys(DATA.images), state.image, (name) => {
  const { size, sizes } = DATA.images[name];
  setSize(size, sizes);
  draw({ image: name, size, output: [size >> 1, size >> 2], pixel: null });
});
choice("channels", [1, 3], state.channels, (channels) => draw({ channels }), (n) => `${n} channel${n > 1 ? "s" : ""}`);
const chooseKernel = choice("kernel", [...Object.keys(DATA.kernels), OWN], state.kernel, (kernel) => {
  if (kernel === OWN) adopt();
  draw({ kernel });
});
const setSize = slider("size", state.size, image().sizes, (size) => draw({ size }));
for (const [name, bounds] of Object.entries(DATA.bounds))
  slider(name, state[name], bounds, (value) => draw({ [name]: value }));

const pointAt = (...place) => drawMarks({ pixel: place.map((i) => i - state.padding) });
const turnBias = (steps) => draw({ bias: clamp(state.bias + steps, -99, 99) });
const inputs = range(3).map((c) => grid(svg, `image, channel ${c + 1}`, pointAt));
const dials = range(3).map((c) =>
  grid(svg, `weights, channel ${c + 1}`, (...at) => tell(c, ...at), (steps, ...at) => turn(steps, c, ...at))
);
const bias = grid(svg, "bias", () => say(`The bias is ${number(state.bias)}.`), turnBias);
const outputs = grid(svg, "output", (...output) => drawMarks({ output, pixel: null }));
draw();
live();
