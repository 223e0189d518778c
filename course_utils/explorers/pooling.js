// The explorer of chapter 07: a grid of windows that stays where it is, and an image that is dragged under it. What the
// windows keep is shown beside what they kept before the image moved, and how much the whole map has changed.

const [WIDTH, HEIGHT, TOP] = [1064, 432, 34];
const [INPUT, NOW, BEFORE] = [8, 408, 742]; // where the image and the two maps begin
const [IMAGE, MAP] = [352, 240]; // their sides
const PLOT = { x: 442, y: 308, width: 540, height: 60 }; // the change over the shift
const HINT = "Drag the image, or move it with the arrow keys. Point at an output to see its window.";
const SAID = { max: "the largest", average: "the average", "one pixel": "the first" };

const state = { ...DATA.start };
const shown = {}; // the numbers in the picture
for (const each of Object.values(DATA.images)) each.plane = bytes(each.plane);

// What is computed.
const image = () => DATA.images[state.image];
const size = () => image().side - 2 * DATA.reach;

/** What lies under the grid when the image has moved so far down and to the right. */
function seen(down, right) {
  const { plane, side } = image(), first = [DATA.reach - down, DATA.reach - right];
  return range(size(), first[0]).map((row) => range(size(), first[1]).map((column) => plane[row * side + column]));
}

const KEEP = {
  max: (values) => Math.max(...values),
  average: (values) => values.reduce((a, b) => a + b), // whole numbers, so that equal windows have equal sums
  "one pixel": (values) => values[0],
};

/** All outputs: of each row of pixels what its windows keep, and of these, column by column, the same again. */
function pooled(pixels) {
  const keep = KEEP[state.pool], { reads } = shown, count = state.pool === "average" ? state.kernel_size ** 2 : 1;
  const across = pixels.map((row) => reads.map((columns) => keep(columns.map((j) => row[j]))));
  return reads.map((rows) => reads.map((_, j) => keep(rows.map((i) => across[i][j])) / count));
}

/** The place that an output is taken from: the first one in its window with the same value. */
function takenFrom(rows, columns, output) {
  for (const i of rows) for (const j of columns) if (shown.pixels[i][j] === output) return [i, j];
  return [rows[0], columns[0]]; // of an average: none in particular
}

/** ||a − b|| / ||b|| of two maps; 0 for maps of zeros. */
function change(a, b) {
  const long = (f) => Math.sqrt(b.reduce((sum, row, i) => sum + row.reduce((s, _, j) => s + f(i, j) ** 2, 0), 0));
  return long((i, j) => a[i][j] - b[i][j]) / (long((i, j) => b[i][j]) || 1);
}

function compute() {
  const { kernel_size, stride, down, right } = state;
  Object.assign(shown, windows({ size: size(), kernel_size, stride, padding: 0, dilation: 1 }));
  shown.pixels = seen(down, right);
  shown.outputs = pooled(shown.pixels);
  shown.taken = shown.reads.map((rows, i) => shown.reads.map((cols, j) => takenFrom(rows, cols, shown.outputs[i][j])));
  shown.before = pooled(seen(0, 0));
  const along = (shift) => (shift === right ? shown.outputs : pooled(seen(down, shift)));
  shown.curve = range(2 * DATA.reach + 1, -DATA.reach).map((shift) => change(along(shift), shown.before));
  shown.change = shown.curve[right + DATA.reach];
  shown.changed = shown.outputs.flat().filter((value, i) => value !== shown.before.flat()[i]).length;
  state.output = state.output.map((i) => Math.min(i, shown.outputs.length - 1));
}

/** The sentence on what is pointed at. */
function look() {
  const { output: [i, j], pool, kernel_size, down, right } = state, all = shown.outputs.length ** 2;
  const of = `${SAID[pool]} of ${kernel_size ** 2} pixels`, from = `from [${listed(shown.taken[i][j])}]`;
  const where = pool === "average" ? of : `${of}, ${from}`;
  const map = `Moved by ${number(down)} down and ${number(right)} right: ${shown.changed} of ${all} outputs differ`;
  const output = `Output [${i}, ${j}] = ${number(shown.outputs[i][j])}: ${where}.`;
  return `${map}; the change is ${number(shown.change)}. ${output}`;
}

// What is drawn.
const { svg, layers: [words, marks], ground, blocks, lit } = stage(WIDTH, HEIGHT);
const numeric = () => state.image === "numbers";
const cell = () => IMAGE / size(); // of a pixel
const unit = () => MAP / shown.outputs.length; // of an output
const pixelAt = ([i, j]) => [INPUT + j * cell(), TOP + i * cell()];
const outputAt = ([i, j], start = NOW) => [start + j * unit(), TOP + i * unit()];

function drawMaps() {
  ground.clear();
  const color = (value) => shade(value / image().white, null, numeric()), { unread, outputs, before } = shown;
  ground.sheet([INPUT, TOP], cell(), shown.pixels, color, numeric());
  ground.hatch(crossings(unread, range(size())).map(pixelAt), cell());
  ground.sheet([NOW, TOP], unit(), outputs, color, numeric());
  ground.sheet([BEFORE, TOP], unit(), before, color, numeric());
  const output = `output, ${outputs.length} × ${outputs.length}; red: changed`;
  const heads = [[INPUT, "the image under the grid"], [NOW, output], [BEFORE, "before the image moved"]];
  const titles = heads.map(([x, name]) => text([x, 14], name, 15, "start bold"));
  const notes = [HINT, state.image === "photograph" ? DATA.credit : ""];
  const lines = notes.map((note, i) => text([INPUT, TOP + IMAGE + 22 + 16 * i], note, 12, "start quiet"));
  words.innerHTML = [...titles, ...lines, frames(), plot()].join("");
}

