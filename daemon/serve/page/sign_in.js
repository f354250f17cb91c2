// Name and password, then the code of the second factor if there is one.
import { h, replace, field } from './dom.js';
import { _ } from './words.js';
import { signIn } from './api.js';

function sentence(error) {
  if (error.code === 'throttled')
    return _('Too many attempts. Try again in {seconds} seconds.', { seconds: error.retry });
  return error.message;
}

export function signInView(page, onDone) {
  const name = h('input', { name: 'name', autocomplete: 'username', autocapitalize: 'none', required: true, autofocus: true });
  const password = h('input', { name: 'password', type: 'password', autocomplete: 'current-password', required: true });
  const code = h('input', { name: 'code', inputmode: 'numeric', autocomplete: 'one-time-code', pattern: '[0-9 ]{6,7}' });
  const codeField = field(_('Code'), code, _('Six digits from the app on your phone'));
  const trouble = h('p', { class: 'trouble', role: 'alert' });
  const submit = h('button', { type: 'submit', class: 'main' }, _('Sign in'));
  codeField.hidden = true;

  async function go(event) {
    event.preventDefault();
    submit.disabled = true;
    replace(trouble);
    try {
      await signIn(name.value.trim(), password.value, code.value.replace(/ /g, ''));
      onDone();
    } catch (error) {
      submit.disabled = false;
      if (error.code === 'code-wanted') {
        codeField.hidden = false;
        code.required = true;
        code.focus();
        return;
      }
      replace(trouble, sentence(error));
      (error.code === 'wrong-code' ? code : password).select();
    }
  }

  document.title = `${_('Sign in')} – ${document.documentElement.dataset.site}`;
  replace(page, h('main', { class: 'door' },
    h('form', { onsubmit: go },
      h('h1', {}, h('img', { src: '/icon.svg', alt: '', width: 40, height: 40 }), document.documentElement.dataset.site),
      field(_('Name'), name),
      field(_('Password'), password),
      codeField,
      trouble,
      h('p', { class: 'buttons' }, submit),
      h('p', { class: 'quiet' }, _('No account, or the password is lost? The person who looks after the computers of this home can help.')))));
  name.focus();
}
