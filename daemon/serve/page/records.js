// Collections, their records, and one record: read, edited, its conflicts resolved, its history.
import { h, button, field, time, count, isOne, nothing, ask, say, failure, replace, longList } from './dom.js';
import { _ } from './words.js';
import { get, getRecord, send, sendText } from './api.js';
import { editor, show } from './values.js';
import { rightMark } from './files.js';

export function recordLink(collection, key) {
  return `#/records/${encodeURIComponent(collection)}/${encodeURIComponent(key)}`;
}

// In the query, since a key may have slashes. `what`: "/history", "/resolve".
function recordPath(collection, key, what = '') {
  return `/collections/${encodeURIComponent(collection)}/record${what}?key=${encodeURIComponent(key)}`;
}

export function recordsView(place) {
  const [collection, key] = place.path;
  if (collection === undefined) return collectionsView();
  return key === undefined ? listView(place, collection) : recordView(place, collection, key);
}

// ---- collections ----

function howMany(records) {
  const values = { count: count(records) };
  return isOne(records) ? _('{count} record', values) : _('{count} records', values);
}

function howManyConflicts(conflicts) {
  const values = { count: count(conflicts) };
  return isOne(conflicts) ? _('{count} conflict', values) : _('{count} conflicts', values);
}

async function collectionsView() {
  const collections = await get('/collections');
  return [
    h('h1', {}, _('Records')),
    collections.length === 0 && nothing(_('No collection is open to you yet.')),
    h('ul', { class: 'list' }, collections.map((entry) =>
      h('li', {},
        h('a', { href: `#/records/${encodeURIComponent(entry.name)}` }, entry.name),
        h('span', { class: 'quiet' }, howMany(entry.records)),
        entry.conflicts > 0 && h('a', { href: '#/conflicts', class: 'mark attention' }, howManyConflicts(entry.conflicts)),
        rightMark(entry.right)))),
  ];
}

async function rightOf(collection) {
  const entry = (await get('/collections')).find(({ name }) => name === collection);
  return entry?.right ?? 'read';
}

// ---- a collection ----

function summary(record) {
  const words = Object.values(record.fields).filter((value) => typeof value === 'string' && value !== '');
  return words.slice(0, 3).join(' · ');
}

function row(collection, record) {
  if (record.fields === undefined) return h('li', {}, h('span', {}, record.key)); // names only
  return h('li', {},
    h('a', { href: recordLink(collection, record.key) }, record.key),
    record.conflicts && h('span', { class: 'mark attention' }, _('conflict')),
    h('span', { class: 'text' }, summary(record)),
    h('span', { class: 'quiet end' }, time(record.updated.time)));
}

async function newRecord(collection) {
  const key = h('input', { required: true, autofocus: true, maxlength: 255 });
  const name = h('input', { required: true, maxlength: 127 });
  const value = h('input', {});
  const content = [
    field(_('Key'), key, _('What it is found by: a number, a name')),
    field(_('First field'), name, _('Others can be added afterwards')),
    field(_('Value'), value),
  ];
  const chosen = await ask(_('New record'), content, _('Create'), () => key.value.trim());
  if (!chosen) return;
  try {
    await send('PUT', recordPath(collection, chosen), { fields: { [name.value.trim()]: value.value } }, { 'If-None-Match': '*' });
    location.hash = recordLink(collection, chosen);
  } catch (error) {
    if (error.status === 412) location.hash = recordLink(collection, chosen);
    else await ask(_('New record'), failure(error), _('OK'));
  }
}

async function listView({ query }, collection) {
  const right = await rightOf(collection);
  const prefix = query.get('prefix') ?? '';
  const list = h('ul', { class: 'list' });
  const input = h('input', { type: 'search', value: prefix, placeholder: _('Key begins with…'), 'aria-label': _('Key begins with…') });
  const filter = (event) => {
    event.preventDefault();
    location.hash = `#/records/${encodeURIComponent(collection)}?prefix=${encodeURIComponent(input.value)}`;
  };
  const load = async (after) => {
    const ask = new URLSearchParams({ limit: 100, prefix });
    if (after !== null) ask.set('after', after);
    const { records, next } = await get(`/collections/${encodeURIComponent(collection)}/records?${ask}`);
    return { items: records, next };
  };
  const more = await longList(list, load, (record) => row(collection, record), prefix === '' ? _('There are no records yet.') : _('No key begins like that.'));
  return [
    h('p', { class: 'path' }, h('a', { href: '#/records' }, _('Records'))),
    h('h1', {}, collection),
    h('div', { class: 'tools' },
      h('form', { onsubmit: filter }, input),
      right === 'write' && button(_('New record'), () => newRecord(collection), { class: 'main' })),
    list,
    more,
  ];
}

// ---- one record ----

function conflictBox({ collection, key, right, again }, name, values) {
  const resolve = async (entry) => {
    await send('POST', recordPath(collection, key, '/resolve'), { field: name, take: entry.site });
    say(_('The conflict is resolved.'));
    again();
  };
  const line = (entry) => h('li', {},
    h('span', { class: 'value' }, name === '_trash' ? (entry.value === true ? _('deleted') : _('edited')) : show(entry.value)),
    h('span', { class: 'quiet' }, entry.site, ', ', time(entry.time)),
    right === 'write' && button(_('Take this one'), () => resolve(entry).catch((error) => ask(_('Conflict'), failure(error), _('OK')))));
  return h('section', { class: 'card attention' },
    h('h2', {}, name === '_trash' ? _('Deleted at one site, edited at another') : _('Conflict in {field}', { field: name })),
    h('ul', { class: 'list' }, values.map(line)));
}

