import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Client, serverOf } from '../../static/js/client.js';
import { FakeWorld, settled } from './world.js';

const URL = 'wss://host/ws';

function closedClient() {
  const world = new FakeWorld();
  const client = new Client({ url: URL, world });
  /** @type {any[]} */
  const states = [];
  client.on('state', ({ state, cause, retryIn }) => states.push({ state, code: cause?.code ?? null, retryIn }));
  return { world, client, states };
}

function openClient() {
  const all = closedClient();
  all.client.connect();
  all.world.socket.welcome();
  return all;
}

/** @param {string} code */
const withCode = (code) => (/** @type {any} */ error) => error.code === code;

describe('the address of the server', () => {
  it('is that of the module, under any path prefix', () => {
    assert.equal(serverOf('https://host/js/client.js'), 'wss://host/ws');
    assert.equal(serverOf('https://host:8443/a/prefix/js/client.js'), 'wss://host:8443/a/prefix/ws');
    assert.equal(serverOf('http://localhost/js/client.js'), 'ws://localhost/ws');
  });
});

describe('a wrong url', () => {
  it('throws at once: a mistake in a program is no state of a network', () => {
    for (const url of ['localhost:8443/ws', '/ws', '', 'ftp://host/ws', 'wss://', 'wss://host/ws#room', 'wss://user:secret@host/ws']) {
      assert.throws(() => new Client({ url, world: new FakeWorld() }), TypeError, url);
    }
  });

  it('is named by the error, but for a secret in it', () => {
    assert.throws(() => new Client({ url: 'localhost:8443/ws', world: new FakeWorld() }), /\(localhost:8443\/ws\).*wss:\/\//);
    assert.throws(() => new Client({ url: 'wss://user:secret@host/ws', world: new FakeWorld() }), (/** @type {any} */ error) => !error.message.includes('secret'));
  });

  it('is not that of the page itself: https means wss', () => {
    const world = new FakeWorld();
    new Client({ url: 'https://host/ws', world }).connect();
    assert.equal(world.socket.url, 'wss://host/ws');
  });
});

describe('what the browser forbids', () => {
  /** @param {string} url @param {(world: FakeWorld) => void} prepare */
  async function forbidden(url, prepare) {
    const world = new FakeWorld();
    const client = new Client({ url, world });
    /** @type {any[]} */
    const states = [];
    client.on('state', ({ state, cause }) => states.push([state, cause?.code]));
    prepare(world);
    client.connect();
    await settled();
    return { world, client, states };
  }

  /** @param {FakeWorld} world */
  function refuseToOpen(world) {
    world.openSocket = () => {
      throw new DOMException('no', 'SecurityError');
    };
  }

  it('ws: from a page over https, is a cause of its own, and is not tried for ever', async () => {
    const { world, states } = await forbidden('ws://host/ws', refuseToOpen);
    assert.deepEqual(states.at(-1), ['closed', 'insecure-url']);
    await world.pass(600);
    world.tell('online');
    assert.deepEqual(states.map(([state]) => state), ['connecting', 'closed']);
  });

  it('and lets fail without a word is known by its address, and by what stands on the same host it is not', async () => {
    for (const [url, state] of [['ws://host/ws', 'closed'], ['ws://localhost:8080/ws', 'waiting'], ['ws://127.0.0.1/ws', 'waiting'], ['wss://host/ws', 'waiting']]) {
      const { world, client } = await forbidden(url ?? '', () => {});
      world.socket.end(1006);
      await settled();
      assert.equal(client.state, state, url);
    }
    const { world, client } = await forbidden('ws://host/ws', (world) => void (world.secure = false));
    world.socket.end(1006);
    await settled();
    assert.equal(client.state, 'waiting');
  });

  it('by the content security policy of the page, is another', async () => {
    const { world, client, states } = await forbidden('wss://host/ws', () => {});
    world.tell('securitypolicyviolation', { effectiveDirective: 'connect-src', blockedURI: 'https://elsewhere/ws' });
    assert.equal(client.state, 'connecting');
    world.tell('securitypolicyviolation', { effectiveDirective: 'connect-src', blockedURI: 'wss://host/ws' });
    assert.deepEqual(states.at(-1), ['closed', 'blocked-by-policy']);
    assert.equal(world.pending, 0);
  });

  it('may be tried again when the application says so', async () => {
    const { world, client } = await forbidden('ws://host/ws', refuseToOpen);
    world.openSocket = new FakeWorld().openSocket;
    client.connect();
    assert.equal(client.state, 'connecting');
  });
});

describe('connecting', () => {
  it('does not happen before connect is called, and happens once', () => {
    const { world, client } = closedClient();
    assert.equal(world.sockets.length, 0);
    client.connect();
    client.connect();
    assert.equal(world.sockets.length, 1);
  });

  it('is done when the server has welcomed us', () => {
    const { client, states } = openClient();
    assert.equal(client.id, 'me');
    assert.deepEqual(states.map(({ state }) => state), ['connecting', 'open']);
  });

  it('is given up when no welcome comes in time', async () => {
    const { world, client } = closedClient();
    client.connect();
    world.socket.open();
    await world.pass(15);
    assert.equal(client.state, 'waiting');
    assert.equal(world.socket.closedWith, 4100);
  });

  it('tells welcome with the id already known', () => {
    const { world, client } = closedClient();
    /** @type {any[]} */
    const seen = [];
    client.on('welcome', ({ id }) => seen.push(id, client.id, client.state));
    client.connect();
    world.socket.welcome();
    assert.deepEqual(seen, ['me', 'me', 'open']);
  });
});

describe('a lost connection', () => {
  it('is followed by another, after the jittered delay', async () => {
    const { world, client, states } = openClient();
    world.socket.end(1006);
    assert.deepEqual(states.at(-1), { state: 'waiting', code: 'lost', retryIn: 0.25 });
    assert.equal(client.id, null);
    await world.pass(0.25);
    assert.equal(world.sockets.length, 2);
  });

  it('backs off further each time, until a welcome', async () => {
    const { world, states } = openClient();
    for (let i = 0; i < 3; i++) {
      world.socket.open();
      world.socket.end(1006);
      await world.pass(20);
    }
    world.socket.welcome();
    world.socket.end(1006);
    const delays = states.filter(({ state }) => state === 'waiting').map(({ retryIn }) => retryIn);
    assert.deepEqual(delays, [0.25, 0.5, 1, 0.25]);
  });

  it('rejects what was still unanswered', async () => {
    const { world, client } = openClient();
    const asked = client.ping();
    world.socket.end(1006);
    await assert.rejects(asked, withCode('connection-lost'));
  });

  it('is explained by its close code', () => {
    const codes = /** @type {const} */ ([[1008, 'policy'], [1009, 'message-too-large'], [1012, 'restarting'], [4001, 'too-slow'], [4002, 'silent']]);
    for (const [code, cause] of codes) {
      const { world, states } = openClient();
      world.socket.end(code);
      assert.equal(states.at(-1).code, cause);
    }
  });

  it('comes back at once when the network does', () => {
    const { world } = openClient();
    world.socket.end(1006);
    world.tell('online');
    assert.equal(world.sockets.length, 2);
  });

  it('is followed by another at once if the application asks for it', async () => {
    const { world, client } = openClient();
    world.socket.end(1012);
    client.connect();
    assert.equal(world.sockets.length, 2);
    client.connect();
    await world.pass(14);
    assert.equal(world.sockets.length, 2);
  });

  it('says nothing more, even if its socket does', () => {
    const { world, client, states } = openClient();
    const [first] = world.sockets;
    first?.end(1006);
    const count = states.length;
    first?.welcome({ id: 'ghost' });
    first?.end(1006);
    assert.equal(states.length, count);
    assert.equal(client.id, null);
  });
});

describe('a refused connection', () => {
  it('is explained by a plain GET of the same address', async () => {
    const { world, client, states } = closedClient();
    world.refuse(429, { code: 'too-many-connections', message: 'too many', retryAfter: 7 });
    client.connect();
    world.socket.end(1006);
    await settled();
    assert.deepEqual(world.asked, ['https://host/ws']);
    assert.deepEqual(states.at(-1), { state: 'waiting', code: 'too-many-connections', retryIn: 8 });
  });

  it('was bad luck if the GET finds all well', async () => {
    const { world, client, states } = closedClient();
    world.refuse(426, { code: 'upgrade-required', message: 'all is well' });
    client.connect();
    world.socket.end(1006);
    await settled();
    assert.equal(states.at(-1).code, 'lost');
  });

  it('again and again, though the GET finds all well, is a proxy that passes no WebSockets on', async () => {
    const { world, client, states } = closedClient();
    world.refuse(426, { code: 'upgrade-required', message: 'all is well' });
    client.connect();
    for (let attempt = 0; attempt < 2; attempt++) {
      world.socket.end(1006);
      await settled();
      await world.pass(15);
    }
    const causes = states.filter(({ state }) => state === 'waiting').map(({ code }) => code);
    assert.deepEqual(causes, ['lost', 'proxy-without-websockets']);
    world.socket.welcome();
    world.socket.end(1006);
    await world.pass(15);
    world.socket.end(1006);
    await settled();
    assert.equal(states.at(-1).code, 'lost');
  });

  it('is that proxy at once if the server says so', async () => {
    const { world, client, states } = closedClient();
    world.refuse(426, { code: 'upgrade-removed', message: 'a proxy took Upgrade away' });
    client.connect();
    world.socket.end(1006);
    await settled();
    assert.equal(states.at(-1).code, 'proxy-without-websockets');
  });

  it('at an address where a page is, or nothing, is no signaling server', async () => {
    for (const status of [200, 404]) {
      const { world, client, states } = closedClient();
      world.refusal = () => Promise.resolve(new Response('<h1>entremise</h1>', { status }));
      client.connect();
      world.socket.end(1006);
      await settled();
      assert.equal(states.at(-1).code, 'not-signaling');
    }
  });

  it('is a server out of reach if the GET fails too', async () => {
    const { world, client, states } = closedClient();
    client.connect();
    world.socket.end(1006);
    await settled();
    assert.equal(states.at(-1).code, 'unreachable');
  });

  it('is out of reach too if something else answers', async () => {
    const { world, client, states } = closedClient();
    world.refusal = () => Promise.resolve(new Response('<h1>502</h1>', { status: 502 }));
    client.connect();
    world.socket.end(1006);
    await settled();
    assert.equal(states.at(-1).code, 'unreachable');
  });

  it('is not asked about once the client is closed', async () => {
    const { world, client, states } = closedClient();
    client.connect();
    world.socket.end(1006);
    client.close();
    await settled();
    assert.equal(states.at(-1).state, 'closed');
    assert.equal(world.pending, 0);
  });
});

describe('a message', () => {
  it('is sent with a ref, and its promise settles with the answer to that ref', async () => {
    const { world, client } = openClient();
    const [offered, joined] = [client.offer('you', { sdp: 'v=0' }), client.join('lobby')];
    const [offer, join] = world.socket.sent;
    assert.deepEqual({ ...offer, ref: 0 }, { type: 'offer', to: 'you', offer: { sdp: 'v=0' }, ref: 0 });
    world.socket.receive({ type: 'joined', room: 'lobby', peers: ['you'], ref: join.ref });
    world.socket.receive({ type: 'ack', ref: offer.ref });
    assert.deepEqual(await joined, ['you']);
    assert.equal((await offered).type, 'ack');
  });

  it('looks on the wire as the protocol has it', async () => {
    const { world, client } = openClient();
    const sent = [
      client.answer('you', 1), client.candidate('you', null), client.message({ to: 'you' }, 'x'), client.message({ room: 'r' }, 'x'),
      client.bye('you'), client.bye('you', { reason: 'busy' }), client.leave('r'), client.ping(), client.iceServers(),
    ];
    assert.deepEqual(world.socket.sent.map(({ ref, ...message }) => message), [
      { type: 'answer', to: 'you', answer: 1 }, { type: 'candidate', to: 'you', candidate: null },
      { type: 'message', to: 'you', message: 'x' }, { type: 'message', room: 'r', message: 'x' },
      { type: 'bye', to: 'you' }, { type: 'bye', to: 'you', bye: { reason: 'busy' } },
      { type: 'leave', room: 'r' }, { type: 'ping' }, { type: 'ice-servers' },
    ]);
    client.close();
    assert.equal((await Promise.allSettled(sent)).filter(({ status }) => status === 'rejected').length, sent.length);
  });

  it('is refused with the code and the words of the server', async () => {
    const { world, client } = openClient();
    const asked = client.offer('absent', 1);
    const answer = { type: 'error', code: 'peer-unavailable', message: 'no peer with this id is here', to: 'absent', ref: world.socket.sent[0].ref };
    world.socket.receive(answer);
    await assert.rejects(asked, (/** @type {any} */ error) => error.code === answer.code && error.message === answer.message && error.answer.to === 'absent');
  });

  it('is refused at once while there is no connection', async () => {
    const { client } = closedClient();
    await assert.rejects(client.ping(), withCode('not-connected'));
  });

  it('that would be too large for the server stays here', async () => {
    const { world, client } = closedClient();
    client.connect();
    world.socket.welcome({ maxMessageBytes: 100 });
    await assert.rejects(client.message({ to: 'you' }, 'é'.repeat(40)), withCode('message-too-large'));
    assert.equal(world.socket.sent.length, 0);
  });

  it('that is never answered times out', async () => {
    const { world, client } = openClient();
    const asked = assert.rejects(client.ping(), withCode('timeout'));
    await world.pass(10);
    await asked;
    world.socket.receive({ type: 'ack', ref: world.socket.sent[0].ref });
    assert.equal(client.state, 'open');
  });

  it('with an answer of another kind is an error', async () => {
    const { world, client } = openClient();
    const asked = client.join('lobby');
    world.socket.receive({ type: 'ack', ref: world.socket.sent[0].ref });
    await assert.rejects(asked, withCode('unexpected-answer'));
  });

  it('too many: a client with too many unanswered messages refuses one more', async () => {
    const { world, client } = openClient();
    const asked = Array.from({ length: 256 }, () => client.ping().catch(() => {}));
    await assert.rejects(client.ping(), withCode('too-many-requests'));
    assert.equal(world.socket.sent.length, 256);
    client.close();
    await Promise.all(asked);
  });
});

describe('what the server says', () => {
  it('is an event under its own type', () => {
    const { world, client } = openClient();
    /** @type {any[]} */
    const heard = [];
    for (const type of /** @type {const} */ (['offer', 'answer', 'candidate', 'message', 'bye', 'peer-joined', 'peer-left', 'error'])) {
      client.on(type, (event) => heard.push(event));
    }
    const said = [
      { type: 'offer', from: 'you', offer: 1 }, { type: 'answer', from: 'you', answer: 1 }, { type: 'candidate', from: 'you', candidate: null },
      { type: 'message', room: 'r', from: 'you', message: 1 }, { type: 'bye', from: 'you' },
      { type: 'peer-joined', room: 'r', peer: 'you' }, { type: 'peer-left', room: 'r', peer: 'you' },
      { type: 'error', code: 'bad-message', message: 'no' },
    ];
    for (const message of said) world.socket.receive(message);
    assert.deepEqual(heard, said);
  });

  it('is passed over if it is unknown or broken', () => {
    const { world, client } = openClient();
    world.socket.receive('not json');
    world.socket.receive({ type: 'dance' });
    assert.equal(client.state, 'open');
  });

  it('is heard by no one who has undone his listening', () => {
    const { world, client } = openClient();
    let heard = 0;
    const undo = client.on('bye', () => void heard++);
    world.socket.receive({ type: 'bye', from: 'you' });
    undo();
    world.socket.receive({ type: 'bye', from: 'you' });
    assert.equal(heard, 1);
  });

  it('is shown frame by frame, both ways', () => {
    const { world, client } = closedClient();
    /** @type {string[]} */
    const frames = [];
    client.on('frame', ({ direction, message }) => frames.push(`${direction} ${message.type}`));
    client.connect();
    world.socket.welcome();
    client.ping().catch(() => {});
    world.socket.receive({ type: 'ack', ref: world.socket.sent[0].ref });
    assert.deepEqual(frames, ['received welcome', 'sent ping', 'received ack']);
  });
});

describe('closing', () => {
  it('says goodbye with 1000, is final, and may be repeated', () => {
    const { world, client } = openClient();
    client.close();
    client.close();
    assert.equal(world.socket.closedWith, 1000);
    assert.equal(client.state, 'closed');
    assert.equal(world.pending, 0);
    assert.throws(() => client.connect(), withCode('closed'));
  });

  it('ends the waiting for the next connection', async () => {
    const { world, client } = openClient();
    world.socket.end(1006);
    client.close();
    await world.pass(60);
    world.tell('online');
    world.tell('pageshow');
    assert.equal(world.sockets.length, 1);
  });

  it('holds, even from within a listener of the welcome', () => {
    const { world, client } = closedClient();
    client.on('frame', () => client.close());
    client.connect();
    world.socket.welcome();
    assert.equal(client.state, 'closed');
    assert.equal(client.id, null);
  });
});

describe('a page', () => {
  it('that is left leaves no ghost, and does not reconnect unseen', async () => {
    const { world, client } = openClient();
    world.tell('pagehide');
    assert.equal(world.socket.closedWith, 1000);
    await world.pass(600);
    assert.equal(world.sockets.length, 1);
    assert.equal(client.state, 'waiting');
  });

  it('that is shown again reconnects', () => {
    const { world } = openClient();
    world.tell('pagehide');
    world.tell('pageshow');
    assert.equal(world.sockets.length, 2);
  });

  it('whose network changed asks whether its connection lives, and replaces a dead one', async () => {
    const { world, client } = openClient();
    world.tell('online');
    assert.equal(world.socket.sent[0].type, 'ping');
    await world.pass(5);
    assert.equal(client.state, 'connecting');
    assert.equal(world.sockets.length, 2);
  });

  it('whose connection answers keeps it', async () => {
    const { world, client } = openClient();
    world.tell('online');
    world.socket.receive({ type: 'ack', ref: world.socket.sent[0].ref });
    await world.pass(600);
    assert.equal(client.state, 'open');
    assert.equal(world.sockets.length, 1);
  });

  it('sends nothing of its own accord, however long it stays', async () => {
    const { world } = openClient();
    await world.pass(3600);
    assert.deepEqual(world.socket.sent, []);
  });
});
