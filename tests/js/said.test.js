import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { candidateFields, priorityParts } from '../../static/js/page/candidate.js';
import { carriedBy, kindOf } from '../../static/js/page/carried.js';
import { decoded } from '../../static/js/page/decoded.js';
import { sayIn } from '../../static/js/page/language.js';
import { codecsOf, sectionsOf } from '../../static/js/page/sdp.js';
import { asFile, asText, fileName } from '../../static/js/page/transcript.js';
import { chanceFrom } from './chance.js';
import { candidates, chromiumOffer, firefoxOffer } from './descriptions.js';

/** @import { Entry } from '../../static/js/page/transcript.js' */

const say = sayIn('en');
/** @param {any} message @param {boolean} [isFirst] */
const carried = (message, isFirst = true) => carriedBy(message, say, isFirst);
/** @param {string} sdp @returns {any} */
const offer = (sdp) => ({ type: 'offer', to: 'b', offer: { type: 'offer', sdp } });
/** @param {string | null} candidate @returns {any} */
const candidate = (candidate) => ({ type: 'candidate', from: 'b', candidate: candidate === null ? null : { candidate, sdpMid: '0', sdpMLineIndex: 0 } });

describe('what a row says that it carries', () => {
  it('is of a candidate its type, protocol and address', () => {
    assert.deepEqual(candidates.map((line) => carried(candidate(line))), [
      'host UDP 127.0.0.1:56317',
      'host UDP [::1]:56442',
      'host TCP active 127.0.0.1:9',
      'host UDP [fd00::2]:59039',
      'srflx UDP 203.0.113.7:46154',
      'host UDP 8d1f2c0e-3b1a-4b7e-9c1d-0a4be5f2b6aa.local:46154',
      'relay UDP 198.51.100.9:49160',
    ]);
    assert.equal(carried(candidate(null)), 'no more of them');
    assert.equal(carried(candidate('')), 'no more of them');
  });

  it('is of a description its media with their codecs, and the roles in ICE and DTLS', () => {
    assert.equal(carried(offer(chromiumOffer)), 'audio opus · video VP8 · data · ICE controlling · DTLS actpass');
    assert.equal(carried(offer(firefoxOffer), false), 'audio opus · video VP8 · data · DTLS actpass');
    const answer = { type: 'answer', from: 'b', answer: { sdp: 'v=0\r\na=ice-lite\r\na=setup:passive\r\nm=audio 0 UDP/TLS/RTP/SAVPF 0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n' } };
    assert.equal(carried(answer), 'audio ✕ · data · ICE controlled lite · DTLS passive');
  });

  it('is of other messages what tells them apart', () => {
    assert.equal(carried({ type: 'welcome', id: '0e8b1b6a-4a7c-4d0e-9c1f-2f6f0c9d7a11', resumed: false, iceServers: [] }), '0e8b1b6a');
    assert.equal(carried({ type: 'ice-servers', iceServers: [{ urls: 'stun:a' }, { urls: ['turn:a', 'turns:a'] }] }), 'stun, turn, turns');
    assert.equal(carried({ type: 'ice-servers' }), '');
    assert.equal(carried({ type: 'peer-joined', room: 'tea', peer: '0e8b1b6a-4a7c-4d0e-9c1f-2f6f0c9d7a11' }), 'tea · 0e8b1b6a');
    assert.equal(carried({ type: 'bye', from: 'b', bye: { reason: 'declined' } }), 'declined');
    assert.equal(carried({ type: 'bye', from: 'b' }), '');
  });

  it('is never long, whatever the other side says', () => {
    assert.equal(carried({ type: 'bye', from: 'b', bye: { reason: 'x'.repeat(5000) } }).length, 121);
    assert.ok(carried(offer(`${'m=audio 9 x 0\r\n'.repeat(5000)}`)).length <= 121);
  });

  it('belongs to one of the kinds that a reader can choose', () => {
    const types = ['offer', 'candidate', 'join', 'welcome', 'ping'].map((type) => kindOf(/** @type {any} */ ({ type })));
    assert.deepEqual(types, ['call', 'candidate', 'room', 'session', 'session']);
  });
});

describe('a description', () => {
  it('is taken apart into the session and its media', () => {
    assert.deepEqual(sectionsOf(chromiumOffer).map(({ kind }) => kind), ['session', 'audio', 'video', 'application']);
    assert.deepEqual(sectionsOf(firefoxOffer).map(({ kind }) => kind), ['session', 'audio', 'video', 'application']);
  });

  it('has codecs in the order of its m= line, without what repeats or protects others', () => {
    const [, audio, video] = sectionsOf(chromiumOffer);
    assert.deepEqual([audio, video].map((section) => section && codecsOf(section)), [['opus', 'G722', 'PCMU', 'PCMA'], ['VP8', 'H264']]);
  });
});

describe('a candidate', () => {
  it('is read field by field, with what follows in pairs', () => {
    assert.deepEqual(candidateFields(candidates[4] ?? ''), {
      foundation: '842163049', component: '1', protocol: 'UDP', priority: '1677729535', address: '203.0.113.7', port: '46154', typ: 'srflx',
      more: [['raddr', '192.0.2.2'], ['rport', '50592'], ['generation', '0'], ['ufrag', 'dfQn'], ['network-id', '1'], ['network-cost', '10']],
    });
    assert.equal(candidateFields('candidate:1 1 udp'), null);
  });

  it('has a priority that is made of three numbers', () => {
    assert.deepEqual(priorityParts('2122194687'), { type: 126, local: 32286, component: 1 });
    for (const odd of ['', '-1', '1e3', '4294967296', 'x']) assert.equal(priorityParts(odd), null, odd);
  });
});

