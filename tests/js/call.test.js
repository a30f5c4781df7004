import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fakeStream } from './peers.js';
import { channelOf, connected, current, fail, inCall, packets, peer, twoPeers } from './scene.js';
import { settled } from './world.js';

const stun = { urls: 'stun:host' };
const turn = { urls: ['turn:host?transport=udp', 'turns:host'], username: 'u', credential: 'c' };

describe('a call', () => {
  it('rings, is accepted, and connects', async () => {
    const { a, b } = await connected();
    assert.deepEqual(a.story, ['connecting', 'connected']);
    assert.deepEqual(b.story, ['a rings', 'connecting', 'connected']);
  });

  it('touches no RTCPeerConnection of the callee before she accepts', async () => {
    const { signaling, a, b } = twoPeers();
    a.line.call('b', null);
    await signaling.deliver();
    assert.equal(current(b).state, 'ringing');
    assert.equal(b.world.connections.length, 0);
  });

  it('uses the ICE servers that the signaling hands out', async () => {
    const { a, b } = await inCall();
    for (const { world } of [a, b]) assert.deepEqual(world.connection.configuration, { iceServers: [stun], iceTransportPolicy: 'all' });
  });

  it('to an unknown id ends at once, with that reason', async () => {
    const { signaling, a } = twoPeers();
    a.line.call('absent', null);
    await signaling.deliver();
    assert.deepEqual(a.story, ['ended peer-unavailable']);
    assert.equal(a.line.current, null);
    assert.ok(a.world.connection.closed);
  });

  it('without media asks for both kinds, to receive them', async () => {
    const { signaling, a } = twoPeers();
    a.line.call('b', null);
    await signaling.deliver();
    assert.deepEqual(a.world.connection.transceivers.map(({ kind, direction }) => [kind, direction]), [['audio', 'recvonly'], ['video', 'recvonly']]);
  });

  it('with a microphone only still asks for the other side’s picture', async () => {
    const { signaling, a } = twoPeers();
    a.line.call('b', fakeStream('audio'));
    await signaling.deliver();
    assert.deepEqual(a.world.connection.transceivers.map(({ direction }) => direction), ['sendrecv', 'recvonly']);
  });

  it('goes on, receiving, if the camera fails', async () => {
    const { signaling, a } = twoPeers();
    a.line.call('b', Promise.reject(new Error('blocked')));
    await signaling.deliver();
    assert.equal(signaling.count('offer'), 1);
  });

  it('that is given up while the camera is asked for says nothing', async () => {
    const { signaling, a } = twoPeers();
    const media = withResolvers();
    a.line.call('b', media.promise);
    current(a).hangUp();
    media.resolve(fakeStream('audio'));
    await signaling.deliver();
    assert.deepEqual(signaling.log, []);
    assert.equal(a.world.connections.length, 0);
  });

  it('makes one negotiated channel for chat and one for files on each side', async () => {
    const { a, b } = await inCall();
    for (const { world } of [a, b]) {
      assert.deepEqual(world.connection.channels.map((/** @type {any} */ { options }) => options), [{ negotiated: true, id: 0 }, { negotiated: true, id: 1 }]);
    }
  });

  it('shows the tracks of the other side', async () => {
    const { a } = await inCall();
    /** @type {any[]} */
    const tracks = [];
    current(a).on('track', ({ track }) => tracks.push(track));
    a.world.connection.dispatchEvent(Object.assign(new Event('track'), { track: 'video' }));
    assert.deepEqual(tracks, ['video']);
  });

  it('is as loud as the loudest that comes, and silent without a connection', async () => {
    const { a } = await inCall();
    const call = current(a);
    a.world.connection.become('connected');
    await settled();
    assert.equal(call.loudness, 0);
    a.world.connection.sources = [{}, { audioLevel: 0.25 }, { audioLevel: 0.5 }];
    assert.equal(call.loudness, 0.5);
    call.hangUp();
    assert.equal(call.loudness, 0);
  });

  it('tells the path that was found', async () => {
    const { a } = await inCall();
    /** @type {any[]} */
    const paths = [];
    current(a).on('path', ({ path }) => paths.push(path.kind));
    a.world.connection.stats = new Map(Object.entries({
      p: { id: 'p', type: 'candidate-pair', selected: true, localCandidateId: 'l', remoteCandidateId: 'r' },
      l: { id: 'l', candidateType: 'relay', protocol: 'udp' }, r: { id: 'r', candidateType: 'host', protocol: 'udp' },
    }));
    a.world.connection.become('connected');
    await settled();
    assert.deepEqual(paths, ['turn']);
  });

  it('tells the path anew when ICE has chosen another', async () => {
    const { a } = await inCall();
    /** @type {any[]} */
    const paths = [];
    current(a).on('path', ({ path }) => paths.push(path.kind));
    const chosen = (/** @type {string} */ candidateType) => new Map(Object.entries({
      p: { id: 'p', type: 'candidate-pair', selected: true, localCandidateId: 'l', remoteCandidateId: 'r' },
      l: { id: 'l', candidateType, protocol: 'udp' }, r: { id: 'r', candidateType: 'host', protocol: 'udp' },
    }));
    const iceTransport = new EventTarget();
    a.world.connection.transceivers[0].sender.transport = { iceTransport };
    a.world.connection.stats = chosen('relay');
    a.world.connection.become('connected');
    await settled();
    a.world.connection.stats = chosen('srflx');
    iceTransport.dispatchEvent(new Event('selectedcandidatepairchange'));
    await settled();
    assert.deepEqual(paths, ['turn', 'stun']);
  });

  it('corrects the path when the other side tells, late, that an address is its relay’s; and tells none twice', async () => {
    const { signaling, a, b } = await inCall();
    /** @type {any[]} */
    const paths = [];
    current(a).on('path', ({ path }) => paths.push(path.kind));
    a.world.connection.stats = new Map(Object.entries({
      p: { id: 'p', type: 'candidate-pair', selected: true, localCandidateId: 'l', remoteCandidateId: 'r' },
      l: { id: 'l', candidateType: 'host', protocol: 'udp' },
      r: { id: 'r', candidateType: 'prflx', protocol: 'udp', address: '192.0.2.1', port: 50000 },
    }));
    a.world.connection.become('connected');
    await settled();
    for (const port of [50000, 50001]) {
      await b.endpoint.candidate('a', { candidate: `candidate:4 1 udp 41885695 192.0.2.1 ${port} typ relay raddr 0.0.0.0 rport 0`, sdpMid: '0' });
    }
    await signaling.deliver();
    assert.deepEqual(paths, ['direct', 'turn']);
  });
});

