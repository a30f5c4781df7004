/** A session that outlives its connections, scene by scene. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Client } from '../../static/js/client.js';
import { FakeWorld, settled } from './world.js';

const TOKEN = 'secret-secret-secret-22';
const first = { resume: TOKEN, resumeWindow: 30 };

/** @param {object} [options] */
function openClient(options = {}) {
  const world = new FakeWorld();
  const client = new Client({ url: 'wss://host/ws', world, ...options });
  /** @type {any[]} */
  const heard = [];
  for (const type of /** @type {const} */ (['welcome', 'resumed', 'message', 'error'])) client.on(type, (event) => heard.push(event));
  client.connect();
  world.socket.welcome(first);
  return { world, client, heard };
}

/** As `openClient`, with the connection lost and the next one being opened. */
async function cutClient() {
  const all = openClient();
  all.world.socket.end(1006);
  await all.world.pass(1);
  assert.equal(all.world.sockets.length, 2);
  return all;
}

/** @param {FakeWorld} world @param {number} count */
function receive(world, count) {
  for (let i = 0; i < count; i++) world.socket.receive({ type: 'message', from: 'you', message: i });
}

/** @param {FakeWorld} world @param {object} [fields] */
const resumed = (world, fields) => world.socket.welcome({ ...first, resumed: true, resume: `${TOKEN}-2`, accepted: 0, ...fields });

/** @param {FakeWorld} world */
const counts = (world) => world.socket.sent.filter(({ type }) => type === 'received').map(({ count }) => count);

/** @param {string} code */
const withCode = (code) => (/** @type {any} */ error) => error.code === code;

describe('what a connection offers', () => {
  it('is the protocol, and the session if there is one, with what has come of it', async () => {
    const { world } = openClient();
    assert.deepEqual(world.socket.protocols, ['entremise.v1']);
    receive(world, 3);
    world.socket.receive({ type: 'dance' });
    world.socket.end(1006);
    await world.pass(1);
    assert.deepEqual(world.socket.protocols, ['entremise.v1', `entremise.resume.${TOKEN}.4`]);
  });

  it('is the newest token that has come', async () => {
    const { world } = await cutClient();
    resumed(world);
    world.socket.end(1006);
    await world.pass(1);
    assert.deepEqual(world.socket.protocols, ['entremise.v1', `entremise.resume.${TOKEN}-2.0`]);
  });

  it('is the old token again, should the welcome be lost on the way', async () => {
    const { world } = await cutClient();
    world.socket.open();
    world.socket.end(1006);
    await world.pass(1);
    assert.equal(world.socket.protocols[1], `entremise.resume.${TOKEN}.0`);
  });
});

