// The explorer of chapter 10: the colours of a photograph, moved along the directions in which its pixels vary.

const [WIDTH, HEIGHT] = DATA.size;
const [SIDE, TOP, LEFT, RIGHT, STRIP, STEP] = DATA.layout;
const [PLOT, ABOVE, WIDE] = DATA.plot; // the cloud of pixels
const NAMES = ["first", "second", "third"];
const HINT = "α = 0.10 is one standard deviation in the paper.";

const state = { ...DATA.start };
const shown = {}; // the numbers in the picture
const plane = bytes(DATA.pixels);
const pixel = (i, j) => [0, 1, 2].map((c) => plane[3 * (i * DATA.side + j) + c]);
const photograph = range(DATA.side).map((i) => range(DATA.side).map((j) => pixel(i, j)));

// What is computed.

/** What is added to every pixel, red, green and blue from 0 to 1; the photograph then, and the share that was cut. */
function compute() {
  const { variances, vectors } = DATA.directions[state.axes];
  const lengths = NAMES.map((name, k) => (state[name] / 100) * variances[k]);
  shown.shift = range(3).map((c) => vectors.reduce((sum, vector, k) => sum + lengths[k] * vector[c], 0));
  let cut = 0;
  const moved = (value, c) => {
    const whole = Math.floor(value + 255 * shown.shift[c] + 0.5), kept = clamp(whole, 0, 255);
    if (kept !== whole) cut += 1;
    return kept;
  };
  shown.pixels = photograph.map((row) => row.map((each) => each.map(moved)));
  shown.cut = cut / plane.length;
}

function told() {
  const levels = shown.shift.map((value) => number(Math.round(2550 * value) / 10));
  const cut = shown.cut ? ` ${number(100 * shown.cut)}% of the values are cut at 0 or 255.` : "";
  return `Added to every pixel, in levels of 255: red ${levels[0]}, green ${levels[1]}, blue ${levels[2]}.${cut}`;
}

// What is drawn.
const { layers: [still, moving], ground, blocks } = stage(WIDTH, HEIGHT);
const same = (color) => color;
const [across, up] = [(red) => PLOT + (WIDE * red) / 255, (green) => ABOVE + WIDE * (1 - green / 255)];
const dots = photograph.flat().map(([red, green]) => `M${across(red).toFixed(1)} ${up(green).toFixed(1)}h0.1`).join("");
const cloud = (color) => path(dots, `${stroke(color, 3)}; stroke-linecap: round; opacity: 0.5`);

/** What does not change while the sliders move: the photograph, the directions, the cloud before. */
function drawStill() {
  const { strips } = DATA.directions[state.axes], pitch = SIDE / strips[0].colors.length;
  const fill = ([red, green, blue]) => `fill: rgb(${red} ${green} ${blue})`;
  const bar = (y) => (color, k) => box([LEFT + k * pitch, y - 10], pitch + 0.5, 20, fill(color));
  const strip = ({ label, colors }, i) =>
    colors.map(bar(STRIP + STEP * i)).join("") + text([RIGHT, STRIP + STEP * i], label, 14, "start");
  const heads = [[LEFT, "the photograph"], [RIGHT, "every pixel moved alike"], [PLOT, "its pixels"]];
  const titles = heads.map(([x, words]) => text([x, 14], words, 16, "start bold")).join("");
  const under = DATA.note.map((words, i) => [PLOT, ABOVE + WIDE + 16 * (i + 1), words]);
  const notes = [...under, [LEFT, HEIGHT - 26, HINT], [LEFT, HEIGHT - 10, DATA.credit]];
  const quiet = notes.map(([x, y, words]) => text([x, y], words, 12, "start quiet")).join("");
  const frame = square([PLOT, ABOVE], WIDE, stroke("grey", 1));
  still.innerHTML = titles + strips.map(strip).join("") + quiet + frame + cloud("grey");
  ground.clear();
  ground.sheet([LEFT, TOP], SIDE / DATA.side, photograph, same);
  moving.innerHTML = cloud("blue");
}

function draw(changes) {
  Object.assign(state, changes);
  compute();
  blocks.sheet([RIGHT, TOP], SIDE / DATA.side, shown.pixels, same);
  const [red, green] = shown.shift;
  moving.setAttribute("transform", `translate(${WIDE * red} ${-WIDE * green})`);
  say(told());
}

// What is chosen.
choice("axes", Object.keys(DATA.directions), state.axes, (axes) => {
  state.axes = axes;
  drawStill();
  draw();
});
const hundredths = (value) => (value / 100).toFixed(2).replace("-", "−");
for (const name of NAMES) slider(name, state[name], DATA.bounds, (value) => draw({ [name]: value }), hundredths);
drawStill();
draw();
live();