describe('a ringing call', () => {
  it('that is declined ends on both sides, with that reason', async () => {
    const { signaling, a, b } = twoPeers();
    a.line.call('b', null);
    await signaling.deliver();
    current(b).decline();
    await signaling.deliver();
    assert.deepEqual(a.story, ['ended declined']);
    assert.deepEqual(b.story, ['a rings', 'ended declined']);
  });

  it('stops when the caller gives up', async () => {
    const { signaling, a, b } = twoPeers();
    a.line.call('b', null);
    await signaling.deliver();
    current(a).hangUp();
    await signaling.deliver();
    assert.deepEqual(b.story, ['a rings', 'ended canceled']);
  });

  it('ends after a minute without an answer', async () => {
    const { signaling, a, b } = twoPeers();
    a.line.call('b', null);
    await signaling.deliver();
    await b.world.pass(60);
    await signaling.deliver();
    assert.deepEqual(b.story, ['a rings', 'ended no-answer']);
    assert.deepEqual(a.story, ['ended no-answer']);
  });

  it('ends after a minute for the caller too, should the callee know nothing of deadlines', async () => {
    const { signaling, a } = twoPeers();
    signaling.endpoint('simple');
    a.line.call('simple', null);
    await signaling.deliver();
    await a.world.pass(60);
    assert.deepEqual(a.story, ['ended no-answer']);
    assert.equal(signaling.count('bye'), 1);
  });

  it('keeps the candidates that come meanwhile, in order', async () => {
    const { b } = await inCall();
    const [first, last] = b.world.connection.candidates;
    assert.match(first.candidate, /^candidate:/);
    assert.equal(last, null);
  });

  it('keeps a bounded number of candidates', async () => {
    const { signaling, a, b } = twoPeers();
    await a.endpoint.offer('b', { type: 'offer', sdp: 'v=0' });
    for (let i = 0; i < 1000; i++) await a.endpoint.candidate('b', { candidate: `candidate:${i}` });
    await signaling.deliver();
    void current(b).accept(null);
    await signaling.deliver();
    assert.equal(b.world.connection.candidates.length, 255);
  });

  it('is accepted by calling the one who rings', async () => {
    const { signaling, a, b } = twoPeers();
    a.line.call('b', null);
    await signaling.deliver();
    b.line.call('a', null);
    await signaling.deliver();
    assert.equal(signaling.count('offer'), 1);
    assert.equal(current(a).state, 'connecting');
  });
});

