/** Files between two sides of a call, over a channel that the test holds up, cuts and falsifies. */

/** @import { FileTransfer } from '../../static/js/file-transfer.js' */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FileChannel, MOST_FILES } from '../../static/js/file-channel.js';
import { BLOCK } from '../../static/js/file-digest.js';
import { fileWordIn, pieceIn } from '../../static/js/file-words.js';
import { WINDOW } from '../../static/js/outgoing-file.js';
import { FakeChannel } from './peers.js';
import { settled } from './world.js';

/** A digest of it takes as long as that of a block. */
const FENCE = new Uint8Array(BLOCK + 32);

/** Two ends of one channel. What is sent on one is heard on the other in the next turn, unless it is `held`. */
class Wire {
  held = false;
  /** What passes, as the test may change it; null: it is lost. @type {(data: any) => any} */
  pass = (data) => data;
  /** @type {Map<FakeChannel, { transfers: FileTransfer[], end: FileChannel }>} */
  #ends = new Map();
  #channels = [new FakeChannel(), new FakeChannel()];
  /** Of all that was sent. */
  bytes = 0;

  constructor() {
    for (const channel of this.#channels) {
      /** @type {FileTransfer[]} */
      const transfers = [];
      const end = new FileChannel(/** @type {any} */ (channel), { onFile: (transfer) => transfers.push(transfer), onChange: () => {} });
      this.#ends.set(channel, { transfers, end });
    }
  }

