/** STUN: the addresses that this browser finds by itself, and the one that the server sees. */

/** @import { Lesson, Told } from '../live.js' */
/** @import { Scene } from '../scene.js' */
/** @import { Phrase } from '../words.js' */
import { gather } from '../candidate.js';
import { serversOf } from '../ice-servers.js';
import { addRow } from '../scene.js';
import { within } from '../within.js';

/** @param {Scene} scene @returns {Promise<Told>} */
async function look(scene) {
  const { say, alice } = scene;
  await alice.connect();
  const servers = serversOf(await alice.client.iceServers(), /^stun:/);
  const body = scene.table(say('candidates'), [say('kind'), say('protocol'), say('address'), say('meaning')]);
  const connection = scene.connection({ iceServers: servers });
  /** @type {string[]} */
  const kinds = [];
  await within(gather(connection, ({ type, protocol, address, port }) => {
    kinds.push(String(type));
    addRow(body, String(type), String(protocol), `${address} : ${port}`, say(meaningOf(String(type), String(address))));
  }), 'candidates', 60_000);
  const urls = servers.flatMap(({ urls }) => urls).join(', ');
  if (!urls) return 'stun-look-none';
  return [kinds.includes('srflx') ? 'stun-look-done' : 'stun-look-same', { urls }];
}

/** @param {string} type @param {string} address @returns {Phrase} */
function meaningOf(type, address) {
  if (type === 'srflx') return 'means-srflx';
  return address.endsWith('.local') ? 'means-hidden' : 'means-host';
}

/** @type {Lesson} */
export const stun = { name: 'stun', isSequence: false, steps: [{ name: 'look', run: look }] };
