/** What this side sends: which devices are asked for, when, and what is kept of the person's choices. */

import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { optionsOf } from '../../static/js/page/devices.js';
import { LocalMedia } from '../../static/js/page/media.js';
import { levelOf } from '../../static/js/page/meter.js';
import { Outgoing } from '../../static/js/page/outgoing.js';
import { openScreen, problemsOf } from '../../static/js/page/screen.js';
import { Settings } from '../../static/js/page/settings.js';

/** @import { Kind } from '../../static/js/page/device-request.js' */
/** @import { Surroundings } from '../../static/js/page/media.js' */

class FakeTrack extends EventTarget {
  enabled = true;
  readyState = 'live';

  /** @param {string} kind */
  constructor(kind) {
    super();
    this.kind = kind;
  }

  stop() {
    this.readyState = 'ended';
  }
}

class FakeStream {
  /** @param {FakeTrack[]} tracks */
  constructor(tracks) {
    this.tracks = tracks;
  }

  getTracks() {
    return this.tracks;
  }

  getVideoTracks() {
    return this.tracks.filter(({ kind }) => kind === 'video');
  }
}

/** The browser of a person who answers as the test says. */
class FakeBrowser {
  /** What `getUserMedia` was asked for, in order. @type {any[]} */
  asked = [];
  /** @type {FakeTrack[]} */
  given = [];
  /** By kind: the name of the error. @type {Record<string, string>} */
  refusals = {};
  /** @type {Record<string, string>} */
  permissions = {};
  /** Ids of devices. @type {string[]} */
  unplugged = [];
  /** Until it settles, no question is answered. @type {Promise<void>} */
  answered = Promise.resolve();

  mediaDevices = {
    getUserMedia: async (/** @type {any} */ wish) => {
      this.asked.push(wish);
      await this.answered;
      if (Object.values(wish).some(({ deviceId }) => this.unplugged.includes(deviceId?.exact))) throw new DOMException('', 'OverconstrainedError');
      const refused = Object.keys(wish).find((kind) => this.refusals[kind]);
      if (refused) throw new DOMException('', this.refusals[refused]);
      return this.#give(...Object.keys(wish));
    },
    getDisplayMedia: async () => this.#give('video'),
  };

  permissionsApi = { query: async (/** @type {{ name: string }} */ { name }) => ({ state: this.permissions[name] ?? 'prompt' }) };

  constructor() {
    Object.defineProperty(globalThis, 'navigator', { value: { mediaDevices: this.mediaDevices, permissions: this.permissionsApi }, configurable: true });
    Object.assign(globalThis, { MediaStream: FakeStream });
  }

  /** @param {...string} kinds */
  #give(...kinds) {
    const tracks = kinds.map((kind) => new FakeTrack(kind));
    this.given.push(...tracks);
    return new FakeStream(tracks);
  }

  get kinds() {
    return this.asked.map((wish) => Object.keys(wish).join(' '));
  }
}

/** @type {FakeBrowser} */
let browser;
beforeEach(() => void (browser = new FakeBrowser()));

/** @param {Surroundings} [surroundings] */
const media = (surroundings) => new LocalMedia(surroundings);

describe('a refusal', () => {
  it('is not asked again for the same device, by this call or the next', async () => {
    /** @type {Set<Kind>} */
    const refused = new Set();
    browser.refusals = { video: 'NotAllowedError' };
    browser.permissions = { microphone: 'granted' };
    assert.deepEqual((await media({ refused }).open('camera')).problems, ['camera-blocked']);
    assert.deepEqual(browser.kinds, ['audio video', 'audio']);
    const next = media({ refused });
    assert.deepEqual((await next.open('camera')).problems, ['camera-blocked']);
    assert.deepEqual(browser.kinds, ['audio video', 'audio', 'audio']);
    assert.deepEqual(next.sent, { audio: true, video: false });
  });

  it('of both is asked for once, and said once', async () => {
    /** @type {Set<Kind>} */
    const refused = new Set();
    browser.refusals = { audio: 'NotAllowedError', video: 'NotAllowedError' };
    for (let call = 1; call <= 2; call++) assert.deepEqual((await media({ refused }).open('camera')).problems, ['devices-blocked']);
    assert.deepEqual(browser.kinds, ['audio video']);
  });

  it('is asked again by a button for it, and then forgotten', async () => {
    /** @type {Set<Kind>} */
    const refused = new Set();
    const own = media({ refused });
    browser.refusals = { video: 'NotAllowedError' };
    await own.retake();
    browser.refusals = {};
    assert.deepEqual(await own.retake(), []);
    assert.equal(own.hasCamera, true);
    assert.equal(refused.size, 0);
  });

  it('that was taken back in the address bar is none', async () => {
    /** @type {Set<Kind>} */
    const refused = new Set(['audio', 'video']);
    browser.permissions = { microphone: 'granted', camera: 'granted' };
    assert.deepEqual((await media({ refused }).open('camera')).problems, []);
  });

  it('is one of the person’s: a device that is taken or missing is tried again in the next call', async () => {
    /** @type {Set<Kind>} */
    const refused = new Set();
    browser.refusals = { audio: 'NotReadableError' };
    assert.deepEqual((await media({ refused }).open('microphone')).problems, ['microphone-taken']);
    assert.equal(refused.size, 0);
  });
});

