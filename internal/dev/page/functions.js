// The functions, with a form to call each.

import { announce, copy, h, pathParts } from './dom.js';
import { takeEdit } from './edit.js';
import { requestDetail } from './request.js';
import { call, on, state } from './server.js';

const nobody = 'nobody';

export function functionsView(main, signal) {
  let shown = null; // path
  const list = h('ul', { class: 'list' });
  const filter = h('input', { type: 'search', placeholder: 'Filter', 'aria-label': 'Filter functions', oninput: showList });
  const side = h('nav', { class: 'side', 'aria-label': 'Functions' }, filter, list);
  const detail = h('section', { class: 'detail', 'aria-label': 'Function' });
  main.append(side, detail);

  function showList() {
    const wanted = filter.value.toLowerCase();
    list.replaceChildren(...state.functions.filter((f) => f.path.toLowerCase().includes(wanted)).map((f) =>
      h('li', null, h('a', { href: `#/functions${f.path}`, 'aria-current': f.path === shown ? 'true' : null },
        h('span', { class: 'path' }, pathParts(f.path)), ' ',
        h('span', { class: `chip ${f.open ? 'odd' : ''}` }, f.studio ? 'Studio' : 'Flex')))));
  }

  function open(path) {
    const wanted = path ? `/${path}` : null;
    const f = state.functions.find((f) => f.path === wanted) ?? (wanted ? null : state.functions[0]);
    shown = f?.path ?? wanted;
    showList();
    if (f) {
      const edited = takeEdit(f.path);
      detail.replaceChildren(...functionDetail(f, edited));
      if (edited) detail.querySelector('fieldset input, fieldset button')?.focus();
    } else detail.replaceChildren(h('p', null, wanted ? `There is no function at ${wanted}.` : 'There are no functions yet.'));
  }

  on('functions', () => {
    showList();
    // Redraw only a function that changed, so that typed values stay.
    const f = state.functions.find((f) => f.path === shown);
    if (!f || JSON.stringify(f) !== detail.dataset.function) open((shown ?? '').slice(1));
  }, signal);

  function functionDetail(f, edited) {
    detail.dataset.function = JSON.stringify(f);
    const result = h('div', { class: 'result' });
    const curl = h('div');
    const form = callForm(f, edited);
    const send = h('button', { type: 'submit', class: 'main' }, 'Call');
    const order = (more) => ({ path: f.path, ...form.order(), ...more });
    const fail = (error) => result.replaceChildren(h('p', { class: 'fault', role: 'alert' }, error.message));
    return [
      h('h2', { class: 'path' }, f.path),
      h('p', null, f.doc || ''),
      h('p', null, 'For ', h('strong', null, f.access), '.'),
      h('form', {
        onsubmit: async (e) => {
          e.preventDefault();
          send.disabled = true;
          try {
            const entry = await call(order());
            result.replaceChildren(...requestDetail(entry, { heading: 'h3' }));
            form.mark(faulty(entry));
            announce(`Answered ${entry.status}`);
          } catch (error) {
            fail(error);
          }
          send.disabled = false;
        },
      }, form.element, h('div', { class: 'buttons' }, send,
        h('button', {
          type: 'button',
          onclick: async () => {
            try {
              const text = (await call(order({ curl: true }))).curl;
              const copied = await copy(text);
              curl.replaceChildren(h('p', null, copied ? 'Copied:' : 'Copy this:'), h('pre', { tabindex: '0', 'aria-label': 'curl command', role: 'group' }, text));
            } catch (error) {
              fail(error);
            }
          },
        }, 'Copy as curl'))),
      curl,
      result,
    ];
  }

  return open;
}

// callForm returns a form with a field for each parameter. Empty fields are not
// sent, even if required, so that the function's answer to that can be seen. If
// a request is being edited, the form has its values instead of the sample's.
function callForm(f, edited) {
  const fields = [];
  const inputs = new Map(); // of the parameters, by name
  const sample = new Map(f.sample.map((p) => [p.key, p.value]));
  const rows = h('div', { class: 'fields' });
  const value = (name) => (edited?.values ?? sample).get(name) ?? '';
  for (const p of f.parameters) {
    const id = `p-${p.name}`;
    const input = h('input', { id, value: value(p.name), 'aria-describedby': `${id}-doc`, autocomplete: 'off', spellcheck: 'false' });
    fields.push(() => ({ key: p.name, value: input.value }));
    inputs.set(p.name, input);
    rows.append(
      h('label', { for: id }, p.name, p.required ? h('span', { class: 'required' }, ' required') : null),
      h('div', null, input, h('p', { id: `${id}-doc`, class: 'hint' },
        [p.doc, p.expected ?? p.type].filter(Boolean).join(' · '))));
  }
  const add = (key = '', text = '') => {
    const name = h('input', { 'aria-label': 'Name of another parameter', placeholder: 'name', value: key, autocomplete: 'off' });
    const input = h('input', { 'aria-label': 'Its value', placeholder: 'value', value: text, autocomplete: 'off' });
    fields.push(() => ({ key: name.value, value: input.value }));
    rows.append(name, input);
    return name;
  };
  for (const [key, text] of edited?.values ?? []) if (!f.parameters.some((p) => p.name === key)) add(key, text);

  const person = h('select', { id: 'person' },
    f.studio
      ? [...(f.open ? [] : [h('option', { value: 'twilio' }, 'Twilio, with its signature')]), h('option', { value: nobody }, f.open ? 'anyone' : 'nobody: without a signature')]
      : [...(state.live ? [h('option', { value: 'user' }, 'the owner of FLEX_TOKEN')] : state.people.map((p) => h('option', { value: p.name }, p.name))),
        h('option', { value: nobody }, 'nobody: without a token')]);
  choose(person, edited?.person || f.person);
  const json = h('select', { id: 'encoding' }, h('option', { value: '' }, 'form'), h('option', { value: 'json' }, 'JSON'));
  if (edited?.json) json.value = 'json';

  const element = h('div', null,
    h('div', { class: 'fields' },
      h('label', { for: 'person' }, 'Call as'), person,
      h('label', { for: 'encoding' }, 'Send as'), json),
    h('fieldset', null, h('legend', null, 'Parameters'), rows,
      f.untyped ? h('button', { type: 'button', class: 'plain', onclick: () => add().focus() }, 'Add a parameter') : null,
      f.parameters.length || f.untyped ? null : h('p', null, 'None.')));
  return {
    element,
    mark: (names) => inputs.forEach((input, name) => {
      if (names.has(name)) input.setAttribute('aria-invalid', 'true');
      else input.removeAttribute('aria-invalid');
    }),
    order: () => ({
      person: person.value,
      json: json.value === 'json',
      parameters: fields.map((field) => field()).filter((p) => p.key && p.value !== ''),
    }),
  };
}

// faulty returns the parameters that an answer says are missing or wrong.
function faulty(entry) {
  try {
    const { missing = [], invalid = [] } = entry.status === 400 ? JSON.parse(entry.answer.body) : {};
    return new Set([...missing, ...invalid].map((p) => p.key));
  } catch { // not JSON, or cut off
    return new Set();
  }
}

// choose selects an option, if it exists.
function choose(select, value) {
  if ([...select.options].some((option) => option.value === value)) select.value = value;
}
