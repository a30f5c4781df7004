import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { lost } from '../../static/js/cause.js';
import { missingIn } from '../../static/js/page/abilities.js';
import { problemOf } from '../../static/js/page/device-request.js';
import { chooseLanguage, sayIn } from '../../static/js/page/language.js';
import { linkTo, peerInHash, peerInText, transportPolicyIn } from '../../static/js/page/share.js';
import { pageState, sentenceOf, toneOf, wordsOfPath } from '../../static/js/page/situation.js';
import { en, fr } from '../../static/js/page/words.js';

/** @import { Situation } from '../../static/js/page/situation.js' */

const say = sayIn('en');

/** @param {Partial<Situation>} fields @returns {Situation} */
function situation(fields) {
  const link = { state: /** @type {const} */ ('open'), cause: null, retryIn: null };
  return { link, hasFailed: false, call: null, ended: null, asking: false, notices: [], ...fields };
}

const offline = situation({ link: { state: 'waiting', cause: lost, retryIn: 2.1 }, hasFailed: true });

describe('the languages', () => {
  it('have words of their own for all that may keep a page from the server: no reason is English in French', async () => {
    const protocol = await readFile(new URL('../../docs/protocol.md', import.meta.url), 'utf8');
    const refusals = [...protocol.matchAll(/^\| [45]\d\d \| `([\w-]+)` \|/gm)].map(([, code]) => code);
    const cause = await readFile(new URL('../../static/js/cause.js', import.meta.url), 'utf8');
    const own = [...cause.matchAll(/\bcode: '([\w-]+)'/g)].map(([, code]) => code);
    // Told by causes of the client's own.
    const translated = [...cause.matchAll(/\['code'\] === '([\w-]+)'/g)].map(([, code]) => code);
    assert.ok(refusals.length > 6 && own.length > 15);
    for (const code of [...refusals, ...own].filter((code) => !translated.includes(code))) assert.ok(Object.hasOwn(fr, `cause-${code}`), code);
  });

  it('have words of their own for each way in which a call may end', async () => {
    /** @param {string} file @param {string} type */
    async function valuesOf(file, type) {
      const text = await readFile(new URL(`../../static/js/${file}`, import.meta.url), 'utf8');
      const [definition = ''] = new RegExp(`@typedef \\{[^}]*\\} ${type}\\b`).exec(text.replaceAll('(string & {})', '')) ?? [];
      return [...definition.matchAll(/'([\w-]+)'/g)].map(([, value]) => value);
    }
    const ofRooms = ['not-in-room', 'room-full', 'too-many-rooms', 'room-not-allowed'];
    const reasons = [
      ...(await valuesOf('end-reason.js', 'EndReason')), ...(await valuesOf('end-reason.js', 'NoPath')),
      ...(await valuesOf('protocol.js', 'ErrorCode')), ...(await valuesOf('signaling-error.js', 'ClientErrorCode')),
    ].filter((reason) => !ofRooms.includes(reason ?? ''));
    assert.ok(reasons.length > 25, String(reasons));
    for (const reason of reasons) assert.ok(Object.hasOwn(fr, `end-${reason}`), reason);
  });

  it('end their sentences alike, and name the same programs, switches and headers', () => {
    /** @param {string} text */
    const form = (text) => [
      /[.…]$/.exec(text)?.[0] ?? '',
      ...[...text.matchAll(/TURN|STUN|WebRTC|WebSockets?|RTCPeerConnection|https|connect-src|\?relay|Upgrade|Sec-WebSocket-Protocol|ws:/g)].map(String).sort(),
    ];
    for (const [phrase, text] of Object.entries(en)) assert.deepEqual(form(fr[/** @type {keyof typeof en} */ (phrase)]), form(text), phrase);
  });

  it('do not call a connection “live”: in French a picture that is “en direct” is one', () => {
    for (const [phrase, text] of Object.entries(fr)) assert.doesNotMatch(text, /\ben direct\b/i, phrase);
  });

  it('do not say that all goes directly: it may be relayed', () => {
    assert.doesNotMatch(`${en.tagline} ${fr.tagline}`, /direct/i);
  });

  it('say the same things', () => {
    assert.deepEqual(Object.keys(fr), Object.keys(en));
  });

  it('fill in the same values', () => {
    /** @param {string} text */
    const values = (text) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();
    for (const [phrase, text] of Object.entries(en)) assert.deepEqual(values(fr[/** @type {keyof typeof en} */ (phrase)]), values(text), phrase);
  });

  it('cover all that index.html asks for, and it asks for nothing else', async () => {
    const html = await readFile(new URL('../../static/index.html', import.meta.url), 'utf8');
    const asked = [...html.matchAll(/data-(?:say|label|hint)="([^"]*)"/g)].map(([, phrase]) => phrase ?? '');
    for (const phrase of asked) assert.ok(Object.hasOwn(en, phrase), phrase);
  });

  it('are chosen by the browser’s wishes, English being the last resort', () => {
    assert.equal(chooseLanguage(['fr-CH', 'en']), 'fr');
    assert.equal(chooseLanguage(['de', 'EN-gb', 'fr']), 'en');
    assert.equal(chooseLanguage(['de', 'constructor']), 'en');
    assert.equal(chooseLanguage([]), 'en');
  });
});

