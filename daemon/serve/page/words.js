// The words of the page, in the language of the browser. The French ones are made from fr.po when Quoin is built.
export const language = navigator.language.toLowerCase().startsWith('fr') ? 'fr' : 'en';

const words = language === 'fr' ? (await import('./french.js')).default : {};

// _('Delete {name}?', { name }): translated, then filled in.
export function _(text, values = {}) {
  return (words[text] ?? text).replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
}

document.documentElement.lang = language;
