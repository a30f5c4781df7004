/** The tutorial's page and the server's own call each other by id. Neither is changed: both are in one folder, and of one origin. */

import { cp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { launch } from '../browser/browsers.js';
import { until } from '../browser/deadline.js';
import { Peer } from '../browser/peer.js';
import './scene.js';
import { Subject } from './subject.js';
import { calls, greeted, tutorialFolder } from './tutorial.js';
import { Visitor } from './visitor.js';

/** Until a browser holds a path for lost, and another has been sought. In seconds. */
const LOSS = 45;

/** @type {string} */
let folder;
/** @type {Subject} */
let server;

before(async () => {
  folder = await tutorialFolder('tutorial');
  // The scripts beneath js/ are the server's.
  const page = fileURLToPath(new URL('../../static/', import.meta.url));
  const files = (await readdir(page, { withFileTypes: true })).filter((entry) => entry.isFile());
  for (const { name } of files) await cp(join(page, name), join(folder, name));
  server = await Subject.start('socket.io', { kind: 'ours', page: folder });
});

after(async () => {
  await server?.close();
  await rm(folder, { recursive: true, force: true });
});

/** A test's body: the tutorial's page and ours, and in the end neither may have complained. @param {(tutorial: Visitor, own: Peer) => Promise<void>} play */
function scene(play) {
  return async () => {
    const browser = await launch('chromium');
    const tutorial = await Visitor.open(browser, `${server.url}tutorial/`);
    const own = await Peer.open(browser, 'our page', server.url);
    try {
      await play(tutorial, own);
      tutorial.assertNoComplaint();
      own.assertNoComplaint();
    } finally {
      await Promise.all([tutorial.close(), own.close()]);
    }
  };
}

/** @param {Visitor} tutorial @param {Peer} own */
async function seeEachOther(tutorial, own) {
  await own.reaches('in-call');
  await Promise.all([tutorial.sees('#distant'), own.seesTheOther()]);
}

/** As its diagram says. @param {Peer} own @param {string[]} words each with its way, that have arrived */
async function hasExchanged(own, words) {
  const arrived = () => own.page.$$eval('#diagram li[data-fate="delivered"]', (items) => items.map((item) => `${item.dataset['way']}: ${item.querySelector('b')?.textContent}`));
  await until(20, words.join(', '), async () => (await arrived()).join('\n'), async () => {
    const heard = await arrived();
    return words.every((word) => heard.includes(word));
  });
}

/** @param {Visitor} tutorial @param {Peer} own */
async function callOwn(tutorial, own) {
  await calls(tutorial, await own.id());
  await own.accept();
  await seeEachOther(tutorial, own);
}

/** @param {Visitor} tutorial @param {Peer} own */
async function callTutorial(tutorial, own) {
  const id = await greeted(tutorial);
  await own.id();
  await own.call(id);
  await seeEachOther(tutorial, own);
}

const [IN, OUT] = ['other-side you', 'you other-side'];
const ways = [{ caller: 'the tutorial', call: callOwn, offer: IN, answer: OUT }, { caller: 'our page', call: callTutorial, offer: OUT, answer: IN }];

/** Most of the time a browser waits before it holds a path for lost. */
describe("the tutorial's page and the server's own", { concurrency: 2 }, () => {
  for (const { caller, call, offer, answer } of ways) {
    test(`see each other (${caller} calls), and our page hangs up`, scene(async (tutorial, own) => {
      await call(tutorial, own);
      await hasExchanged(own, [`${offer}: offer`, `${answer}: answer`, `${offer}: candidate`, `${answer}: candidate`]);
      await own.click('#hang-up');
      await own.reaches('ready');
      await own.isTold(/^You hung up\.$/);
    }));
  }

  test("the tutorial's page is closed in mid-call, and ours is ready again", scene(async (tutorial, own) => {
    await callOwn(tutorial, own);
    await tutorial.page.close();
    await own.reaches('ready', LOSS);
    await own.isTold(/^The other side is gone\.$/);
  }));

  test('our page declines, and can be called again', scene(async (tutorial, own) => {
    await calls(tutorial, await own.id());
    await own.reaches('ringing');
    await own.click('#decline');
    await own.reaches('ready');
    await tutorial.page.reload();
    await callOwn(tutorial, own);
  }));

  test('our page is told that an id of the tutorial is not there any more', scene(async (tutorial, own) => {
    const id = await greeted(tutorial);
    await tutorial.page.close();
    await own.id();
    await own.call(id);
    // The latter where the server learns of it as it delivers the offer.
    await own.isTold(/^(No one has this id|The other side is gone)\.$/);
  }));
});
