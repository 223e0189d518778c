// The explorer of chapter 08: gradients on their way back through a convolution. Point at a weight and see the products
// that its gradient sums up; at a pixel, and see which outputs send it theirs; at an output, and see where its goes.

const [WIDTH, HEIGHT, TOP, LOWER] = [1064, 468, 34, 258]; // the tops of the two rows
const [IMAGE, KERNEL, BLOCK] = [190, 120, 176]; // sides: an image, a kernel, what is multiplied
const [INPUT, WEIGHTS, FIRST] = [8, 238, 414]; // where each column begins
const GAP = 224; // from one block to the next
const HINT = ["Point at a weight, at a pixel", "or at an output, or at the", "gradients below them."];

const state = { ...DATA.start }; // part and place: what is pointed at
const shown = {}; // the numbers in the picture
const looks = {}; // the colours of the upper sheets, by what is pointed at there

// What is computed.
const inside = (place) => place.every((i) => i >= 0 && i < state.size);
const pixel = (row, column) => shown.padded[row + state.padding][column + state.padding];
const kernel = (f) => range(state.kernel_size).map((k) => range(state.kernel_size).map((l) => f(k, l)));
const outputs = (f) => shown.reads.map((_, i) => shown.reads.map((_, j) => f(i, j)));
const total = (rows) => rows.flat().reduce((sum, value) => sum + (value ?? 0), 0);

/** Both gradients: all that arrives at a number adds up. */
function compute() {
  Object.assign(shown, windows(state));
  const { reads } = shown, { size, padding } = state;
  shown.padded = framed(DATA.x.flat(), DATA.x.length, size, padding);
  shown.weights = kernel((k, l) => DATA.weight[k][l]);
  shown.dy = outputs((i, j) => DATA.dy[i][j]);
  shown.dx = shown.padded.map((row) => row.map(() => 0));
  shown.dweight = kernel(() => 0);
  outputs((i, j) =>
    kernel((k, l) => {
      const [row, column] = [reads[i][k], reads[j][l]];
      shown.dweight[k][l] += shown.dy[i][j] * pixel(row, column);
      shown.dx[row + padding][column + padding] += shown.dy[i][j] * shown.weights[k][l];
    })
  );
}

/** What is pointed at still is there, or the one next to it. */
function keep() {
  const { part, place, kernel_size, size, padding } = state, count = shown.reads.length;
  const [low, high] = { weight: [0, kernel_size], output: [0, count], input: [-padding, size + padding] }[part];
  state.place = place.map((i) => clamp(i, low, Math.max(low, high - 1)));
}

/** Of a weight: pixel times gradient, for each output. */
function ofWeight(k, l) {
  const { reads, dy } = shown, left = outputs((i, j) => pixel(reads[i][k], reads[j][l]));
  const many = reads.length ** 2, pixels = outputs((i, j) => [reads[i][k], reads[j][l]]).flat();
  const words = `Weight [${k}, ${l}] meets ${many === 1 ? "one pixel" : `${many} pixels, one for each output`}.`;
  return { left, right: dy, names: ["pixels it meets", "gradients of outputs"], words, pixels, weights: [[k, l]],
    readers: outputs((i, j) => [i, j]).flat(), sum: shown.dweight[k][l] };
}

/** Of a pixel: weight times gradient, for each place of the kernel through which an output reads it. */
function ofInput(row, column) {
  const { reads, dy, weights } = shown;
  const by = (place, k) => reads.findIndex((read) => read[k] === place); // the output that reads it through weight k
  const pairs = kernel((k, l) => [by(row, k), by(column, l)]), read = ([i, j]) => i >= 0 && j >= 0;
  const left = kernel((k, l) => (read(pairs[k][l]) ? weights[k][l] : null));
  const right = kernel((k, l) => (read(pairs[k][l]) ? dy[pairs[k][l][0]][pairs[k][l][1]] : null));
  const readers = pairs.flat().filter(read), places = kernel((k, l) => [k, l]).flat();
  const several = `${readers.length} outputs, by each through a different weight`;
  const many = ["no output", "one output"][readers.length] ?? several;
  const words = `${inside([row, column]) ? "Pixel" : "Padding"} [${listed([row, column])}] is read by ${many}.`;
  return { left, right, names: ["weights", "gradients of outputs"], words, pixels: [[row, column]], readers,
    weights: places.filter(([k, l]) => read(pairs[k][l])), sum: shown.dx[row + state.padding][column + state.padding] };
}

