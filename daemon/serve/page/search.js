// What was found, of what this person may see.
import { h, nothing } from './dom.js';
import { _ } from './words.js';
import { get } from './api.js';
import { recordLink } from './records.js';
import { fileLink } from './files.js';

function hit(result) {
  const isRecord = result.kind === 'record';
  const name = isRecord ? result.key : result.path.split('/').pop();
  const where = isRecord ? result.collection : `${result.folder}/${result.path}`;
  const href = isRecord ? recordLink(result.collection, result.key) : fileLink(result.folder, result.path.split('/').slice(0, -1).join('/'));
  return h('li', {},
    h('a', { href }, name),
    h('span', { class: 'quiet' }, where),
    result.text && h('span', { class: 'text' }, result.text));
}

export async function searchView({ query }) {
  const words = query.get('q') ?? '';
  const found = await get(`/search?q=${encodeURIComponent(words)}&limit=100`);
  return [
    h('h1', {}, _('Search: {words}', { words })),
    found.indexing && h('p', { class: 'note' }, _('The search index is being made again; some results may be missing for now.')),
    found.silent.map((site) => h('p', { class: 'note' }, _('Folders at {site} could not be searched.', { site }))),
    found.results.length === 0 ? nothing(_('Nothing was found.')) : h('ul', { class: 'list' }, found.results.map(hit)),
  ];
}
