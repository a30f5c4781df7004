/** Files as a person sends and takes them on the page. Each is known by its name. */

/** @import { Peer } from './peer.js' */
import { until } from './deadline.js';
import { all, connect } from './scene.js';

/** In bytes: each stretch of a file of these tests has a value of its own. */
const STRETCH = 4096;

/** A call without pictures, which would cost the machine what the files need. @param {Peer} caller @param {Peer} callee */
export async function connectForFiles(caller, callee) {
  await all([caller, callee], (peer) => peer.page.$eval('[value="neither"]', (radio) => /** @type {HTMLInputElement} */ (radio).click()));
  await connect(caller, callee);
}

/** A file whose bytes follow from its size is chosen, as by the button. @param {Peer} peer @param {string} name @param {number} size @param {string} [type] */
export async function choose(peer, name, size, type = '') {
  const isPossible = () => peer.page.$eval('#attach', (button) => !(/** @type {HTMLButtonElement} */ (button).disabled));
  await until(60, 'files to be possible', () => peer.text('#status'), isPossible);
  await peer.page.$eval('#file-input', (element, name, size, type, stretch) => {
    const parts = Array.from({ length: Math.ceil(size / stretch) }, (_, index) => new Uint8Array(Math.min(stretch, size - stretch * index)).fill(index & 255));
    const chosen = new DataTransfer();
    chosen.items.add(new File(parts, name, { type }));
    /** @type {HTMLInputElement} */ (element).files = chosen.files;
    element.dispatchEvent(new Event('change'));
  }, name, size, type, STRETCH);
}

/** @param {Peer} peer @param {string} name @param {string} state @param {number} [patience] in seconds */
export async function fileReaches(peer, name, state, patience = 60) {
  const row = () => peer.page.$$eval('#files .file', (rows, name) => {
    const found = rows.find((row) => row.querySelector('.name')?.textContent === name);
    return found ? `${found.getAttribute('data-state')}: ${found.textContent}` : 'none';
  }, name);
  await until(patience, `${name} to be ${state}`, row, async () => (await row()).startsWith(`${state}:`));
}

/** @param {Peer} peer @param {string} name @param {string} phrase on the button */
export async function press(peer, name, phrase) {
  await peer.page.$$eval('#files button', (buttons, label) => buttons.find(({ ariaLabel }) => ariaLabel === label)?.click(), `${phrase}: ${name}`);
}

/** What is saved of one that has come. @param {Peer} peer @param {string} name @returns {Promise<{ size: number, digest: string }>} */
export function saved(peer, name) {
  return peer.page.evaluate(async (label) => {
    const make = URL.createObjectURL.bind(URL);
    /** @type {Promise<Blob>} */
    const blob = new Promise((done) => void (URL.createObjectURL = (object) => (done(/** @type {Blob} */ (object)), make(object))));
    [...document.querySelectorAll('#files button')].find(({ ariaLabel }) => ariaLabel === label)?.dispatchEvent(new MouseEvent('click'));
    const bytes = await (await blob).arrayBuffer();
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    return { size: bytes.byteLength, digest: [...digest].join(' ') };
  }, `Save: ${name}`);
}

/** What `choose` made. @param {number} size */
export async function expected(size) {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += STRETCH) bytes.fill((at / STRETCH) & 255, at, at + STRETCH);
  return { size, digest: [...new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))].join(' ') };
}