describe('crossed offers', () => {
  for (const [first, second] of /** @type {const} */ ([['a', 'b'], ['b', 'a']])) {
    it(`are consent on both sides, and one is answered, ${first} being faster`, async () => {
      const { signaling, ...peers } = twoPeers();
      peers[first].line.call(second, null);
      await settled();
      peers[second].line.call(first, null);
      await signaling.deliver();
      assert.equal(signaling.count('offer'), 2);
      assert.deepEqual(signaling.log.filter((line) => line.endsWith('answer')), ['a→b answer']);
      for (const { story, world } of [peers.a, peers.b]) {
        assert.deepEqual(story, ['connecting']);
        assert.equal(world.connection.signalingState, 'stable');
        assert.equal(world.connection.channels.length, 2);
      }
    });
  }

  it('reach an impolite side that still asks for its camera: it answers', async () => {
    const { signaling, a, b } = twoPeers();
    const media = withResolvers();
    b.line.call('a', media.promise);
    a.line.call('b', null);
    await signaling.deliver();
    assert.equal(current(b).state, 'connecting');
    media.resolve(null);
    await signaling.deliver();
    assert.deepEqual([signaling.count('offer'), signaling.count('answer')], [1, 1]);
  });

  it('make the polite side begin anew, and nothing of its first connection is said or heard again', async () => {
    const { signaling, a, b } = twoPeers();
    a.line.call('b', null);
    b.line.call('a', null);
    await signaling.deliver();
    const [first, second] = a.world.connections;
    assert.ok(first?.closed && !second?.closed);
    assert.equal(second?.rollbacks, 0);
    const said = signaling.log.length;
    first?.dispatchEvent(Object.assign(new Event('icecandidate'), { candidate: null }));
    assert.equal(signaling.log.length, said);
  });
});

describe('a client that knows only offer, answer and candidate', () => {
  it('can call, without a data channel', async () => {
    const { signaling, b } = twoPeers();
    const simple = signaling.endpoint('simple');
    await simple.offer('b', { type: 'offer', sdp: 'v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\nm=audio 9\r\n' });
    await signaling.deliver();
    void current(b).accept(null);
    await signaling.deliver();
    assert.equal(signaling.count('answer'), 1);
    assert.equal(b.world.connection.channels.length, 0);
  });

  it('can be called', async () => {
    const { signaling, a } = twoPeers();
    const simple = signaling.endpoint('simple');
    a.line.call('simple', null);
    await signaling.deliver();
    await simple.answer('a', { type: 'answer', sdp: 'v=0' });
    await simple.candidate('a', { candidate: 'candidate:1' });
    await signaling.deliver();
    a.world.connection.become('connected');
    assert.deepEqual(a.story, ['connecting', 'connected']);
  });
});

describe('a line that is in a call', () => {
  it('tells another caller that it is busy', async () => {
    const { signaling, a, b } = await connected();
    const c = peer(signaling, 'c');
    c.line.call('a', null);
    await signaling.deliver();
    assert.deepEqual(c.story, ['ended busy']);
    assert.equal(current(a).peer, 'b');
    assert.equal(current(b).state, 'connected');
  });

  it('lets no third party end it or speak in it', async () => {
    const { signaling, a } = await connected();
    const c = signaling.endpoint('c');
    await c.bye('a');
    await c.answer('a', { sdp: 'v=0' });
    await c.candidate('a', { candidate: 'candidate:c' });
    await signaling.deliver();
    assert.equal(current(a).state, 'connected');
    assert.ok(a.world.connection.candidates.every((candidate) => candidate?.candidate !== 'candidate:c'));
  });

  it('makes no second call', async () => {
    const { a } = await connected();
    assert.throws(() => a.line.call('c', null), /taken/);
  });

  it('renegotiates on an offer within the call, and does not ring', async () => {
    const { signaling, a, b } = await connected();
    a.world.connection.need();
    await signaling.deliver();
    assert.deepEqual([signaling.count('offer'), signaling.count('answer')], [2, 2]);
    assert.deepEqual(b.story, ['a rings', 'connecting', 'connected']);
  });

  it('is closed by hanging up, for both', async () => {
    const { signaling, a, b } = await connected();
    a.line.close();
    await signaling.deliver();
    assert.equal(a.story.at(-1), 'ended hung-up');
    assert.equal(b.story.at(-1), 'ended remote-hung-up');
    assert.ok(a.world.connection.closed && b.world.connection.closed);
    await b.endpoint.offer('a', { type: 'offer', sdp: 'v=0' });
    await signaling.deliver();
    assert.equal(a.line.current, null);
  });
});

