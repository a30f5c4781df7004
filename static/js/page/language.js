/** Which language the page speaks, and how a phrase is said in it. */

/** @import { Phrase } from './words.js' */
import { en, fr } from './words.js';

const languages = { en, fr };
/** @typedef {keyof typeof languages} Language */
/** @typedef {(phrase: Phrase, values?: Record<string, string | number>) => string} Say */

/**
 * @param {readonly string[]} preferred the browser's languages, the most liked first
 * @returns {Language}
 */
export function chooseLanguage(preferred) {
  const spoken = preferred.map((tag) => tag.toLowerCase().split('-')[0] ?? '').find((code) => Object.hasOwn(languages, code));
  return /** @type {Language} */ (spoken ?? 'en');
}

/** @param {Language} language @returns {Say} */
export function sayIn(language) {
  const words = languages[language];
  return (phrase, values = {}) => words[phrase].replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ''));
}

/** @param {string} text @returns {text is Phrase} */
export function isPhrase(text) {
  return Object.hasOwn(en, text);
}

/** Puts the page itself into the language. @param {Language} language */
export function translatePage(language) {
  const say = sayIn(language);
  document.documentElement.lang = language;
  forEachPhrase('say', (element, phrase) => void (element.textContent = say(phrase)));
  forEachPhrase('hint', (element, phrase) => element.setAttribute('placeholder', say(phrase)));
  forEachPhrase('label', (element, phrase) => {
    element.setAttribute('aria-label', say(phrase));
    if (element instanceof HTMLButtonElement) element.title = say(phrase);
  });
}

/** @param {string} attribute after `data-` @param {(element: HTMLElement, phrase: Phrase) => void} apply */
function forEachPhrase(attribute, apply) {
  for (const element of document.querySelectorAll(`[data-${attribute}]`)) {
    const phrase = element.getAttribute(`data-${attribute}`) ?? '';
    if (element instanceof HTMLElement && isPhrase(phrase)) apply(element, phrase);
  }
}
