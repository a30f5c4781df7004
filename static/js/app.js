/** The page: what a person does goes to the line, and what the client and the call report is shown. */

/** @import { Call } from './call.js' */
/** @import { Scope } from './page/abilities.js' */
/** @import { PageState, Situation } from './page/situation.js' */
/** @import { Phrase } from './page/words.js' */
import { Client } from './client.js';
import { Line } from './line.js';
import { canCall, hasDevices, missingIn } from './page/abilities.js';
import { Chat } from './page/chat.js';
import { Diagram } from './page/diagram.js';
import { elementById } from './page/element.js';
import { chooseLanguage, sayIn, translatePage } from './page/language.js';
import { LocalMedia } from './page/media.js';
import { OwnId } from './page/own-id.js';
import { Retry } from './page/retry.js';
import { peerInHash, peerInText, transportPolicyIn } from './page/share.js';
import { pageState, sentenceOf, short, toneOf, wordsOfPath } from './page/situation.js';
import { Stage } from './page/stage.js';
import { Token } from './page/token.js';

const language = chooseLanguage(navigator.languages);
const say = sayIn(language);
translatePage(language);

const main = /** @type {HTMLElement} */ (document.querySelector('main'));
const dial = elementById('dial', HTMLFormElement);
const status = elementById('status', HTMLParagraphElement);
const statusBar = elementById('status-bar', HTMLDivElement);
const remoteId = elementById('remote-id', HTMLInputElement);

const missing = missingIn(/** @type {Scope} */ (globalThis));
const token = new Token(() => client?.connect());
const client = missing.includes('no-websocket') ? null : new Client({ credentials: () => token.value });
const line = client && new Line(client, { iceTransportPolicy: transportPolicyIn(location.search) });
const ownId = new OwnId(say, tell);
const retry = new Retry(say, () => client?.connect());
const stage = new Stage(say, { onMute: mute, onCamera: switchCamera });
const chat = new Chat(say, (text) => line?.current?.chat(text) ?? false);
const diagram = new Diagram(say);
let media = new LocalMedia();

/** @type {Situation} */
const situation = {
  link: { state: 'closed', cause: null, retryIn: null },
  hasFailed: false,
  call: null,
  ended: null,
  asking: false,
  notices: [],
  missing,
  invitation: '',
};

function render() {
  const state = pageState(situation);
  const sentence = sentenceOf(situation, say);
  if (status.textContent !== sentence) status.textContent = sentence;
  statusBar.dataset['tone'] = toneOf(situation);
  token.show(situation.hasFailed ? (situation.link.cause?.code ?? null) : null);
  if (main.dataset['state'] !== state) enter(state);
}

/** @param {PageState} state */
function enter(state) {
  const wasInCall = ['calling', 'ringing', 'in-call'].includes(main.dataset['state'] ?? '');
  main.dataset['state'] = state;
  document.title = state === 'ringing' ? `☎ ${say('incoming-call')} · entremise` : 'entremise';
  elementById('call', HTMLButtonElement).disabled = !canCall(missing) || (state !== 'ready' && state !== 'ringing');
  showHeading();
  moveFocus(state, wasInCall);
}

function showHeading() {
  const { invitation = '' } = situation;
  const heading = elementById('dial-heading', HTMLHeadingElement);
  if (main.dataset['state'] === 'ringing') heading.textContent = say('incoming-call');
  else heading.textContent = invitation ? say('invites-you', { peer: short(invitation) }) : say('make-a-call');
}

/** What had the focus may be gone. A call focuses no button: a key that is pressed once more must neither accept nor hang up. @param {PageState} state @param {boolean} wasInCall */
function moveFocus(state, wasInCall) {
  if (state === 'ringing') dial.focus();
  else if ((state === 'calling' || state === 'in-call') && !document.activeElement?.closest('.room')) stage.focus();
  else if (wasInCall) elementById('call', HTMLButtonElement).focus();
}

/** @param {Phrase} notice */
function tell(notice) {
  situation.ended = null;
  situation.notices = [notice];
  render();
}

function call() {
  const peer = peerInText(remoteId.value);
  if (!client?.id || !line || (line.current && !isRingingFrom(peer))) return;
  if (peer && peer !== client.id) return void line.call(peer, openMedia());
  tell(peer ? 'own-id' : 'needs-id');
  remoteId.focus();
}

/** To press "call" in the instant in which that very peer rings is consent. @param {string} peer */
function isRingingFrom(peer) {
  return line?.current?.state === 'ringing' && line.current.peer === peer;
}

