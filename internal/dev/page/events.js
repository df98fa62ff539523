// Twilio's events: sending them, their deliveries, and the dead letters.

import { announce, clock, dayAndClock, h, statusChip } from './dom.js';
import { deadLetter, eventTypes, ledger, on, state, trigger } from './server.js';

const outcomeClass = { done: 'good', 'done before': '', skipped: '', queued: '', failed: 'odd', 'dead letter': 'bad' };

export function eventsView(main, signal) {
  const letters = h('div');
  const deliveries = h('div');
  main.append(
    h('section', { 'aria-labelledby': 'send-title' }, h('h2', { id: 'send-title' }, 'Send an event'), sendForm()),
    h('section', { 'aria-labelledby': 'letters-title' }, h('h2', { id: 'letters-title' }, 'Dead letters'), letters),
    h('section', { 'aria-labelledby': 'deliveries-title' }, h('h2', { id: 'deliveries-title' }, 'Deliveries'), deliveries));

  const refresh = async () => {
    const known = await ledger();
    showLetters(letters, known, refresh);
    showDeliveries(deliveries, known.deliveries);
  };
  const quietly = () => refresh().catch((error) => announce(error.message));
  // Jobs run after the answer, so the lists are refreshed now and then.
  const timer = setInterval(quietly, 2000);
  on('functions', quietly, signal);
  signal.addEventListener('abort', () => clearInterval(timer));
  quietly();
  return null;
}

// sendForm sends events as Twilio does.
function sendForm() {
  const types = h('input', { id: 'event-types', list: 'known-types', autocomplete: 'off', spellcheck: 'false', 'aria-describedby': 'event-hint' });
  const known = h('datalist', { id: 'known-types' });
  const fields = h('textarea', { id: 'event-fields', rows: '3', spellcheck: 'false' });
  const to = h('select', { id: 'event-to' }, h('option', { value: '' }, 'the one that takes it'));
  const times = h('input', { id: 'event-times', type: 'number', min: '1', max: '20', value: '1' });
  const delay = h('input', { id: 'event-delay', type: 'number', min: '0', max: '60', step: 'any', value: '0' });
  const cut = h('input', { id: 'event-cut', type: 'number', min: '0', max: '15', step: 'any', value: '0' });
  const stream = h('input', { id: 'event-stream', type: 'checkbox' });
  const reverse = h('input', { id: 'event-reverse', type: 'checkbox' });
  const fault = h('p', { class: 'fault', role: 'alert', hidden: true });
  const sent = h('ul', { 'aria-label': 'What was answered' });
  // Until something else is typed, the event is one that the function takes.
  let example = null;
  const suggest = () => {
    if (example !== null && types.value !== example) return;
    const takers = state.functions.filter((f) => f.trigger);
    const f = takers.find((f) => f.path === to.value) ?? takers.find((f) => f.source === 'TaskRouter') ?? takers[0];
    types.value = example = f?.trigger ?? 'reservation.accepted';
    stream.checked = f?.source === 'Stream' && !example.startsWith('com.twilio.');
  };
  to.addEventListener('change', suggest);
  suggest();
  to.append(...state.functions.filter((f) => f.studio).map((f) => h('option', { value: f.path }, f.path)));
  eventTypes().then((list) => known.append(...list.flatMap((of) => of.types).map((t) => h('option', { value: t })))).catch(() => {});
  const seconds = (input) => Math.round(Number(input.value) * 1e9);
  const send = async (e) => {
    e.preventDefault();
    fault.hidden = true;
    try {
      const own = Object.fromEntries(fields.value.split('\n').filter((line) => line.includes('='))
        .map((line) => [line.slice(0, line.indexOf('=')).trim(), line.slice(line.indexOf('=') + 1).trim()]));
      const answers = await trigger({
        types: types.value.split(/[\s,]+/).filter(Boolean), fields: own, to: to.value, stream: stream.checked,
        times: Number(times.value), outOfOrder: reverse.checked, delay: seconds(delay), cut: seconds(cut),
      });
      sent.replaceChildren(...answers.map((a) => h('li', null, statusChip(a.status === 499 ? 0 : a.status), ' ',
        h('a', { href: `#/requests/${a.request}` }, `${a.types.join(', ')} → ${a.path}`),
        a.unheard ? h('p', { class: 'hint' }, `No listener takes ${a.unheard.join(', ')}.`) : null)));
      announce(`${answers.length} sent`);
    } catch (error) {
      fault.textContent = error.message;
      fault.hidden = false;
    }
  };
  return h('form', { onsubmit: send },
    h('label', { for: 'event-types' }, 'Events'), types, known,
    h('p', { id: 'event-hint', class: 'hint' }, 'Several, separated by spaces, are about the same task, worker or call.'),
    h('label', { for: 'event-fields' }, 'Fields of your own, Name=value in each line'), fields,
    h('label', { for: 'event-to' }, 'Function'), to,
    h('label', { for: 'event-times' }, 'Times'), times,
    h('label', { for: 'event-delay' }, 'Seconds before each'), delay,
    h('label', { for: 'event-cut' }, 'Hang up after seconds (0: never)'), cut,
    h('p', null, stream, ' ', h('label', { for: 'event-stream' }, 'As a batch of Event Streams')),
    h('p', null, reverse, ' ', h('label', { for: 'event-reverse' }, 'Latest first')),
    fault, h('button', { type: 'submit' }, 'Send'), sent);
}