describe('a session that is taken up again', () => {
  it('keeps its id, all the while, and begins nothing anew', async () => {
    const { world, client, heard } = await cutClient();
    assert.equal(client.id, 'me');
    resumed(world);
    assert.equal(client.id, 'me');
    assert.deepEqual(heard.map(({ type }) => type), ['welcome', 'resumed']);
  });

  it('settles what was asked before, by an answer that comes on the new connection', async () => {
    const { world, client } = openClient();
    const asked = client.join('lobby');
    world.socket.end(1006);
    await world.pass(1);
    resumed(world, { accepted: 1 });
    world.socket.receive({ type: 'joined', room: 'lobby', peers: ['you'], ref: 1 });
    assert.deepEqual(await asked, ['you']);
    assert.deepEqual(world.socket.sent, []);
  });

  it('says again what the server has not processed, and then what was said meanwhile', async () => {
    const { world, client } = openClient();
    const said = [1, 2, 3].map((n) => client.message({ to: 'you' }, n));
    world.socket.end(1006);
    said.push(client.message({ to: 'you' }, 4));
    await world.pass(1);
    resumed(world, { accepted: 1 });
    assert.deepEqual(world.socket.sent.map(({ message }) => message), [2, 3, 4]);
    for (const ref of [1, 2, 3, 4]) world.socket.receive({ type: 'ack', ref });
    await Promise.all(said);
  });

  it('says over the next connection what was said while the last one was closing', async () => {
    const { world, client } = openClient();
    world.socket.readyState = 2;
    client.message({ to: 'you' }, 'farewell').catch(() => {});
    assert.equal(world.socket.complaints, 0, 'nothing in the console');
    world.socket.end(1006);
    await world.pass(1);
    resumed(world);
    assert.deepEqual(world.socket.sent.map(({ message }) => message), ['farewell']);
  });

  it('says that before anything that a listener says on its return', async () => {
    const { world, client } = openClient();
    client.on('state', ({ state }) => state === 'open' && client.message({ to: 'you' }, 'back').catch(() => {}));
    world.socket.end(1006);
    client.message({ to: 'you' }, 'away').catch(() => {});
    await world.pass(1);
    resumed(world);
    assert.deepEqual(world.socket.sent.map(({ message }) => message), ['away', 'back']);
  });

  it('shows each message once, however often it is sent', async () => {
    const { world, client } = openClient();
    /** @type {string[]} */
    const shown = [];
    client.on('frame', ({ direction, message }) => shown.push(`${direction} ${message.type}`));
    client.ping().catch(() => {});
    world.socket.end(1006);
    await world.pass(1);
    resumed(world);
    receive(world, 8);
    assert.deepEqual(shown.slice(0, 2), ['sent ping', 'received welcome']);
    assert.ok(!shown.includes('sent received'));
  });

  it('is no other’s: no event carries its token', async () => {
    const { world, client } = openClient();
    /** @type {string[]} */
    const told = [];
    for (const type of /** @type {const} */ (['frame', 'welcome', 'state'])) client.on(type, (event) => told.push(JSON.stringify(event)));
    world.socket.end(1006);
    await world.pass(1);
    resumed(world);
    world.socket.end(1006);
    await world.pass(1);
    world.socket.welcome({ ...first, id: 'another' });
    assert.ok(told.some((event) => event.includes('another')));
    assert.ok(!told.some((event) => event.includes(TOKEN)));
  });

  it('bounds what is said meanwhile, and refuses the rest at once', async () => {
    const { world, client } = openClient();
    world.socket.end(1006);
    const waiting = Array.from({ length: 256 }, () => client.message({ to: 'you' }, 'x').catch(({ code }) => code));
    await assert.rejects(client.message({ to: 'you' }, 'x'), withCode('too-many-requests'));
    client.close();
    assert.deepEqual(new Set(await Promise.all(waiting)), new Set(['connection-lost']));
  });

  it('has room again for what comes after the answers', async () => {
    const { world, client } = openClient();
    for (let ref = 1; ref <= 600; ref++) {
      const asked = client.ping();
      world.socket.receive({ type: 'ack', ref });
      await asked;
    }
  });

  it('bounds it in bytes too', async () => {
    const { world, client } = openClient();
    world.socket.end(1006);
    const large = 'x'.repeat(60_000);
    const waiting = Array.from({ length: 17 }, () => client.message({ to: 'you' }, large).catch(() => {}));
    await assert.rejects(client.message({ to: 'you' }, large), withCode('too-many-requests'));
    client.close();
    await Promise.all(waiting);
  });

  it('is late for no answer while it has no connection, and has the whole time again afterwards', async () => {
    const { world, client } = openClient();
    const asked = client.ping();
    await world.pass(9);
    world.socket.end(1006);
    await world.pass(1);
    await world.pass(14);
    resumed(world);
    await world.pass(9);
    world.socket.receive({ type: 'ack', ref: 1 });
    await asked;
  });

  it('says no more what is no longer waited for', async () => {
    const { world, client } = openClient();
    const asked = assert.rejects(client.message({ to: 'you' }, 1), withCode('timeout'));
    await world.pass(10);
    await asked;
    world.socket.end(1006);
    await world.pass(1);
    resumed(world);
    assert.deepEqual(world.socket.sent, []);
  });
});

