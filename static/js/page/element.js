/**
 * An element of `index.html`, by its id.
 *
 * @template {Element} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
export function elementById(id, kind) {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`index.html has no ${kind.name} #${id}`);
  return element;
}

/**
 * Shows an element, or hides it: a focus within it then goes to the status, where the keyboard goes on.
 *
 * @param {HTMLElement} element
 * @param {boolean} isShown
 */
export function show(element, isShown) {
  if (!isShown && element.contains(document.activeElement)) elementById('status-bar', HTMLDivElement).focus();
  element.hidden = !isShown;
}

/**
 * Adds to a list, and drops what is oldest beyond `most`; stays at the end if the reader is there.
 *
 * @param {HTMLOListElement} list
 * @param {HTMLLIElement} item
 * @param {number} most
 */
export function appendBounded(list, item, most) {
  const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  list.append(item);
  while (list.childElementCount > most) list.firstElementChild?.remove();
  if (isAtEnd) list.scrollTop = list.scrollHeight;
}

/**
 * @param {keyof HTMLElementTagNameMap} tag
 * @param {string} className
 * @param {...(Node | string)} children
 */
export function make(tag, className, ...children) {
  const element = document.createElement(tag);
  element.className = className;
  element.append(...children);
  return element;
}

/** A link whose line, if it is narrow, breaks before the hash and not in its middle. @param {string} link */
export function breakable(link) {
  const [page, hash] = link.split(/(?=#)/);
  return hash ? [page ?? '', make('wbr', ''), hash] : [];
}
