/** Another track in mid-call, whichever way the call began; and what the other side is told of it. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bytesOfNote, noteIn } from '../../static/js/note.js';
import { fakeStream } from './peers.js';
import { connected, current, twoPeers } from './scene.js';

const camera = () => fakeStream('video').getTracks()[0] ?? null;

describe('a picture in a call that began without one', () => {
  it('of the caller’s is negotiated, and seen by the other side', async () => {
    const { signaling, a, b } = await connected();
    const before = signaling.count('offer');
    await current(a).replaceTrack('video', camera());
    const video = a.world.connection.transceivers.find(({ kind }) => kind === 'video');
    assert.equal(video.direction, 'sendrecv');
    a.world.connection.need();
    await signaling.deliver();
    assert.equal(signaling.count('offer'), before + 1);
    assert.equal(b.world.connection.signalingState, 'stable');
    assert.equal(current(a).state, 'connected');
  });

  it('needs no second negotiation when it is taken away and comes back', async () => {
    const { a } = await connected();
    const video = a.world.connection.transceivers.find(({ kind }) => kind === 'video');
    let changes = 0;
    let direction = video.direction;
    Object.defineProperty(video, 'direction', { get: () => direction, set: (value) => void (changes += value === direction ? 0 : 1, direction = value) });
    for (const track of [camera(), null, camera(), null]) await current(a).replaceTrack('video', track);
    assert.equal(changes, 1);
  });

  it('to a side that asked for sound alone gets a section of its own', async () => {
    const { signaling, a } = twoPeers();
    a.line.call('b', null);
    await signaling.deliver();
    const { transceivers } = a.world.connection;
    transceivers.splice(transceivers.findIndex(({ kind }) => kind === 'video'), 1);
    await current(a).replaceTrack('video', null);
    assert.equal(transceivers.length, 1);
    await current(a).replaceTrack('video', camera());
    assert.deepEqual(transceivers.map(({ direction }) => direction), ['recvonly', 'sendrecv']);
  });
});

describe('what a side says of its picture', () => {
  /** @param {any} media as it comes */
  const heard = (media) => noteIn(bytesOfNote({ media }).buffer)?.media;

  it('is that it is a screen, in so many words', () => {
    assert.deepEqual(heard({ audio: true, video: true, screen: true }), { audio: true, video: true, screen: true });
  });

  it('is that of a camera in all other words, and a picture that is not there is no screen', () => {
    for (const screen of [1, 'true', {}, null, false]) assert.deepEqual(heard({ audio: true, video: true, screen }), { audio: true, video: true });
    assert.deepEqual(heard({ audio: true, video: false, screen: true }), { audio: true, video: false });
  });
});