/** Of an output: its gradient times each pixel of its window, the part that it adds to the gradients of the weights. */
function ofOutput(i, j) {
  const { reads, dy } = shown, left = kernel((k, l) => pixel(reads[i][k], reads[j][l]));
  const ways = "times the pixels to the weights, and its gradient times the weights to the pixels";
  const words = `Output [${i}, ${j}] sends its gradient ${ways}.`;
  return { left, right: kernel(() => dy[i][j]), names: ["pixels it reads", "its gradient"], words, readers: [[i, j]],
    pixels: kernel((k, l) => [reads[i][k], reads[j][l]]).flat(), weights: kernel((k, l) => [k, l]).flat(), sum: null };
}

function look() {
  const found = { weight: ofWeight, input: ofInput, output: ofOutput }[state.part](...state.place);
  const multiply = (value, j, row) => (value === null ? null : value * found.right[row][j]);
  found.products = found.left.map((row, i) => row.map((value, j) => multiply(value, j, i)));
  const thrown = state.part === "input" && !inside(state.place) ? " It is cut off, as padding is no input." : "";
  const end = found.sum === null ? "" : ` Its gradient is the sum of the products, ${number(found.sum)}.${thrown}`;
  return Object.assign(shown, { pointed: found }, { sentence: found.words + end });
}

// What is drawn.
const { svg, layers: [words, marks], ground, blocks } = stage(WIDTH, HEIGHT);
const side = () => IMAGE / shown.padded.length; // of a pixel
const unit = () => Math.min(40, KERNEL / state.kernel_size); // of a weight
const cell = () => Math.min(40, IMAGE / shown.reads.length); // of an output
const pixelAt = (top, [i, j]) => [INPUT + (j + state.padding) * side(), top + (i + state.padding) * side()];
const weightAt = (top, [k, l]) => [WEIGHTS + l * unit(), top + k * unit()];
const outputAt = (top, [i, j]) => [FIRST + j * cell(), top + i * cell()];
const outline = (places, side) => places.map(([x, y]) => `M${x} ${y}h${side}v${side}h${-side}z`).join("");
const title = (x, top, words) => text([x, top - 18], words, 14, "start bold");

/** What stays where it is while something else is pointed at. */
function drawSheets() {
  ground.clear();
  const { size, padding } = state, { padded, dx, weights, dweight, dy } = shown;
  const most = Math.max(...DATA.x.flat()), grey = (value) => shade(value / most, null, true);
  const framing = (color) => (value, i, j) => (inside([i - padding, j - padding]) ? color(value) : [232, 232, 232]);
  Object.assign(looks, { input: framing(grey), weight: signed(weights.flat()), output: signed(dy.flat()) });
  ground.sheet([INPUT, TOP], side(), padded, looks.input, true);
  ground.sheet([WEIGHTS, TOP], unit(), weights, looks.weight, true);
  const names = [title(INPUT, TOP, `input, ${size} × ${size}`), title(WEIGHTS, TOP, "weights")];
  if (!shown.refused) {
    ground.sheet([INPUT, LOWER], side(), dx, framing(signed(dx.flat())), true);
    ground.sheet([WEIGHTS, LOWER], unit(), dweight, signed(dweight.flat()), true);
    ground.sheet([FIRST, TOP], cell(), dy, looks.output, true);
    names.push(title(INPUT, LOWER, "gradient of the input"), title(WEIGHTS, LOWER, "gradient of weights"));
    names.push(title(FIRST, TOP, `gradient of the output, ${dy.length} × ${dy.length}`));
    names.push(text([FIRST + GAP, TOP + 10], `gradient of the bias: their sum, ${number(total(dy))}`, 14, "start"));
  }
  HINT.forEach((line, i) => names.push(text([FIRST + GAP, TOP + 50 + 17 * i], line, 12, "start quiet")));
  words.innerHTML = names.join("");
}

