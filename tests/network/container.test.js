/** A server in a container whose engine publishes some ports: what docs/operating.md says, with the engine's work done by nftables. */

/** @import { Placement } from './homes.js' */
import { Server } from '../browser/server.js';
import { files } from './certificate.js';
import { command, flags } from './document.js';
import { stand } from './homes.js';
import { NAME } from './internet.js';
import { alike, callsConnect, chosen, few, pairsOf } from './pairs.js';

const [HOST, CONTAINER] = ['172.17.0.1', '172.17.0.2'];

/** @type {Placement} */
const inContainer = {
  async start(internet) {
    internet.attach('machine', internet.server);
    internet.add('server');
    internet.join('machine', 'docker0', HOST, 'server', 'eth0', CONTAINER);
    internet.filter('machine', `
      add table ip engine
      add chain ip engine prerouting { type nat hook prerouting priority dstnat; }
      add chain ip engine postrouting { type nat hook postrouting priority srcnat; }
      add rule ip engine postrouting oifname "wan" masquerade
      ${published().map(({ protocol, port, to }) => `add rule ip engine prerouting iifname "wan" ${protocol} dport ${port} dnat to ${CONTAINER}:${to}`).join('\n')}`);
    return Server.start(flags('In a container', [...files, ['198.51.100.1', internet.server]]), null, { url: `https://${NAME}/`, through: internet.on('server') });
  },
};

/** What the document's command publishes. */
function published() {
  const words = command('In a container');
  return words.flatMap((word, index) => {
    const [, port = '', to = '', protocol = 'tcp'] = (words[index - 1] === '--publish' && /^([\d-]+):([\d-]+)(?:\/(\w+))?$/.exec(word)) || [];
    return port ? [{ protocol, port, to }] : [];
  });
}

stand(inContainer);

callsConnect('in a container', chosen(pairsOf(few), alike(few)));
