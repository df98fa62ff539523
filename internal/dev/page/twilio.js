// The fake Twilio: its faults, state and log.

import { announce, block, clock, fidelityChip, h, milliseconds, pretty, shortened, statusChip } from './dom.js';
import { clearTwilioRequests, loadFaults, on, setFaults, spent, state, twilioKinds, twilioRequests, twilioState } from './server.js';

export function twilioView(main, signal) {
  if (state.live) {
    main.append(h('section', { class: 'detail' }, h('h2', null, 'Twilio is real'),
      h('p', null, `The functions use the account ${state.account}. A real Twilio has no state and faults to show.`)));
    return null;
  }
  const faults = h('div');
  const contents = h('div');
  const log = h('div');
  main.append(
    h('section', { 'aria-labelledby': 'faults-title' }, h('h2', { id: 'faults-title' }, 'Faults'), faults),
    h('section', { 'aria-labelledby': 'state-title' }, h('h2', { id: 'state-title' }, 'State'), contents),
    h('section', { 'aria-labelledby': 'log-title' }, h('h2', { id: 'log-title' }, 'What Twilio was asked'), log));

  const refresh = async () => {
    await Promise.all([showState(contents), showLog(log, refresh)]);
    await loadFaults();
  };
  const rules = ruleForm();
  on('faults', () => showFaults(faults, rules), signal);
  let timer = null;
  on('requests', () => { timer ??= setTimeout(() => { timer = null; refresh().catch(() => {}); }, 500); }, signal);
  signal.addEventListener('abort', () => clearTimeout(timer));
  refresh().catch((error) => announce(error.message));
  return null;
}

function showFaults(into, rules) {
  const focused = into.contains(document.activeElement) ? document.activeElement.dataset.name : null;
  const inForce = new Map(state.faults.map((f) => [f.name, f]));
  const toggle = (rule, doc) => {
    const set = inForce.get(rule.name);
    const isOn = set != null && !spent(set);
    const others = () => state.faults.filter((f) => f.name !== rule.name);
    return h('li', null,
      h('button', {
        type: 'button', role: 'switch', 'aria-checked': String(isOn), 'data-name': rule.name, 'aria-label': rule.name,
        onclick: async () => {
          await setFaults(isOn ? others() : [...others(), { ...rule, struck: 0 }]);
          announce(`${rule.name}: ${isOn ? 'off' : 'on'}`);
        },
      }, isOn ? 'On' : 'Off'),
      h('div', null, h('strong', null, rule.name || describe(rule)), h('p', { class: 'hint' }, doc),
        set ? h('p', { class: 'hint strikes' }, strikes(set)) : null));
  };
  const preset = new Set(state.presets.map((p) => p.rule.name));
  const own = state.faults.filter((f) => !preset.has(f.name));
  into.replaceChildren(
    h('ul', { class: 'switches' }, state.presets.map((p) => toggle(p.rule, p.doc)), own.map((f) => toggle(f, describe(f)))),
    h('div', { class: 'buttons' }, h('button', { type: 'button', disabled: !state.faults.length, onclick: () => setFaults([]) }, 'All off')),
    rules);
  if (focused) into.querySelector(`[data-name="${CSS.escape(focused)}"]`)?.focus();
}

// strikes says how often a rule has struck, and how often it still may.
function strikes(rule) {
  const n = rule.struck ?? 0;
  const times = (count) => `${count} ${count === 1 ? 'time' : 'times'}`;
  if (spent(rule)) return `Spent: it struck ${times(n)}.`;
  return `Struck ${times(n)}${rule.times ? `, ${rule.times - n} left` : ''}.`;
}

function describe(rule) {
  return JSON.stringify(Object.fromEntries(Object.entries(rule).filter(([k]) => k !== 'name' && k !== 'struck')));
}

// ruleForm returns a form for a rule of the developer's own.
function ruleForm() {
  const text = h('textarea', { id: 'rule', rows: '4', spellcheck: 'false', 'aria-describedby': 'rule-hint' });
  text.value = '{"name": "my fault", "method": "POST", "host": "taskrouter", "path": "/v1/Workspaces/*/Workers/*", "times": 2, "status": 429, "retry_after": "1"}';
  const fault = h('p', { class: 'fault', role: 'alert', hidden: true });
  return h('details', null, h('summary', null, 'Another fault'),
    h('form', {
      onsubmit: async (e) => {
        e.preventDefault();
        try {
          const rule = JSON.parse(text.value);
          rule.name ||= `fault ${state.faults.length + 1}`;
          await setFaults([...state.faults.filter((f) => f.name !== rule.name), rule]);
          fault.hidden = true;
        } catch (error) {
          fault.textContent = error.message;
          fault.hidden = false;
        }
      },
    },
    h('label', { for: 'rule' }, 'Rule, as JSON'), text,
    h('p', { id: 'rule-hint', class: 'hint' }, 'method, host, path (* is a segment, ** the rest), skip, times, probability, action (status, html, rate-limit, slow, cut, reset, reset-after, hang), apply, delay, status, code, message, retry_after, per_second'),
    fault, h('button', { type: 'submit' }, 'Switch on')));
}