function drawProducts() {
  const { left, right, products, names, sum } = shown.pointed, length = left.length;
  const small = Math.min(40, BLOCK / length), across = small * length, middle = LOWER + across / 2;
  const sheets = [[left, names[0]], [right, names[1]], [products, "products"]];
  const parts = sheets.map(([rows, name], n) => {
    blocks.sheet([FIRST + n * GAP, LOWER], small, rows, signed(rows.flat().map((value) => value ?? 0)), true);
    const frame = square([FIRST + n * GAP, LOWER], across, stroke("grey", 1));
    const sign = n ? text([FIRST + n * GAP - 24, middle], n === 1 ? "×" : "=", 18) : "";
    return frame + sign + title(FIRST + n * GAP, LOWER, name);
  });
  const end = sum === null ? "" : `sum: ${number(sum)}`;
  return parts.join("") + text([FIRST + 2 * GAP, LOWER + across + 18], end, 16, "start bold");
}

/** A sheet of the upper row once more, with some places on a colour; from `padding` places before the first one. */
function lit(name, at, places, side, rows, padding) {
  const color = state.part === name ? "blue" : "orange", some = new Set(places.map(String));
  const here = (i, j) => some.has(`${i - padding},${j - padding}`);
  const look = (value, i, j) => (here(i, j) ? thinned(RGB[color], 0.5) : looks[name](value, i, j));
  blocks.sheet(at(TOP, [-padding, -padding]), side, rows, look, true);
  return path(outline(places.map((place) => at(TOP, place)), side), stroke(color, color === "blue" ? 2.5 : 1.5));
}

function drawMarks(changes) {
  Object.assign(state, changes);
  blocks.clear();
  marks.innerHTML = "";
  if (shown.refused) return say(shown.refused, true);
  say(look().sentence);
  const { pixels, weights, readers } = shown.pointed, { part } = state;
  const parts = [
    lit("input", pixelAt, pixels, side(), shown.padded, state.padding),
    lit("weight", weightAt, weights, unit(), shown.weights, 0),
    lit("output", outputAt, readers, cell(), shown.dy, 0),
  ];
  const below = (places, side) => parts.push(path(outline(places, side), stroke("blue", 2.5)));
  if (part !== "weight") below(pixels.map((at) => pixelAt(LOWER, at)), side());
  if (part !== "input") below(weights.map((at) => weightAt(LOWER, at)), unit());
  marks.innerHTML = parts.join("") + drawProducts();
}

// What is chosen and pointed at.
function draw(changes) {
  Object.assign(state, changes);
  compute();
  keep();
  drawSheets();
  drawMarks();
  const { kernel_size: size } = state, count = shown.reads.length, all = shown.padded.length;
  const rows = (count) => (shown.refused ? [0, 0] : [count, count]);
  inputs.forEach((put, n) => put([INPUT, [TOP, LOWER][n]], side(), rows(all)));
  weights.forEach((put, n) => put([WEIGHTS, [TOP, LOWER][n]], unit(), rows(size)));
  dy([FIRST, TOP], cell(), rows(count));
}

for (const [name, bounds] of Object.entries(DATA.bounds))
  slider(name, state[name], bounds, (value) => draw({ [name]: value }));
const pointInput = (...place) => drawMarks({ part: "input", place: place.map((i) => i - state.padding) });
const pointWeight = (...place) => drawMarks({ part: "weight", place });
const inputs = ["input", "gradient of the input"].map((name) => grid(svg, name, pointInput));
const weights = ["weights", "gradient of the weights"].map((name) => grid(svg, name, pointWeight));
const dy = grid(svg, "gradient of the output", (...place) => drawMarks({ part: "output", place }));
draw();
live();
