// Records that two sites changed at the same time: somebody has to choose.
import { h, nothing } from './dom.js';
import { _ } from './words.js';
import { get } from './api.js';
import { recordLink } from './records.js';

export async function conflictsView() {
  const conflicts = await get('/conflicts');
  return [
    h('h1', {}, _('Conflicts')),
    h('p', { class: 'lead' }, _('Two sites changed the same field without knowing of each other. Both values are kept until somebody chooses.')),
    conflicts.length === 0 && nothing(_('There are none.')),
    h('ul', { class: 'list' }, conflicts.map((conflict) =>
      h('li', {},
        h('a', { href: recordLink(conflict.collection, conflict.key) }, conflict.key),
        h('span', { class: 'quiet' }, conflict.collection),
        h('span', {}, conflict.fields.map((name) => (name === '_trash' ? _('deleted or edited') : name)).join(', '))))),
  ];
}
