// Charts of the last minutes, by uPlot.

import { clock, h, milliseconds } from './dom.js';
import { on, state } from './server.js';

const span = 300; // seconds

const charts = [
  { title: 'Requests a second', unit: '', series: [['requests', 'all', '--accent'], ['refused', 'refused (4xx)', '--odd'], ['errors', 'failed (5xx)', '--bad']] },
  { title: 'Retries a second', unit: '', series: [['retries', 'retries', '--odd']] },
  { title: 'Latency', unit: ' ms', series: [['p95', '95th percentile', '--bad'], ['median', 'median', '--accent']] },
];

export function chartsView(main, signal) {
  const summary = h('p');
  const boxes = charts.map((c) => ({ ...c, element: h('div', { class: 'chart', 'aria-hidden': 'true' }), plot: null }));
  main.append(h('section', { 'aria-labelledby': 'charts-title' }, h('h2', { id: 'charts-title' }, 'The last five minutes'), summary,
    boxes.map((b) => h('section', null, h('h3', null, b.title), b.element))));

  function draw() {
    for (const b of boxes) {
      b.plot?.destroy();
      b.plot = new uPlot(options(b, b.element.clientWidth), data(b), b.element);
    }
  }
  function update() {
    summary.textContent = sentence();
    for (const b of boxes) b.plot?.setData(data(b));
  }
  summary.textContent = sentence();
  requestAnimationFrame(draw);
  on('seconds', update, signal);
  window.addEventListener('themechange', draw, { signal });
  const resized = new ResizeObserver(() => boxes.forEach((b) => b.plot?.setSize({ width: b.element.clientWidth, height: 180 })));
  resized.observe(main);
  signal.addEventListener('abort', () => {
    resized.disconnect();
    boxes.forEach((b) => b.plot?.destroy());
  });
  return null;
}

// data returns a row of times and a row of values for each series. Seconds
// without requests have a count of zero and no latency.
function data(chart) {
  const now = Math.floor(Date.now() / 1000);
  const by = new Map(state.seconds.map((s) => [s.time, s]));
  const times = Array.from({ length: span }, (_, i) => now - span + 1 + i);
  return [times, ...chart.series.map(([key]) => times.map((t) => {
    const s = by.get(t);
    return chart.unit ? (s ? s[key] : null) : s?.[key] ?? 0;
  }))];
}

// colour returns a variable of the style sheet under the current theme.
function colour(name) {
  const probe = h('span');
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

function options(chart, width) {
  const axis = { stroke: colour('--text'), grid: { stroke: colour('--line'), width: 1 }, ticks: { stroke: colour('--line'), width: 1 } };
  return {
    width, height: 180,
    cursor: { drag: { x: false, y: false } },
    scales: { y: { range: (_, __, max) => [0, Math.max(max * 1.1, 1)] } },
    padding: [null, 30, null, null], // room for the last label of the time axis
    axes: [{ ...axis, space: 90, values: (_, ticks) => ticks.map((t) => clock(t * 1000)) }, { ...axis, size: 76, values: (_, ticks) => ticks.map((v) => `${v}${chart.unit}`) }],
    series: [{ label: 'time', value: (_, t) => (t == null ? '–' : clock(t * 1000)) }, ...chart.series.map(([, label, name]) => ({
      // Where both are the same, the median's smaller point stays visible on
      // top.
      label, stroke: colour(name), width: 2, spanGaps: false, points: { show: Boolean(chart.unit), size: label === 'median' ? 5 : 9, fill: colour(name) },
      value: (_, v) => (v == null ? '–' : `${v}${chart.unit}`),
    }))],
  };
}

// sentence sums up the charts in words.
function sentence() {
  const sum = (key) => state.seconds.reduce((n, s) => n + s[key], 0);
  const latest = state.seconds.at(-1);
  if (!latest) return 'No requests yet.';
  const count = (n, one, many) => `${n} ${n === 1 ? one : many}`;
  return `${count(sum('requests'), 'request', 'requests')}: ${sum('refused')} refused, ${sum('errors')} failed; ${count(sum('retries'), 'retry', 'retries')}. `
    + `In the latest second with requests, half were answered within ${milliseconds(latest.median)}, 95 of 100 within ${milliseconds(latest.p95)}.`;
}