function showLetters(into, known, refresh) {
  const focused = into.contains(document.activeElement) ? document.activeElement.dataset.name : null;
  const act = (method, id, done) => async () => {
    try {
      await deadLetter(method, id);
      announce(done);
    } catch (error) {
      announce(error.message);
    }
    await refresh();
  };
  into.replaceChildren(
    known.error ? h('p', { class: 'fault' }, known.error) : '',
    known.letters.length ? '' : h('p', { class: 'hint' }, 'None: each event was handled, or is still being tried.'),
    ...known.letters.map((l) => h('div', { class: 'letter' },
      h('p', null, `${dayAndClock(l.time)} `, h('b', null, l.type), ` ${l.listener}, ${l.tries} ${l.tries === 1 ? 'try' : 'tries'}`),
      h('p', { class: 'hint' }, h('span', { class: 'path' }, l.key)),
      h('p', { class: 'fault' }, l.error),
      h('div', { class: 'buttons' },
        h('button', { type: 'button', 'data-name': `replay ${l.id}`, onclick: act('POST', l.id, 'Done') }, 'Replay'),
        h('button', { type: 'button', 'data-name': `delete ${l.id}`, onclick: act('DELETE', l.id, 'Deleted') }, 'Delete')))));
  if (focused) into.querySelector(`[data-name="${CSS.escape(focused)}"]`)?.focus();
}

// showDeliveries redraws the table only if it changed, and keeps its scroll
// position and focus, since it is called every other second.
function showDeliveries(into, list) {
  const text = JSON.stringify(list);
  if (text === into.dataset.list) return;
  into.dataset.list = text;
  const old = into.querySelector('.scrolled');
  const [left, focused] = [old?.scrollLeft ?? 0, old !== null && old === document.activeElement];
  if (!list.length) {
    into.replaceChildren(h('p', { class: 'hint' }, 'Nothing yet.'));
    return;
  }
  const cells = ['Time', 'Outcome', 'Event', 'Listener', 'Try', 'Key'];
  into.replaceChildren(h('div', { class: 'scrolled', tabindex: '0', role: 'group', 'aria-label': 'Deliveries' }, h('table', null,
    h('thead', null, h('tr', null, cells.map((c) => h('th', { scope: 'col' }, c)))),
    h('tbody', null, list.map((d) => h('tr', null,
      h('td', null, clock(d.time)), h('td', null, h('span', { class: `chip ${outcomeClass[d.outcome] ?? ''}` }, d.outcome)),
      h('td', null, d.type), h('td', null, d.listener, d.error ? h('p', { class: 'hint' }, d.error) : null),
      h('td', null, d.try ? String(d.try) : ''), h('td', { class: 'path' }, d.key)))))));
  into.firstChild.scrollLeft = left;
  if (focused) into.firstChild.focus();
}
