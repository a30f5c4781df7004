/** Stats reports as browsers gave them in a call (Chromium 156, Firefox 153), with the fields that are read. */

/** @import { Stat } from '../../static/js/path.js' */

/** @param {any[]} stats @returns {Map<string, Stat>} */
export const report = (stats) => new Map(stats.map((stat) => [stat.id, stat]));

export const chromiumStats = [
  { id: 'CPN57dO0ye_3fWC7/K+', type: 'candidate-pair', state: 'waiting', nominated: false, localCandidateId: 'IN57dO0ye', remoteCandidateId: 'I3fWC7/K+', bytesSent: 0, bytesReceived: 0, packetsReceived: 0 },
  { id: 'CPN57dO0ye_sxdzD81P', type: 'candidate-pair', state: 'succeeded', nominated: false, localCandidateId: 'IN57dO0ye', remoteCandidateId: 'IsxdzD81P', currentRoundTripTime: 0.003, bytesSent: 0, bytesReceived: 0, packetsReceived: 0 },
  { id: 'CPX4xyWJlY_gCxfQJZH', type: 'candidate-pair', state: 'succeeded', nominated: true, localCandidateId: 'IX4xyWJlY', remoteCandidateId: 'IgCxfQJZH', currentRoundTripTime: 0.002, bytesSent: 539825, bytesReceived: 548409, packetsReceived: 1070 },
  { id: 'CPX4xyWJlY_oO2IUEHh', type: 'candidate-pair', state: 'waiting', nominated: false, localCandidateId: 'IX4xyWJlY', remoteCandidateId: 'IoO2IUEHh', bytesSent: 0, bytesReceived: 0, packetsReceived: 0 },
  { id: 'I3fWC7/K+', type: 'remote-candidate', candidateType: 'host', protocol: 'udp', address: '127.0.0.1', port: 44945 },
  { id: 'IN57dO0ye', type: 'local-candidate', candidateType: 'host', protocol: 'udp', address: '192.0.2.2', port: 50592 },
  { id: 'IT01A2740383974', type: 'inbound-rtp', kind: 'audio', bytesReceived: 19300, packetsReceived: 400, packetsLost: 0, jitter: 0.002 },
  { id: 'IT01V4010367810', type: 'inbound-rtp', kind: 'video', bytesReceived: 484294, packetsReceived: 513, packetsLost: 0, jitter: 0.001, framesPerSecond: 20, framesDecoded: 159, frameWidth: 640, frameHeight: 480 },
  { id: 'IX4xyWJlY', type: 'local-candidate', candidateType: 'host', protocol: 'udp', address: 'fd00::2', port: 33742 },
  { id: 'IgCxfQJZH', type: 'remote-candidate', candidateType: 'host', protocol: 'udp', address: 'fd00::2', port: 59119 },
  { id: 'IoO2IUEHh', type: 'remote-candidate', candidateType: 'host', protocol: 'udp', address: '::1', port: 54341 },
  { id: 'IsxdzD81P', type: 'remote-candidate', candidateType: 'host', protocol: 'udp', address: '192.0.2.2', port: 41666 },
  { id: 'OT01A2053994871', type: 'outbound-rtp', kind: 'audio', bytesSent: 19300 },
  { id: 'OT01V2528570353', type: 'outbound-rtp', kind: 'video', bytesSent: 476243, framesPerSecond: 20, framesEncoded: 157, frameWidth: 640, frameHeight: 480 },
  { id: 'RIA2053994871', type: 'remote-inbound-rtp', kind: 'audio', packetsLost: 0, jitter: 0.001687, fractionLost: 0, roundTripTime: 0.001419 },
  { id: 'RIV2528570353', type: 'remote-inbound-rtp', kind: 'video', packetsLost: 0, jitter: 0.001655, fractionLost: 0, roundTripTime: 0.002136 },
  { id: 'T01', type: 'transport', selectedCandidatePairId: 'CPX4xyWJlY_gCxfQJZH', bytesSent: 539825, bytesReceived: 548409, packetsReceived: 1070 },
];

export const firefoxStats = [
  { id: '2bf9beec', type: 'inbound-rtp', kind: 'audio', bytesReceived: 63916, packetsReceived: 396, packetsLost: 0, jitter: 0.004 },
  { id: 'b415b1e4', type: 'inbound-rtp', kind: 'video', bytesReceived: 213160, packetsReceived: 236, packetsLost: 0, jitter: 0.0021222222222222224, framesPerSecond: 30, framesDecoded: 235, frameWidth: 480, frameHeight: 360 },
  { id: 'cd03339f', type: 'outbound-rtp', kind: 'audio', bytesSent: 63755 },
  { id: '9943c05c', type: 'outbound-rtp', kind: 'video', bytesSent: 208831, framesPerSecond: 30, framesEncoded: 235, frameWidth: 480, frameHeight: 360 },
  { id: '35a16f24', type: 'remote-inbound-rtp', kind: 'audio', packetsReceived: 354, packetsLost: 0, jitter: 0.005854, fractionLost: 0, roundTripTime: 0.0015409999999999998 },
  { id: '2521b067', type: 'remote-inbound-rtp', kind: 'video', packetsReceived: 235, packetsLost: 0, jitter: 0.0023444444444444446, fractionLost: 0, roundTripTime: 0.0014650000000000002 },
  { id: '363e85af', type: 'candidate-pair', state: 'succeeded', selected: true, nominated: true, localCandidateId: 'e354dca5', remoteCandidateId: 'b1d97ac5', currentRoundTripTime: 0, bytesSent: 322511, bytesReceived: 328616 },
  { id: 'e354dca5', type: 'local-candidate', candidateType: 'host', protocol: 'udp', address: '192.0.2.2', port: 33136 },
  { id: 'ab8adbee', type: 'local-candidate', candidateType: 'host', protocol: 'udp', address: 'fd00::2', port: 59039 },
  { id: 'eb33c9e9', type: 'local-candidate', candidateType: 'host', protocol: 'tcp', address: '192.0.2.2', port: 55994 },
  { id: 'c1b95bde', type: 'local-candidate', candidateType: 'host', protocol: 'tcp', address: 'fd00::2', port: 58032 },
  { id: 'b1d97ac5', type: 'remote-candidate', candidateType: 'prflx', protocol: 'udp', address: '192.0.2.2', port: 34663 },
  { id: '7ca9ad37', type: 'transport', selectedCandidatePairId: '363e85af' },
];
