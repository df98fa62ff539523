// The live list of requests, with the details of one.

import { clock, h, identity, milliseconds, pathParts, requestChip } from './dom.js';
import { requestDetail } from './request.js';
import { clearRequests, on, request, state } from './server.js';

export function requestsView(main, signal) {
  let shown = '';
  const rows = h('tbody');
  const filter = h('input', { type: 'search', placeholder: 'Filter by path, status or caller', 'aria-label': 'Filter requests', oninput: showList });
  const detail = h('section', { class: 'detail', 'aria-label': 'Request' });
  main.append(
    h('section', { class: 'side wide', 'aria-label': 'Requests' },
      h('div', { class: 'buttons' }, filter, h('button', { type: 'button', onclick: clear }, 'Clear')),
      h('div', { class: 'scroll', tabindex: '0', role: 'group', 'aria-label': 'List of requests' },
        h('table', { class: 'requests' },
          h('thead', null, h('tr', null, ['Time', 'Request', 'Status', 'Took', 'Attempts'].map((t) => h('th', { scope: 'col' }, t)))),
          rows))),
    detail);

  async function clear() {
    await clearRequests();
    location.hash = '#/requests';
  }

  function showList() {
    const wanted = filter.value.toLowerCase();
    const fits = (r) => !wanted || `${r.method} ${r.path} ${r.status} ${identity(r.caller)} ${r.requestId ?? ''}`.toLowerCase().includes(wanted);
    const focused = rows.contains(document.activeElement) ? document.activeElement.hash : null;
    rows.replaceChildren(...state.requests.filter(fits).map((r) =>
      h('tr', { 'aria-selected': r.id === shown ? 'true' : null },
        h('td', null, clock(r.time)),
        h('td', null, h('a', { href: `#/requests/${r.id}`, class: 'path' }, `${r.method} `, pathParts(r.path)), r.caller ? h('div', { class: 'hint' }, identity(r.caller)) : null),
        h('td', null, requestChip(r.status)),
        h('td', { class: 'number' }, r.status ? milliseconds(r.duration) : ''),
        h('td', { class: r.retries ? 'number retried' : 'number' }, r.attempts ? String(r.attempts) : ''))));
    if (!rows.children.length) rows.append(h('tr', null, h('td', { colspan: '5' }, state.requests.length ? 'None fits the filter.' : 'No requests yet.')));
    if (focused) rows.querySelector(`a[href="${focused}"]`)?.focus();
  }

  // Redraw at most a few times a second, however many requests come.
  let timer = null;
  on('requests', () => {
    timer ??= setTimeout(() => {
      timer = null;
      showList();
      if (underWay && state.requests.find((r) => r.id === shown)?.status) open(shown);
    }, 150);
  }, signal);
  signal.addEventListener('abort', () => clearTimeout(timer));

  let underWay = false; // whether the request shown is under way
  return open;

  async function open(id) {
    shown = id;
    underWay = false;
    showList();
    if (!id) return detail.replaceChildren(h('p', { class: 'hint' }, 'Choose a request to see its timeline.'));
    try {
      const e = await request(id);
      if (id !== shown) return; // another request was chosen in the meantime
      underWay = !e.status;
      detail.replaceChildren(...requestDetail(e, { heading: 'h2' }));
    } catch (error) {
      detail.replaceChildren(h('p', { class: 'fault' }, error.message));
    }
  }
}
