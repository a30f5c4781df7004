import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { parseServerMessage, unreachable } from '../../static/js/protocol.js';

/** @param {string} name @returns {Promise<any[]>} */
async function vectors(name) {
  return JSON.parse(await readFile(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8'));
}

/** @param {object} message */
const parse = (message) => parseServerMessage(JSON.stringify(message));

describe('each frame of the server is understood', async () => {
  for (const { name, frame } of await vectors('server')) {
    it(name, () => assert.deepEqual(parseServerMessage(frame), JSON.parse(frame)));
  }
});

describe('the vectors', () => {
  it('have names that differ', async () => {
    for (const file of ['server', 'client']) {
      const names = (await vectors(file)).map(({ name }) => name);
      assert.equal(new Set(names).size, names.length);
    }
  });

  it('hold frames that JSON itself reads, where the server accepts them', async () => {
    for (const { name, frame, ok } of await vectors('client')) {
      if (!ok) continue;
      const message = JSON.parse(frame);
      assert.equal(message.type, ok.type, name);
      if (ok.to !== undefined) assert.equal(message.to, ok.to, name);
      if (ok.room !== undefined) assert.equal(message.room, ok.room, name);
      if (ok.payload !== undefined) assert.deepEqual(message[ok.type], JSON.parse(ok.payload), name);
      if (ok.ref !== undefined) assert.deepEqual(message.ref, JSON.parse(ok.ref), name);
    }
  });
});

describe('a client', () => {
  it('passes over a type that it does not know', () => {
    assert.equal(parse({ type: 'dance', from: 'a' }), null);
    assert.equal(parse({ type: 'toString' }), null);
    assert.equal(parse({ type: '__proto__' }), null);
  });

  it('passes over what is no message at all', () => {
    for (const text of ['', 'not json', 'null', '7', '"ack"', '[]', '["ack",1]', '{}', '{"type":null}']) {
      assert.equal(parseServerMessage(text), null, text);
    }
  });

  it('ignores fields that it does not know', () => {
    assert.deepEqual(parse({ type: 'ack', ref: 1, mood: 'good' }), { type: 'ack', ref: 1, mood: 'good' });
  });

  it('takes a welcome without a rate: there is no limit', () => {
    assert.ok(parse({ type: 'welcome', id: 'a', resumed: false, iceServers: [], heartbeat: 25, maxMessageBytes: 1 }));
  });

  it('takes an error with a code that it does not know', () => {
    assert.ok(parse({ type: 'error', code: 'too-shy', message: 'no' }));
  });

  it('passes over a message with a field missing or of the wrong kind', () => {
    const broken = [
      { type: 'offer', from: 'a' },
      { type: 'offer', offer: 1 },
      { type: 'message', from: 7, message: 1 },
      { type: 'joined', room: 'r', peers: 'a' },
      { type: 'joined', room: 'r', peers: [1] },
      { type: 'ack' },
      { type: 'ack', ref: null },
      { type: 'error', code: 'bad-message' },
      { type: 'ice-servers', iceServers: [{ url: 'stun:a' }] },
      { type: 'welcome', id: 'a', resumed: false, iceServers: [], heartbeat: 25 },
      { type: 'welcome', id: 'a', resumed: true, iceServers: [], heartbeat: 25, maxMessageBytes: 1, accepted: '7' },
    ];
    for (const message of broken) assert.equal(parse(message), null, JSON.stringify(message));
  });

  it('tells a payload of null from a missing one', () => {
    assert.ok(parse({ type: 'candidate', from: 'a', candidate: null }));
    assert.equal(parse({ type: 'candidate', from: 'a' }), null);
  });

  it('says which message it forgot', () => {
    assert.throws(() => unreachable(/** @type {never} */ (/** @type {unknown} */ ({ type: 'dance' }))), /dance/);
  });
});
