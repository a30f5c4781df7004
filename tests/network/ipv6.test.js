/** An internet of IPv6 alone, and a server in it: the command is that for a server in public. */

import { files } from './certificate.js';
import { flags } from './document.js';
import { inPublic, stand } from './homes.js';
import { IPV6 } from './internet.js';
import { alike, callsConnect, chosen, few, pairsOf } from './pairs.js';

stand(inPublic(flags('In public', files), IPV6));

callsConnect('with IPv6 alone', chosen(pairsOf(few), alike(few)));