describe('index.html', async () => {
  const html = await readFile(new URL('../../static/index.html', import.meta.url), 'utf8');

  it('keeps to its own content security policy', () => {
    assert.doesNotMatch(html, /<script(?![^>]*\ssrc=)/);
    assert.doesNotMatch(html, /<style|\sstyle=|\son\w+=/);
  });

  it('works under a path prefix: all its addresses are relative', () => {
    for (const [, address] of html.matchAll(/(?:src|href)="([^"]*)"/g)) assert.doesNotMatch(address ?? '', /^\/|:/);
  });

  it('has what the page is driven by', () => {
    const ids = ['peer-id', 'remote-id', 'call', 'accept', 'decline', 'hang-up', 'local-video', 'remote-video', 'chat-log', 'chat-input', 'status', 'share-link'];
    for (const id of ids) assert.match(html, new RegExp(` id="${id}"`), id);
  });
});

describe('the hints in fields', async () => {
  const html = await readFile(new URL('../../static/index.html', import.meta.url), 'utf8');

  it('fit beside the button on a phone on its side, in each language', () => {
    // The chat has 250 px there, and its field 140 px for the text.
    const most = 14;
    const hints = [...html.matchAll(/data-hint="([^"]*)"/g)].map(([, phrase]) => /** @type {keyof typeof en} */ (phrase));
    assert.ok(hints.length > 0);
    for (const hint of hints) for (const text of [en[hint], fr[hint]]) assert.ok(text.length <= most, text);
  });
});

