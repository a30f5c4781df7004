/** What the picture of one member takes of her uplink, for each other one: of a camera in the dark, whose noise no encoder can spare. */

import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { closeBrowsers, launch, launchWithFilm } from '../browser/browsers.js';
import { Peer } from '../browser/peer.js';
import { all } from '../browser/scene.js';
import { Server } from '../browser/server.js';

after(closeBrowsers);

const PICTURE = { width: 640, height: 360, frameRate: 15 };
/** In seconds: until the browser has found out how much it may send, and then for as long. */
const STRETCH = 15;
/** Of what the room allows: headers, and a browser that is not exact. */
const MARGIN = 1.2;

test('is half a megabit per second', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'uplink-'));
  const server = await Server.start(['--stun-port', '0']);
  try {
    const film = join(folder, 'film.y4m');
    await writeFilm(film);
    const people = [await Peer.open(await launchWithFilm(film), 'Alice', 'about:blank'), await Peer.open(await launch('chromium'), 'Bob', 'about:blank')];
    const [alice] = people;
    assert.ok(alice);
    await alice.page.evaluateOnNewDocument(keepConnections);
    for (const person of people) {
      await person.page.goto(`${server.url}#room=a-dark-room`);
      await person.reaches('ready');
      await person.click('#enter');
      await person.reaches('in-room');
    }
    await all(people, ({ page }) => page.waitForSelector('.tile[data-state="connected"] video[data-picture]'));
    await alice.page.evaluate(wait, STRETCH);
    const rate = await alice.page.evaluate(bitsPerSecond, STRETCH);
    context.diagnostic(`${Math.round(rate / 1000)} kbit/s`);
    assert.ok(rate > 200_000, 'pictures are sent');
    assert.ok(rate < 500_000 * MARGIN, `${rate} bits per second`);
  } finally {
    await closeBrowsers();
    await server.close();
    await rm(folder, { recursive: true });
  }
});

/** A second of pure noise. @param {string} path */
async function writeFilm(path) {
  const { width, height, frameRate } = PICTURE;
  const file = await open(path, 'w');
  await file.write(`YUV4MPEG2 W${width} H${height} F${frameRate}:1 Ip A1:1 C420jpeg\n`);
  for (let frame = 0; frame < frameRate; frame++) {
    await file.write('FRAME\n');
    await file.write(Buffer.concat([randomFillSync(Buffer.alloc(width * height)), Buffer.alloc((width * height) / 2, 128)]));
  }
  await file.close();
}

/** In the page. */
function keepConnections() {
  /** @type {RTCPeerConnection[]} */
  const kept = [];
  globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    /** @param {RTCConfiguration} [configuration] */
    constructor(configuration) {
      super(configuration);
      kept.push(this);
    }
  };
  Object.assign(globalThis, { kept });
}

/** In the page. @param {number} seconds */
async function wait(seconds) {
  await new Promise((done) => setTimeout(done, seconds * 1000));
}

/** In the page: of the picture that the newest connection sends. @param {number} seconds */
async function bitsPerSecond(seconds) {
  const sent = async () => {
    const report = await /** @type {any} */ (globalThis).kept.at(-1).getStats();
    return [...report.values()].find(({ type, kind }) => type === 'outbound-rtp' && kind === 'video');
  };
  const before = await sent();
  await new Promise((done) => setTimeout(done, seconds * 1000));
  const now = await sent();
  return ((now.bytesSent + now.headerBytesSent - before.bytesSent - before.headerBytesSent) * 8) / ((now.timestamp - before.timestamp) / 1000);
}
