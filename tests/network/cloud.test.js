/**
 * A server in a cloud: its own address is private, and a router lends it a public one, port for port. What the router is sent from inside
 * to that address it does not turn back. A bridge for containers stands beside it, whose address sorts before the server's.
 */

/** @import { Placement } from './homes.js' */
import { Server } from '../browser/server.js';
import { files } from './certificate.js';
import { flags } from './document.js';
import { stand } from './homes.js';
import { NAME } from './internet.js';
import { alike, callsConnect, chosen, hard, kinds, pairsOf } from './pairs.js';

const [ROUTER, HOST, BRIDGE] = ['172.31.0.1', '172.31.0.5', '172.17.0.1'];

/** @type {Placement} */
const cloud = {
  async start(internet) {
    internet.attach('cloud', internet.server);
    internet.add('server');
    internet.join('cloud', 'lan', ROUTER, 'server', 'eth0', HOST);
    internet.namespaces.ip('server', 'link', 'add', 'docker0', 'type', 'bridge');
    internet.namespaces.ip('server', 'address', 'add', `${BRIDGE}/16`, 'dev', 'docker0');
    internet.namespaces.ip('server', 'link', 'set', 'docker0', 'up');
    // As Docker does: what containers send leaves by the host's address.
    internet.filter('server', `
      add table ip docker
      add chain ip docker postrouting { type nat hook postrouting priority srcnat; }
      add rule ip docker postrouting oifname != "docker0" ip saddr ${BRIDGE}/16 masquerade`);
    internet.filter('cloud', `
      add table ip cloud
      add chain ip cloud prerouting { type nat hook prerouting priority dstnat; }
      add chain ip cloud input { type filter hook input priority filter; }
      add chain ip cloud postrouting { type nat hook postrouting priority srcnat; }
      add rule ip cloud prerouting iifname "wan" ip daddr ${internet.server} dnat to ${HOST}
      add rule ip cloud input ip daddr ${internet.server} drop
      add rule ip cloud postrouting oifname "wan" ip saddr ${HOST} snat to ${internet.server}`);
    const documented = flags('Behind a cloud’s NAT', [...files, ['198.51.100.1', internet.server]]);
    return Server.start(documented, null, { url: `https://${NAME}/`, through: internet.on('server') });
  },
};

stand(cloud);

callsConnect('behind a cloud’s NAT', chosen(pairsOf(kinds), [...alike(kinds), ...pairsOf(hard)]));
