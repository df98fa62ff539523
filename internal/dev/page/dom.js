// Small helpers for making elements, used instead of a framework.

// h makes an element. In props, on… adds a listener, a boolean sets or leaves
// out an attribute, and null leaves it out.
export function h(tag, props, ...children) {
  const el = document.createElement(tag);
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value == null || value === false) continue;
    if (key.startsWith('on')) el.addEventListener(key.slice(2), value);
    else if (key === 'value' && tag !== 'li') el.value = value;
    else el.setAttribute(key, value === true ? '' : value);
  }
  el.append(...children.flat(Infinity).filter((c) => c != null && c !== false));
  return el;
}

// milliseconds formats a time in milliseconds for people.
export function milliseconds(ms) {
  if (ms == null) return '';
  if (ms < 1) return `${(ms * 1000).toFixed(0)} µs`;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${ms.toFixed(0)} ms`;
  return `${(ms / 1000).toFixed(2)} s`;
}

export function clock(time) {
  return new Date(time).toLocaleTimeString([], { hour12: false });
}

// dayAndClock is for what may be older than a day.
export function dayAndClock(time) {
  return new Date(time).toLocaleString([], { hour12: false });
}

// statusClass returns good, odd or bad.
export function statusClass(status) {
  if (status === 0 || status >= 500) return 'bad';
  return status >= 400 ? 'odd' : 'good';
}

export function statusChip(status) {
  return h('span', { class: `chip ${statusClass(status)}` }, status === 0 ? 'no answer' : String(status));
}

// fidelityChip says which layer of the fake answered.
export function fidelityChip(fidelity) {
  const means = {
    modelled: 'The fake models this resource by hand, with its rules.',
    generic: 'The fake knows the names and types of this operation, and no business rules.',
  };
  return fidelity ? h('span', { class: 'chip', title: means[fidelity] }, fidelity) : null;
}

// requestChip shows the status of a request to a function; zero means that it
// is not answered yet.
export const requestChip = (status) => (status ? statusChip(status) : h('span', { class: 'chip' }, 'under way'));

// pretty indents JSON, and returns other text unchanged.
export function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

// block shows text that may be long. It can be scrolled with the keyboard.
export function block(text, label) {
  return h('pre', { tabindex: '0', role: 'group', 'aria-label': label }, text);
}

// announce has screen readers read text aloud.
export function announce(text) {
  document.getElementById('announce').textContent = text;
}

// copy puts text on the clipboard, and reports whether it could.
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    announce('Copied');
    return true;
  } catch {
    return false; // not allowed; the text is on the page anyway
  }
}

// identity decodes a Twilio identity: _40 is @.
export function identity(text) {
  return (text ?? '').replace(/_([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
}

// breakable allows line breaks after the slashes of a path.
export const breakable = (path) => path.split('/').flatMap((part, i) => (i ? ['/', h('wbr'), part] : [part]));

// pathParts shows a path with its last part emphasised.
export function pathParts(path) {
  const at = path.lastIndexOf('/') + 1;
  return [h('span', { class: 'soft' }, breakable(path.slice(0, at))), h('b', null, path.slice(at))];
}

// shortened leaves out the middle of SIDs and the common ending of hosts.
export function shortened(text) {
  return text.replace(/\b([A-Z]{2})[0-9a-f]{28}([0-9a-f]{4})\b/g, '$1\u2060…\u2060$2').replace('.twilio.com/', '/');
}
