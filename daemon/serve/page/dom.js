// Elements, and how times and sizes are written. Text only ever becomes text: nothing here parses markup.
import { language, _ } from './words.js';

// h('a', { href: '#/', onclick: f }, 'text', element, [more]): null, false and undefined are left out.
export function h(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (key === 'value' || key === 'disabled' || key === 'checked') element[key] = value;
    else element.setAttribute(key, value === true ? '' : value);
  }
  put(element, children);
  return element;
}

// Behind what is there.
export function put(element, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child);
  }
}

export function replace(element, ...children) {
  element.replaceChildren();
  put(element, children);
  return element;
}

// Said to those who hear the page; `text` may be the same twice.
export function say(text) {
  const live = document.getElementById('live');
  live.textContent = '';
  requestAnimationFrame(() => (live.textContent = text));
}

const units = ['B', 'KB', 'MB', 'GB', 'TB'];
const unitsFrench = ['o', 'ko', 'Mo', 'Go', 'To'];

export function size(bytes) {
  let step = 0;
  while (bytes >= 1000 && step < units.length - 1) {
    bytes /= 1000;
    step++;
  }
  const digits = step === 0 || bytes >= 100 ? 0 : 1;
  const number = new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(bytes);
  return `${number}\u00a0${(language === 'fr' ? unitsFrench : units)[step]}`;
}

export function count(number) {
  return new Intl.NumberFormat(language).format(number);
}

// Whether a language says a number as one: 1, and in French 0.
export function isOne(number) {
  return new Intl.PluralRules(language).select(number) === 'one';
}

const steps = [
  ['day', 86400],
  ['hour', 3600],
  ['minute', 60],
];

// "5 minutes ago" within a week, else the date; the exact time is the title.
export function time(text) {
  if (!text) return h('span', { class: 'quiet' }, _('never'));
  const then = new Date(text);
  const seconds = (then - Date.now()) / 1000;
  const exact = new Intl.DateTimeFormat(language, { dateStyle: 'long', timeStyle: 'short' }).format(then);
  let words = new Intl.DateTimeFormat(language, { dateStyle: 'medium' }).format(then);
  if (Math.abs(seconds) < 60) words = _('just now');
  else if (Math.abs(seconds) < 7 * 86400) {
    const [unit, length] = steps.find(([, length]) => Math.abs(seconds) >= length);
    words = new Intl.RelativeTimeFormat(language, { numeric: 'auto' }).format(Math.round(seconds / length), unit);
  }
  return h('time', { datetime: text, title: exact }, words);
}

export function button(text, onclick, attributes = {}) {
  return h('button', { type: 'button', onclick, ...attributes }, text);
}

export function field(label, input, hint) {
  return h('label', { class: 'field' }, h('span', {}, label), input, hint && h('small', {}, hint));
}

// A question with a form. Resolves to what `read` gives, or to null if it was left.
export function ask(title, content, yes, read = () => true, isDanger = false) {
  return new Promise((resolve) => {
    const form = h(
      'form',
      { method: 'dialog' },
      h('h2', { id: 'question' }, title),
      content,
      h('p', { class: 'buttons' },
        button(_('Cancel'), () => dialog.close('')),
        h('button', { type: 'submit', value: 'yes', class: isDanger ? 'danger' : 'main' }, yes)),
    );
    const dialog = h('dialog', {
      'aria-labelledby': 'question',
      onclose: () => {
        const answer = dialog.returnValue === 'yes' ? read() : null;
        dialog.remove();
        resolve(answer);
      },
    }, form);
    document.body.append(dialog);
    dialog.showModal();
  });
}

export function failure(error, again) {
  return h('div', { class: 'failure', role: 'alert' },
    h('p', {}, error.message),
    again && button(_('Try again'), again));
}

export function nothing(text) {
  return h('p', { class: 'nothing' }, text);
}

// A list whose rest comes when it is asked for: load(after) gives { items, next }.
export async function longList(list, load, row, empty) {
  const more = h('p', { class: 'more' });
  const fill = async (after) => {
    replace(more, h('span', { class: 'quiet' }, _('Loading…')));
    try {
      const { items, next } = await load(after);
      list.append(...items.map(row));
      replace(more, next !== null && button(_('Show more'), () => fill(next)));
      if (after === null && items.length === 0) replace(more, nothing(empty));
    } catch (error) {
      replace(more, failure(error, () => fill(after)));
    }
  };
  await fill(null);
  return more;
}