describe('what a look at oneself has opened', () => {
  it('is not asked for again by the call', async () => {
    const own = media();
    await own.open('camera', 'again');
    const { stream } = await own.open('camera');
    assert.deepEqual(browser.kinds, ['audio video']);
    assert.deepEqual(stream?.getTracks(), browser.given);
  });

  it('is not asked for twice where the call begins before the person has answered', async () => {
    let answer = () => {};
    browser.answered = new Promise((resolve) => (answer = () => resolve(undefined)));
    const own = media();
    const opened = [own.open('camera', 'again'), own.open('camera')];
    answer();
    await Promise.all(opened);
    assert.deepEqual(browser.kinds, ['audio video']);
  });

  it('is let go of as far as it is no more wished for', async () => {
    const own = media();
    await own.open('camera');
    await own.open('microphone');
    assert.deepEqual(browser.given.map(({ kind, readyState }) => `${kind} ${readyState}`), ['audio live', 'video ended']);
  });

  it('is let go of at the end, also what a late answer brings', async () => {
    const own = media();
    const opened = own.open('camera');
    own.stop();
    await opened;
    assert.deepEqual(browser.given.map(({ readyState }) => readyState), ['ended', 'ended']);
  });
});

describe('a device that was chosen', () => {
  it('is the one that is asked for', async () => {
    await media({ device: (kind) => (kind === 'audio' ? 'm2' : '') }).open('camera');
    assert.deepEqual(browser.asked[0].audio, { deviceId: { exact: 'm2' } });
    assert.equal(browser.asked[0].video.deviceId, undefined);
  });

  it('and is unplugged is replaced by another, and the other kind is as it was chosen', async () => {
    browser.unplugged = ['c2'];
    const own = media({ device: (kind) => (kind === 'audio' ? 'm2' : 'c2') });
    assert.deepEqual((await own.open('camera')).problems, []);
    assert.deepEqual(own.sent, { audio: true, video: true });
    const given = browser.asked.slice(1).map(({ audio, video }) => audio?.deviceId ?? video.deviceId ?? null);
    assert.deepEqual(given, [{ exact: 'm2' }, { exact: 'c2' }, null]);
  });

  it('in mid-call takes the place of the other, which is let go of first; it is muted as that was', async () => {
    const own = media();
    await own.open('camera');
    await own.mute(true);
    assert.deepEqual(await own.change('audio'), []);
    const [first, , second] = browser.given;
    assert.deepEqual([first?.readyState, second?.kind, second?.enabled], ['ended', 'audio', false]);
    assert.equal(own.sound, /** @type {unknown} */ (second));
  });

  it('of a kind that is not sent is not opened', async () => {
    const own = media();
    await own.open('microphone');
    await own.change('video');
    assert.deepEqual(browser.kinds, ['audio']);
  });

  it('and is unplugged is told, and one that this side stops is not', async () => {
    /** @type {Kind[]} */
    const lost = [];
    const own = media({ onLost: (kind) => lost.push(kind) });
    await own.open('camera');
    own.release();
    for (const track of browser.given) track.dispatchEvent(new Event('ended'));
    assert.deepEqual(lost, ['audio']);
  });
});

describe('a call that began without devices', () => {
  it('has a microphone once its person wants to be heard', async () => {
    const own = media();
    await own.open('neither');
    assert.deepEqual(own.sent, { audio: false, video: false });
    await own.mute(false);
    assert.deepEqual(own.sent, { audio: true, video: false });
  });
});

