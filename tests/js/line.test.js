/** What a line makes of peers that come, go, and come back under another id. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fakeStream } from './peers.js';
import { channelOf, connected, current, fail, inCall, packets, peer, twoPeers } from './scene.js';
import { settled } from './world.js';

/** @import { FakeSignaling } from './peers.js' */
/** @typedef {ReturnType<typeof peer>} Peer */

const OFFER = { type: 'offer', sdp: 'v=0\r\no=- 77 2 IN IP4 0.0.0.0\r\nm=audio 9\r\n' };

/** So many seconds, one after the other. @param {Peer} peer @param {number} seconds @param {(second: number) => void} [each] */
async function live({ world }, seconds, each = () => {}) {
  for (let second = 1; second <= seconds; second++) {
    each(second);
    await world.pass(1);
  }
}

/** Packets go on coming. @param {Peer} peer */
const flow = (peer) => (/** @type {number} */ second) => void (peer.world.connection.stats = packets(1000 + second));

describe('candidates before their offer', () => {
  it('are kept, and taken after it', async () => {
    const { signaling, a, b } = twoPeers();
    for (const candidate of ['candidate:1', 'candidate:2']) await a.endpoint.candidate('b', { candidate });
    await a.endpoint.offer('b', OFFER);
    await signaling.deliver();
    void current(b).accept(null);
    await signaling.deliver();
    assert.deepEqual(b.world.connection.candidates.map(({ candidate }) => candidate), ['candidate:1', 'candidate:2']);
  });

  it('are kept for seconds', async () => {
    const { signaling, a, b } = twoPeers();
    await a.endpoint.candidate('b', { candidate: 'candidate:1' });
    await signaling.deliver();
    await b.world.pass(10);
    await a.endpoint.offer('b', OFFER);
    await signaling.deliver();
    void current(b).accept(null);
    await signaling.deliver();
    assert.deepEqual(b.world.connection.candidates, []);
  });

  it('candidates before any offer are kept within bounds: of a few peers, a few of each', async () => {
    const { signaling, b } = twoPeers();
    for (let stranger = 0; stranger < 40; stranger++) {
      const { candidate } = signaling.endpoint(`stranger-${stranger}`);
      for (let i = 0; i < 100; i++) await candidate('b', { candidate: `candidate:${i}` });
    }
    await signaling.deliver();
    for (const [stranger, kept] of [[3, 32], [39, 0]]) {
      await signaling.endpoint(`stranger-${stranger}`).offer('b', { ...OFFER, sdp: OFFER.sdp.replace('77', `${stranger}`) });
      await signaling.deliver();
      void current(b).accept(null);
      await signaling.deliver();
      assert.equal(b.world.connection.candidates.length, kept);
      current(b).hangUp();
      await b.world.pass(1);
    }
  });
});

describe('a browser without WebRTC', () => {
  it('does not ring, and its caller hears that the call failed', async () => {
    const { signaling, a, b } = twoPeers();
    b.world.able = false;
    a.line.call('b', null);
    await signaling.deliver();
    assert.deepEqual([a.story, b.story], [['ended failed'], []]);
  });

  it('makes no call', async () => {
    const { signaling, a } = twoPeers();
    a.world.able = false;
    a.line.call('b', null);
    await signaling.deliver();
    assert.deepEqual([a.story, signaling.log], [['ended failed'], []]);
  });

  it('that finds it out when it accepts says so: the call failed on both sides', async () => {
    const { signaling, a, b } = twoPeers();
    a.line.call('b', null);
    await signaling.deliver();
    b.world.createConnection = () => {
      throw new Error('too many peer connections');
    };
    void current(b).accept(null);
    await signaling.deliver();
    assert.deepEqual([a.story.at(-1), b.story.at(-1)], ['ended failed', 'ended failed']);
  });

  it('or one that does not understand the other side’s description says so too', async () => {
    const { signaling, a, b } = twoPeers();
    a.line.call('b', null);
    await signaling.deliver();
    await b.endpoint.answer('a', { type: 'answer', sdp: 'broken' });
    await signaling.deliver();
    assert.deepEqual([a.story.at(-1), b.story.at(-1)], ['ended failed', 'ended failed']);
  });

  it('or without data channels calls all the same', async () => {
    const { signaling, a } = twoPeers();
    const { createConnection } = a.world;
    a.world.createConnection = (configuration) => Object.assign(createConnection(configuration), { createDataChannel: undefined });
    a.line.call('b', null);
    await signaling.deliver();
    assert.equal(signaling.count('offer'), 1);
  });
});

