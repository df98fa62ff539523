// Small helpers to make elements, instead of a framework.

// h makes an element. Of props, on… are listeners, booleans are attributes
// that are there or not, and null leaves one out.
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

// milliseconds writes a time as people read it.
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

// statusClass is good, odd or bad.
export function statusClass(status) {
  if (status === 0 || status >= 500) return 'bad';
  return status >= 400 ? 'odd' : 'good';
}

export function statusChip(status) {
  return h('span', { class: `chip ${statusClass(status)}` }, status === 0 ? 'no answer' : String(status));
}

// requestChip is the status of a request to a function; zero is one that is
// not answered yet.
export const requestChip = (status) => (status ? statusChip(status) : h('span', { class: 'chip' }, 'under way'));

// pretty writes JSON with line breaks, and other text unchanged.
export function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

// block shows text that may be long; it can be scrolled with the keyboard.
export function block(text, label) {
  return h('pre', { tabindex: '0', role: 'group', 'aria-label': label }, text);
}

// announce tells a screen reader.
export function announce(text) {
  document.getElementById('announce').textContent = text;
}

// copy puts text on the clipboard.
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    announce('Copied');
    return true;
  } catch {
    return false; // not allowed: the text can be seen
  }
}

// identity is a Twilio identity as its user wrote it: _40 is @.
export function identity(text) {
  return (text ?? '').replace(/_([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
}

// breakable allows line breaks after the slashes of a path.
export const breakable = (path) => path.split('/').flatMap((part, i) => (i ? ['/', h('wbr'), part] : [part]));

// pathParts shows a path with its last part in the foreground.
export function pathParts(path) {
  const at = path.lastIndexOf('/') + 1;
  return [h('span', { class: 'soft' }, breakable(path.slice(0, at))), h('b', null, path.slice(at))];
}

// shortened leaves out the middle of SIDs and what all hosts end with.
export function shortened(text) {
  return text.replace(/\b([A-Z]{2})[0-9a-f]{28}([0-9a-f]{4})\b/g, '$1\u2060…\u2060$2').replace('.twilio.com/', '/');
}
