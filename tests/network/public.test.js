/** Every kind of network with every kind, by a server with a public address, with `--turn` and nothing else. */

import { inPublic, stand } from './homes.js';
import { alike, callsConnect, chosen, kinds, pairsOf } from './pairs.js';

stand(inPublic(['--turn']));

callsConnect('by a server in public', chosen(pairsOf(kinds), [...alike(kinds), ['a port-restricted NAT', 'a symmetric NAT']]));