describe('after a call', () => {
  it('an offer that crossed our bye does not ring', async () => {
    const { signaling, a, b } = await connected();
    b.world.connection.need();
    await settled();
    current(a).hangUp();
    await signaling.deliver();
    assert.equal(a.line.current, null);
    assert.equal(b.line.current, null);
  });

  it('an offer rings again, a little later even from the same connection', async () => {
    const { signaling, a, b } = await connected();
    const description = b.world.connection.localDescription;
    current(a).hangUp();
    await signaling.deliver();
    await a.world.pass(5);
    await b.endpoint.offer('a', description);
    await signaling.deliver();
    assert.equal(current(a).state, 'ringing');
  });

  it('a new call from the same peer rings at once', async () => {
    const { signaling, a, b } = await connected();
    current(a).hangUp();
    await signaling.deliver();
    b.line.call('a', null);
    await signaling.deliver();
    assert.equal(current(a).state, 'ringing');
  });
});

describe('a path that fails', () => {
  it('is sought anew, with fresh ICE servers, and the call goes on', async () => {
    const { signaling, a } = await connected();
    a.endpoint.servers = [{ urls: 'turn:fresh' }];
    await fail(a);
    await signaling.deliver();
    assert.equal(a.world.connection.restarts, 1);
    assert.deepEqual(a.world.connection.configuration.iceServers, [{ urls: 'turn:fresh' }]);
    a.world.connection.become('connected');
    assert.deepEqual(a.story, ['connecting', 'connected', 'connecting', 'connected']);
  });

  it('in a long call is sought each time with the credentials of that hour, set before the candidates are gathered', async () => {
    const { signaling, a } = await connected();
    const { connection } = a.world;
    for (const hour of [1, 2, 3]) {
      a.endpoint.servers = [{ ...turn, credential: `of hour ${hour}` }];
      let atRestart = null;
      connection.restartIce = () => void (atRestart = connection.configuration.iceServers[0].credential);
      await fail(a);
      await signaling.deliver();
      assert.equal(atRestart, `of hour ${hour}`);
      connection.become('connected');
    }
  });

  it('is sought with the ICE servers that there are, if the server is out of reach', async () => {
    const { signaling, a } = await connected();
    a.endpoint.iceServers = () => Promise.reject(new Error('not connected'));
    await fail(a);
    await signaling.deliver();
    assert.deepEqual(a.world.connection.configuration.iceServers, [stun]);
  });

  it('and stays away ends the call on both sides, as a path that was lost', async () => {
    const { signaling, a, b } = await connected();
    await fail(a);
    await signaling.deliver();
    await a.world.pass(45);
    await signaling.deliver();
    for (const { story } of [a, b]) assert.equal(story.at(-1), 'ended path-lost');
  });

  it('to a peer that has gone ends the call at once, and does not call its id unknown', async () => {
    const { signaling, a } = await connected();
    signaling.remove('b');
    await fail(a);
    await signaling.deliver();
    assert.equal(a.story.at(-1), 'ended gone');
  });

  it('is none: while media flow, a peer that left the signaling is no loss', async () => {
    const { signaling, a } = await connected();
    signaling.remove('b');
    a.world.connection.dispatchEvent(Object.assign(new Event('icecandidate'), { candidate: null }));
    await signaling.deliver();
    assert.equal(current(a).state, 'connected');
  });
});

describe('a path that both sides seek anew at the same moment', () => {
  it('is sought by one of them: the polite one lets the other go first', async () => {
    const { signaling, a, b } = await connected();
    for (const { world } of [a, b]) world.connection.become('failed');
    await signaling.deliver();
    for (const { world } of [a, b]) await world.pass(3);
    await signaling.deliver();
    assert.deepEqual([a.world.connection.restarts, b.world.connection.restarts], [0, 1]);
    assert.deepEqual([signaling.count('offer'), signaling.count('answer')], [2, 2]);
  });

  it('is not sought any more once the call is over', async () => {
    const { signaling, a } = await connected();
    a.world.connection.become('failed');
    current(a).hangUp();
    await a.world.pass(3);
    await signaling.deliver();
    assert.equal(a.world.connection.restarts, 0);
  });
});

