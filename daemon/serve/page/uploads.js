// Files on their way up, one after the other, each with its progress. Nothing of a file is seen at the site before all
// of it has arrived.
import { h, button, replace, size, say, ask } from './dom.js';
import { _ } from './words.js';
import { send, upload } from './api.js';

let running = 0; // queues

// Leaving now would cut what is on its way.
addEventListener('beforeunload', (event) => {
  if (running > 0) event.preventDefault();
});

export function uploads(place, pathOf) {
  const element = h('ul', { class: 'list uploads', 'aria-label': _('Uploads') });
  const waiting = [];
  const made = new Set(); // directories that exist now
  let isRunning = false;

  async function makeParents(name) {
    const parts = name.split('/').slice(0, -1);
    for (let depth = 1; depth <= parts.length; depth++) {
      const directory = parts.slice(0, depth).join('/');
      if (made.has(directory)) continue;
      await send('POST', pathOf(directory), { do: 'make-directory' }).catch((error) => {
        if (error.status !== 405 && error.status !== 409) throw error; // it was there
      });
      made.add(directory);
    }
  }

  async function put({ file, name, bar, words }, mayReplace) {
    const headers = { 'X-OC-Mtime': String(Math.floor(file.lastModified / 1000)) };
    if (!mayReplace) headers['If-None-Match'] = '*';
    const onProgress = (done) => {
      bar.value = done;
      replace(words, `${size(done)} / ${size(file.size)}`);
    };
    await makeParents(name);
    await upload(pathOf(name), file, headers, onProgress);
  }

  async function one(item) {
    try {
      await put(item, false);
    } catch (error) {
      if (error.status !== 412) throw error;
      const question = h('p', {}, _('There is already a file of that name. Shall this one take its place?'));
      if (!(await ask(item.name, question, _('Replace'), () => true, true))) return item.line.remove();
      await put(item, true);
    }
    item.line.remove();
  }

  function failed(item, error) {
    const again = () => {
      item.line.remove();
      add([item.file], item.name);
    };
    replace(item.line, h('span', { class: 'mark critical' }, item.name), h('span', {}, error.message), button(_('Try again'), again));
  }

  async function run() {
    if (isRunning) return;
    isRunning = true;
    running++;
    let failures = 0;
    while (waiting.length > 0) {
      const item = waiting.shift();
      await one(item).catch((error) => {
        failures++;
        failed(item, error);
      });
    }
    isRunning = false;
    running--;
    say(failures === 0 ? _('All files have arrived.') : _('Some files could not be uploaded.'));
    if (failures === 0) place.again();
  }

  function add(files, givenName) {
    for (const file of files) {
      const name = givenName ?? (file.webkitRelativePath || file.name);
      const bar = h('progress', { max: Math.max(file.size, 1), value: 0, 'aria-label': name });
      const words = h('span', { class: 'quiet number' }, size(file.size));
      const line = h('li', {}, h('span', {}, name), bar, words);
      element.append(line);
      waiting.push({ file, name, bar, words, line });
    }
    run();
  }

  return { element, add };
}
