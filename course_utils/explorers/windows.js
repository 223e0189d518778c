// Windows over an image, for the explorers that move one: what they read, by the rule j = s i − p + d k, and sum up.

/** The places of a window: what each reads, what none reads, their number in a formula; or why there is none. */
function windows({ size, kernel_size: count, stride, padding, dilation }) {
  const extent = dilation * (count - 1) + 1, padded = size + 2 * padding;
  const fit = `${dilation} · (${count} − 1) + 1 = ${extent} pixels, the padded input has ${size} + 2 · ${padding}`;
  const refused = extent > padded ? `No window fits: it covers ${fit} = ${padded}.` : "";
  const length = refused ? 0 : Math.floor((padded - extent) / stride) + 1;
  const reads = range(length).map((i) => range(count).map((k) => stride * i - padding + dilation * k));
  const unread = range(padded, -padding).filter((j) => length && !reads.some((read) => read.includes(j)));
  const formula = `size: ⌊(${size} + 2 · ${padding} − ${extent}) / ${stride}⌋ + 1 = ${length}`;
  return { refused, reads, unread, formula };
}

/** The windows that read place j. */
const readersOf = (reads, j) => range(reads.length).filter((i) => reads[i].includes(j));

/** The pairs of places, one for the row and one for the column, of which one is among `some`. */
const crossings = (some, all) =>
  all.flatMap((row) => all.map((column) => [row, column])).filter((pair) => pair.some((place) => some.includes(place)));

/** The middle size x size of an image, its rows one after the other in `values`, with `padding` zeros around it. */
function framed(values, side, size, padding) {
  const first = (side - size) >> 1, places = range(size + 2 * padding, -padding);
  const inside = (i) => i >= 0 && i < size;
  const value = (row, column) => (inside(row) && inside(column) ? values[(first + row) * side + first + column] : 0);
  return places.map((row) => places.map((column) => value(row, column)));
}

/** The outputs of a convolution; channels of padded rows, weights by channel, what is read along either axis. */
function convolved(channels, weights, bias, reads, padding) {
  const output = (rows, columns) => {
    let sum = bias;
    for (let c = 0; c < channels.length; c++)
      for (let k = 0; k < rows.length; k++)
        for (let l = 0; l < columns.length; l++)
          sum += weights[c][k][l] * channels[c][rows[k] + padding][columns[l] + padding];
    return sum;
  };
  return reads.map((rows) => reads.map((columns) => output(rows, columns)));
}
