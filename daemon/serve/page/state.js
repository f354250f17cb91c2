// All sites at a glance: what `syncctl status` says.
import { h, time, size, count, nothing } from './dom.js';
import { _ } from './words.js';
import { get } from './api.js';

const stateWords = {
  here: () => _('this site'),
  online: () => _('online'),
  offline: () => _('offline'),
  'never-seen': () => _('never seen'),
};

const summaries = {
  ok: () => _('All is well.'),
  attention: () => _('Something needs attention.'),
  critical: () => _('Something is badly wrong.'),
};

function site(entry) {
  return h('li', { class: `mark ${entry.state}` },
    h('strong', {}, entry.name),
    h('span', {}, (stateWords[entry.state] ?? (() => entry.state))()),
    entry.state === 'offline' && h('span', { class: 'quiet' }, _('last seen'), ' ', time(entry.last_contact)));
}

function alert(entry) {
  return h('li', { class: `mark ${entry.severity}` },
    h('span', {}, entry.text),
    entry.action && h('span', { class: 'quiet' }, entry.action));
}

function copy(entry) {
  const words = entry.complete ? _('{site}: complete', { site: entry.site }) : _('{site}: {size} missing', { site: entry.site, size: size(entry.missing_bytes) });
  return h('li', { class: `mark ${entry.complete ? 'ok' : 'attention'}` }, words);
}

function backup(entry) {
  return h('section', { class: 'card' },
    h('h3', {}, entry.name),
    h('dl', {},
      h('dt', {}, _('Last success')), h('dd', {}, time(entry.last_success)),
      h('dt', {}, _('Next run')), h('dd', {}, entry.next_run ? time(entry.next_run) : '–'),
      h('dt', {}, _('Snapshots')), h('dd', {}, count(entry.snapshots)),
      h('dt', {}, _('Size')), h('dd', {}, size(entry.size_bytes)),
      h('dt', {}, _('Last restore that was tried')), h('dd', {}, entry.last_drill ? time(entry.last_drill.time) : _('none yet'))),
    h('ul', { class: 'list' }, entry.copies.map(copy)));
}

export async function stateView({ again }) {
  const status = await get('/status');
  const alerts = (status.alerts ?? []).filter((entry) => entry.severity !== 'hint');
  return [
    h('h1', {}, _('State')),
    h('p', { class: `summary mark ${status.state}` }, (summaries[status.state] ?? (() => status.state))()),
    alerts.length > 0 && h('ul', { class: 'list' }, alerts.map(alert)),
    h('h2', {}, _('Sites of {group}', { group: status.group })),
    h('ul', { class: 'list' }, status.sites.map(site)),
    status.backups && h('h2', {}, _('Backups')),
    status.backups && (status.backups.length === 0 ? nothing(_('There is no backup plan yet.')) : h('div', { class: 'cards' }, status.backups.map(backup))),
    h('p', {}, h('button', { type: 'button', onclick: again }, _('Refresh'))),
  ];
}