describe('a server that restarts', () => {
  /** In a call, both tell each other over its channel where they are now. @param {Awaited<ReturnType<typeof connected>>} peers */
  async function restart({ signaling, a, b }) {
    for (const each of [a, b]) channelOf(each).dispatchEvent(new Event('open'));
    signaling.restart(a.endpoint, b.endpoint);
    for (const [from, to] of /** @type {const} */ ([[a, b], [b, a]])) channelOf(to).receiveNote(channelOf(from).notes.at(-1));
    await settled();
  }

  it('in mid-call: each side tells its new id to the other, and the call goes on', async () => {
    const peers = await connected();
    /** @type {string[]} */
    const told = [];
    current(peers.a).on('peer', ({ peer }) => told.push(peer));
    await restart(peers);
    assert.deepEqual(told, ['b-anew']);
    assert.equal(current(peers.a).peer, 'b-anew');
    assert.equal(current(peers.b).peer, 'a-anew');
    assert.deepEqual(peers.a.story, ['connecting', 'connected']);
  });

  for (const side of /** @type {const} */ (['a', 'b'])) {
    it(`in mid-call: a path that is lost later is sought anew (${side})`, async () => {
      const peers = await connected();
      await restart(peers);
      await fail(peers[side]);
      await peers.signaling.deliver();
      assert.equal(peers[side].world.connection.restarts, 1);
      assert.equal(peers.signaling.count('answer'), 2);
      peers[side].world.connection.become('connected');
      for (const { line } of [peers.a, peers.b]) assert.equal(line.current?.state, 'connected');
    });
  }

  it('in mid-call, of which only one side has heard yet: its offer is known by the call that it names', async () => {
    const { signaling, a, b } = await connected();
    for (const each of [a, b]) channelOf(each).dispatchEvent(new Event('open'));
    signaling.restart(b.endpoint, a.endpoint);
    channelOf(b).receiveNote({ id: 'a-anew' });
    await fail(b);
    await signaling.deliver();
    assert.equal(current(a).peer, 'b-anew');
    assert.equal(signaling.count('answer'), 2);
    assert.equal(signaling.count('bye'), 0);
  });

  it('while it rings: both are told at once, and none accepts in vain', async () => {
    const { signaling, a, b } = twoPeers();
    a.line.call('b', null);
    await signaling.deliver();
    signaling.restart(a.endpoint, b.endpoint);
    await settled();
    assert.deepEqual([a.story, b.story], [['ended session-lost'], ['a rings', 'ended session-lost']]);
  });

  it('while it rings, for one side alone: the other is told by it', async () => {
    for (const side of /** @type {const} */ (['a', 'b'])) {
      const { signaling, ...peers } = twoPeers();
      peers.a.line.call('b', null);
      await signaling.deliver();
      const { endpoint } = peers[side];
      signaling.remove(side);
      endpoint.id = `${side}-anew`;
      endpoint.events.emit({ type: 'welcome', id: endpoint.id, resumed: false });
      await signaling.deliver();
      for (const { story } of [peers.a, peers.b]) assert.equal(story.at(-1), 'ended session-lost');
    }
  });

  it('but keeps the id, as a cluster does, changes nothing', async () => {
    const { signaling, a } = twoPeers();
    a.line.call('b', null);
    await signaling.deliver();
    a.endpoint.events.emit({ type: 'welcome', id: 'a', resumed: false });
    assert.equal(current(a).state, 'calling');
  });
});

describe('the name of a call', () => {
  it('keeps an offer within a call that is over from ringing: its sender is told that it is over', async () => {
    const { signaling, a, b } = await connected();
    b.line.close();
    await signaling.deliver();
    const late = peer(signaling, 'b');
    await a.endpoint.offer('b', { ...a.world.connection.localDescription, call: '12345' });
    await signaling.deliver();
    assert.deepEqual(late.story, []);
    assert.equal(signaling.log.at(-1), 'b→a bye');
  });

  it('is known to no third party: its offer, answer and bye do nothing', async () => {
    const { signaling, a } = await connected();
    const c = signaling.endpoint('c');
    await c.offer('a', { ...OFFER, call: '77' });
    await c.bye('a', { call: '77' });
    await signaling.deliver();
    assert.equal(current(a).state, 'connected');
    assert.equal(current(a).peer, 'b');
  });

  it('does not let the peer put a third party into the call: what that says is of another connection', async () => {
    const { signaling, a } = await connected();
    channelOf(a).receiveNote({ id: 'c' });
    const c = signaling.endpoint('c');
    await c.answer('a', OFFER);
    await signaling.deliver();
    assert.equal(a.world.connection.remoteDescription.type, 'answer');
    await c.offer('a', OFFER);
    await signaling.deliver();
    assert.deepEqual(a.story.slice(-2), ['ended remote-hung-up', 'c rings']);
    assert.equal(a.world.connections.length, 1);
  });

  it('is not needed by a peer that calls anew without a word: its old call is over, and the new one rings', async () => {
    const { signaling, a, b } = await connected();
    await a.endpoint.offer('b', OFFER);
    await signaling.deliver();
    assert.deepEqual(b.story.slice(-2), ['ended remote-hung-up', 'a rings']);
  });
});

