/** Six in a room, which is as many as it takes, with pictures small enough for one machine: they come, crash, and come back. */

/** @import { Peer } from '../browser/peer.js' */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { closeBrowsers, launch } from '../browser/browsers.js';
import { until } from '../browser/deadline.js';
import { Peer as Person } from '../browser/peer.js';
import { Server } from '../browser/server.js';

after(closeBrowsers);

/** Small and slow, for fifteen calls on one machine. */
const PICTURE = { width: 160, height: 90, frameRate: 5 };
const WINDOW = { width: 480, height: 640 };
/** A browser spends more on sound than on such a picture. */
const WITH_A_MICROPHONE = ['one', 'six', 'late'];
const PATIENCE = 120;

/** @param {Server} server @param {string} name */
async function enter(server, name) {
  const person = await Person.open(await launch('chromium'), name, 'about:blank');
  await person.page.setViewport(WINDOW);
  await person.page.evaluateOnNewDocument((wish) => {
    const { mediaDevices } = navigator;
    const open = mediaDevices.getUserMedia.bind(mediaDevices);
    mediaDevices.getUserMedia = () => open(wish);
    MediaStreamTrack.prototype.applyConstraints = async () => {};
  }, { video: PICTURE, audio: WITH_A_MICROPHONE.includes(name) });
  await person.page.goto(`${server.url}#room=six-of-us`);
  await goIn(person);
  return person;
}

/** @param {Peer} person */
async function goIn(person) {
  await person.reaches('ready', PATIENCE);
  await person.click('#enter');
  await person.reaches('in-room', PATIENCE);
}

/** @param {Peer[]} people each sees each other one, and no more */
async function areTogether(...people) {
  const count = (/** @type {Peer} */ { page }) => page.$$eval('.tile', (tiles) => tiles.filter((tile) => tile.matches('[data-own], [data-state="connected"]:has(video[data-picture])')).length);
  const tiles = (/** @type {Peer} */ { page }) => page.$$eval('.tile', ({ length }) => length);
  const counts = async () => JSON.stringify(await Promise.all(people.map(async (person) => [await count(person), await tiles(person)])));
  const wanted = JSON.stringify(people.map(() => [people.length, people.length]));
  await until(PATIENCE, `all of ${people.length} to see each other`, counts, async () => (await counts()) === wanted);
}

test('six meet; a seventh is told that it is full; one is killed, one loads her page anew, the server is restarted', async () => {
  const server = await Server.start(['--stun-port', '0', '--resume-window', '5']);
  try {
    /** @type {Peer[]} */
    const people = [];
    for (const name of ['one', 'two', 'three', 'four', 'five', 'six']) people.push(await enter(server, name));
    await areTogether(...people);

    const seventh = await Person.open(await launch('chromium'), 'seven', `${server.url}#room=six-of-us`);
    await seventh.reaches('ready', PATIENCE);
    await seventh.click('#enter');
    await seventh.isTold(/full: six/, PATIENCE);
    await seventh.close();
    await areTogether(...people);

    const [killed, reloaded, ...others] = people;
    assert.ok(killed && reloaded);
    await kill(killed);
    await areTogether(reloaded, ...others);

    await reloaded.page.reload();
    await goIn(reloaded);
    await areTogether(reloaded, ...others);

    await server.kill();
    await server.start();
    await areTogether(reloaded, ...others);
    const late = await enter(server, 'late');
    await areTogether(reloaded, ...others, late);
  } finally {
    await closeBrowsers();
    await server.close();
  }
});

/** Its process ends without a word, as where a phone's system takes the memory back. @param {Peer} person */
async function kill({ page }) {
  const client = await page.createCDPSession();
  await client.send('Page.crash').catch(() => {});
}