describe('a call whose signaling is cut', () => {
  it('seeks a lost path anew as soon as the signaling is back, with the ICE servers of that moment', async () => {
    const { signaling, a } = await connected();
    /** @type {(servers: RTCIceServer[]) => void} */
    let back = () => {};
    a.endpoint.iceServers = () => new Promise((resolve) => void (back = resolve));
    await fail(a);
    await signaling.deliver();
    assert.equal(signaling.count('offer'), 1);
    back([turn]);
    await signaling.deliver();
    assert.deepEqual([signaling.count('offer'), signaling.count('answer')], [2, 2]);
    assert.deepEqual(a.world.connection.configuration.iceServers, [turn]);
  });

  it('seeks its path anew when the signaling is back, if nothing comes over it any more', async () => {
    const { signaling, b } = await connected();
    b.endpoint.servers = [turn];
    b.world.connection.stats = packets(7);
    b.endpoint.events.emit({ type: 'resumed' });
    await settled();
    await b.world.pass(6.5);
    await signaling.deliver();
    assert.equal(b.world.connection.restarts, 1);
    assert.deepEqual(b.world.connection.configuration.iceServers, [turn]);
    assert.equal(current(b).state, 'connected');
  });

  it('leaves a path alone that lives', async () => {
    const { signaling, b } = await connected();
    b.world.connection.stats = packets(7);
    b.endpoint.events.emit({ type: 'resumed' });
    await settled();
    b.world.connection.stats = packets(8);
    await b.world.pass(6.5);
    await signaling.deliver();
    assert.equal(b.world.connection.restarts, 0);
  });

  it('seeks it once, though the path has failed and the signaling is back', async () => {
    const { signaling, a } = await connected();
    a.world.connection.become('failed');
    a.endpoint.events.emit({ type: 'resumed' });
    await a.world.pass(3);
    await signaling.deliver();
    assert.equal(a.world.connection.restarts, 1);
  });

  it('asks whether the connection to the server lives when the path is in trouble', async () => {
    const { signaling, a } = await connected();
    const before = a.endpoint.checks;
    a.world.connection.become('disconnected');
    assert.equal(a.endpoint.checks, before + 1);
    assert.equal(current(a).state, 'connected');
    await fail(a);
    await signaling.deliver();
    assert.equal(a.endpoint.checks, before + 2);
  });

  it('asks it also before it calls, accepts, declines and hangs up', async () => {
    const { signaling, a, b } = twoPeers();
    a.line.call('b', null);
    await signaling.deliver();
    assert.deepEqual([a.endpoint.checks, b.endpoint.checks], [1, 0]);
    void current(b).accept(null);
    await signaling.deliver();
    current(a).hangUp();
    await signaling.deliver();
    assert.deepEqual([a.endpoint.checks, b.endpoint.checks], [2, 1]);
    a.line.call('b', null);
    await signaling.deliver();
    current(b).decline();
    assert.equal(b.endpoint.checks, 2);
  });

  it('tells that the other side is the one whose connection is lost, until it is heard of', async () => {
    const { signaling, a, b } = twoPeers();
    signaling.parked.add('b');
    a.line.call('b', null);
    /** @type {boolean[]} */
    const told = [];
    current(a).on('parked', ({ parked }) => told.push(parked));
    await signaling.deliver();
    assert.deepEqual(told, [true]);
    void current(b).accept(null);
    await signaling.deliver();
    assert.deepEqual(told, [true, false]);
  });

  it('goes on while media flow, even if the other side’s session ended meanwhile', async () => {
    const { a } = await connected();
    a.endpoint.events.emit({ type: 'error', code: 'undelivered', message: '', to: 'b' });
    assert.equal(current(a).state, 'connected');
  });

  it('is over if the other side’s session ended before media flow: it is gone', async () => {
    const { a, b } = await inCall();
    a.endpoint.events.emit({ type: 'error', code: 'undelivered', message: '', to: 'b' });
    b.endpoint.events.emit({ type: 'error', code: 'undelivered', message: '', to: 'a' });
    for (const { story } of [a, b]) assert.equal(story.at(-1), 'ended gone');
  });

  it('is not over because another’s session ended, or for another error', async () => {
    const { a } = await inCall();
    a.endpoint.events.emit({ type: 'error', code: 'undelivered', message: '', to: 'c' });
    a.endpoint.events.emit({ type: 'error', code: 'bad-message', message: '', to: 'b' });
    assert.equal(current(a).state, 'connecting');
  });
});