describe('a dead other side', () => {
  /** @param {Awaited<ReturnType<typeof connected>>} peers */
  function listen({ a }) {
    /** @type {boolean[]} */
    const told = [];
    current(a).on('silent', ({ silent }) => told.push(silent));
    return told;
  }

  it('is said within 5 s, and so is its return', async () => {
    const peers = await connected();
    const told = listen(peers);
    channelOf(peers.a).receiveNote({});
    await live(peers.a, 10, flow(peers.a));
    assert.deepEqual(told, []);
    await live(peers.a, 4);
    assert.deepEqual(told, [true]);
    await live(peers.a, 1, flow(peers.a));
    assert.deepEqual(told, [true, false]);
    assert.equal(current(peers.a).state, 'connected');
  });

  it('is not taken for one whose program is silent and whose media come', async () => {
    const peers = await connected();
    const told = listen(peers);
    channelOf(peers.a).receiveNote({});
    await live(peers.a, 30, flow(peers.a));
    assert.deepEqual(told, []);
  });

  it('that never told that it is there has the time that browsers take', async () => {
    const peers = await connected();
    const told = listen(peers);
    await live(peers.a, 7);
    assert.deepEqual(told, []);
    await live(peers.a, 2);
    assert.deepEqual(told, [true]);
  });

  it('hears that this side is there, every second', async () => {
    const { a } = await connected();
    channelOf(a).dispatchEvent(new Event('open'));
    await live(a, 5);
    assert.equal(channelOf(a).beats.length, 5);
  });

  it('that hears the sound of this side is told nothing besides: on a path that is lost it would cost Firefox the call', async () => {
    const { a } = await connected();
    channelOf(a).dispatchEvent(new Event('open'));
    const track = { kind: 'audio', readyState: 'live', muted: false };
    a.world.connection.transceivers.push({ sender: { track }, currentDirection: 'sendrecv' });
    await live(a, 5, flow(a));
    assert.equal(channelOf(a).beats.length, 0);
    for (const lost of [{ muted: true }, { muted: false, readyState: 'ended' }, { kind: 'video', readyState: 'live' }]) {
      const before = channelOf(a).beats.length;
      Object.assign(track, lost);
      await live(a, 2, flow(a));
      assert.equal(channelOf(a).beats.length, before + 2, JSON.stringify(lost));
    }
  });

  it('is told nothing more while nothing comes, so that nothing piles up on a dead path', async () => {
    const { a } = await connected();
    channelOf(a).dispatchEvent(new Event('open'));
    await live(a, 30);
    assert.equal(channelOf(a).beats.length, 9);
    await live(a, 5, flow(a));
    assert.equal(channelOf(a).beats.length, 13);
  });

  it('is not looked at any more once the call is over', async () => {
    const { a } = await connected();
    current(a).hangUp();
    await a.world.pass(10);
    assert.equal(a.world.pending, 0);
  });
});

