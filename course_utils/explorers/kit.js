// The kit of the explorers that live in the page: numbers as they are written, sliders, choices, grids of cells that
// take mouse, finger and keys, and one line of words that is also read aloud. drawing.js has what they draw with.

const main = document.querySelector("main");
const [choices, sliders] = main.querySelector("form").children;
const line = main.querySelector("p");

// Numbers.

/** `count` whole numbers from `first` on. */
const range = (count, first = 0) => Array.from({ length: count }, (_, i) => first + i);

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** A number as it stands in a cell: with about three digits, a whole one with all; a true minus. */
function number(value) {
  const size = Math.abs(value);
  const rounded = Number(value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2));
  return String(rounded || 0).replace("-", "−"); // no minus before a 0
}

/** Numbers as a sum is written: 12 − 3 + 4. */
function written(values) {
  const signed = (value) => (value < 0 ? ` − ${number(-value)}` : ` + ${number(value)}`);
  return number(values[0]) + values.slice(1).map(signed).join("");
}

/** Numbers one after the other: −1, 0, 1. */
const listed = (values) => values.map(number).join(", ");

/** The bytes of a text in base64. */
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

// Controls: `changed(value)` is called with the new value.

function element(name, parent, properties = {}) {
  const made = Object.assign(document.createElement(name), properties);
  parent.append(made);
  return made;
}

/** A slider of whole numbers, shown as `worded(value)`; returns a function that sets value and bounds from outside. */
function slider(name, value, [least, most], changed, worded = String) {
  const label = element("label", sliders, { className: "slider" });
  element("span", label, { textContent: name.replace("_", " ") });
  const input = element("input", label, { type: "range", name, min: least, max: most, value });
  const output = element("output", label, { textContent: worded(value) });
  input.addEventListener("input", () => {
    output.textContent = worded(input.value);
    changed(Number(input.value));
  });
  return (value, [least, most] = [input.min, input.max]) => {
    Object.assign(input, { min: least, max: most, value });
    output.textContent = worded(input.value);
  };
}

/** A choice of one out of several values; returns a function that chooses from outside. */
function choice(name, values, value, changed, worded = String) {
  const group = element("fieldset", choices);
  group.setAttribute("aria-label", name);
  const inputs = values.map((each) => {
    const label = element("label", group);
    const input = element("input", label, { type: "radio", name, value: each, checked: each === value });
    label.append(worded(each));
    input.addEventListener("change", () => changed(each));
    return input;
  });
  return (value) => inputs.forEach((input) => (input.checked = input.value === String(value)));
}

// Grids of cells: the same for mouse, finger and keys.

const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const DRAG = 9; // pixels that turn a value by one step
let pointed = null; // the grid that was pointed at last

/** Cells that are pointed at: `at(row, column)` is called for a cell under the mouse, the finger, or reached by arrows.
 *
 * With `turn`, cells hold values: a press or the arrows left and right choose one, the arrows up and down or a drag
 * turn it: `turn(steps, row, column)`. Returns a function that puts the grid in its place, with the cell where the keys
 * begin; a grid without rows is not there.
 */
function grid(svg, label, at, turn) {
  const kind = turn ? "grid dial" : "grid";
  svg.insertAdjacentHTML("beforeend", `<rect class="${kind}" tabindex="0" role="application" aria-label="${label}"/>`);
  const area = svg.lastElementChild;
  const mark = turn && svg.appendChild(document.createElementNS(svg.namespaceURI, "rect")); // round the chosen cell
  const here = { rows: 0, columns: 0, row: 0, column: 0 };
  let pressed = null;

  function go(row, column) {
    row = clamp(row, 0, here.rows - 1);
    column = clamp(column, 0, here.columns - 1);
    if (pointed === area && row === here.row && column === here.column) return;
    pointed = area;
    Object.assign(here, { row, column });
    place(mark, here.row, here.column, 1, 1);
    at(row, column);
  }

  function place(rectangle, row, column, rows, columns) {
    const { x, y, side } = here;
    const given = { x: x + column * side, y: y + row * side, width: columns * side, height: rows * side };
    for (const [name, value] of Object.entries(given)) rectangle?.setAttribute(name, value);
  }

  function point(event) {
    const frame = area.getBoundingClientRect();
    const part = (place, start, length, count) => Math.floor(((place - start) / length) * count);
    const row = part(event.clientY, frame.top, frame.height, here.rows);
    go(row, part(event.clientX, frame.left, frame.width, here.columns));
  }

  area.addEventListener("pointerdown", (event) => {
    pressed = event.clientY;
    area.setPointerCapture(event.pointerId);
    point(event);
  });
  area.addEventListener("pointermove", (event) => {
    if (!turn) point(event);
    else if (event.buttons && Math.abs(event.clientY - pressed) >= DRAG) {
      const steps = Math.trunc((pressed - event.clientY) / DRAG);
      pressed -= steps * DRAG;
      turn(steps, here.row, here.column);
    }
  });
  area.addEventListener("focus", () => area.matches(":focus-visible") && go(here.row, here.column));
  area.addEventListener("keydown", (event) => {
    const [down, right] = ARROWS[event.key] ?? [0, 0];
    if (!down && !right) return;
    event.preventDefault();
    if (!turn) go(here.row + down, here.column + right);
    else if (down) turn(-down, here.row, here.column);
    else {
      const next = here.row * here.columns + here.column + right;
      if (next >= 0 && next < here.rows * here.columns) go(Math.floor(next / here.columns), next % here.columns);
    }
  });
  return ([x, y], side, [rows, columns], [row, column] = [here.row, here.column]) => {
    row = clamp(row, 0, Math.max(0, rows - 1));
    column = clamp(column, 0, Math.max(0, columns - 1));
    Object.assign(here, { x, y, side, rows, columns, row, column });
    place(area, 0, 0, rows, columns);
    place(mark, row, column, 1, 1);
    for (const each of [area, mark]) each?.toggleAttribute("hidden", !rows);
  };
}

// Words, and the frame.

/** Say a sentence above the picture, and to those who do not see it; a refusal says why. */
function say(sentence, refused = false) {
  line.textContent = sentence;
  line.classList.toggle("refused", refused);
}

/** Make the frame as high as its page, and put it in the place of the figure that stands where no script runs. */
function live() {
  const frame = window.frameElement; // null in a page of its own
  if (!frame) return;
  frame.previousElementSibling.style.display = "none";
  new ResizeObserver(() => (frame.style.height = `${main.offsetHeight}px`)).observe(main);
  document.addEventListener("keydown", ({ key }) => {
    // In slides, a presenter's keys go on turning them.
    if (key === "PageDown") window.parent.Reveal?.next();
    if (key === "PageUp") window.parent.Reveal?.prev();
  });
}