describe('a path that is not found', () => {
  /** @param {RTCIceServer[]} servers @param {RTCIceTransportPolicy} [policy] */
  async function seeking(servers, policy) {
    const peers = twoPeers(policy);
    for (const { endpoint } of [peers.a, peers.b]) endpoint.servers = servers;
    peers.a.line.call('b', null);
    await peers.signaling.deliver();
    void peers.b.line.current?.accept(null);
    await peers.signaling.deliver();
    return peers;
  }

  /** @param {Awaited<ReturnType<typeof seeking>>} peers */
  async function reasons({ signaling, a, b }) {
    await a.world.pass(45);
    await signaling.deliver();
    return [a, b].map(({ story }) => story.at(-1));
  }

  it('ends the call on both sides, for want of a relay', async () => {
    assert.deepEqual(await reasons(await seeking([stun])), ['ended no-relay', 'ended no-relay']);
  });

  it('is told from a relay that did not answer', async () => {
    assert.deepEqual(await reasons(await seeking([stun, turn])), ['ended relay-silent', 'ended relay-silent']);
  });

  it('is told from a relay that answered, to no avail', async () => {
    const peers = await seeking([turn]);
    const candidate = { candidate: 'candidate:4 1 udp 41885695 192.0.2.1 50000 typ relay raddr 0.0.0.0 rport 0' };
    peers.a.world.connection.dispatchEvent(Object.assign(new Event('icecandidate'), { candidate }));
    assert.deepEqual(await reasons(peers), ['ended no-path', 'ended relay-silent']);
  });
});

describe('a line that goes through the relay alone', () => {
  it('says so to each connection, and still does when the path is sought anew', async () => {
    const { signaling, a, b } = twoPeers('relay');
    for (const { endpoint } of [a, b]) endpoint.servers = [turn];
    a.line.call('b', null);
    await signaling.deliver();
    void current(b).accept(null);
    await signaling.deliver();
    for (const { world } of [a, b]) assert.deepEqual(world.connection.configuration, { iceServers: [turn], iceTransportPolicy: 'relay' });
    await fail(a);
    await signaling.deliver();
    assert.equal(a.world.connection.configuration.iceTransportPolicy, 'relay');
  });

  it('ends a call at once where there is none, and says nothing', async () => {
    const { signaling, a } = twoPeers('relay');
    a.line.call('b', null);
    await signaling.deliver();
    assert.deepEqual(a.story, ['ended needs-relay']);
    assert.deepEqual(signaling.log, []);
  });

  it('tells a caller that it cannot be reached', async () => {
    const { signaling, a } = twoPeers();
    const c = peer(signaling, 'c', 'relay');
    a.line.call('c', null);
    await signaling.deliver();
    void current(c).accept(null);
    await signaling.deliver();
    assert.equal(c.story.at(-1), 'ended needs-relay');
    assert.equal(a.story.at(-1), 'ended no-relay');
  });
});

describe('what a peer may send', () => {
  it('that is no description does not ring', async () => {
    const { signaling, a, b } = twoPeers();
    for (const offer of [null, 7, 'v=0', [], {}, { sdp: 7 }]) await a.endpoint.offer('b', offer);
    await signaling.deliver();
    assert.equal(b.line.current, null);
  });

  it('that no browser understands ends the call', async () => {
    const { signaling, a, b } = twoPeers();
    await a.endpoint.offer('b', { type: 'offer', sdp: 'broken' });
    await signaling.deliver();
    void current(b).accept(null);
    await signaling.deliver();
    assert.equal(b.story.at(-1), 'ended failed');
  });

  it('as a reason to end is a known one, or none', async () => {
    for (const bye of [undefined, null, 'x', { reason: 7 }, { reason: '<b>' }]) {
      const { signaling, a, b } = await connected();
      await b.endpoint.bye('a', bye);
      await signaling.deliver();
      assert.equal(a.story.at(-1), 'ended remote-hung-up');
    }
  });
});

