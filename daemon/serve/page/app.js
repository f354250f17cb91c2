// The page: who is there, what is shown.
import { h, replace, say, failure } from './dom.js';
import { _ } from './words.js';
import { whoAmI, whenSignedOut, signOut } from './api.js';
import { signInView } from './sign_in.js';
import { filesView } from './files.js';
import { recordsView } from './records.js';
import { conflictsView } from './conflicts.js';
import { stateView } from './state.js';
import { searchView } from './search.js';

const page = document.getElementById('page');
let me = null;
let turn = 0; // of the view that is wanted: one that comes late is dropped
let leaving = new AbortController(); // ends what the view that is shown still waits for

const views = [
  { word: 'files', title: () => _('Files'), view: filesView },
  { word: 'records', title: () => _('Records'), view: recordsView },
  { word: 'conflicts', title: () => _('Conflicts'), view: conflictsView },
  { word: 'state', title: () => _('State'), view: stateView },
  { word: 'search', title: () => _('Search'), view: searchView, isHidden: true },
];

// '#/records/residents?key=12' -> { word, path: ['residents'], query }
function place() {
  const [path, query] = location.hash.replace(/^#\/?/, '').split('?');
  const [word, ...rest] = path.split('/').filter((part) => part !== '').map(decodeURIComponent);
  return { word: word ?? 'files', path: rest, query: new URLSearchParams(query ?? '') };
}

function searchForm() {
  const input = h('input', { type: 'search', name: 'q', 'aria-label': _('Search records and files'), placeholder: _('Search'), value: place().query.get('q') ?? '' });
  const go = (event) => {
    event.preventDefault();
    if (input.value.trim() !== '') location.hash = `#/search?q=${encodeURIComponent(input.value.trim())}`;
  };
  return h('form', { role: 'search', onsubmit: go }, input);
}

async function leave() {
  await signOut().catch(() => {});
  me = null;
  show();
}

function header(current) {
  const link = ({ word, title }) =>
    h('a', { href: `#/${word}`, 'aria-current': word === current ? 'page' : null }, title());
  return h('header', {},
    h('a', { class: 'skip', href: '#main', onclick: toMain }, _('To the content')),
    h('div', { class: 'top' },
      h('a', { class: 'name', href: '#/files' }, h('img', { src: '/icon.svg', alt: '', width: 28, height: 28 }), me.site),
      searchForm(),
      h('div', { class: 'person' }, h('span', {}, me.name),
        h('button', { type: 'button', class: 'plain', onclick: leave }, _('Sign out')))),
    h('nav', { 'aria-label': _('Sections') }, views.filter((view) => !view.isHidden).map(link)));
}

function toMain(event) {
  event.preventDefault();
  document.getElementById('main').focus();
}

// What is shown now, for the title and for those who hear the page.
function tell(main, wanted, isNew) {
  const name = main.querySelector('h1')?.textContent ?? wanted.title();
  document.title = `${name} – ${me.site}`;
  if (isNew) say(name);
}

async function show(isNew = false) {
  const mine = ++turn;
  leaving.abort();
  leaving = new AbortController();
  if (me === null) return signInView(page, start);
  const { word, path, query } = place();
  const wanted = views.find((view) => view.word === word) ?? views[0];
  const main = h('main', { id: 'main', tabindex: '-1' }, h('p', { class: 'quiet' }, _('Loading…')));
  document.title = `${wanted.title()} – ${me.site}`;
  replace(page, header(wanted.word), main);
  try {
    const content = await wanted.view({ me, path, query, signal: leaving.signal, again: () => show() });
    if (mine !== turn) return;
    replace(main, content);
    tell(main, wanted, isNew);
  } catch (error) {
    if (mine === turn && me !== null) replace(main, failure(error, () => show()));
  }
}

async function start() {
  try {
    me = await whoAmI();
  } catch (error) {
    me = null;
    if (error.status !== 401) return replace(page, h('main', {}, failure(error, start)));
  }
  show();
}

whenSignedOut(() => {
  if (me === null) return;
  me = null;
  show();
});
// An open menu closes when something else is pressed, or by Escape.
function closeMenus(except) {
  for (const menu of document.querySelectorAll('details.menu[open]')) if (menu !== except) menu.open = false;
}
addEventListener('click', (event) => closeMenus(event.target.closest?.('details.menu')));
addEventListener('keydown', (event) => event.key === 'Escape' && closeMenus(null));
addEventListener('hashchange', () => show(true));
start();
