/** Rooms: who calls whom, and what becomes of calls as members come, go, and come back under another id. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Line } from '../../static/js/line.js';
import { Room } from '../../static/js/room.js';
import { FakeCallWorld, fakeStream, FakeSignaling } from './peers.js';
import { settled } from './world.js';

/** @typedef {ReturnType<typeof memberOf>} Person */

/** @param {FakeSignaling} signaling @param {string} id @param {{ most?: number, maxBitrate?: number | undefined, media?: () => MediaStream }} [options] */
function memberOf(signaling, id, options = {}) {
  const world = new FakeCallWorld();
  const endpoint = signaling.endpoint(id);
  const room = new Room(/** @type {any} */ (endpoint), 'den', { world, ...options });
  /** @type {string[]} */
  const story = [];
  room.on('state', ({ state, reason }) => story.push(reason ? `${state} ${reason}` : state));
  return { world, endpoint, room, story };
}

/** They enter one after the other, and are connected with each other. @param {...string} ids */
async function gathered(...ids) {
  const signaling = new FakeSignaling();
  const people = ids.map((id) => memberOf(signaling, id));
  for (const { room } of people) {
    await room.enter();
    await signaling.deliver();
  }
  connectAll(people);
  return { signaling, people };
}

/** @param {Person[]} people */
function connectAll(people) {
  for (const { world } of people) for (const connection of world.connections) if (!connection.closed) connection.become('connected');
}

/** Their programs' channels are open. @param {Person[]} people */
function openChannels(people) {
  for (const { world } of people) for (const { channels } of world.connections) channels[0]?.dispatchEvent(new Event('open'));
}

/** @param {Person} person */
const partners = ({ room }) => room.calls.map(({ peer, state }) => `${peer} ${state}`);
/** @param {Person} person */
const alive = ({ world }) => world.connections.filter(({ closed }) => !closed).length;

/** What each side has noted on its first channel is heard by the other side of that call. @param {Person[]} people */
function passNotes(people) {
  const connections = people.flatMap(({ world }) => world.connections);
  for (const connection of connections) {
    const other = connections.find((each) => each.localDescription?.sdp === connection.remoteDescription?.sdp);
    for (const note of connection.channels[0]?.notes ?? []) other?.channels[0]?.receiveNote(note);
    connection.channels[0]?.sent.splice(0);
  }
}