function fieldRows(record, editors, isReadOnly) {
  return Object.entries(record.fields).map(([name, value]) => {
    if (isReadOnly) return [h('dt', {}, name), h('dd', {}, show(value))];
    const made = editor(value);
    editors.set(name, made);
    return field(name, made.input);
  });
}

function addField(editors, rows) {
  const name = h('input', { required: true, maxlength: 127, autofocus: true });
  return ask(_('New field'), field(_('Name'), name), _('Add'), () => name.value.trim()).then((chosen) => {
    if (!chosen || editors.has(chosen)) return;
    const made = editor('');
    editors.set(chosen, { ...made, isChanged: () => true });
    rows.append(field(chosen, made.input));
    made.input.focus();
  });
}

function bodyOf(editors) {
  const changed = [...editors].filter(([, made]) => made.isChanged());
  return changed.length === 0 ? null : `{"fields":{${changed.map(([name, made]) => `${JSON.stringify(name)}:${made.read()}`).join(',')}}}`;
}

// Somebody was faster: what was typed stays, what is there now is shown beside it.
async function showNewer(place, editors, trouble) {
  const now = await getRecord(recordPath(place.collection, place.key));
  const differing = [...editors].filter(([, made]) => made.isChanged()).map(([name]) =>
    [h('dt', {}, name), h('dd', {}, name in now.fields ? show(now.fields[name]) : '–')]);
  replace(trouble,
    h('p', {}, _('Somebody changed this record while you were writing. What you wrote is still in the form. The record now has:')),
    h('dl', {}, differing),
    h('p', {}, _('Save again to put yours in its place.')));
  return now.etag;
}

function editForm(place, record) {
  const editors = new Map();
  const trouble = h('div', { class: 'trouble', role: 'alert' });
  const rows = h('div', {}, fieldRows(record, editors, false));
  let etag = record.etag;
  const save = async (event) => {
    event.preventDefault();
    const body = bodyOf(editors);
    if (body === null) return say(_('Nothing has changed.'));
    try {
      await sendText('PUT', recordPath(place.collection, place.key), body, { 'If-Match': etag });
      say(_('Saved.'));
      place.again();
    } catch (error) {
      if (error.status === 412) etag = await showNewer(place, editors, trouble);
      else replace(trouble, failure(error));
    }
  };
  return h('form', { class: 'record', onsubmit: save },
    rows,
    trouble,
    h('p', { class: 'buttons' },
      button(_('Add a field'), () => addField(editors, rows)),
      h('button', { type: 'submit', class: 'main' }, _('Save'))));
}

function historyLine(entry) {
  return h('li', {},
    h('strong', {}, entry.field),
    h('span', { class: 'text' }, show(entry.value)),
    h('span', { class: 'quiet' }, entry.user ? `${entry.user}, ${entry.site}` : entry.site, ', ', time(entry.time)),
    entry.replaced && h('span', { class: 'quiet' }, _('replaced'), ' ', time(entry.replaced.time)));
}

function history(place) {
  const list = h('ul', { class: 'list' });
  const open = async (event) => {
    if (!event.target.open || list.childElementCount > 0) return;
    try {
      const entries = await get(recordPath(place.collection, place.key, '/history'));
      replace(list, entries.reverse().map(historyLine));
    } catch (error) {
      replace(list, h('li', {}, failure(error)));
    }
  };
  return h('details', { ontoggle: open }, h('summary', {}, _('History')), list);
}

async function remove(place) {
  const sure = await ask(_('Delete {key}?', { key: place.key }), h('p', {}, _('It goes into the trash, from which it can be brought back.')), _('Delete'), () => true, true);
  if (!sure) return;
  try {
    await send('DELETE', recordPath(place.collection, place.key));
    location.hash = `#/records/${encodeURIComponent(place.collection)}`;
  } catch (error) {
    await ask(_('Delete'), failure(error), _('OK'));
  }
}

async function recordView({ again }, collection, key) {
  const [record, right] = await Promise.all([getRecord(recordPath(collection, key)), rightOf(collection)]);
  const place = { collection, key, right, again };
  return [
    h('p', { class: 'path' },
      h('a', { href: '#/records' }, _('Records')), ' / ',
      h('a', { href: `#/records/${encodeURIComponent(collection)}` }, collection)),
    h('h1', {}, key),
    h('p', { class: 'quiet' }, _('Last changed at {site}', { site: record.updated.site }), ', ', time(record.updated.time)),
    Object.entries(record.conflicts ?? {}).map(([name, values]) => conflictBox(place, name, values)),
    right === 'write' ? editForm(place, record) : h('dl', {}, fieldRows(record, new Map(), true)),
    history(place),
    right === 'write' && h('p', {}, button(_('Delete'), () => remove(place), { class: 'danger' })),
  ];
}
