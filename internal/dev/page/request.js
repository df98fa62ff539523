// One request: its parameters, its timeline, its answer.

import { announce, block, clock, h, identity, milliseconds, pretty, requestChip } from './dom.js';
import { editRequest } from './edit.js';
import { replay, state, twilioRequests } from './server.js';
import { timeline } from './timeline.js';

export function requestDetail(e, { heading }) {
  const below = heading === 'h2' ? 'h3' : 'h4';
  const times = h('div');
  showTimeline(e, times);
  return [
    h(heading, { class: 'path' }, `${e.method} ${e.path} `, requestChip(e.status), e.status ? ` in ${milliseconds(e.duration)}` : null),
    h('p', { class: 'facts' },
      [clock(e.time), who(e), e.requestId ? `request id ${e.requestId}` : null, e.origin ? `from a page of ${e.origin}` : null].filter(Boolean).join(' · ')),
    h('div', { class: 'buttons' },
      h('button', {
        type: 'button',
        disabled: !e.replayable,
        onclick: async () => {
          const again = await replay(e.id);
          announce(`Sent again: answered ${again.status}`);
          location.hash = `#/requests/${again.id}`;
        },
      }, 'Replay'),
      state.functions.some((f) => f.path === e.path)
        ? h('button', { type: 'button', onclick: () => editRequest(e.id) }, 'Edit and call') : null),
    fault(e) ? h('p', { class: 'fault' }, fault(e)) : null,
    e.status ? [h(below, null, 'Answer'), body(e.answer, 'Answer body'), headers(e.answer, 'Answer headers')] : null,
    times,
    h(below, null, 'Request'),
    e.query ? block(`?${e.query}`, 'Query') : null,
    e.status ? body(e.request, 'Request body') : null,
    headers(e.request, 'Request headers'),
  ].flat().filter(Boolean);
}

// fault returns why the call failed: the error in the log, or what the caller
// was told.
function fault(e) {
  if (e.status < 400) return '';
  if (e.status >= 500 && e.trace?.error) return e.trace.error;
  try {
    return JSON.parse(e.answer.body).message ?? '';
  } catch {
    return '';
  }
}

function who(e) {
  const c = e.trace?.caller;
  return c ? `${identity(c.identity)} (${(c.roles ?? []).join(', ')})` : null;
}

async function showTimeline(e, into) {
  if (!e.trace) return;
  let asked = new Map();
  try {
    asked = new Map((await twilioRequests()).map((r) => [r.id, r]));
  } catch { /* the timeline is good without */ }
  into.replaceChildren(timeline(e, asked));
}

function body(message, label) {
  if (!message.body) return h('p', { class: 'hint' }, 'No body.');
  const type = message.header['Content-Type']?.[0] ?? '';
  const text = type.startsWith('application/x-www-form-urlencoded')
    ? [...new URLSearchParams(message.body)].map(([k, v]) => `${k} = ${v}`).join('\n')
    : pretty(message.body);
  return h('div', null, block(text, label), message.cut ? h('p', { class: 'hint' }, 'The body was longer; this is its beginning.') : null);
}

function headers(message, label) {
  const lines = Object.entries(message.header ?? {}).flatMap(([k, vs]) => vs.map((v) => `${k}: ${v}`));
  return h('details', null, h('summary', null, label), block(lines.join('\n'), label));
}
