// The explorer of chapter 13: the paths through a residual network. Click a block to take it out, point at a bar.

const [LEFT, RIGHT, TOP, HIGH] = DATA.frame;
const [WIDTH, HEIGHT, MIDDLE] = [1064, 382, TOP + 40];
const HINT = "Click a block, or press Enter on it, to take it out and to put it back. Point at a bar.";

const state = { ...DATA.start, out: new Set(DATA.start.out), length: null }; // length: of the bar that is pointed at
const shown = {}; // the numbers in the picture

// What is computed.
function choose(n, k) {
  let count = 1;
  for (let i = 1; i <= k; i++) count = (count * (n - k + i)) / i;
  return count;
}

/** Paths by their length, the share of the gradient that each length carries, and their mean length by that share. */
function compute() {
  const { kind, blocks, factor, out } = state, alive = blocks - out.size, through = factor / 10;
  const lengths = range(blocks + 1), whole = alive === blocks ? 1 : 0;
  shown.paths = lengths.map((k) => (kind === "plain" ? (k === blocks ? whole : 0) : k > alive ? 0 : choose(alive, k)));
  const carried = shown.paths.map((count, k) => count * through ** k), sum = carried.reduce((a, b) => a + b);
  shown.shares = carried.map((each) => (sum ? each / sum : 0));
  shown.mean = shown.shares.reduce((total, share, k) => total + k * share, 0);
  shown.total = shown.paths.reduce((a, b) => a + b);
}

const comma = (count) => count.toLocaleString("en");
const many = (count, name) => `${comma(count)} ${name}${count === 1 ? "" : "s"}`;

function told() {
  const { kind, blocks, out, length } = state, before = kind === "plain" ? 1 : 2 ** blocks;
  if (length !== null) {
    const through = length ? `through ${length} of ${many(blocks, "block")}` : "around all blocks";
    const share = number(100 * shown.shares[length]);
    return `${many(shown.paths[length], "path")} ${through}. Together they carry ${share}% of the gradient.`;
  }
  const left = before === 1 ? "the only path is gone" : `${comma(shown.total)} of ${many(before, "path")} are left`;
  const whole = `${many(blocks, "block")}: ${many(before, "path")}.`;
  const first = out.size ? `Without ${many(out.size, "block")}, ${left}.` : whole;
  return shown.total ? `${first} By what they carry, their mean length is ${number(shown.mean)}.` : first;
}

// What is drawn.
const { svg, layers: [ground, bars] } = stage(WIDTH, HEIGHT);
const pitch = () => (RIGHT - LEFT) / state.blocks;
const wide = () => (RIGHT - LEFT) / shown.paths.length; // of the place of a bar

function drawBlock(i) {
  const x = LEFT + (i + 0.5) * pitch(), side = Math.min(34, 0.62 * pitch()), gone = state.out.has(i);
  const [begin, end] = [x - pitch() / 2, x + pitch() / 2], color = gone ? "grey" : "ink";
  const wire = path(`M${begin} ${MIDDLE}H${x - side / 2}M${x + side / 2} ${MIDDLE}H${end}`, stroke(color));
  const look = gone ? "fill: white; stroke-dasharray: 4 3" : "fill: var(--sky)";
  const block = box([x - side / 2, MIDDLE - 17], side, 34, `${look}; ${stroke(color, 1.2)}`);
  const cross = gone ? path(`M${x - 7} ${MIDDLE - 7}l14 14m0 -14l-14 14`, stroke("red", 2)) : "";
  if (state.kind === "plain") return wire + block + cross;
  return wire + block + cross + path(`M${begin + 3} ${MIDDLE}V${TOP + 8}H${end - 3}V${MIDDLE}`, stroke("blue", 2));
}

function drawBars(base, title, values, color, words) {
  const most = Math.max(...values, 1e-12);
  const parts = values.map((value, k) => {
    const height = (HIGH * value) / most, x = LEFT + k * wide(), lit = state.length === k;
    const bar = box([x + 0.1 * wide(), base - height], 0.8 * wide(), height, `fill: var(--${lit ? "orange" : color})`);
    const label = lit ? text([x + wide() / 2, base - height - 8], words(value), 13, "bold") : "";
    return bar + label + text([x + wide() / 2, base + 12], k, 12, "quiet");
  });
  return text([8, base - HIGH - 24], title, 14, "start bold") + parts.join("");
}

function drawMean() {
  if (!shown.total) return "";
  const x = LEFT + (shown.mean + 0.5) * wide(), top = DATA.bases[1] - HIGH - 8;
  const label = state.length === null ? text([x, top - 8], `mean ${number(shown.mean)}`, 12) : "";
  return path(`M${x} ${top}V${DATA.bases[1]}`, stroke("red", 2)) + label;
}

function drawLengths(changes) {
  Object.assign(state, changes);
  const [upper, lower] = DATA.bases;
  const counted = drawBars(upper, "paths by their length, in blocks", shown.paths, "grey", comma);
  const percent = (share) => `${number(100 * share)}%`;
  const carried = drawBars(lower, "share of the gradient that they carry", shown.shares, "blue", percent);
  bars.innerHTML = counted + carried + drawMean();
  say(told());
}

function draw(changes) {
  Object.assign(state, { length: null }, changes);
  compute();
  const title = `${many(state.blocks, "block")}, ${state.out.size} taken out: ${many(shown.total, "path")}`;
  const row = range(state.blocks).map(drawBlock).join("");
  ground.innerHTML = text([8, 14], title, 16, "start bold") + row + text([8, HEIGHT - 12], HINT, 12, "start quiet");
  drawLengths();
  blocks([LEFT, TOP], pitch(), [1, state.blocks]);
  DATA.bases.forEach((base, i) => lengths[i]([LEFT, base - HIGH], wide(), [1, shown.paths.length]));
  for (const [label, height] of [["blocks", 64], ["paths", HIGH], ["gradient", HIGH]])
    svg.querySelector(`[aria-label=${label}]`).setAttribute("height", height); // cells need not be square here
}

// What is chosen, pointed at and taken out.
function toggle(place) {
  const out = new Set(state.out);
  if (!out.delete(place)) out.add(place);
  draw({ out });
}

const within = (blocks) => new Set([...state.out].filter((place) => place < blocks));
choice("kind", DATA.kinds, state.kind, (kind) => draw({ kind }));
slider("blocks", state.blocks, DATA.bounds.blocks, (blocks) => draw({ blocks, out: within(blocks) }));
const tenths = (value) => (value / 10).toFixed(1);
slider("factor", state.factor, DATA.bounds.factor, (factor) => draw({ factor }), tenths);

let here = 0; // the block that is pointed at
const blocks = grid(svg, "blocks", (_, place) => (here = place));
const area = svg.querySelector("[aria-label=blocks]");
area.addEventListener("click", () => toggle(here));
area.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" && event.key !== " ") return;
  event.preventDefault();
  toggle(here);
});
const lengths = ["paths", "gradient"].map((name) => grid(svg, name, (_, length) => drawLengths({ length })));
draw();
live();