/** @returns {Promise<MediaStream | null>} */
async function openMedia() {
  const wish = new FormData(dial).get('media');
  const own = new LocalMedia();
  media = own;
  situation.asking = wish !== 'neither';
  const { stream, problems } = await own.open(wish === 'camera' || wish === 'microphone' ? wish : 'neither');
  if (media !== own || !line?.current) return null;
  situation.asking = false;
  situation.notices = problems;
  stage.offer(own.sent);
  showOwnMedia();
  render();
  return stream;
}

function showOwnMedia() {
  stage.showLocal(media.stream);
  line?.current?.describeMedia(media.sent);
}

/** @param {boolean} muted */
function mute(muted) {
  media.mute(muted);
  line?.current?.describeMedia(media.sent);
}

/** @param {boolean} off */
async function switchCamera(off) {
  const [own, call] = [media, line?.current];
  if (off) own.release();
  const { track, problems } = off ? { track: null, problems: [] } : await own.retake();
  if (media !== own || line?.current !== call) return;
  await call?.replaceTrack('video', track);
  situation.notices = problems;
  showOwnMedia();
  render();
}

/** @param {Call} call */
function follow(call) {
  situation.ended = null;
  situation.notices = [];
  stage.clear();
  chat.clear();
  showPeer(call.peer);
  call.on('state', ({ state, reason }) => {
    if (state === 'ended') end(call, reason ?? '');
    else showCall(call);
  });
  call.on('parked', () => showCall(call));
  call.on('peer', ({ peer }) => {
    showPeer(peer);
    showCall(call);
  });
  call.on('silent', ({ silent }) => {
    stage.showSilence(silent);
    showCall(call, silent);
  });
  call.on('media', (event) => stage.showRemoteMedia(event.media));
  call.on('track', ({ track }) => stage.showRemote(track));
  call.on('chat', ({ text }) => chat.add('other-side', text));
  call.on('chat-state', ({ open }) => chat.open(open));
  call.on('path', ({ path }) => {
    stage.showPath(path);
    diagram.addDirect(say('media-direct', { path: wordsOfPath(path, say) }));
  });
  showCall(call, false);
}

/** @param {string} peer */
function showPeer(peer) {
  for (const id of ['caller', 'other']) Object.assign(elementById(id, HTMLElement), { textContent: short(peer), title: peer });
}

/** @param {Call} call @param {boolean} [silent] */
function showCall({ peer, state, isParked }, silent = situation.call?.silent ?? false) {
  situation.call = { peer, state, parked: isParked, silent };
  render();
}

/** @param {Call} call @param {string} reason */
function end({ peer, role }, reason) {
  media.stop();
  stage.clear();
  chat.open(false);
  diagram.endCall();
  Object.assign(situation, { call: null, ended: { peer, role, reason }, asking: false });
  render();
}

/** @param {string} id @param {() => void} act */
function onClick(id, act) {
  elementById(id, HTMLButtonElement).addEventListener('click', act);
}

function readInvitation() {
  const peer = peerInHash(location.hash);
  situation.invitation = peer === client?.id ? '' : peer;
  if (situation.invitation) remoteId.value = peer;
  main.toggleAttribute('data-invited', situation.invitation !== '');
  showHeading();
  render();
}

/** Of a browser that gives none, none is asked for. */
function limitChoice() {
  for (const radio of dial.querySelectorAll('input[type="radio"]')) {
    if (!(radio instanceof HTMLInputElement)) continue;
    radio.disabled = radio.value !== 'neither';
    radio.checked = radio.value === 'neither';
  }
}

/** @param {Client} client */
function followClient(client) {
  /** @type {string | null} */
  let last = null;
  client.on('state', ({ state, cause, retryIn }) => {
    situation.link = { state, cause: cause ?? situation.link.cause, retryIn };
    situation.hasFailed = cause !== null || (situation.hasFailed && state !== 'open');
    ownId.show(client.id, state === 'open' && canCall(missing));
    retry.show(state === 'waiting' ? retryIn : null);
    render();
  });
  client.on('welcome', ({ id }) => {
    if (last !== null && last !== id) situation.notices = ['new-id'];
    last = id;
    ownId.show(id, canCall(missing));
    render();
  });
  client.on('frame', (frame) => diagram.add(frame));
}

dial.addEventListener('submit', (event) => {
  event.preventDefault();
  call();
});
onClick('accept', () => void line?.current?.accept(openMedia()));
onClick('decline', () => line?.current?.decline());
onClick('hang-up', () => line?.current?.hangUp());
addEventListener('hashchange', readInvitation);
line?.on('call', (event) => follow(event.call));

if (!hasDevices(missing)) limitChoice();
readInvitation();
if (client) followClient(client);
client?.connect();
