// The explorer of chapter 12: what the branches of an Inception module cost, with reductions of any width and without.

const [LEFT, RIGHT, ROW] = DATA.axis;
const [WIDTH, HEIGHT] = [1064, 70 + 6 * ROW];
const KERNELS = [1, 3, 5, 1];

const state = { ...DATA.start };
const shown = {}; // the numbers in the picture

// What is computed.

/** The maps along each branch, its multiply-adds in 1 × 1 and in larger convolutions, and those without reductions. */
function compute() {
  const [, size, n1x1, , n3x3, , n5x5] = DATA.modules[state.module], { maps, pool_proj: proj } = state;
  const reduced = [0, state.reduce_3x3, state.reduce_5x5, 0], outs = [n1x1, n3x3, n5x5, proj];
  const cost = (before, after, kernel) => before * after * kernel ** 2 * size ** 2;
  shown.chains = outs.map((out, i) => [maps, reduced[i], out || maps].filter(Boolean));
  shown.costs = outs.map((out, i) => {
    const last = cost(reduced[i] || maps, out, KERNELS[i]);
    return KERNELS[i] === 1 ? [last, 0] : [cost(maps, reduced[i], 1), last];
  });
  shown.before = outs.map((out, i) => (i === 3 ? 0 : cost(maps, out, KERNELS[i])));
  const sum = (values) => values.reduce((a, b) => a + b);
  shown.whole = [n1x1 + n3x3 + n5x5 + (proj || maps), sum(shown.costs.flat())];
  shown.naive = [n1x1 + n3x3 + n5x5 + maps, sum(shown.before)];
  // A reduction to r maps costs r (maps + kernel² out), and without it the branch costs kernel² maps out.
  const even = (kernel, out) => Math.ceil((kernel ** 2 * maps * out) / (maps + kernel ** 2 * out)) - 1;
  shown.most = [even(3, n3x3), even(5, n5x5)];
}

const millions = (count) => (count >= 1e6 ? `${number(count / 1e6)} million` : count.toLocaleString("en"));

function told() {
  const [now, naive] = [shown.whole[1], shown.naive[1]], [three, five] = shown.most;
  const ratio = now <= naive ? `${number(naive / now)} times cheaper` : `${number(now / naive)} times dearer`;
  const most = `A reduction pays if it leaves at most ${three} maps (3 × 3), ${five} (5 × 5).`;
  return `This module is ${ratio} than the naive one. ${most}`;
}

// What is drawn.
const { layers: [ground, bars] } = stage(WIDTH, HEIGHT);
const bar = (x, y, wide, color) => box([x, y - 12], wide, 24, `fill: var(--${color})`);

function drawBranch(i, scale) {
  const y = 24 + ROW * (i + 0.5), [small, large] = shown.costs[i], before = shown.before[i];
  const names = text([LEFT - 12, y - 8], DATA.names[i], 14, "end");
  const chain = text([LEFT - 12, y + 9], shown.chains[i].join(" → "), 12, "end quiet");
  const both = bar(LEFT, y, small * scale, "sky") + bar(LEFT + small * scale, y, large * scale, "blue");
  const frame = box([LEFT, y - 15], before * scale, 30, `${stroke("grey", 1)}; stroke-dasharray: 4 3`);
  const end = LEFT + Math.max(small + large, before) * scale + 8;
  const instead = before && small + large !== before ? `, not ${millions(before)}` : "";
  return names + chain + both + frame + text([end, y], millions(small + large) + instead, 14, "start");
}

function drawWhole(i, words, [out, count], color, scale) {
  const y = 40 + ROW * (i + 4.5), label = text([LEFT - 12, y], `${words}, ${out} maps out`, 14, "end bold");
  const end = [LEFT + count * scale + 8, y];
  return label + bar(LEFT, y, count * scale, color) + text(end, millions(count), 14, "start bold");
}

function draw(changes) {
  Object.assign(state, changes);
  compute();
  const scale = (RIGHT - LEFT) / Math.max(shown.whole[1], shown.naive[1], 1);
  const module = drawWhole(0, "module", shown.whole, "green", scale);
  const naive = drawWhole(1, "naive", shown.naive, "light", scale);
  bars.innerHTML = range(4).map((i) => drawBranch(i, scale)).join("") + module + naive;
  say(told());
}

// What is chosen.
choice("module", Object.keys(DATA.modules), state.module, (module) => {
  const [maps, , , reduce_3x3, , reduce_5x5, , pool_proj] = DATA.modules[module];
  const changes = { module, maps, reduce_3x3, reduce_5x5, pool_proj };
  for (const name of Object.keys(DATA.bounds)) put[name](changes[name]);
  draw(changes);
});
const put = {}, worded = (value) => (Number(value) ? value : "none");
for (const [name, bounds] of Object.entries(DATA.bounds))
  put[name] = slider(name, state[name], bounds, (value) => draw({ [name]: value }), worded);
const title = text([8, 14], "multiply-adds of each branch", 16, "start bold");
ground.innerHTML = title + text([8, HEIGHT - 14], DATA.note, 12, "start quiet");
draw();
live();
