// The timeline of a request, drawn to scale: a table whose last column shows
// each part of the work as a bar.

import { block, breakable, fidelityChip, h, milliseconds, pretty, shortened, statusChip } from './dom.js';

// In a trace times are nanoseconds from the request's start.
const ms = (ns) => ns / 1e6;

// timeline draws e's trace. asked maps the id of an answer to the fake's record
// of the request.
export function timeline(e, asked) {
  const rows = parts(e);
  const total = Math.max(e.duration, ...rows.map((r) => r.end + (r.wait ?? 0)), 0.001);
  return h('table', { class: 'timeline' },
    h('caption', null, `Timeline of ${milliseconds(total)}`, e.trace.missed ? `; ${e.trace.missed} more attempts are not shown` : ''),
    h('thead', null, h('tr', null,
      h('th', { scope: 'col' }, 'Part'), h('th', { scope: 'col' }, 'Status'), h('th', { scope: 'col' }, 'Took'),
      h('th', { scope: 'col', class: 'track' }, h('span', { class: 'unseen' }, 'When'), scale(total)))),
    h('tbody', null, rows.map((r) => row(r, asked.get(r.twilioId), total))));
}

function row(r, fake, total) {
  const more = fake ? h('tr', { class: 'asked', hidden: true }, h('td', { colspan: '4' },
    block(`${fake.method} https://${fake.host}${fake.path}\n${form(fake)}`, 'What Twilio was asked'),
    block(`${fake.status || 'no answer'}\n${pretty(fake.answer ?? '')}`, 'What Twilio answered'))) : null;
  const toggle = fake ? h('button', {
    type: 'button', class: 'link path', 'aria-expanded': 'false', title: r.detail,
    onclick: (e) => {
      more.hidden = !more.hidden;
      e.currentTarget.setAttribute('aria-expanded', String(!more.hidden));
    },
  }, breakable(shortened(r.detail))) : null;
  return [
    h('tr', { class: r.kind },
      h('th', { scope: 'row' }, r.name, r.detail ? h('div', { class: 'hint path', title: r.detail }, toggle ?? breakable(shortened(r.detail))) : null,
        fidelityChip(fake?.fidelity), (fake?.faults ?? []).map((name) => h('div', { class: 'chip odd' }, `fault: ${name}`))),
      h('td', null, r.status == null ? null : statusChip(r.status)),
      h('td', { class: 'number' }, milliseconds(r.end - r.start),
        r.wait ? h('div', { class: 'hint' }, `then waited ${milliseconds(r.wait)}`) : null,
        r.retried && !r.wait ? h('div', { class: 'hint' }, 'then again at once') : null),
      h('td', { class: 'track' }, r.wait ? bar('bar wait', r.end, r.end + r.wait, total) : null,
        bar(r.failed ? 'bar failed' : 'bar', r.start, r.end, total))),
    more,
  ];
}

// parts returns the spans, each followed by the attempts that began in it.
function parts(e) {
  const end = (s) => (s.end ? ms(s.end) : e.duration); // without an end it was under way when the answer was sent
  let calls = 0;
  const attempts = (e.trace.attempts ?? []).map((a) => ({
    kind: 'attempt', name: `call ${a.number === 1 ? ++calls : calls}, attempt ${a.number}`,
    detail: a.method ? `${a.method} ${a.host ?? ''}${a.path ?? ''}` : a.error ?? '',
    start: ms(a.start), end: ms(a.end), wait: a.wait ? ms(a.wait) : 0, retried: a.retried,
    status: a.status || (a.error ? 0 : null), failed: Boolean(a.error) || a.status >= 400, twilioId: a.twilioId,
  }));
  const rows = [];
  for (const s of e.trace.spans ?? []) {
    const span = { kind: 'span', name: s.end ? s.name : `${s.name} (still running)`, start: ms(s.start), end: end(s), failed: s.failed || !s.end };
    rows.push(span, ...attempts.filter((a) => a.start >= span.start && a.start <= span.end));
  }
  rows.push(...attempts.filter((a) => !rows.includes(a)));
  return rows;
}

function bar(kind, start, end, total) {
  const el = h('div', { class: kind });
  el.style.left = `min(${(start / total) * 100}%, 100% - 3px)`;
  el.style.width = `max(3px, ${((end - start) / total) * 100}%)`;
  return el;
}

// scale draws about four round times.
function scale(total) {
  const rough = total / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  const marks = [];
  for (let t = 0; t <= total * 0.9; t += step) {
    const mark = h('span', null, milliseconds(t).replace(/^0 µs$/, '0'));
    mark.style.left = `${(t / total) * 100}%`;
    marks.push(mark);
  }
  return h('div', { class: 'scale', 'aria-hidden': 'true' }, marks);
}

function form(fake) {
  const pairs = Object.entries(fake.form ?? fake.query ?? {}).flatMap(([k, vs]) => vs.map((v) => `${k} = ${v}`));
  return pairs.join('\n') || pretty(fake.body ?? '');
}