  /** @param {0 | 1} side */
  at(side) {
    return /** @type {{ transfers: FileTransfer[], end: FileChannel }} */ (this.#ends.get(this.channel(side)));
  }

  /** @param {0 | 1} side */
  channel(side) {
    return /** @type {FakeChannel} */ (this.#channels[side]);
  }

  /** Until nothing is under way any more: digests are made by other threads, in their order. */
  async run() {
    for (let idle = 0; idle < 4; ) {
      await Promise.all(Array.from({ length: 4 }, () => crypto.subtle.digest('SHA-256', FENCE)));
      await settled();
      idle = this.#deliver() ? 0 : idle + 1;
    }
  }

  #deliver() {
    if (this.held) return false;
    const [left, right] = [this.channel(0), this.channel(1)];
    return [this.#move(left, right), this.#move(right, left)].some(Boolean);
  }

  /** @param {FakeChannel} from @param {FakeChannel} to */
  #move(from, to) {
    const sent = from.sent.splice(0).map((data) => (typeof data === 'string' ? data : data.buffer));
    for (const data of sent) this.bytes += data.byteLength ?? 0;
    for (const data of sent.map(this.pass).filter((each) => each !== null)) to.receive(data);
    return sent.length > 0;
  }
}

/** @param {number} size */
function fileOf(size) {
  return new Blob([Uint8Array.from({ length: size }, (_, index) => (index * 7 + (index >> 8)) & 255)], { type: 'image/png' });
}

/** @param {Wire} wire @param {Blob} file @param {string} [name] */
async function offered(wire, file, name = 'cat.png') {
  const sent = wire.at(0).end.send(file, name);
  await wire.run();
  const taken = wire.at(1).transfers.at(-1);
  assert.ok(sent && taken);
  return { sent, taken };
}

/** @param {FileTransfer[]} transfers */
const statesOf = (...transfers) => transfers.map(({ state, reason }) => (reason ? `${state} ${reason}` : state));

describe('a file', () => {
  for (const size of [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 12_345, WINDOW + BLOCK + 7]) {
    it(`of ${size} bytes comes as it was sent`, async () => {
      const wire = new Wire();
      const file = fileOf(size);
      const { sent, taken } = await offered(wire, file);
      assert.deepEqual([taken.name, taken.size, taken.mime, taken.state], ['cat.png', size, 'image/png', 'offered']);
      taken.accept();
      await wire.run();
      assert.deepEqual(statesOf(sent, taken), ['done', 'done']);
      assert.deepEqual([sent.bytes, taken.bytes], [size, size]);
      assert.deepEqual(await taken.blob?.arrayBuffer(), await file.arrayBuffer());
    });
  }

  it('is not sent before the other side has agreed', async () => {
    const wire = new Wire();
    await offered(wire, fileOf(1000));
    assert.equal(wire.bytes, 0);
  });

  it('that has come has no type: what its sender calls a page is not opened as one', async () => {
    const wire = new Wire();
    const { taken } = await offered(wire, new Blob(['<script>'], { type: 'text/html' }));
    taken.accept();
    await wire.run();
    assert.deepEqual([taken.mime, taken.blob?.type], ['text/html', '']);
  });

  it('is kept block after block where the receiver says, and each waits for the one before', async () => {
    const wire = new Wire();
    const { taken } = await offered(wire, fileOf(2 * BLOCK + 5));
    /** @type {(number | string)[]} */
    const story = [];
    taken.accept({
      write: async ({ length }) => {
        story.push(`begin ${length}`);
        await settled();
        story.push(length);
      },
      close: () => story.push('close'),
    });
    await wire.run();
    assert.deepEqual(story, [`begin ${BLOCK}`, BLOCK, `begin ${BLOCK}`, BLOCK, 'begin 5', 5, 'close']);
    assert.equal(taken.blob, null);
  });

  it('goes no faster than it is kept: what is under way is bounded', async () => {
    const wire = new Wire();
    const { sent, taken } = await offered(wire, fileOf(4 * WINDOW));
    taken.accept({ write: () => new Promise(() => {}), close: () => {} });
    await wire.run();
    assert.ok(wire.bytes <= WINDOW * 1.01, `${wire.bytes}`);
    assert.equal(sent.state, 'running');
  });

  it('waits while the channel is full, and goes on when it is not', async () => {
    const wire = new Wire();
    const { sent, taken } = await offered(wire, fileOf(BLOCK));
    wire.channel(0).bufferedAmount = 1 << 20;
    taken.accept();
    await wire.run();
    assert.equal(wire.bytes, 0);
    wire.channel(0).bufferedAmount = 0;
    wire.channel(0).dispatchEvent(new Event('bufferedamountlow'));
    await wire.run();
    assert.deepEqual(statesOf(sent, taken), ['done', 'done']);
  });

  it('beside others comes as well, both ways', async () => {
    const wire = new Wire();
    const files = [1, 2, 3].map((blocks) => fileOf(blocks * BLOCK + blocks));
    for (const side of /** @type {const} */ ([0, 1])) for (const file of files) wire.at(side).end.send(file, 'cat.png');
    await wire.run();
    for (const side of /** @type {const} */ ([0, 1])) for (const taken of wire.at(side).transfers) taken.accept();
    await wire.run();
    for (const side of /** @type {const} */ ([0, 1])) {
      assert.deepEqual(wire.at(side).transfers.map(({ state, size }) => [state, size]), files.map(({ size }) => ['done', size]));
    }
  });
});

describe('a file that is not wanted', () => {
  it('is declined', async () => {
    const wire = new Wire();
    const { sent, taken } = await offered(wire, fileOf(10));
    taken.cancel();
    await wire.run();
    assert.deepEqual(statesOf(sent, taken), ['canceled there', 'canceled here']);
  });

  it('is taken back', async () => {
    const wire = new Wire();
    const { sent, taken } = await offered(wire, fileOf(10));
    sent.cancel();
    await wire.run();
    taken.accept();
    assert.deepEqual(statesOf(sent, taken), ['canceled here', 'canceled there']);
  });

  for (const side of /** @type {const} */ (['sender', 'receiver'])) {
    it(`is stopped in the middle by its ${side}, and what was kept is given up`, async () => {
      const wire = new Wire();
      const { sent, taken } = await offered(wire, fileOf(WINDOW * 2));
      let aborted = 0;
      taken.accept({ write: () => new Promise(() => {}), close: () => {}, abort: () => void aborted++ });
      await wire.run();
      (side === 'sender' ? sent : taken).cancel();
      const before = wire.bytes;
      await wire.run();
      assert.deepEqual(statesOf(sent, taken), side === 'sender' ? ['canceled here', 'canceled there'] : ['canceled there', 'canceled here']);
      assert.equal(aborted, 1);
      assert.ok(wire.bytes - before < BLOCK);
    });
  }

  it('makes room for the next', async () => {
    const wire = new Wire();
    for (let count = 0; count < 3 * MOST_FILES; count++) {
      const { sent, taken } = await offered(wire, fileOf(1));
      (count % 2 ? sent : taken).cancel();
      await wire.run();
    }
    const { sent, taken } = await offered(wire, fileOf(1));
    taken.accept();
    await wire.run();
    assert.equal(sent.state, 'done');
  });
});

describe('a transfer fails', () => {
  it('where the call ends, on both sides', async () => {
    const wire = new Wire();
    const { sent, taken } = await offered(wire, fileOf(WINDOW * 2));
    taken.accept({ write: () => new Promise(() => {}), close: () => {} });
    await wire.run();
    for (const side of /** @type {const} */ ([0, 1])) wire.channel(side).dispatchEvent(new Event('close'));
    assert.deepEqual(statesOf(sent, taken), ['failed lost', 'failed lost']);
  });

  it('where a byte was changed on its way', async () => {
    const wire = new Wire();
    const { sent, taken } = await offered(wire, fileOf(BLOCK));
    taken.accept();
    let pieces = 0;
    wire.pass = (data) => {
      if (data instanceof ArrayBuffer && ++pieces === 3) new DataView(data).setUint8(50, 255);
      return data;
    };
    await wire.run();
    assert.deepEqual(statesOf(sent, taken), ['failed corrupt', 'failed corrupt']);
    assert.equal(taken.blob, null);
  });

  it('where a piece is missing', async () => {
    const wire = new Wire();
    const { sent, taken } = await offered(wire, fileOf(BLOCK));
    taken.accept();
    let pieces = 0;
    wire.pass = (data) => (data instanceof ArrayBuffer && ++pieces === 3 ? null : data);
    await wire.run();
    assert.deepEqual(statesOf(sent, taken), ['failed corrupt', 'failed corrupt']);
  });

  it('where more comes than was said', async () => {
    const wire = new Wire();
    const { taken } = await offered(wire, fileOf(10));
    taken.accept();
    wire.channel(1).receive(new Uint8Array(4 + 11).buffer);
    assert.notEqual(taken.state, 'failed');
    wire.channel(1).receive(Uint8Array.from([0, 0, 0, 1, ...new Array(11).fill(0)]).buffer);
    assert.deepEqual(statesOf(taken), ['failed corrupt']);
  });

  it('where the receiver has no room for it', async () => {
    const wire = new Wire();
    const { sent, taken } = await offered(wire, fileOf(BLOCK * 2));
    taken.accept({ write: () => Promise.reject(new Error('disk full')), close: () => {} });
    await wire.run();
    assert.deepEqual(statesOf(sent, taken), ['failed unwritable', 'failed unwritable']);
  });

  it('where the sender can’t read it any more', async () => {
    const wire = new Wire();
    const file = Object.assign(fileOf(BLOCK), { slice: () => ({ arrayBuffer: () => Promise.reject(new Error('gone')) }) });
    const { sent, taken } = await offered(wire, file);
    taken.accept();
    await wire.run();
    assert.deepEqual(statesOf(sent, taken), ['failed unreadable', 'failed unreadable']);
  });

  it('a sender that does not wait is refused', async () => {
    const wire = new Wire();
    const { taken } = await offered(wire, fileOf(4 * WINDOW));
    taken.accept({ write: () => new Promise(() => {}), close: () => {} });
    const piece = new Uint8Array(4 + (1 << 14));
    piece[3] = 1;
    for (let sent = 0; sent <= 2 * WINDOW && taken.state === 'running'; sent += 1 << 14) wire.channel(1).receive(piece.buffer);
    assert.deepEqual(statesOf(taken), ['failed too-fast']);
  });
});

describe('a stranger', () => {
  it('more files than a person can answer for are refused', async () => {
    const wire = new Wire();
    const words = Array.from({ length: 1000 }, (_, id) => JSON.stringify({ type: 'file', id, name: 'a', size: 1, mime: '' }));
    for (const word of words) wire.channel(1).receive(word);
    assert.equal(wire.at(1).transfers.length, MOST_FILES);
    const refused = wire.channel(1).sent.map((word) => JSON.parse(word));
    assert.equal(refused.length, 1000 - MOST_FILES);
    assert.deepEqual(refused[0], { type: 'refuse', id: MOST_FILES, reason: 'too-many' });
  });

  it('has no more files on its way than that either', () => {
    const wire = new Wire();
    const sent = Array.from({ length: MOST_FILES + 1 }, () => wire.at(0).end.send(fileOf(1), 'a'));
    assert.deepEqual(sent.map((transfer) => transfer === null), [...new Array(MOST_FILES).fill(false), true]);
  });

  it('that says to have kept what was not sent is not believed', async () => {
    const wire = new Wire();
    wire.held = true;
    const sent = wire.at(0).end.send(fileOf(3 * WINDOW), 'a');
    wire.channel(0).receive(JSON.stringify({ type: 'accept', id: 1 }));
    wire.channel(0).receive(JSON.stringify({ type: 'received', id: 1, bytes: 3 * WINDOW }));
    wire.channel(0).receive(JSON.stringify({ type: 'kept', id: 1 }));
    await wire.run();
    assert.deepEqual([sent?.state, sent?.bytes], ['running', 0]);
  });

  it('says what is no word, and nothing comes of it', () => {
    const good = { type: 'file', id: 1, name: 'a', size: 1, mime: 'a/b' };
    assert.deepEqual(fileWordIn(JSON.stringify(good)), good);
    for (const change of [{ id: -1 }, { id: 2 ** 32 }, { id: '1' }, { size: -1 }, { size: 1.5 }, { size: 2 ** 60 }, { size: null }, { type: 'x' }]) {
      assert.equal(fileWordIn(JSON.stringify({ ...good, ...change })), null, JSON.stringify(change));
    }
    for (const text of ['', '{', 'null', '[]', '1', `{"type":"kept","id":1,"x":"${'x'.repeat(5000)}"}`]) assert.equal(fileWordIn(text), null, text);
    assert.equal(pieceIn(new ArrayBuffer(4)), null);
  });

  it('calls a file what it is not, and it stands there plainly', () => {
    const names = [
      ['../../etc/passwd', '_.._etc_passwd'],
      ['C:\\x.exe', 'C__x.exe'],
      ['photo\u202egpj.exe', 'photogpj.exe'],
      ['a\u0000b\nc', 'ab c'],
      ['.bashrc', 'bashrc'],
      ['…', '…'],
      ['', 'file'],
      ['x'.repeat(1000), 'x'.repeat(200)],
      [`${'x'.repeat(199)}😀`, 'x'.repeat(199)],
    ];
    for (const [name, shown] of names) {
      const word = fileWordIn(JSON.stringify({ type: 'file', id: 1, name, size: 1, mime: 'text/html;<' }));
      assert.deepEqual(word, { type: 'file', id: 1, name: shown, size: 1, mime: '' });
    }
  });
});