describe('the screen', () => {
  /** A call that is on. @param {LocalMedia} own */
  function inCall(own) {
    /** @type {any[]} */
    const said = [];
    const call = {
      replaceTrack: async (/** @type {Kind} */ kind, /** @type {unknown} */ track) => void (kind === 'video' && said.push(track)),
      describeMedia: (/** @type {unknown} */ sent) => void said.push(sent),
    };
    let calls = [call];
    const outgoing = new Outgoing({ handOver: () => own }, { showLocal() {} }, { create: () => own, isOn: () => calls.length > 0, calls: () => calls, onChange() {} });
    return { outgoing, said, end: () => void (calls = []) };
  }

  it('takes the place of the camera, and gives it back', async () => {
    const own = media();
    const { outgoing, said } = inCall(own);
    await outgoing.open('camera');
    await outgoing.switchScreen(true);
    const [, camera, screen] = browser.given;
    assert.deepEqual(said.splice(0), [screen, { audio: true, video: true, screen: true }]);
    await outgoing.switchScreen(false);
    assert.deepEqual(said, [camera, { audio: true, video: true }]);
    assert.deepEqual([screen?.readyState, camera?.readyState], ['ended', 'live']);
  });

  it('that is stopped by the browser’s own button gives it back too', async () => {
    const own = media();
    const { outgoing, said } = inCall(own);
    await outgoing.open('microphone');
    await outgoing.switchScreen(true);
    said.splice(0);
    browser.given.at(-1)?.dispatchEvent(new Event('ended'));
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(said, [null, { audio: true, video: false }]);
  });

  it('stays while the camera is switched off and on', async () => {
    const own = media();
    const { outgoing } = inCall(own);
    await outgoing.open('camera');
    await outgoing.switchScreen(true);
    const screen = own.picture;
    await outgoing.switchCamera(true);
    assert.deepEqual([own.hasCamera, own.picture, own.sent.screen], [false, screen, true]);
    await outgoing.switchCamera(false);
    assert.deepEqual([own.hasCamera, own.picture], [true, screen]);
  });

  it('that is chosen when the call is over is let go of', async () => {
    const own = media();
    const { outgoing, said, end } = inCall(own);
    await outgoing.open('camera');
    const shared = outgoing.switchScreen(true);
    end();
    outgoing.stop();
    await shared;
    assert.equal(browser.given.at(-1)?.readyState, 'ended');
    assert.deepEqual(said, []);
  });

  it('that a person does not choose after all is no problem; that the system keeps it is one', async () => {
    assert.deepEqual(problemsOf(new DOMException('Permission denied', 'NotAllowedError')), []);
    assert.deepEqual(problemsOf(new DOMException('Permission denied by system', 'NotAllowedError')), ['screen-blocked']);
    assert.deepEqual(problemsOf(new DOMException('', 'NotReadableError')), ['screen-blocked']);
    browser.mediaDevices.getDisplayMedia = async () => Promise.reject(new DOMException('', 'NotAllowedError'));
    assert.deepEqual(await openScreen(() => {}), { track: null, problems: [] });
  });
});

describe('a choice', () => {
  it('is kept by the browser, under the page’s own name', () => {
    const kept = new Map();
    const storage = { getItem: (/** @type {string} */ key) => kept.get(key) ?? null, setItem: (/** @type {string} */ key, /** @type {string} */ value) => void kept.set(key, value) };
    new Settings(storage).set('camera', 'c2');
    assert.deepEqual([...kept], [['entremise.camera', 'c2']]);
    assert.equal(new Settings(storage).get('camera'), 'c2');
  });

  it('lasts as long as the page where storage throws, or there is none', () => {
    const broken = { getItem: () => { throw new Error('no'); }, setItem: () => { throw new Error('full'); } };
    for (const storage of [broken, null]) {
      const settings = new Settings(storage);
      assert.equal(settings.get('speaker'), '');
      settings.set('speaker', 's1');
      assert.equal(settings.get('speaker'), 's1');
    }
  });

  it('of any length is none', () => {
    const settings = new Settings({ getItem: () => 'x'.repeat(1e6), setItem: () => assert.fail('it was kept') });
    settings.set('camera', 'x'.repeat(1e6));
    assert.equal(settings.get('camera'), '');
  });
});

describe('a list of devices', () => {
  it('has those of its kind that can be told from each other, and not without end', () => {
    const device = (/** @type {string} */ kind, /** @type {string} */ deviceId) => /** @type {MediaDeviceInfo} */ ({ kind, deviceId });
    const devices = [device('audioinput', 'default'), device('audioinput', 'a'), device('videoinput', 'v'), device('audioinput', '')];
    assert.deepEqual(optionsOf(devices, 'audioinput').map(({ deviceId }) => deviceId), ['a']);
    assert.equal(optionsOf(Array.from({ length: 1000 }, (_, index) => device('videoinput', `v${index}`)), 'videoinput').length, 32);
  });
});

describe('the level of a microphone', () => {
  it('is nothing in silence, all at the loudest, and grows as people hear', () => {
    const levelAt = (/** @type {number} */ amplitude) => levelOf(new Float32Array(256).fill(amplitude));
    assert.equal(levelAt(0), 0);
    assert.equal(levelAt(1), 1);
    assert.equal(levelAt(0.0001), 0);
    assert.equal(levelAt(0.0316).toFixed(2), '0.50');
    assert.equal(levelOf(new Float32Array(0)), 0);
  });
});
