/** Every kind of network with every kind, by a server with a public address: what docs/operating.md says, word for word. */

import { files } from './certificate.js';
import { flags } from './document.js';
import { inPublic, stand } from './homes.js';
import { alike, callsConnect, chosen, kinds, pairsOf } from './pairs.js';

stand(inPublic(flags('In public', files)));

callsConnect('by a server in public', chosen(pairsOf(kinds), [...alike(kinds), ['a port-restricted NAT', 'a symmetric NAT']]));