let kind = 'tasks';
let showEmpty = false;

async function showState(into) {
  const [{ resources }, kinds] = await Promise.all([twilioState(), twilioKinds()]);
  const count = (k) => resources[k.name]?.length ?? 0;
  const products = Map.groupBy(kinds.filter((k) => showEmpty || count(k) > 0), (k) => k.product);
  const filled = (product) => products.get(product).some((k) => count(k) > 0);
  const order = [...products.keys()].sort((a, b) => filled(b) - filled(a) || a.localeCompare(b));
  const shown = order.flatMap((product) => products.get(product));
  if (!shown.some((k) => k.name === kind)) kind = shown[0]?.name;
  const open = new Set([...into.querySelectorAll('details[open]')].map((d) => d.dataset.key));
  const focused = into.contains(document.activeElement) ? document.activeElement.id : null;
  const select = h('select', { id: 'kind', onchange: (e) => { kind = e.target.value; showState(into); } },
    order.map((product) => h('optgroup', { label: filled(product) ? product : `${product} (empty)` },
      products.get(product).sort((a, b) => (count(b) > 0) - (count(a) > 0) || a.name.localeCompare(b.name))
        .map((k) => h('option', { value: k.name }, `${k.name.replaceAll('_', ' ')} (${count(k)})${k.modelled ? '' : ', generic'}`)))));
  select.value = kind;
  const everything = h('input', { type: 'checkbox', id: 'empty', checked: showEmpty, onchange: (e) => { showEmpty = e.target.checked; showState(into); } });
  into.replaceChildren(h('label', { for: 'kind' }, 'Kind '), select,
    h('div', null, h('label', null, everything, ' every product, also without state')),
    resources[kind]?.length ? '' : h('p', { class: 'hint' }, 'Nothing of this kind.'),
    ...(resources[kind] ?? []).map((item) => {
      const key = `${kind}/${item.sid ?? JSON.stringify(item).slice(0, 80)}`;
      const name = item.friendly_name ?? item.unique_name ?? item.assignment_status ?? item.status ?? item.phone_number ?? item.identity ?? '';
      return h('details', { 'data-key': key, open: open.has(key) },
        h('summary', null, h('span', { class: 'path' }, item.sid ?? item.call_sid ?? item.iso_code ?? kind), ` ${name}`),
        block(JSON.stringify(item, null, 2), `${kind} ${item.sid ?? ''}`));
    }));
  if (focused) document.getElementById(focused)?.focus();
}

async function showLog(into, refresh) {
  const all = (await twilioRequests()).reverse();
  const requests = all.slice(0, 100);
  const open = new Set([...into.querySelectorAll('details[open]')].map((d) => d.dataset.key));
  into.replaceChildren(
    h('div', { class: 'buttons' },
      h('button', { type: 'button', onclick: async () => { await clearTwilioRequests(); await refresh(); } }, 'Clear')),
    requests.length ? '' : h('p', { class: 'hint' }, 'Nothing yet.'),
    ...requests.map((r) => h('details', { 'data-key': r.id, open: open.has(r.id) },
      h('summary', null, `${clock(r.time)} `, statusChip(r.status), ` ${milliseconds(r.duration / 1e6)} `, fidelityChip(r.fidelity), ' ',
        h('span', { class: 'path', title: r.path }, shortened(`${r.method} ${r.host ?? ''}${r.path ?? ''}`)),
        ' ', (r.faults ?? []).map((name) => h('span', { class: 'chip odd' }, `fault: ${name}`))),
      block([...Object.entries(r.query ?? {}), ...Object.entries(r.form ?? {})].map(([k, v]) => `${k} = ${v.join(', ')}`).join('\n') || r.body || 'No parameters.', 'What was asked'),
      block(pretty(r.answer ?? '') || 'No answer.', 'What was answered'))));
}