describe('a caller who finds the line taken', () => {
  /** A call whose other side has died, if it is to have done so. @param {(signaling: FakeSignaling) => void} fate of b */
  async function calledMeanwhile(fate) {
    const { signaling, a } = await connected();
    channelOf(a).receiveNote({});
    fate(signaling);
    const c = peer(signaling, 'c');
    c.line.call('a', null);
    await signaling.deliver();
    return { signaling, a, c };
  }

  /** @type {[string, (signaling: FakeSignaling) => void][]} */
  const ghosts = [
    ['whose session is over', (signaling) => signaling.remove('b')],
    ['that waits for its connection', (signaling) => void signaling.parked.add('b')],
  ];
  for (const [name, fate] of ghosts) {
    it(`by a ghost ${name} gets through as soon as that is known: nothing comes from it`, async () => {
      const { signaling, a, c } = await calledMeanwhile(fate);
      assert.deepEqual(c.story, []);
      await live(a, 4);
      await signaling.deliver();
      assert.deepEqual(a.story.slice(-2), ['ended gone', 'c rings']);
      void current(a).accept(null);
      await signaling.deliver();
      assert.equal(current(c).state, 'connecting');
    });

    it(`by a peer ${name} hears that it is busy, if media come from it`, async () => {
      const { signaling, a, c } = await calledMeanwhile(fate);
      await live(a, 3, flow(a));
      await signaling.deliver();
      assert.deepEqual(c.story, ['ended busy']);
      assert.equal(current(a).peer, 'b');
    });
  }

  it('by a ghost that has spoken since the last beat, and died, gets through all the same', async () => {
    const { signaling, a } = await connected();
    channelOf(a).receiveNote({});
    await live(a, 3, flow(a));
    flow(a)(4);
    signaling.parked.add('b');
    const c = peer(signaling, 'c');
    c.line.call('a', null);
    await signaling.deliver();
    await live(a, 4);
    await signaling.deliver();
    assert.deepEqual(a.story.slice(-2), ['ended gone', 'c rings']);
  });

  it('and gives up meanwhile does not ring afterwards', async () => {
    const { signaling, a, c } = await calledMeanwhile((signaling) => signaling.remove('b'));
    current(c).hangUp();
    await signaling.deliver();
    await live(a, 4);
    assert.equal(a.line.current, null);
  });

  it('while another waits hears at once that it is busy', async () => {
    const { signaling, c } = await calledMeanwhile((signaling) => signaling.remove('b'));
    const d = peer(signaling, 'd');
    d.line.call('a', null);
    await signaling.deliver();
    assert.deepEqual([c.story, d.story], [[], ['ended busy']]);
  });

  it('of a line that is closed meanwhile does not ring', async () => {
    const { signaling, a } = await calledMeanwhile((signaling) => signaling.remove('b'));
    a.line.close();
    await signaling.deliver();
    await live(a, 4);
    assert.equal(a.line.current, null);
  });
});

describe('calling one of several', () => {
  const media = () => fakeStream('audio');

  it('calls the first that is there and takes the call', async () => {
    const { signaling, a, b } = twoPeers();
    signaling.endpoint('ghost');
    signaling.parked.add('ghost');
    b.line.on('incoming', ({ call }) => void call.accept(null));
    const called = a.line.callOneOf(['absent', 'ghost', 'b'], media);
    await signaling.deliver();
    assert.equal((await called)?.peer, 'b');
    assert.equal(current(a).state, 'connecting');
  });

  it('leaves one without a connection ringing, if there is no better, and gives way to any that comes', async () => {
    const { signaling, a, b } = twoPeers();
    signaling.endpoint('ghost');
    signaling.parked.add('ghost');
    const called = a.line.callOneOf(['ghost'], media);
    await signaling.deliver();
    assert.equal((await called)?.state, 'calling');
    b.line.call('a', null);
    await signaling.deliver();
    assert.equal(current(a).peer, 'b');
    assert.equal(current(a).state, 'ringing');
  });

  it('gives way also while the server has not said yet that it is still without', async () => {
    const { signaling, a, b } = twoPeers();
    signaling.endpoint('ghost');
    signaling.parked.add('ghost');
    a.line.on('call', () => {
      if (signaling.count('bye')) a.endpoint.offer = a.endpoint.candidate = () => new Promise(() => {});
    });
    void a.line.callOneOf(['ghost'], media);
    await signaling.deliver();
    assert.equal(current(a).isParked, false);
    b.line.call('a', null);
    await signaling.deliver();
    assert.deepEqual([current(a).peer, current(a).state], ['b', 'ringing']);
  });

  it('two that find nothing but a ghost, one after the other, meet', async () => {
    const { signaling, a, b } = twoPeers();
    signaling.endpoint('ghost');
    signaling.parked.add('ghost');
    for (const { line } of [a, b]) line.on('incoming', ({ call }) => void call.accept(null));
    void a.line.callOneOf(['ghost'], media);
    await signaling.deliver();
    void b.line.callOneOf(['ghost', 'a'], media);
    await signaling.deliver();
    assert.deepEqual([current(a).peer, current(b).peer], ['b', 'a']);
    assert.deepEqual([current(a).state, current(b).state], ['connecting', 'connecting']);
  });

  it('two that come at the same time, where all others are busy, meet', async () => {
    const { signaling } = await inCall();
    const [c, d] = /** @type {const} */ (['c', 'd']).map((id) => peer(signaling, id));
    assert.ok(c && d);
    for (const { line } of [c, d]) line.on('incoming', ({ call }) => void call.accept(null));
    const called = [c.line.callOneOf(['a', 'b'], media), d.line.callOneOf(['c', 'a', 'b'], media)];
    for (let round = 0; round < 5; round++) await signaling.deliver();
    assert.deepEqual([current(c).peer, current(d).peer], ['d', 'c']);
    assert.deepEqual([current(c).state, current(d).state], ['connecting', 'connecting']);
    assert.equal((await Promise.all(called)).filter(Boolean).length, 1);
  });

  it('calls those back that called meanwhile, sixteen at most, and none that called before', async () => {
    const { signaling, a, b } = twoPeers();
    /** @param {string} name */
    const call = async (name) => {
      const { offer } = signaling.endpoint(name);
      await offer('a', OFFER);
      await signaling.deliver();
      signaling.remove(name);
    };
    a.line.call('b', null);
    await call('before');
    current(a).hangUp();

    const called = a.line.callOneOf(['b'], media);
    for (let number = 0; number < 40; number++) await call(`caller-${number}`);
    signaling.log = [];
    current(b).hangUp();
    await signaling.deliver();
    assert.equal(await called, null);
    assert.deepEqual(signaling.log.filter((line) => line.endsWith(' offer')), Array.from({ length: 16 }, (_, number) => `a→caller-${number} offer`));
  });

  it('asks for the camera once, and not at all where no peer is', async () => {
    const { signaling, a } = twoPeers();
    let asked = 0;
    const counted = () => (asked++, fakeStream('audio'));
    assert.equal(await a.line.callOneOf([], counted), null);
    assert.equal(asked, 0);
    const called = a.line.callOneOf(['x', 'y', 'z'], counted);
    await signaling.deliver();
    assert.equal(await called, null);
    assert.equal(asked, 1);
  });

  it('is over when its person hangs up, and does not take a line that is taken', async () => {
    const { signaling, a } = twoPeers();
    const called = a.line.callOneOf(['b', 'absent'], media);
    await signaling.deliver();
    current(a).hangUp();
    assert.equal(await called, null);
    const call = a.line.call('b', null);
    assert.equal(await a.line.callOneOf(['absent'], media), call);
  });
});