describe('the chat', () => {
  it('goes both ways', async () => {
    const { a } = await connected();
    /** @type {string[]} */
    const heard = [];
    current(a).on('chat', ({ text }) => heard.push(text));
    assert.equal(current(a).chat('hello'), true);
    channelOf(a).receive('and you?');
    assert.deepEqual([channelOf(a).sent, heard], [['hello'], ['and you?']]);
  });

  it('cuts what is too long, and passes over what is no text', async () => {
    const { a } = await connected();
    /** @type {number[]} */
    const lengths = [];
    current(a).on('chat', ({ text }) => lengths.push(text.length));
    channelOf(a).receive('x'.repeat(100_000));
    channelOf(a).receive(new ArrayBuffer(8));
    assert.deepEqual(lengths, [2000]);
  });

  it('refuses to send what would pile up, or what has no channel', async () => {
    const { signaling, a } = await connected();
    channelOf(a).bufferedAmount = 2 << 20;
    assert.equal(current(a).chat('hello'), false);
    channelOf(a).readyState = 'closed';
    assert.equal(current(a).chat('hello'), false);
    const c = peer(signaling, 'c');
    assert.equal(c.line.call('a', null).chat('hello'), false);
  });

  it('that the other side closes ends the call at once: the bye may be late, or lost', async () => {
    const { signaling, a } = await connected();
    channelOf(a).dispatchEvent(new Event('open'));
    channelOf(a).dispatchEvent(new Event('close'));
    assert.equal(a.story.at(-1), 'ended remote-hung-up');
    await signaling.deliver();
    assert.equal(signaling.count('bye'), 0);
  });

  it('that the other side closes ends the call also while the path is sought anew', async () => {
    const { signaling, a } = await connected();
    channelOf(a).dispatchEvent(new Event('open'));
    a.world.connection.become('failed');
    await signaling.deliver();
    a.world.connection.become('connecting');
    channelOf(a).dispatchEvent(new Event('close'));
    assert.equal(a.story.at(-1), 'ended remote-hung-up');
  });

  it('that the browser itself gives up as the path fails ends the call as a path that was lost, for both', async () => {
    const { signaling, a, b } = await connected();
    channelOf(a).dispatchEvent(new Event('open'));
    a.world.connection.become('failed');
    channelOf(a).dispatchEvent(new Event('close'));
    await signaling.deliver();
    for (const { story } of [a, b]) assert.equal(story.at(-1), 'ended path-lost');
  });

  it('outlives a path that is sought anew', async () => {
    const { signaling, a } = await connected();
    channelOf(a).dispatchEvent(new Event('open'));
    a.world.connection.become('failed');
    await signaling.deliver();
    a.world.connection.become('connected');
    assert.equal(a.world.connection.channels.length, 2);
    assert.equal(current(a).state, 'connected');
  });

  it('that the other side does not take closes before it was open, and ends nothing', async () => {
    const { a } = await connected();
    channelOf(a).dispatchEvent(new Event('close'));
    assert.equal(current(a).state, 'connected');
  });

  it('of a connection that was replaced, as offers crossed, ends nothing', async () => {
    const { signaling, a, b } = twoPeers();
    a.line.call('b', null);
    b.line.call('a', null);
    await signaling.deliver();
    const [first, second] = a.world.connections;
    assert.ok(second);
    for (const event of ['open', 'close']) first?.channels[0]?.dispatchEvent(new Event(event));
    assert.equal(current(a).state, 'connecting');
  });

  it('that this side closes by hanging up is no word of the other', async () => {
    const { a } = await connected();
    channelOf(a).dispatchEvent(new Event('open'));
    current(a).hangUp();
    channelOf(a).dispatchEvent(new Event('close'));
    assert.equal(a.story.at(-1), 'ended hung-up');
  });

  it('tells when it opens and closes', async () => {
    const { a } = await connected();
    /** @type {boolean[]} */
    const states = [];
    current(a).on('chat-state', ({ open }) => states.push(open));
    channelOf(a).dispatchEvent(new Event('open'));
    channelOf(a).dispatchEvent(new Event('close'));
    assert.deepEqual(states, [true, false]);
  });
});

/** @returns {{ promise: Promise<MediaStream | null>, resolve: (media: MediaStream | null) => void }} */
function withResolvers() {
  /** @type {any} */
  const result = {};
  result.promise = new Promise((resolve) => void (result.resolve = resolve));
  return result;
}