describe('what stands on a picture', async () => {
  const css = await readFile(new URL('../../static/style.css', import.meta.url), 'utf8');

  /** @param {string} rule @param {string} property @returns {string} */
  function declared(rule, property) {
    const [, body = ''] = new RegExp(`^${rule.replace('.', '\\.')} \\{([^}]*)\\}`, 'm').exec(css) ?? [];
    const [, value] = new RegExp(`(?:^|[\\s;])${property}: ([^;]+);`).exec(body) ?? [];
    assert.ok(value, `${rule} declares ${property}`);
    return value;
  }

  /** @param {string} color as `rgb(r g b / a%)`; over white, in 0 to 255 */
  function overWhite(color) {
    const [, channels = '', alpha = ''] = /^rgb\((\d+ \d+ \d+) \/ (\d+)%\)$/.exec(color) ?? [];
    assert.ok(alpha, color);
    return channels.split(' ').map((channel) => 255 + (Number(channel) - 255) * Number(alpha) / 100);
  }

  /** WCAG 2.2, “relative luminance”. @param {number[]} channels */
  function luminance(channels) {
    const [red = 0, green = 0, blue = 0] = channels.map((channel) => channel / 255).map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  }

  /** WCAG 2.2, “contrast ratio”. @param {number[]} one @param {number[]} other */
  function contrast(one, other) {
    const [light = 0, dark = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  }

  it('is measured as WCAG measures', () => {
    assert.equal(contrast([0, 0, 0], [255, 255, 255]), 21);
    assert.equal(contrast([119, 119, 119], [255, 255, 255]).toFixed(2), '4.48');
  });

  it('can be read on the brightest one: 4.5 to 1 at least', () => {
    const icon = (/[\da-f]{6}/.exec(declared('.stage', 'color'))?.[0].match(/../g) ?? []).map((channel) => parseInt(channel, 16));
    for (const rule of ['.round', '.badge']) {
      const ratio = contrast(icon, overWhite(declared(rule, 'background')));
      assert.ok(ratio >= 4.5, `${rule}: ${ratio.toFixed(2)} to 1`);
    }
  });
});

describe('the state of the page', () => {
  it('is that of the call, if there is one', () => {
    /** @param {import('../../static/js/call.js').CallState} state */
    const during = (state) => pageState(situation({ call: { peer: 'b', state, parked: false } }));
    assert.deepEqual((/** @type {const} */ (['calling', 'ringing', 'connecting', 'connected'])).map(during), ['calling', 'ringing', 'in-call', 'in-call']);
  });

  it('is that of the connection otherwise', () => {
    assert.equal(pageState(situation({})), 'ready');
    assert.equal(pageState(offline), 'offline');
    assert.equal(pageState({ ...offline, hasFailed: false, link: { ...offline.link, state: 'connecting' } }), 'connecting');
  });

  it('stays offline while it tries again', () => {
    assert.equal(pageState({ ...offline, link: { ...offline.link, state: 'connecting' } }), 'offline');
  });
});

describe('the sentence of the page', () => {
  /** @param {import('../../static/js/end-reason.js').EndReason} reason @param {'caller' | 'callee'} [role] */
  const after = (reason, role = 'caller') => sentenceOf(situation({ ended: { peer: 'b', role, reason } }), say);

  it('says why a call ended', () => {
    assert.equal(after('peer-unavailable'), 'No one has this id.');
    assert.equal(after('declined'), 'The other side declined.');
    assert.equal(after('declined', 'callee'), 'You declined.');
    assert.equal(after('no-answer', 'callee'), 'You missed a call from b.');
    assert.equal(after('too-shy'), 'The call ended: too-shy.');
  });

  it('tells one who was there and is gone from an unknown id', () => {
    assert.equal(after('gone'), 'The other side is gone.');
    assert.equal(sentenceOf(situation({ ended: { peer: 'b', role: 'caller', reason: 'gone' } }), sayIn('fr')), 'L’autre n’est plus là.');
  });

  it('says why no path was found, and each reason in words of its own', () => {
    assert.match(after('no-relay'), /do not let each other through, and this server offers no relay \(TURN\)/);
    assert.match(after('needs-relay'), /\?relay.* offers none/);
    assert.match(after('relay-silent'), /did not answer\..* try another/);
    assert.match(after('no-path'), /not even through the relay/);
    assert.match(after('path-lost'), /was lost/);
  });

  it('says why there is no connection, and when the next try is', () => {
    assert.equal(sentenceOf(offline, say), 'No connection to the server: the connection was lost.');
    assert.equal(say('retry-in', { seconds: 3 }), 'Trying again in 3 s.');
  });

  it('uses the server’s own words for a cause that it does not know', () => {
    const cause = { ...lost, code: 'full-moon', message: 'the moon is full' };
    assert.match(sentenceOf({ ...offline, link: { ...offline.link, cause } }, say), /the moon is full/);
  });

  it('names a peer by the first letters of its id', () => {
    const call = { peer: '0e8b1b6a-4a7c-4d0e-9c1f-2f6f0c9d7a11', state: /** @type {const} */ ('ringing'), parked: false };
    assert.equal(sentenceOf(situation({ call }), say), '0e8b1b6a is calling you.');
  });

  it('adds what went wrong with the camera, and that the server is away', () => {
    const call = { peer: 'b', state: /** @type {const} */ ('connected'), parked: false };
    const all = sentenceOf({ ...offline, call, notices: ['camera-missing'] }, say);
    assert.equal(all, `In a call with b. ${en['also-offline']} ${en['camera-missing']}`);
  });
});

describe('the sentence of a call', () => {
  /** @param {Partial<Situation>} fields */
  const during = (fields) => situation({ call: { peer: 'b', state: 'connected', parked: false }, ...fields });

  it('says that signaling reconnects, while the page stays in the call', () => {
    for (const state of /** @type {const} */ (['waiting', 'connecting'])) {
      const cut = during({ link: { ...offline.link, state } });
      assert.equal(pageState(cut), 'in-call');
      assert.match(sentenceOf(cut, say), /^In a call with b. The signaling is reconnecting; the call goes on.$/);
      assert.match(sentenceOf(cut, sayIn('fr')), /La signalisation se reconnecte/);
      assert.equal(toneOf(cut), 'notice');
    }
  });

  it('says no more than that while no media flow', () => {
    const cut = during({ call: { peer: 'b', state: 'connecting', parked: false }, link: offline.link });
    assert.equal(sentenceOf(cut, say), 'Finding a way to b… The signaling is reconnecting.');
  });

  it('says that the other side reconnects', () => {
    const parked = during({ call: { peer: 'b', state: 'calling', parked: true } });
    assert.equal(sentenceOf(parked, say), `Calling b… ${en['also-parked']}`);
    assert.equal(toneOf(parked), 'notice');
  });
});

describe('the tone of the sentence', () => {
  /** @param {import('../../static/js/end-reason.js').EndReason} reason */
  const after = (reason) => toneOf(situation({ ended: { peer: 'b', role: 'caller', reason } }));
  /** @param {import('../../static/js/call.js').CallState} state */
  const during = (state) => situation({ call: { peer: 'b', state, parked: false } });

  it('is fine when all is ready, and in a call', () => {
    assert.equal(toneOf(situation({})), 'fine');
    assert.equal(toneOf(during('connected')), 'fine');
    assert.equal(toneOf(situation({ notices: ['copied'] })), 'fine');
  });

  it('is one of waiting while something is under way', () => {
    for (const state of /** @type {const} */ (['calling', 'ringing', 'connecting'])) assert.equal(toneOf(during(state)), 'waiting');
    assert.equal(toneOf(situation({ link: { state: 'connecting', cause: null, retryIn: null } })), 'waiting');
  });

  it('is a notice after a call that ended as calls do', () => {
    for (const reason of ['hung-up', 'remote-hung-up', 'canceled', 'declined', 'busy', 'no-answer']) assert.equal(after(reason), 'notice');
  });

  it('is a problem after one that broke, for a reason that is not known too', () => {
    for (const reason of ['peer-unavailable', 'gone', 'failed', 'no-relay', 'path-lost', 'timeout', 'too-shy']) assert.equal(after(reason), 'problem');
  });

  it('is a notice if a person has something to do, or the camera is blocked', () => {
    assert.equal(toneOf(situation({ notices: ['needs-id'] })), 'notice');
    assert.equal(toneOf({ ...during('connected'), notices: ['camera-blocked'] }), 'notice');
    assert.equal(toneOf({ ...during('connected'), link: offline.link }), 'notice');
  });

  it('is that of the gravest of all that is said', () => {
    assert.equal(toneOf(offline), 'problem');
    assert.equal(toneOf({ ...offline, ended: { peer: 'b', role: 'caller', reason: 'hung-up' } }), 'problem');
    assert.equal(toneOf(situation({ ended: { peer: 'b', role: 'caller', reason: 'gone' }, notices: ['camera-missing'] })), 'problem');
  });
});

describe('the path in words', () => {
  const path = { local: 'relay', remote: 'host', protocol: 'udp' };

  it('names what is spoken with the relay, where that is known', () => {
    assert.equal(wordsOfPath({ ...path, kind: 'turn', relayProtocol: 'tls' }, say), 'Relayed through TURN over TLS');
    assert.equal(wordsOfPath({ ...path, kind: 'turn', relayProtocol: null }, say), 'Relayed through TURN');
    assert.equal(wordsOfPath({ ...path, kind: 'stun', relayProtocol: null }, say), 'Direct, found through STUN');
  });
});

describe('the query of the page', () => {
  it('asks for the relay by ?relay, with or without a value', () => {
    for (const search of ['?relay', '?relay=1', '?a=b&relay']) assert.equal(transportPolicyIn(search), 'relay');
    for (const search of ['', '?', '?a=relay']) assert.equal(transportPolicyIn(search), 'all');
  });

  it('is not passed on by the share link', () => {
    assert.equal(linkTo('b', new URL('https://host/page?relay#call=c')), 'https://host/page#call=b');
  });
});

describe('a share link', () => {
  it('carries the id there and back, below any path', () => {
    const link = linkTo('an id/ü', { origin: 'https://host', pathname: '/prefix/' });
    assert.ok(link.startsWith('https://host/prefix/#call='));
    assert.equal(peerInHash(new URL(link).hash), 'an id/ü');
    assert.equal(peerInText(` ${link}\n`), 'an id/ü');
  });

  it('need not be one: an id alone will do', () => {
    assert.equal(peerInText('  b \n'), 'b');
    assert.equal(peerInHash('#chapter-2'), '');
  });

  it('of any length is cut', () => {
    assert.equal(peerInText('x'.repeat(1000)).length, 128);
    assert.equal(peerInHash(`#call=${'x'.repeat(1000)}`).length, 128);
  });
});

describe('a pasted text', () => {
  const id = '0e8b1b6a-4a7c-4d0e-9c1f-2f6f0c9d7a11';
  const link = `https://host:8443/#call=${id}`;

  it('is understood as people paste', () => {
    const pasted = [
      id, ` ${id}\n`, `"${id}"`, `“${id}”`, `« ${id} »`, `'${id}'`, `<${id}>`, `(${id})`, `${id}.`, `${id},`, `**${id}**`, `\`${id}\``, id.toUpperCase(),
      link, `<${link}>`, `"${link}"`, `${link}.`, `${link.toUpperCase()}`, `[call me](${link})`,
      `My id is ${id}, call me!`, `Call me: ${link}, thanks.`, `Rappelle-moi : ${link} !`, `id: ${id};`,
      `\u200b${id}\ufeff`, id.replaceAll('-', '\u2011'), `${id.slice(0, 20)}\n${id.slice(20)}`, `${link}&utm_source=mail`,
    ];
    for (const text of pasted) assert.equal(peerInText(text), id, text);
  });

  it('may be an id of another form: what stands around it is left out', () => {
    for (const text of ['my-id', ' "my-id" ', '<my-id>', 'my-id.', '`my-id`', 'https://host/#call=my-id.']) assert.equal(peerInText(text), 'my-id');
    assert.equal(peerInText('My-Id'), 'My-Id');
  });

  it('may be an id of socket.io, whatever it begins and ends with', () => {
    for (const text of ['_1Ey8Yg3Bq0aAAAB-zZ_', '-Xy8Yg3Bq0aAAAB-zZ__']) {
      assert.equal(peerInText(` ${text}\n`), text);
      assert.equal(peerInHash(`#call=${text}`), text);
    }
  });

  it('takes the id of the link, and not of its host', () => {
    assert.equal(peerInText(`https://11111111-2222-4333-8444-555555555555.example.org/#call=${id}`), id);
  });

  it('of any length is read in no time', () => {
    const begin = performance.now();
    for (const text of [' '.repeat(1e6), '<'.repeat(1e6), '0'.repeat(1e6), '.'.repeat(1e6)]) peerInText(text);
    assert.ok(performance.now() - begin < 500);
  });
});

describe('what the browser lacks', () => {
  class Connection {
    createDataChannel() {}
  }
  /** @type {any} */
  const whole = { WebSocket: class {}, RTCPeerConnection: Connection, isSecureContext: true, navigator: { mediaDevices: { getUserMedia() {} } } };

  it('is named at load, each ability by itself', () => {
    assert.deepEqual(missingIn(whole), []);
    assert.deepEqual(missingIn({ ...whole, RTCPeerConnection: undefined }), ['no-webrtc']);
    assert.deepEqual(missingIn({ ...whole, RTCPeerConnection: class {} }), ['no-data-channel']);
    assert.deepEqual(missingIn({ ...whole, WebSocket: undefined }), ['no-websocket']);
    assert.deepEqual(missingIn({ ...whole, navigator: {} }), ['no-media-devices']);
    assert.deepEqual(missingIn({ ...whole, isSecureContext: false, navigator: {} }), ['insecure-page']);
  });

  it('is said instead of “ready”, if there can be no call', () => {
    const unable = situation({ missing: ['no-webrtc'] });
    assert.equal(sentenceOf(unable, say), en['no-webrtc']);
    assert.equal(toneOf(unable), 'problem');
  });

  it('is said beside it, if there can', () => {
    const limited = situation({ missing: ['insecure-page'] });
    assert.equal(sentenceOf(limited, say), `${en['insecure-page']} ${en['state-ready']}`);
    assert.equal(toneOf(limited), 'notice');
  });
});

describe('a dead other side', () => {
  it('is said in the place of “in a call”, gravely', () => {
    const silent = situation({ call: { peer: 'b', state: 'connected', parked: false, silent: true } });
    assert.equal(sentenceOf(silent, say), 'Nothing comes from b any more: what you see is the last picture.');
    assert.equal(toneOf(silent), 'problem');
    assert.equal(pageState(silent), 'in-call');
  });
});

describe('an invitation', () => {
  it('is said in the place of “send your link”', () => {
    assert.equal(sentenceOf(situation({ invitation: 'b' }), say), 'Ready to call b.');
  });
});

describe('a camera that does not open', () => {
  it('is blocked, missing or taken', () => {
    assert.equal(problemOf('video', new DOMException('', 'NotAllowedError')), 'camera-blocked');
    assert.equal(problemOf('video', new DOMException('', 'NotReadableError')), 'camera-taken');
    assert.equal(problemOf('audio', new DOMException('', 'NotFoundError')), 'microphone-missing');
    assert.equal(problemOf('audio', new TypeError('mediaDevices is undefined')), 'microphone-missing');
  });

  it('does not keep a person from being heard: only where both devices are missing is it said that she receives only', () => {
    const ofOneDevice = Object.keys(en).filter((phrase) => /^(camera|microphone)-/.test(phrase));
    assert.ok(ofOneDevice.length > 5, String(ofOneDevice));
    for (const phrase of ofOneDevice) {
      assert.doesNotMatch(en[/** @type {keyof typeof en} */ (phrase)], /receive only/, phrase);
      assert.doesNotMatch(fr[/** @type {keyof typeof en} */ (phrase)], /recevez seulement/, phrase);
    }
  });
});