describe('a page that is left', () => {
  it('hangs up', async () => {
    const { signaling, a, b } = await connected();
    b.world.page.dispatchEvent(new Event('pagehide'));
    await signaling.deliver();
    assert.equal(a.story.at(-1), 'ended remote-hung-up');
  });

  it('is none of a line’s that is closed', async () => {
    const { a } = await connected();
    a.line.close();
    a.line.call('b', null);
    a.world.page.dispatchEvent(new Event('pagehide'));
    assert.equal(current(a).state, 'calling');
  });
});

describe('what a side sends', () => {
  it('is told to the other when the channel opens, and when it changes', async () => {
    const { a, b } = await inCall();
    /** @type {any[]} */
    const told = [];
    current(b).on('media', ({ media }) => told.push(media));
    current(a).describeMedia({ audio: true, video: true });
    channelOf(a).dispatchEvent(new Event('open'));
    current(a).describeMedia({ audio: false, video: true });
    for (const note of channelOf(a).notes) channelOf(b).receiveNote(note);
    assert.deepEqual(told, [{ audio: true, video: true }, { audio: false, video: true }]);
  });

  it('is replaced without negotiation', async () => {
    const { signaling, a } = twoPeers();
    a.line.call('b', fakeStream('audio', 'video'));
    await signaling.deliver();
    await current(a).replaceTrack('video', null);
    const tracks = () => a.world.connection.transceivers.map(({ sender }) => sender.track?.kind ?? null);
    assert.deepEqual(tracks(), ['audio', null]);
    await current(a).replaceTrack('video', fakeStream('video').getTracks()[0] ?? null);
    assert.deepEqual(tracks(), ['audio', 'video']);
    assert.equal(signaling.count('offer'), 1);
  });

  it('as a note is a known one, of bounded length, or none', async () => {
    const { a } = await connected();
    /** @type {any[]} */
    const told = [];
    for (const type of /** @type {const} */ (['media', 'peer', 'chat'])) current(a).on(type, (event) => told.push(event));
    for (const note of [{ id: 7 }, { id: '' }, { id: 'x'.repeat(129) }, { media: 'on' }, [], null, { id: 'c', pad: 'x'.repeat(2000) }]) {
      channelOf(a).receiveNote(/** @type {any} */ (note));
    }
    channelOf(a).receive(new ArrayBuffer(8));
    assert.deepEqual(told, []);
  });
});
