// Requests to the JSON API (docs/api.md).
import { _ } from './words.js';
import { parse } from './exact.js';

const base = '/api/v1';
let token = null; // proves to the server that a request comes from this page

export class ApiError extends Error {
  constructor(status, code, message, object) {
    super(message);
    Object.assign(this, { status, code, object });
  }
}

// What to do when a session has ended: the page asks for the password again.
let onSignIn = () => {};
export function whenSignedOut(callback) {
  onSignIn = callback;
}

async function errorOf(response) {
  let said = {};
  try {
    said = (await response.json()).error ?? {};
  } catch {
    // not from the API: a proxy, or a connection that was cut
  }
  const message = said.code === 'site-offline'
    ? _('The site {site} cannot be reached at the moment.', { site: said.object })
    : said.message ?? _('The server answered with an error ({status}).', { status: response.status });
  const error = new ApiError(response.status, said.code ?? '', message, said.object ?? '');
  error.retry = Number(response.headers.get('Retry-After')) || 0;
  return error;
}

async function request(method, path, body, headers = {}, signal = null) {
  if (token !== null) headers['X-Quoin-Token'] = token;
  let response;
  try {
    response = await fetch(base + path, { method, body, headers, signal, credentials: 'same-origin', cache: 'no-cache' });
  } catch {
    throw new ApiError(0, 'unreachable', _('The site cannot be reached. Is the network there?'), '');
  }
  if (response.ok) return response;
  const error = await errorOf(response);
  if (error.status === 401 && path !== '/session') onSignIn();
  throw error;
}

export function escape(path) {
  return path.split('/').map(encodeURIComponent).join('/');
}

export async function get(path) {
  const response = await request('GET', path);
  return parse(await response.text());
}

// An answer in lines of JSON, each given to `take` when it is there; the last one is of the kind "end".
export async function getLines(path, signal, take) {
  const response = await request('GET', path, undefined, {}, signal);
  const text = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const next = () => text.read().catch(() => ({ done: true })); // it was cut, as its end tells
  let rest = '', last = {};
  for (let piece = await next(); !piece.done; piece = await next()) {
    const lines = (rest + piece.value).split('\n');
    rest = lines.pop();
    for (const line of lines) take(last = parse(line));
  }
  if (last.kind !== 'end') throw new ApiError(0, 'unreachable', _('The answer was cut off: it is not whole.'), '');
}

// A record, with the digits of its numbers, and its ETag.
export async function getRecord(path) {
  const response = await request('GET', path);
  return Object.assign(parse(await response.text()), { etag: response.headers.get('ETag') });
}

export async function sendText(method, path, json, headers = {}) {
  await request(method, path, json, { 'Content-Type': 'application/json', ...headers });
}

export async function send(method, path, body, headers = {}) {
  const json = body === undefined ? undefined : JSON.stringify(body);
  const response = await request(method, path, json, json === undefined ? headers : { 'Content-Type': 'application/json', ...headers });
  return response.status === 204 || response.headers.get('Content-Length') === '0' ? null : response.json();
}

// A file, with progress; fetch cannot tell that of an upload.
export function upload(path, file, headers, onProgress) {
  return new Promise((resolve, reject) => {
    const ask = new XMLHttpRequest();
    ask.open('PUT', base + path);
    for (const [name, value] of Object.entries({ 'X-Quoin-Token': token, ...headers })) ask.setRequestHeader(name, value);
    ask.upload.onprogress = (event) => onProgress(event.loaded);
    ask.onerror = () => reject(new ApiError(0, 'unreachable', _('The upload was cut off. Nothing of the file has changed.'), ''));
    ask.onload = async () => {
      if (ask.status < 300) return resolve();
      const response = new Response(ask.response, { status: Math.max(ask.status, 200) });
      reject(await errorOf(response));
    };
    ask.send(file);
  });
}

export async function whoAmI() {
  const me = await get('/me');
  token = me.token ?? null;
  return me;
}

export async function signIn(name, password, code) {
  const session = await send('POST', '/session', code === '' ? { name, password } : { name, password, code });
  token = session.token;
}

export async function signOut() {
  await send('DELETE', '/session');
  token = null;
}

export function link(path) {
  return base + path;
}
