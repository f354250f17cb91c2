// What was found, of what this person may see.
import { h, nothing, replace } from './dom.js';
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

const ELSEWHERE_MAX = 32; // folders of other sites that are asked

// Each folder of another site is asked there; what it has joins the list when it comes.
async function searchElsewhere(words, folders, list, rest) {
  const silent = new Set();
  const one = async ({ name, site }) => {
    try {
      const found = await get(`/folders/${encodeURIComponent(name)}/search?q=${encodeURIComponent(words)}&limit=100`);
      list.append(...found.results.map((result) => hit({ ...result, folder: name })));
    } catch {
      silent.add(site);
    }
  };
  replace(rest, h('p', { class: 'quiet' }, _('Loading…')));
  await Promise.all(folders.map(one));
  replace(rest,
    list.childElementCount === 0 && nothing(_('Nothing was found.')),
    [...silent].map((site) => h('p', { class: 'note' }, _('Folders at {site} could not be searched.', { site }))));
}

export async function searchView({ query }) {
  const words = query.get('q') ?? '';
  const [found, folders] = await Promise.all([get(`/search?q=${encodeURIComponent(words)}&limit=100`), get('/folders')]);
  const list = h('ul', { class: 'list' }, found.results.map(hit));
  const rest = h('div', {});
  searchElsewhere(words, folders.filter(({ state }) => state === 'elsewhere').slice(0, ELSEWHERE_MAX), list, rest);
  return [
    h('h1', {}, _('Search: {words}', { words })),
    found.indexing && h('p', { class: 'note' }, _('The search index is being made again; some results may be missing for now.')),
    list,
    rest,
  ];
}
