/** A server that starts before its host has the address by which browsers know it. */

/** @import { Placement } from './homes.js' */
import { once } from 'node:events';
import { createInterface } from 'node:readline';

import { within } from '../browser/deadline.js';
import { Server } from '../browser/server.js';
import { files } from './certificate.js';
import { flags } from './document.js';
import { stand } from './homes.js';
import { NAME } from './internet.js';
import { alike, callsConnect, chosen, few, pairsOf } from './pairs.js';

/** Until an address that has come is served, which takes a look at the interfaces. In seconds. */
const PATIENCE = 15;

/** @type {Placement} */
const before = {
  async start(internet) {
    internet.attach('server');
    const server = await Server.start(flags('In public', files), null, { url: `https://${NAME}/`, through: internet.on('server') });
    internet.address('server');
    internet.become('left', 'an open network');
    const client = internet.namespaces.spawn('left', [process.execPath, `${import.meta.dirname}/binding.js`, internet.server, '3478']);
    const answer = once(createInterface(/** @type {import('node:stream').Readable} */ (client.stdout)), 'line');
    await within(PATIENCE, 'STUN at an address that came after the start', () => server.log, answer);
    return server;
  },
};

stand(before);

callsConnect('by an address that came after the start', chosen(pairsOf(few), alike(few)));
