// What the explorers that live in the page draw with: squares of numbers or pixels on a canvas, for they are many, and
// above it SVG made of strings. A place is [x, y] in the units of the stage.

const text = ([x, y], words, size = 14, kind = "") =>
  `<text x="${x}" y="${y + 0.36 * size}" font-size="${size}" class="${kind}">${words}</text>`;
const path = (d, style) => `<path d="${d}" style="${style}"/>`;
const box = ([x, y], width, height, style) =>
  `<rect x="${x}" y="${y}" width="${width}" height="${height}" style="${style}"/>`;
const square = (place, side, style) => box(place, side, side, style);
const stroke = (color, width = 1.5) => `stroke: var(--${color}); stroke-width: ${width}`;

/** A curve from one place to another on its right. */
const curve = ([x, y], [right, end]) =>
  path(`M${x} ${y}C${(x + right) / 2} ${y} ${(x + right) / 2} ${end} ${right} ${end}`, stroke("blue"));

/** How large words may be in a cell; 0 where there is no room for them. */
function fitting(side, words) {
  const size = Math.min(16, 0.55 * side, (1.55 * side) / String(words).length);
  return size < 6 ? 0 : size;
}

const TINTS = [[1, 0.3, 0.25], [0.3, 0.95, 0.4], [0.4, 0.6, 1]]; // of red, green and blue

/** The colour of a pixel, a part of white: grey, or of a channel; `light` where a number is to stand on it. */
function shade(part, channel = null, light = false) {
  const tint = channel === null ? [1, 1, 1] : TINTS[channel];
  if (!light) return tint.map((level) => 255 * level * part);
  return tint.map((level) => 255 - (channel === null ? 90 : 160 * (1 - level)) * part);
}

/** A colour for each of the values, from black for the least to white for the largest, and the words that say so. */
function greys(values) {
  const low = Math.min(...values), high = Math.max(...values);
  const color = (value) => shade(high > low ? (value - low) / (high - low) : 0.5);
  return [color, values.length ? `black is ${number(low)}, white is ${number(high)}` : ""];
}

/** The lines of a square grid of count x count cells, as a path. */
function lines([x, y], side, count) {
  const across = range(count + 1).map((i) => `M${x} ${y + i * side}h${count * side}`);
  return across.join("") + range(count + 1).map((i) => `M${x + i * side} ${y}v${count * side}`).join("");
}

/** Strokes across cells, as a path. */
function strokes(places, side) {
  const half = side / 2, long = `l${side} ${-side}`, short = `l${half} ${-half}`;
  const between = ([x, y]) => (side < 8 ? "" : `M${x} ${y + half}${short}M${x + half} ${y + side}${short}`);
  return places.map(([x, y]) => `M${x} ${y + side}${long}${between([x, y])}`).join("");
}

const WHITE = [255, 255, 255];
const RGB = {}; // the colours of the course as numbers, for canvases
for (const name of ["orange", "green", "purple", "blue", "sky"]) {
  const hex = getComputedStyle(main).getPropertyValue(`--${name}`).trim();
  RGB[name] = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
}

/** A colour thinned with white: a part of it from 0 to 1. */
const thinned = (color, part) => color.map((level) => 255 - (255 - level) * part);

/** For each of the values a colour by its sign: green above 0, purple below, white for 0. */
function signed(values) {
  const most = Math.max(...values.map(Math.abs), 1e-9);
  return (value) => thinned(value < 0 ? RGB.purple : RGB.green, (0.6 * Math.abs(value)) / most);
}

/** A canvas in a frame, with what can be drawn on it. */
function surface(frame, width, height) {
  const scale = 2; // sharp also where the page is enlarged
  const canvas = element("canvas", frame, { width: scale * width, height: scale * height });
  const context = canvas.getContext("2d"), tile = document.createElement("canvas");
  const [grey, red] = ["--grey", "--red"].map((name) => getComputedStyle(main).getPropertyValue(name));
  Object.assign(context, { imageSmoothingEnabled: false, textAlign: "center", textBaseline: "middle" });
  context.scale(scale, scale);

  function paint([x, y], side, rows, color) {
    tile.width = tile.height = rows.length;
    const pixels = new ImageData(rows.length, rows.length);
    for (const [i, row] of rows.entries())
      for (const [j, value] of row.entries()) {
        const level = value === null ? WHITE : color(value, i, j);
        pixels.data.set([...level, 255], 4 * (i * rows.length + j));
      }
    tile.getContext("2d").putImageData(pixels, 0, 0);
    context.drawImage(tile, x, y, side * rows.length, side * rows.length);
  }

  function trace(lines, strokeStyle, lineWidth) {
    Object.assign(context, { strokeStyle, lineWidth });
    context.stroke(new Path2D(lines));
  }

  function write([x, y], side, value) {
    const words = number(value), size = fitting(side, words);
    context.font = `${size}px Helvetica, Arial, sans-serif`;
    if (size) context.fillText(words, x + 0.5 * side, y + 0.54 * side);
  }

  /** A square of values, null for none, in colours, `color(value, row, column)`; with `numbers` they are written. */
  function sheet([x, y], side, rows, color, numbers) {
    if (rows.length) paint([x, y], side, rows, color);
    if (!numbers) return;
    trace(lines([x, y], side, rows.length), grey, 0.7);
    for (const [i, row] of rows.entries())
      for (const [j, value] of row.entries()) if (value !== null) write([x + j * side, y + i * side], side, value);
  }

  const hatch = (places, side) => trace(strokes(places, side), red, 1);
  const clear = () => context.clearRect(0, 0, width, height);
  return { sheet, hatch, clear };
}

/** A place to draw on: two canvases, for what stays and for what changes while it is pointed at, and SVG above them. */
function stage(width, height) {
  const frame = element("div", main, { className: "stage" });
  line.after(frame);
  frame.style.aspectRatio = `${width} / ${height}`;
  const [ground, blocks] = range(2).map(() => surface(frame, width, height));
  frame.insertAdjacentHTML("beforeend", `<svg viewBox="0 0 ${width} ${height}"><g></g><g></g></svg>`);
  const svg = frame.querySelector("svg");

  /** A cell that is pointed at: its value on a colour, and a frame; a strong one has a rim, as pixels may be dark. */
  function lit(place, side, value, color, strong) {
    if (value !== null) blocks.sheet(place, side, [[value]], () => thinned(RGB[color], 0.5), true);
    const rim = strong && value === null ? square(place, side, "stroke: white; stroke-width: 6") : "";
    return rim + square(place, side, stroke(color, strong ? 2.5 : 1.5));
  }

  return { svg, layers: [...svg.children], ground, blocks, lit };
}