describe('a session that is over', () => {
  it('is followed by another, and what still waits is rejected', async () => {
    const { world, client, heard } = openClient();
    const asked = assert.rejects(client.ping(), withCode('connection-lost'));
    world.socket.end(1006);
    const meanwhile = assert.rejects(client.message({ to: 'you' }, 1), withCode('connection-lost'));
    await world.pass(1);
    world.socket.welcome({ ...first, id: 'another' });
    await Promise.all([asked, meanwhile]);
    assert.equal(client.id, 'another');
    assert.deepEqual(heard.map(({ id }) => id), ['me', 'another']);
    assert.deepEqual(world.socket.sent, []);
  });

  it('counts from the beginning', async () => {
    const { world } = openClient();
    receive(world, 5);
    world.socket.end(1006);
    await world.pass(1);
    world.socket.welcome(first);
    receive(world, 1);
    await world.pass(1);
    assert.deepEqual(counts(world), [1]);
  });

  it('is given up when the server has surely done so: then nothing waits any longer', async () => {
    const { world, client } = openClient();
    const asked = assert.rejects(client.ping(), withCode('connection-lost'));
    world.tell('pagehide', { persisted: true });
    await world.pass(79);
    assert.equal(client.id, 'me');
    await world.pass(1);
    await asked;
    assert.equal(client.id, null);
    await assert.rejects(client.ping(), withCode('not-connected'));
    world.tell('pageshow', { persisted: true });
    assert.deepEqual(world.socket.protocols, ['entremise.v1']);
  });

  it('is not taken up by a connection that was begun before it was given up', async () => {
    const { world, client } = openClient();
    world.tell('pagehide', { persisted: true });
    await world.pass(70);
    world.tell('pageshow', { persisted: true });
    const late = world.socket;
    await world.pass(10);
    assert.equal(late.closedWith, 4100);
    late.welcome({ ...first, resumed: true, accepted: 0 });
    world.socket.welcome({ ...first, id: 'another' });
    assert.equal(client.id, 'another');
  });

  it('was one without a token: it ends with its connection', async () => {
    const world = new FakeWorld();
    const client = new Client({ url: 'wss://host/ws', world });
    client.connect();
    world.socket.welcome();
    const asked = assert.rejects(client.ping(), withCode('connection-lost'));
    world.socket.end(1006);
    await asked;
    assert.equal(client.id, null);
  });
});

describe('a close code', () => {
  for (const code of [1005, 1006, 1012, 4000, 4001, 4002]) {
    it(`${code} leaves the session to be taken up again`, async () => {
      const { world, client } = openClient();
      world.socket.end(code);
      assert.equal(client.id, 'me');
      await world.pass(15);
      assert.equal(world.socket.protocols[1], `entremise.resume.${TOKEN}.0`);
    });
  }

  for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 1013]) {
    it(`${code} ends the session, and another begins`, async () => {
      const { world, client } = openClient();
      const asked = assert.rejects(client.ping(), withCode('connection-lost'));
      world.socket.end(code);
      await asked;
      assert.equal(client.id, null);
      await world.pass(15);
      assert.deepEqual(world.socket.protocols, ['entremise.v1']);
    });
  }
});

describe('an acknowledgement', () => {
  it('is sent for every eighth frame', () => {
    const { world } = openClient();
    receive(world, 7);
    assert.deepEqual(counts(world), []);
    receive(world, 10);
    assert.deepEqual(counts(world), [8, 16]);
  });

  it('is sent after a second of silence', async () => {
    const { world } = openClient();
    receive(world, 1);
    await world.pass(0.9);
    receive(world, 1);
    await world.pass(0.9);
    assert.deepEqual(counts(world), []);
    await world.pass(0.1);
    assert.deepEqual(counts(world), [2]);
  });

  it('needs no timer while nothing is unacknowledged', async () => {
    const { world } = openClient();
    assert.equal(world.pending, 0);
    receive(world, 8);
    assert.equal(world.pending, 0);
    receive(world, 1);
    assert.equal(world.pending, 1);
    await world.pass(1);
    assert.equal(world.pending, 0);
  });

  it('counts answers, and what this version does not know; but no welcome', async () => {
    const { world, client } = openClient();
    client.ping().catch(() => {});
    world.socket.receive({ type: 'ack', ref: 1 });
    world.socket.receive({ type: 'dance' });
    await world.pass(1);
    assert.deepEqual(counts(world), [2]);
  });

  it('counts nothing that comes before the welcome', async () => {
    const { world } = await cutClient();
    world.socket.open();
    receive(world, 8);
    resumed(world);
    receive(world, 1);
    await world.pass(1);
    assert.deepEqual(counts(world), [1]);
  });

  it('of what came before goes with the offer, not on the new connection', async () => {
    const { world } = openClient();
    receive(world, 3);
    world.tell('pagehide', { persisted: true });
    world.tell('pageshow', { persisted: true });
    await world.pass(1);
    resumed(world);
    await world.pass(5);
    assert.deepEqual(counts(world), []);
    receive(world, 1);
    await world.pass(1);
    assert.deepEqual(counts(world), [4]);
  });

  it('is numbered as a frame of ours, as the server counts it', async () => {
    const { world, client } = openClient();
    receive(world, 8);
    client.message({ to: 'you' }, 'x').catch(() => {});
    world.socket.end(1006);
    await world.pass(1);
    resumed(world, { accepted: 2 });
    assert.deepEqual(world.socket.sent, []);
    world.socket.end(1006);
    await world.pass(1);
    client.message({ to: 'you' }, 'y').catch(() => {});
    resumed(world, { accepted: 2 });
    assert.deepEqual(world.socket.sent.map(({ message }) => message), ['y']);
  });
});

