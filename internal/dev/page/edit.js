// The request that is handed to its function's form to be edited.

import { request } from './server.js';

// A request that is to be edited before it is sent again.
let edit = null;

export async function editRequest(id) {
  const e = await request(id);
  edit = { path: e.path, values: parameters(e), person: e.person, json: isJSON(e) };
  const target = `#/functions${e.path}`;
  if (location.hash === target) window.dispatchEvent(new HashChangeEvent('hashchange', { newURL: location.href }));
  else location.hash = target;
}

// takeEdit returns the request to edit at path, once.
export function takeEdit(path) {
  if (edit?.path !== path) return null;
  const taken = edit;
  edit = null;
  return taken;
}

function isJSON(e) {
  return (e.request.header['Content-Type']?.[0] ?? '').startsWith('application/json');
}

function parameters(e) {
  const values = new Map(new URLSearchParams(e.query ?? ''));
  if (isJSON(e)) {
    try {
      for (const [key, value] of Object.entries(JSON.parse(e.request.body))) values.set(key, typeof value === 'string' ? value : JSON.stringify(value));
    } catch { /* not an object */ }
  } else {
    for (const [key, value] of new URLSearchParams(e.request.body)) values.set(key, value);
  }
  values.delete('Token');
  values.delete('bodySHA256');
  return values;
}
