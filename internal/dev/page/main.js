// The frame of the page: views, status, theme.

import { functionsView } from './functions.js';
import { requestsView } from './requests.js';
import { eventsView } from './events.js';
import { twilioView } from './twilio.js';
import { chartsView } from './charts.js';
import { listen, loadFaults, on, spent, state } from './server.js';

const views = { functions: functionsView, requests: requestsView, events: eventsView, twilio: twilioView, charts: chartsView };

let view; // { name, leave, open }

// route shows the view in the address's fragment, #/VIEW/REST.
function route() {
  const [, name = 'functions', ...rest] = location.hash.split('/');
  const known = name in views ? name : 'functions';
  if (view?.name !== known) {
    view?.leave.abort();
    const leave = new AbortController();
    const main = document.getElementById('main');
    main.replaceChildren();
    main.className = known;
    view = { name: known, leave, open: views[known](main, leave.signal) };
    for (const link of document.querySelectorAll('nav a')) {
      if (link.hash === `#/${known}`) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
    document.title = `${known[0].toUpperCase()}${known.slice(1)} – flexfn console`;
  }
  view.open?.(decodeURIComponent(rest.join('/')));
}

function showStatus() {
  const chip = document.getElementById('build');
  const text = {
    building: ['Building…', 'odd'],
    ready: ['Ready', 'good'],
    failed: [`${state.status.fault?.title ?? 'Not built'}${state.functions.length ? ': the last good build serves' : ''}`, 'bad'],
  }[state.status.state] ?? ['Waiting for a build', 'odd'];
  [chip.textContent, chip.className] = state.connected ? [text[0], `chip ${text[1]}`] : ['Not connected', 'chip bad'];
  const fault = document.getElementById('fault');
  fault.hidden = state.status.state !== 'failed';
  const { text: why = '', output } = state.status.fault ?? {};
  fault.firstElementChild.textContent = output ? `${why}\n\nThe end of the program's output:\n${output}` : why;
}

function showTwilio() {
  const chip = document.getElementById('twilio-kind');
  chip.hidden = false;
  chip.textContent = state.live ? `REAL TWILIO: ${state.account}` : 'Fake Twilio';
  chip.className = state.live ? 'chip bad' : 'chip';
}

function showFaults() {
  const chip = document.getElementById('fault-count');
  const n = state.faults.filter((f) => !spent(f)).length;
  chip.hidden = n === 0;
  chip.textContent = n === 1 ? '1 fault on' : `${n} faults on`;
}

// The theme is the system's unless another was chosen.
const themes = ['system', 'light', 'dark'];

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  document.getElementById('theme').textContent = `Theme: ${theme}`;
  window.dispatchEvent(new Event('themechange'));
}

document.getElementById('theme').addEventListener('click', () => {
  const next = themes[(themes.indexOf(document.documentElement.dataset.theme) + 1) % themes.length];
  localStorage.setItem('flexfn-theme', next);
  setTheme(next);
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => window.dispatchEvent(new Event('themechange')));

setTheme(themes.includes(localStorage.getItem('flexfn-theme')) ? localStorage.getItem('flexfn-theme') : 'system');
on('status', showStatus);
on('functions', showStatus);
on('all', showTwilio);
on('faults', showFaults);
on('all', route); // the first time there is something to show
window.addEventListener('hashchange', (e) => {
  if (new URL(e.newURL).hash === '#main') return document.getElementById('main').focus();
  route();
});
window.addEventListener('focus', () => loadFaults().catch(() => {}));
listen();