/** The windows, where they do not overlap; the pixels that they take; the outputs that have changed. */
function frames() {
  const { reads, taken, outputs, before } = shown, { kernel_size, stride, pool } = state, reach = kernel_size * cell();
  const firsts = stride < kernel_size || kernel_size === 1 ? [] : reads.map(([first]) => first);
  const starts = firsts.flatMap((row) => firsts.map((column) => [row, column]));
  const dots = pool === "average" || kernel_size === 1 ? [] : taken.flat();
  const places = range(outputs.length).flatMap((i) => range(outputs.length).map((j) => [i, j]));
  const changed = unit() < 14 ? [] : places.filter(([i, j]) => outputs[i][j] !== before[i][j]);
  const drawn = starts.map((place) => square(pixelAt(place), reach, stroke("sky", 1.5)));
  drawn.push(...dots.map((place) => square(pixelAt(place), cell(), stroke("orange", 2))));
  return [...drawn, ...changed.map((place) => square(outputAt(place), unit(), stroke("red", 1.5)))].join("");
}

/** The change over the shift to the right, with a dot for the shift as it is. */
function plot() {
  const { x, y, width, height } = PLOT, most = Math.max(...shown.curve, 0.1), here = state.right + DATA.reach;
  const at = (value, i) => [x + (i * width) / (shown.curve.length - 1), y + height * (1 - value / most)];
  const points = shown.curve.map(at), ticks = range(shown.curve.length, -DATA.reach);
  const labels = ticks.map((shift, i) => text([at(0, i)[0], y + height + 14], number(shift), 12));
  const [left, high] = points[here];
  const axis = path(`M${x} ${y}V${y + height}H${x + width}`, stroke("grey", 1));
  const line = path(`M${points.map((point) => point.join(" ")).join("L")}`, stroke("blue", 2));
  const dot = square([left - 5, high - 5], 10, `fill: var(--red); ${stroke("red", 1)}`);
  const ends = text([x - 6, y], number(most), 12, "end") + text([x - 6, y + height], "0", 12, "end");
  const title = text([NOW, y - 22], "change of the output over the shift to the right", 13, "start bold");
  return title + axis + line + dot + ends + labels.join("");
}

/** The output that is pointed at, and its window. */
function drawMarks(changes) {
  Object.assign(state, changes);
  say(look());
  blocks.clear();
  const { output: [i, j], kernel_size } = state, { reads, outputs, before } = shown;
  const place = [reads[i][0], reads[j][0]], value = (map) => (numeric() ? map[i][j] : null);
  const window = square(pixelAt(place), kernel_size * cell(), stroke("red", 3));
  const pair = [lit(outputAt([i, j]), unit(), value(outputs), "blue", true)];
  pair.push(lit(outputAt([i, j], BEFORE), unit(), value(before), "blue", true));
  marks.innerHTML = window + pair.join("");
}

// What is chosen, pointed at and dragged.
function draw(changes) {
  Object.assign(state, changes);
  compute();
  drawMaps();
  drawMarks();
  const { length } = shown.outputs;
  outputs([NOW, TOP], unit(), [length, length], state.output);
}

/** Move the image to a shift, as far as it reaches. */
function move(down, right) {
  [down, right] = [down, right].map((shift) => clamp(shift, -DATA.reach, DATA.reach));
  if (down === state.down && right === state.right) return;
  setDown(down);
  setRight(right);
  draw({ down, right });
}

choice("image", Object.keys(DATA.images), state.image, (image) => draw({ image }));
choice("pool", Object.keys(SAID), state.pool, (pool) => draw({ pool }));
const setSize = slider("kernel_size", state.kernel_size, DATA.bounds, (kernel_size) => {
  setStride(kernel_size); // the usual choice; the next slider makes another
  draw({ kernel_size, stride: kernel_size });
});
const setStride = slider("stride", state.stride, DATA.bounds, (stride) => draw({ stride }));
const shifts = [-DATA.reach, DATA.reach];
const setDown = slider("down", state.down, shifts, (down) => draw({ down }));
const setRight = slider("right", state.right, shifts, (right) => draw({ right }));

const LABEL = 'role="application" aria-label="image, to be dragged"';
svg.insertAdjacentHTML("beforeend", `<rect class="grid" tabindex="0" ${LABEL}/>`);
const area = svg.lastElementChild;
Object.entries({ x: INPUT, y: TOP, width: IMAGE, height: IMAGE }).forEach((given) => area.setAttribute(...given));
area.style.cursor = "move";
let held = null; // where the image was taken, and how far it had moved then
area.addEventListener("pointerdown", (event) => {
  area.setPointerCapture(event.pointerId);
  held = { x: event.clientX, y: event.clientY, down: state.down, right: state.right };
});
area.addEventListener("pointermove", (event) => {
  if (!event.buttons || !held) return;
  const scale = size() / area.getBoundingClientRect().width, steps = (pixels) => Math.round(pixels * scale);
  move(held.down + steps(event.clientY - held.y), held.right + steps(event.clientX - held.x));
});
area.addEventListener("keydown", (event) => {
  const [down, right] = ARROWS[event.key] ?? [0, 0];
  if (!down && !right) return;
  event.preventDefault();
  move(state.down + down, state.right + right);
});
const outputs = grid(svg, "output", (...output) => drawMarks({ output }));
draw();
live();