describe('a room', () => {
  for (const [maxBitrate, expected] of /** @type {const} */ ([[undefined, 500_000], [200_000, 200_000]])) {
    it(`lets each picture have ${expected} bits per second, one that comes later too, and sound what it needs`, async () => {
      const signaling = new FakeSignaling();
      const media = () => fakeStream('audio', 'video');
      const people = [memberOf(signaling, 'a', { media, maxBitrate }), memberOf(signaling, 'b', { maxBitrate })];
      for (const { room } of people) {
        await room.enter();
        await signaling.deliver();
      }
      connectAll(people);
      await people[1]?.room.calls[0]?.replaceTrack('video', fakeStream('video').getTracks()[0] ?? null);
      await settled();
      const limits = people.map(({ world }) => world.connection.transceivers.map(({ sender }) => [sender.track?.kind, sender.parameters.encodings[0]?.maxBitrate]));
      assert.deepEqual(limits, [[['audio', undefined], ['video', expected]], [[undefined, undefined], ['video', expected]]]);
    });
  }

  it('connects each member with each other one, and no offer crosses another', async () => {
    const { signaling, people } = await gathered('a', 'b', 'c', 'd');
    assert.deepEqual(people.map(partners), [
      ['b connected', 'c connected', 'd connected'],
      ['a connected', 'c connected', 'd connected'],
      ['a connected', 'b connected', 'd connected'],
      ['a connected', 'b connected', 'c connected'],
    ]);
    assert.equal(signaling.count('offer'), 6);
    assert.deepEqual(people.map(({ world }) => world.connections.length), [3, 3, 3, 3]);
  });

  it('tells of its members in the order in which they came', async () => {
    const { people: [a, b, c] } = await gathered('a', 'b', 'c');
    assert.deepEqual([a?.room.members, b?.room.members, c?.room.members], [['b', 'c'], ['a', 'c'], ['a', 'b']]);
  });

  it('that is full takes no more, and says so', async () => {
    const signaling = new FakeSignaling();
    const people = ['a', 'b', 'c', 'd'].map((id) => memberOf(signaling, id, { most: 3 }));
    for (const { room } of people.slice(0, 3)) await room.enter();
    const [, , , late] = people;
    await assert.rejects(async () => late?.room.enter(), { code: 'room-full' });
    await signaling.deliver();
    assert.deepEqual(late?.story, ['entering', 'outside room-full']);
    assert.deepEqual(people.map(({ room }) => room.members.length), [2, 2, 2, 0]);
    people[1]?.room.leave();
    await signaling.deliver();
    await late?.room.enter();
    await signaling.deliver();
    assert.deepEqual(people.map(({ room }) => room.members), [['c', 'd'], [], ['a', 'd'], ['a', 'c']]);
  });

  it('is for its members: another one that calls within it is told that it is busy', async () => {
    const { signaling, people: [a] } = await gathered('a', 'b');
    const stranger = signaling.endpoint('x');
    /** @type {any[]} */
    const heard = [];
    stranger.on('bye', (message) => heard.push(message));
    await stranger.offer('a', { type: 'offer', sdp: 'v=0\r\no=- 99 2 IN IP4 0.0.0.0\r\n', room: 'den' });
    await signaling.deliver();
    assert.deepEqual(heard, [{ type: 'bye', from: 'a', bye: { reason: 'busy', room: 'den' } }]);
    assert.deepEqual(a?.room.members, ['b']);
  });

  it('holds no more members than it takes, however many the server names', async () => {
    const { signaling, people: [a] } = await gathered('a', 'b');
    for (let id = 0; id < 1000; id++) signaling.join(`x${id}`, 'den');
    await signaling.deliver();
    assert.equal(a?.room.members.length, 5);
  });

  it('members that call without end are told that it is busy', async () => {
    const { signaling, people: [a, b] } = await gathered('a', 'b');
    assert.ok(a && b);
    /** @type {any[]} */
    const byes = [];
    b.endpoint.on('bye', ({ bye }) => byes.push(bye));
    for (let session = 1000; session < 1200; session++) {
      await b.endpoint.offer('a', { type: 'offer', sdp: `v=0\r\no=- ${session} 2 IN IP4 0.0.0.0\r\n`, room: 'den' });
      await b.endpoint.bye('a', { room: 'den' });
      await signaling.deliver();
    }
    assert.ok(a.world.connections.length <= 32, `${a.world.connections.length} connections`);
    assert.ok(byes.filter(({ reason }) => reason === 'busy').length > 100);
    await a.world.pass(30);
    await b.endpoint.offer('a', { type: 'offer', sdp: 'v=0\r\no=- 5000 2 IN IP4 0.0.0.0\r\n', room: 'den' });
    await signaling.deliver();
    assert.deepEqual(partners(a), ['b connecting'], 'and later they are taken again');
  });

  it('and a line are two things: a call in one is none of the other', async () => {
    const { signaling, people: [a, b] } = await gathered('a', 'b');
    assert.ok(a && b);
    const lines = [a, b].map(({ endpoint, world }) => new Line(endpoint, { world }));
    lines[0]?.call('b', null);
    await signaling.deliver();
    assert.deepEqual(lines.map((line) => line.current?.state), ['calling', 'ringing']);
    lines[1]?.current?.decline();
    await signaling.deliver();
    assert.deepEqual([...lines.map((line) => line.current), partners(a), partners(b)], [null, null, ['b connected'], ['a connected']]);
  });

  it('is left by a page that is closed, and the others hear of it', async () => {
    const { signaling, people: [a, b] } = await gathered('a', 'b');
    a?.world.page.dispatchEvent(new Event('pagehide'));
    await signaling.deliver();
    assert.deepEqual([a?.room.state, b?.room.members, b && alive(b)], ['outside', [], 0]);
  });

  it('says who is there no more once it is left, and can be entered again', async () => {
    const { signaling, people: [a, b] } = await gathered('a', 'b');
    assert.ok(a && b);
    a.room.leave();
    await signaling.deliver();
    assert.deepEqual([a, b].map(({ room }) => room.members), [[], []]);
    await a.room.enter();
    await signaling.deliver();
    assert.deepEqual([partners(a), partners(b)], [['b connecting'], ['a connecting']]);
    assert.equal(a.world.pending, 1);
  });

  it('carries chat to all that are connected', async () => {
    const { people: [a] } = await gathered('a', 'b', 'c');
    assert.equal(a?.room.chat('hello'), true);
    assert.deepEqual(a?.world.connections.map(({ channels }) => channels[0]?.sent), [['hello'], ['hello']]);
    const alone = memberOf(new FakeSignaling(), 'z');
    assert.equal(alone.room.chat('hello'), false);
  });
});

