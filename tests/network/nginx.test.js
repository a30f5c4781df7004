/** The page behind nginx, and TURN beside it: what docs/operating.md says, word for word. */

/** @import { Placement } from './homes.js' */
/** @import { Kind } from './internet.js' */
import { test } from 'node:test';

import { Server } from '../browser/server.js';
import { all } from '../browser/scene.js';
import { cert, key } from './certificate.js';
import { box, flags } from './document.js';
import { between, stand } from './homes.js';
import { NAME } from './internet.js';
import { callsConnect, chosen, few, pairsOf } from './pairs.js';
import { startProxy } from './proxy.js';

/** One process, which is gone when it is killed. @param {string} server */
const configuration = (server) => `
  daemon off; master_process off; pid pid; error_log stderr;
  events { worker_connections 64; }
  http {
    access_log off;
    ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${name};`).join(' ')}
    ${server}
  }`;

/** @type {Placement} */
const behindNginx = {
  async start(internet) {
    internet.attach('server', internet.server);
    await startProxy(internet, {
      origin: 'nginx',
      configuration: configuration(box('Behind nginx', 'nginx', [
        ['/etc/ssl/calls.example/fullchain.pem', cert],
        ['/etc/ssl/calls.example/privkey.pem', key],
      ])),
      args: (file, folder) => ['-p', folder, '-c', file, '-e', 'stderr'],
    });
    return Server.start(flags('Behind nginx'), null, { url: `https://${NAME}/signal/`, through: internet.on('server') });
  },
};

/** Past nginx these are not let. @type {Kind} */
const only443 = 'a network that lets out TCP 443 alone';
/** @param {readonly Kind[]} pair */
const isHopeless = (pair) => pair.includes(only443);

stand(behindNginx);

callsConnect('with the page behind nginx', chosen(pairsOf(few).filter((pair) => !isHopeless(pair)), [
  ['an open network', 'an open network'],
  ['a symmetric NAT', 'a symmetric NAT'],
  ['a network without UDP', 'a network without UDP'],
]));

/** Until a page gives up: the patience of two attempts. In seconds. */
const GIVES_UP = 90;

for (const [left, right] of chosen(pairsOf(few).filter(isHopeless), [[only443, only443]])) {
  test(`with the page behind nginx, who is in ${only443} is told why no call connects ${left} and ${right}`, between(left, right, async (alice, bob) => {
    await alice.call(await bob.id());
    await bob.accept();
    await all([alice, bob], (peer) => peer.reaches('ready', GIVES_UP));
    const confined = [left, right].flatMap((kind, index) => (kind === only443 ? [index === 0 ? alice : bob] : []));
    await all(confined, (peer) => peer.isTold(/no path .* relay \(TURN\) that this server offers did not answer\. perhaps your network .* try another/i));
  }));
}
