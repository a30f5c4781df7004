/** TCP 443 through haproxy in TCP mode, with the PROXY protocol: what docs/operating.md says, word for word. */

/** @import { Placement } from './homes.js' */
import { Server } from '../browser/server.js';
import { files } from './certificate.js';
import { box, flags } from './document.js';
import { stand } from './homes.js';
import { NAME } from './internet.js';
import { alike, callsConnect, chosen, few, pairsOf } from './pairs.js';
import { startProxy } from './proxy.js';

/** @type {Placement} */
const behindHaproxy = {
  async start(internet) {
    internet.attach('server', internet.server);
    await startProxy(internet, {
      origin: 'haproxy',
      configuration: `${box('Behind haproxy', 'haproxy')}\n`,
      args: (file) => ['-db', '-f', file],
    });
    return Server.start(flags('Behind haproxy', files), null, { url: `https://${NAME}/`, through: internet.on('server') });
  },
};

stand(behindHaproxy);

callsConnect('behind haproxy', chosen(pairsOf(few), alike(few)));