describe('a call in a room that fails', () => {
  it('is made again by the side that made it, later each time, and not for ever', async () => {
    const { signaling, people: [a, b] } = await gathered('a', 'b');
    assert.ok(a && b);
    signaling.log.length = 0;
    for (let round = 0; round < 20; round++) {
      b.room.calls[0]?.decline();
      for (const { world } of [a, b]) if (!world.connection.closed) world.connection.become('failed');
      await b.world.pass(60);
      await a.world.pass(60);
      await signaling.deliver();
    }
    const made = b.world.connections.length;
    assert.ok(made > 3 && made <= 10, `${made}`);
    assert.deepEqual(a.room.members, ['b']);
  });

  it('is over where its member leaves', async () => {
    const { signaling, people: [a, b] } = await gathered('a', 'b');
    signaling.remove('b');
    await signaling.deliver();
    for (let second = 0; second < 10; second++) await a?.world.pass(1);
    assert.deepEqual([a?.room.members, a && alive(a)], [[], 0]);
    assert.ok(b);
  });
});

describe('after the server has been restarted', () => {
  it('members keep their calls, each being told the other’s new id over it', async () => {
    const { signaling, people } = await gathered('a', 'b', 'c');
    openChannels(people);
    passNotes(people);
    signaling.restart(...people.map(({ endpoint }) => endpoint));
    passNotes(people);
    await signaling.deliver();
    for (const { world } of people) await world.pass(3);
    await signaling.deliver();
    assert.deepEqual(people.map(partners), [
      ['b-anew connected', 'c-anew connected'],
      ['a-anew connected', 'c-anew connected'],
      ['a-anew connected', 'b-anew connected'],
    ]);
    assert.deepEqual(people.map(({ world }) => world.connections.length), [2, 2, 2]);
  });

  it('a member’s new id is told by its call first, and then by the room: who shows members knows it again', async () => {
    const { people } = await gathered('a', 'b');
    openChannels(people);
    const [a] = people;
    assert.ok(a);
    /** @type {string[]} */
    const story = [];
    a.room.calls[0]?.on('peer', ({ peer }) => story.push(`call ${peer}`));
    a.room.on('members', ({ members }) => story.push(`room ${members}`));
    a.world.connections[0]?.channels[0]?.receiveNote({ id: 'b-anew' });
    await settled();
    assert.deepEqual(story, ['call b-anew', 'room b-anew']);
  });

  it('those who tell no new id are called anew, and end as one member', async () => {
    const { signaling, people } = await gathered('a', 'b');
    signaling.restart(...people.map(({ endpoint }) => endpoint));
    await signaling.deliver();
    for (const { world } of people) await world.pass(3);
    await signaling.deliver();
    for (const { world } of people) {
      world.connections[0]?.become('failed');
      world.connections[1]?.become('connected');
      for (let second = 0; second < 120; second++) await world.pass(1);
    }
    await signaling.deliver();
    assert.deepEqual(people.map(partners), [['b-anew connected'], ['a-anew connected']]);
  });

  it('a room that can’t be entered at the moment is tried again, and its calls go on', async () => {
    const { signaling, people } = await gathered('a', 'b');
    openChannels(people);
    passNotes(people);
    const [a] = people;
    assert.ok(a);
    const join = a.endpoint.join;
    a.endpoint.join = () => Promise.reject(Object.assign(new Error('later'), { code: 'cluster-unavailable' }));
    signaling.restart(...people.map(({ endpoint }) => endpoint));
    passNotes(people);
    await signaling.deliver();
    assert.deepEqual([a.room.state, partners(a)], ['inside', ['b-anew connected']]);
    a.endpoint.join = join;
    for (const { world } of people) for (let second = 0; second < 6; second++) await world.pass(1);
    await signaling.deliver();
    assert.deepEqual(people.map(({ room }) => room.members), [['b-anew'], ['a-anew']]);
    assert.deepEqual(people.map(({ world }) => world.connections.length), [1, 1]);
  });

  it('a member that came back in no time is one, and not two', async () => {
    const { signaling, people: [a, b] } = await gathered('a', 'b');
    assert.ok(a && b);
    signaling.remove('b');
    const again = memberOf(signaling, 'b2');
    await again.room.enter();
    await signaling.deliver();
    for (let second = 0; second < 10; second++) await a.world.pass(1);
    await signaling.deliver();
    assert.deepEqual(a.room.members, ['b2']);
  });
});

describe('entering', () => {
  it('says why not, where the server refuses', async () => {
    const { room, endpoint, story } = memberOf(new FakeSignaling(), 'a');
    endpoint.join = () => Promise.reject(Object.assign(new Error('no'), { code: 'room-not-allowed' }));
    await assert.rejects(room.enter(), { code: 'room-not-allowed' });
    assert.deepEqual(story, ['entering', 'outside room-not-allowed']);
    await settled();
  });
});
