// What was found, of what this person may see.
import { h, put, replace, say, count, failure, nothing } from './dom.js';
import { _ } from './words.js';
import { getLines } from './api.js';
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

// What is found here is there at once, what other sites find when they have answered.
class Search {
  constructor() {
    Object.assign(this, { asked: new Set(), found: 0 });
    this.list = h('ul', { class: 'list' });
    this.notes = h('div', {});
    this.rest = h('p', { class: 'quiet', role: 'status' }, _('Loading…'));
  }

  sayWhoIsAsked() {
    const sites = [...this.asked].join(', ');
    replace(this.rest, sites === '' ? _('Loading…') : _('Waiting for the answer of {sites}…', { sites }));
  }

  end({ indexing, silent }) {
    this.rest.remove();
    put(this.notes,
      indexing && h('p', { class: 'note' }, _('The search index is being made again; some results may be missing for now.')),
      silent.map((site) => h('p', { class: 'note' }, _('Folders at {site} could not be searched.', { site }))),
      this.found === 0 && nothing(_('Nothing was found.')));
    say(this.found === 0 ? _('Nothing was found.') : _('Found: {count}', { count: count(this.found) }));
  }

  take(line) {
    if (line.kind === 'asked') this.asked.add(line.site);
    else if (line.kind === 'answered') this.asked.delete(line.site);
    else if (line.kind === 'end') return this.end(line);
    else this.list.append(hit(line)), this.found++;
    this.sayWhoIsAsked();
  }
}

export async function searchView({ query, signal, again }) {
  const words = query.get('q') ?? '';
  const search = new Search();
  getLines(`/search?q=${encodeURIComponent(words)}&limit=100&lines`, signal, (line) => search.take(line))
    .catch((error) => signal.aborted || search.rest.replaceWith(failure(error, again)));
  return [h('h1', {}, _('Search: {words}', { words })), search.notes, search.list, search.rest];
}