describe('a message that is opened', () => {
  it('explains each field of what both browsers say', () => {
    for (const message of [offer(chromiumOffer), offer(firefoxOffer), ...candidates.map(candidate), candidate(null)]) {
      for (const language of /** @type {const} */ (['en', 'fr'])) {
        const unexplained = decoded(message, sayIn(language)).flatMap(({ heading, fields }) => fields.filter(({ meaning }) => !meaning).map(({ name }) => `${heading} ${name}`));
        assert.deepEqual(unexplained, []);
      }
    }
  });

  it('explains each field of a welcome', () => {
    const [group] = decoded(/** @type {any} */ ({
      type: 'welcome', id: 'a', resumed: true, iceServers: [], heartbeat: 25, maxMessageBytes: 65536, rate: { messages: 1, burst: 2 }, resumeWindow: 30, accepted: 1,
    }), say);
    assert.deepEqual(group?.fields.filter(({ meaning }) => !meaning), []);
    assert.equal(group?.fields.length, 8);
  });

  it('shows no secret', () => {
    /** @type {any} */
    const message = { type: 'ice-servers', iceServers: [{ urls: 'turn:a', username: 'u', credential: 'hush' }], resume: 'hush', token: 'hush', nested: { token: 'hush' } };
    assert.doesNotMatch(JSON.stringify(decoded(message, say)), /hush/);
  });

  it('names the type of a candidate by what it means', () => {
    const meanings = candidates.map((line) => decoded(candidate(line), say)[0]?.fields[0]?.meaning);
    assert.match(meanings[0] ?? '', /itself/);
    assert.match(meanings[4] ?? '', /STUN/);
    assert.match(meanings[6] ?? '', /TURN/);
  });

  it('is decoded whatever it is: noise never throws, and is never long', () => {
    const { noise, broken } = makeNoise();
    for (const text of [...noise, ...broken]) {
      for (const message of [offer(text), candidate(text), { type: 'answer', from: 'b', answer: text }, { type: 'candidate', from: 'b', candidate: text }, { type: text, x: text }]) {
        const groups = decoded(/** @type {any} */ (message), say);
        assert.equal(typeof carried(message), 'string');
        assert.ok(groups.length <= 66);
        for (const { fields } of groups) assert.ok(fields.length <= 60 && fields.every(({ name, value }) => name.length <= 60 && value.length <= 401));
      }
    }
  });

  it('of any length is read in no time', () => {
    const begin = performance.now();
    for (const text of ['a=\r\n'.repeat(1e5), 'm=audio\n'.repeat(1e5), 'a=rtpmap:1 x/1\n'.repeat(1e5), ' '.repeat(1e6), 'a=x:'.repeat(1e5)]) {
      decoded(offer(text), say);
      decoded(candidate(text), say);
    }
    assert.ok(performance.now() - begin < 1000);
  });
});

/** Texts at random, and descriptions of browsers with pieces cut out of them. */
function makeNoise() {
  const chance = chanceFrom(7);
  const letters = 'amv=: \r\n0123456789candidate:typ/host;{}"\u0000é\ud800';
  const noise = Array.from({ length: 200 }, () => Array.from({ length: Math.floor(chance() * 300) }, () => letters[Math.floor(chance() * letters.length)]).join(''));
  const broken = Array.from({ length: 200 }, (_, index) => {
    const whole = [chromiumOffer, firefoxOffer, candidates[index % candidates.length] ?? ''][index % 3] ?? '';
    const from = Math.floor(chance() * whole.length);
    return whole.slice(0, from) + whole.slice(from + Math.floor(chance() * 200));
  });
  return { noise, broken };
}

describe('the rows to keep', () => {
  const at = new Date('2026-11-28T09:00:00Z');
  /** @type {Entry[]} */
  const entries = [
    { at, way: ['you', 'other-side'], label: 'candidate', note: 'host UDP 192.0.2.2:50592', fate: 'refused', message: /** @type {any} */ ({ type: 'candidate', to: 'b', candidate: null }) },
    { at, way: ['you', 'server'], label: 'join', note: '', fate: 'sent', message: /** @type {any} */ ({ type: 'join', room: 'tea', credential: 'hush' }) },
    { at, way: ['you', 'other-side'], label: 'media and chat: Direct', note: 'host ↔ host UDP', fate: 'delivered', message: null },
  ];

  it('are a text of aligned columns', () => {
    const [first = '', second = '', third = ''] = asText(entries, say).replaceAll(/^\d\d:\d\d:\d\d/gm, 'at').split('\n');
    assert.equal(first, 'at  You → Other side  candidate               host UDP 192.0.2.2:50592 (refused)');
    assert.equal(second, 'at  You → Server      join                    (not answered yet)');
    assert.equal(third, 'at  You → Other side  media and chat: Direct  host ↔ host UDP');
  });

  it('are a file of all that is known, without the secrets', () => {
    const rows = JSON.parse(asFile(entries));
    assert.deepEqual(rows[1], { at: '2026-11-28T09:00:00.000Z', from: 'you', to: 'server', label: 'join', note: '', fate: 'sent', message: { type: 'join', room: 'tea', credential: '…' } });
    assert.equal(rows.length, 3);
  });

  it('have a name that any system takes', () => {
    assert.equal(fileName(at), 'entremise-2026-11-28T09-00-00.json');
  });
});