describe('a connection that may be dead', () => {
  for (const event of ['online', 'pageshow', 'visibilitychange']) {
    it(`is asked on ${event}, and taken over if nothing comes for 5 s`, async () => {
      const { world, client } = openClient();
      const [half] = world.sockets;
      world.tell(event);
      assert.deepEqual(half?.sent, [{ type: 'ping', ref: 1 }]);
      await world.pass(4.9);
      assert.equal(world.sockets.length, 1);
      await world.pass(0.1);
      assert.equal(world.sockets.length, 2);
      assert.equal(half?.closedWith, 4100);
      assert.equal(world.socket.protocols[1], `entremise.resume.${TOKEN}.0`);
      half?.receive({ type: 'message', from: 'you', message: 'late' });
      resumed(world);
      assert.equal(client.state, 'open');
      receive(world, 1);
      await world.pass(1);
      assert.deepEqual(counts(world), [1]);
    });
  }

  it('is not asked by a page that goes out of sight', () => {
    const { world } = openClient();
    world.visible = false;
    world.tell('visibilitychange');
    assert.deepEqual(world.socket.sent, []);
  });

  it('is asked once at a time', () => {
    const { world, client } = openClient();
    for (let i = 0; i < 10; i++) client.check();
    assert.equal(world.socket.sent.length, 1);
  });

  it('lives if anything comes, be it not the answer', async () => {
    const { world, client } = openClient();
    client.check();
    receive(world, 1);
    await world.pass(5);
    assert.equal(client.state, 'open');
    assert.equal(world.sockets.length, 1);
  });

  it('is not replaced because one message is unanswered', async () => {
    const { world, client } = openClient();
    const asked = assert.rejects(client.ping(), withCode('timeout'));
    await world.pass(10);
    await asked;
    assert.equal(world.sockets.length, 1);
  });

  it('is asked nothing while there is none', () => {
    const { world, client } = openClient();
    world.socket.end(1006);
    client.check();
    assert.equal(world.sockets.length, 1);
  });
});

describe('a page that is left', () => {
  it('for good says goodbye', () => {
    const { world, client } = openClient();
    world.tell('pagehide', { persisted: false });
    assert.equal(world.socket.closedWith, 1000);
    assert.equal(client.id, null);
  });

  it('and kept by the browser lets its session be parked, and takes it up when it is shown again', () => {
    const { world, client } = openClient();
    world.tell('pagehide', { persisted: true });
    assert.equal(world.socket.closedWith, 4100);
    world.tell('pageshow', { persisted: true });
    assert.equal(world.socket.protocols[1], `entremise.resume.${TOKEN}.0`);
    resumed(world);
    assert.equal(client.id, 'me');
  });
});

