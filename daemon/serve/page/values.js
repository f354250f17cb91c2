// A value of a record: shown, and edited with its type kept.
import { h } from './dom.js';
import { _ } from './words.js';
import { isNumber, parse, print } from './exact.js';

export function show(value) {
  if (value === null) return h('span', { class: 'quiet' }, _('empty'));
  if (value === true) return _('yes');
  if (value === false) return _('no');
  if (typeof value === 'string') return value;
  return h('code', {}, print(value));
}

function textInput(value) {
  const isLong = value.length > 60 || value.includes('\n');
  const input = isLong
    ? h('textarea', { rows: Math.min(12, value.split('\n').length + 1), value })
    : h('input', { type: 'text', value });
  return { input, read: () => JSON.stringify(input.value) };
}

function numberInput(value) {
  const input = h('input', { type: 'text', inputmode: 'decimal', pattern: '-?[0-9]+([.][0-9]+)?([eE][+\\-]?[0-9]+)?', required: true, value: String(value) });
  return { input, read: () => input.value };
}

function choice(value) {
  const input = h('select', {},
    h('option', { value: 'true' }, _('yes')),
    h('option', { value: 'false' }, _('no')));
  input.value = String(value);
  return { input, read: () => input.value };
}

function jsonInput(value) {
  const input = h('textarea', { class: 'code', rows: 3, spellcheck: 'false', value: print(value) });
  const check = () => {
    try {
      parse(input.value);
      input.setCustomValidity('');
    } catch {
      input.setCustomValidity(_('This is not JSON.'));
    }
  };
  input.addEventListener('input', check);
  return { input, read: () => input.value };
}

// { input, read, isChanged }: `read` gives JSON, in which numbers have the digits that were typed.
export function editor(value) {
  let made;
  if (typeof value === 'string') made = textInput(value);
  else if (isNumber(value)) made = numberInput(value);
  else if (typeof value === 'boolean') made = choice(value);
  else made = jsonInput(value);
  const before = made.read();
  return { ...made, isChanged: () => made.read() !== before };
}
