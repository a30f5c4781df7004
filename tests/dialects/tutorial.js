/** The tutorial's page as it is, with a copy of socket.io's client: as files that a server serves, and open in a browser. */

/** @import { Visitor } from './visitor.js' */
import { cp, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** @param {string} [path] of the page in the folder @returns {Promise<string>} a new folder, whose owner removes it */
export async function tutorialFolder(path = '') {
  const folder = await mkdtemp(join(tmpdir(), 'tutorial-'));
  await cp(file('tutorial/index.html'), join(folder, path, 'index.html'));
  await cp(file('node_modules/socket.io/client-dist/socket.io.js'), join(folder, 'socket.io', 'socket.io.js'));
  return folder;
}

/** Its id, as a person reads it. @param {Visitor} visitor */
export async function greeted(visitor) {
  const message = () => visitor.page.$eval('#message', ({ textContent }) => textContent ?? '');
  await visitor.comesTo('be greeted', async () => /^Coucou user : {2}\S{20}$/.test(await message()));
  return (await message()).slice(-20);
}

/** Calls as a person does. @param {Visitor} visitor @param {string} id of the other side */
export async function calls(visitor, id) {
  await greeted(visitor);
  await visitor.page.type('#autre', id);
  await visitor.page.click('#appeler');
}

/** @param {string} name @returns {string} */
function file(name) {
  return fileURLToPath(new URL(name, import.meta.url));
}