describe('credentials', () => {
  it('are asked for before each connection, and offered', async () => {
    let asked = 0;
    const { world } = openClientWith(() => `token-${++asked}`);
    await settled();
    assert.deepEqual(world.socket.protocols, ['entremise.v1', 'entremise.bearer.token-1']);
    world.socket.welcome(first);
    world.socket.end(4003);
    await world.pass(1);
    assert.deepEqual(world.socket.protocols, ['entremise.v1', 'entremise.bearer.token-2', `entremise.resume.${TOKEN}.0`]);
  });

  it('may take their time, within that of the connection', async () => {
    const { world, client } = openClientWith(() => new Promise(() => {}));
    await world.pass(15);
    assert.equal(client.state, 'waiting');
    assert.equal(world.sockets.length, 0);
  });

  it('that come too late open nothing', async () => {
    /** @type {(token: string) => void} */
    let give = () => {};
    const { world, client } = openClientWith(() => new Promise((resolve) => void (give = resolve)));
    await settled();
    client.close();
    give('token');
    await settled();
    assert.equal(world.sockets.length, 0);
  });

  it('that are not given, or can’t be offered, are the cause', async () => {
    for (const credentials of [() => Promise.reject(new Error('no')), () => { throw new Error('no'); }, () => 'two words']) {
      const { client, causes } = openClientWith(credentials);
      await settled();
      assert.equal(client.state, 'waiting');
      assert.deepEqual(causes, ['no-credentials']);
    }
  });

  it('go with the question why a connection was refused', async () => {
    const { world, causes } = openClientWith(() => 'token');
    world.refuse(401, { code: 'bad-credentials', message: 'no' });
    await settled();
    world.socket.end(1006);
    await settled();
    assert.deepEqual(world.headers, [{ authorization: 'Bearer token' }]);
    assert.deepEqual(causes, ['bad-credentials']);
  });

  /** @param {() => string | Promise<string>} credentials */
  function openClientWith(credentials) {
    const world = new FakeWorld();
    const client = new Client({ url: 'wss://host/ws', world, credentials });
    /** @type {string[]} */
    const causes = [];
    client.on('state', ({ cause }) => cause && causes.push(cause.code));
    client.connect();
    return { world, client, causes };
  }
});

describe('a client that is closed by a listener', () => {
  it('stays closed, whatever it was about to do', async () => {
    for (const when of /** @type {const} */ (['connecting', 'waiting'])) {
      const { world, client } = openClient();
      client.on('state', ({ state }) => state === when && client.close());
      world.socket.end(1006);
      await world.pass(60);
      assert.equal(client.state, 'closed');
      assert.equal(world.sockets.length, 1);
      assert.equal(world.pending, 0);
    }
  });
});

describe('a session whose node is gone', () => {
  it('has the same id, and its rooms are entered again', async () => {
    const { world, client, heard } = openClient();
    /** @type {any[]} */
    const rejoined = [];
    client.on('rejoined', ({ room, peers }) => rejoined.push({ room, peers }));
    for (const room of ['hall', 'yard', 'attic']) {
      const entering = client.join(room);
      world.socket.receive({ type: 'joined', room, peers: ['you'], ref: world.socket.sent.at(-1).ref });
      await entering;
    }
    const leaving = client.leave('attic');
    world.socket.receive({ type: 'left', room: 'attic', ref: world.socket.sent.at(-1).ref });
    await leaving;
    world.socket.end(1006);
    await world.pass(1);
    world.socket.welcome({ ...first, resume: `${TOKEN}-2` });
    assert.equal(heard.at(-1).type, 'welcome');
    const joins = world.socket.sent.filter(({ type }) => type === 'join');
    assert.deepEqual(joins.map(({ room }) => room), ['hall', 'yard']);
    world.socket.receive({ type: 'joined', room: 'hall', peers: ['they'], ref: joins[0].ref });
    world.socket.receive({ type: 'error', code: 'room-full', message: 'full', room: 'yard', ref: joins[1].ref });
    await settled();
    assert.deepEqual(rejoined, [{ room: 'hall', peers: ['they'] }]);
  });

  it('enters no room again under another id', async () => {
    const { world, client } = openClient();
    const entering = client.join('hall');
    world.socket.receive({ type: 'joined', room: 'hall', peers: [], ref: world.socket.sent.at(-1).ref });
    await entering;
    world.socket.end(1006);
    await world.pass(1);
    world.socket.welcome({ ...first, id: 'another' });
    assert.deepEqual(world.socket.sent.filter(({ type }) => type === 'join'), []);
  });
});
