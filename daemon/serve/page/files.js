// Folders and what is in them.
import { h, button, field, time, size, nothing, ask, failure, longList } from './dom.js';
import { _, language } from './words.js';
import { get, send, escape, link } from './api.js';
import { uploads } from './uploads.js';

export function fileLink(folder, path) {
  return `#/files/${encodeURIComponent(folder)}${path === '' ? '' : `/${escape(path)}`}`;
}

function filePath(folder, path) {
  return `/folders/${encodeURIComponent(folder)}/files/${escape(path)}`;
}

export function filesView(place) {
  const [folder, ...path] = place.path;
  return folder === undefined ? foldersView() : directoryView(place, folder, path.join('/'));
}

// ---- the folders ----

const states = {
  here: () => null,
  elsewhere: (entry) => _('at {site}', { site: entry.site }),
  gone: () => _('not there at the moment'),
};

export function rightMark(right) {
  const words = { list: _('names only'), read: _('read only') };
  return words[right] && h('span', { class: 'quiet' }, words[right]);
}

async function foldersView() {
  const folders = await get('/folders');
  return [
    h('h1', {}, _('Files')),
    folders.length === 0 && nothing(_('No folder is open to you yet.')),
    h('ul', { class: 'list' }, folders.map((entry) =>
      h('li', { class: 'directory' },
        h('a', { href: fileLink(entry.name, '') }, entry.name),
        h('span', { class: 'quiet' }, states[entry.state]?.(entry)),
        rightMark(entry.right)))),
  ];
}

// ---- a directory ----

function crumbs(folder, path) {
  const names = path === '' ? [] : path.split('/');
  const above = names.map((name, depth) => ({ name, path: names.slice(0, depth + 1).join('/') }));
  const links = [
    h('a', { href: '#/files' }, _('Files')),
    h('a', { href: fileLink(folder, '') }, folder),
    ...above.map((entry) => h('a', { href: fileLink(folder, entry.path) }, entry.name)),
  ].slice(0, -1);
  return h('nav', { class: 'path', 'aria-label': _('Where this is') }, links.map((element, at) => [at > 0 && ' / ', element]));
}

function nameOk(name) {
  return name !== '' && name !== '.' && name !== '..' && !name.includes('/');
}

async function askName(title, yes, value = '') {
  const input = h('input', { required: true, autofocus: true, maxlength: 255, value });
  const name = await ask(title, field(_('Name'), input), yes, () => input.value.trim());
  return name !== null && nameOk(name) ? name : null;
}

// Does something, and shows what went wrong.
async function attempt(place, what, title) {
  try {
    await what();
    place.again();
  } catch (error) {
    await ask(title, failure(error), _('OK'));
  }
}

async function makeDirectory(place) {
  const name = await askName(_('New directory'), _('Create'));
  if (name === null) return;
  await attempt(place, () => send('POST', filePath(place.folder, place.inside(name)), { do: 'make-directory' }), _('New directory'));
}

async function rename(place, entry) {
  const name = await askName(_('Rename {name}', { name: entry.name }), _('Rename'), entry.name);
  if (name === null || name === entry.name) return;
  await attempt(place, () => send('POST', filePath(place.folder, place.inside(entry.name)), { do: 'move', to: place.inside(name) }), _('Rename'));
}

async function remove(place, entry) {
  const warning = entry.directory ? _('Everything in it goes too. This cannot be undone here; a backup may still have it.') : _('This cannot be undone here; a backup may still have it.');
  const sure = await ask(_('Delete {name}?', { name: entry.name }), h('p', {}, warning), _('Delete'), () => true, true);
  if (sure) await attempt(place, () => send('DELETE', filePath(place.folder, place.inside(entry.name))), _('Delete'));
}

function row(place, entry) {
  const path = place.inside(entry.name);
  const href = entry.directory ? fileLink(place.folder, path) : link(filePath(place.folder, path));
  const opens = entry.directory || place.mayRead;
  return h('li', { class: entry.directory ? 'directory' : 'file' },
    h(opens ? 'a' : 'span', opens ? { href, download: entry.directory ? null : entry.name } : {}, entry.directory && h('span', { class: 'unseen' }, _('Directory'), ' '), entry.name),
    h('span', { class: 'quiet number' }, entry.directory ? null : size(entry.size)),
    h('span', { class: 'quiet end' }, time(entry.modified)),
    place.mayRead && h('details', { class: 'menu' },
      h('summary', { 'aria-label': _('More for {name}', { name: entry.name }) }, '⋯'),
      h('div', {},
        entry.directory && h('a', { href: link(`${filePath(place.folder, path)}?zip`), download: `${entry.name}.zip` }, _('Download as ZIP')),
        place.mayWrite && button(_('Rename'), () => rename(place, entry)),
        place.mayWrite && button(_('Delete'), () => remove(place, entry), { class: 'danger' }))));
}

function tools(place, queue) {
  const files = h('input', { type: 'file', multiple: true, class: 'unseen', tabindex: '-1', onchange: () => queue.add([...files.files]) });
  const whole = h('input', { type: 'file', webkitdirectory: true, class: 'unseen', tabindex: '-1', onchange: () => queue.add([...whole.files]) });
  return h('div', { class: 'tools' },
    place.mayWrite && [
      button(_('Upload files'), () => files.click(), { class: 'main' }), files,
      button(_('Upload a folder'), () => whole.click()), whole,
      button(_('New directory'), () => makeDirectory(place)),
    ],
    place.mayRead && h('a', { class: 'button', href: link(`${filePath(place.folder, place.directory)}?zip`), download: '' }, _('Download all as ZIP')));
}

function dropZone(element, queue) {
  const over = (isOver) => (event) => {
    event.preventDefault();
    element.classList.toggle('over', isOver);
  };
  element.addEventListener('dragover', over(true));
  element.addEventListener('dragleave', over(false));
  element.addEventListener('drop', (event) => {
    over(false)(event);
    queue.add([...event.dataTransfer.files]);
  });
  return element;
}

// Directories first, capitals as small letters, numbers as numbers. What comes in parts stays in the order of the site.
const { compare } = new Intl.Collator(language, { numeric: true });
function asPeopleDo(a, b) {
  return (b.directory ? 1 : 0) - (a.directory ? 1 : 0) || compare(a.name, b.name);
}

async function directoryView({ again }, folder, directory) {
  const right = (await get('/folders')).find(({ name }) => name === folder)?.right ?? 'read';
  const inside = (name) => (directory === '' ? name : `${directory}/${name}`);
  const place = { folder, directory, inside, again, mayRead: right !== 'list', mayWrite: right === 'write' };
  const list = h('ul', { class: 'list files' });
  const load = async (after) => {
    const query = after === null ? '' : `?after=${encodeURIComponent(after)}`;
    const { entries, next } = await get(`/folders/${encodeURIComponent(folder)}/list/${escape(directory)}${query}`);
    if (after === null && next === null) entries.sort(asPeopleDo);
    return { items: entries, next };
  };
  const more = await longList(list, load, (entry) => row(place, entry), _('This directory is empty.'));
  const queue = uploads(place, (name) => filePath(folder, inside(name)));
  const content = h('div', { class: 'drop' }, list, more);
  return [
    crumbs(folder, directory),
    h('h1', {}, directory === '' ? folder : directory.split('/').pop()),
    tools(place, queue),
    queue.element,
    place.mayWrite ? dropZone(content, queue) : content,
  ];
}
