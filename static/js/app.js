/** The page: what a person does goes to the line, and what the client and the call report is shown. */

/** @import { Call } from './call.js' */
/** @import { PageState, Situation } from './page/situation.js' */
/** @import { Phrase } from './page/words.js' */
import { Client } from './client.js';
import { Line } from './line.js';
import { Chat } from './page/chat.js';
import { Diagram } from './page/diagram.js';
import { elementById, make } from './page/element.js';
import { chooseLanguage, sayIn, translatePage } from './page/language.js';
import { LocalMedia } from './page/media.js';
import { linkTo, peerInHash, peerInText, transportPolicyIn } from './page/share.js';
import { pageState, sentenceOf, short, toneOf, wordsOfPath } from './page/situation.js';
import { Stage } from './page/stage.js';

const language = chooseLanguage(navigator.languages);
const say = sayIn(language);
translatePage(language);

const main = /** @type {HTMLElement} */ (document.querySelector('main'));
const dial = elementById('dial', HTMLFormElement);
const status = elementById('status', HTMLParagraphElement);
const peerId = elementById('peer-id', HTMLOutputElement);
const shareLink = elementById('share-link', HTMLAnchorElement);
const remoteId = elementById('remote-id', HTMLInputElement);

const client = new Client();
const line = new Line(client, { iceTransportPolicy: transportPolicyIn(location.search) });
const stage = new Stage(say);
const chat = new Chat(say, (text) => line.current?.chat(text) ?? false);
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
};

function render() {
  const state = pageState(situation);
  const sentence = sentenceOf(situation, say);
  if (status.textContent !== sentence) status.textContent = sentence;
  status.dataset['tone'] = toneOf(situation);
  if (main.dataset['state'] !== state) enter(state);
}

/** @param {PageState} state */
function enter(state) {
  const wasInCall = ['calling', 'ringing', 'in-call'].includes(main.dataset['state'] ?? '');
  main.dataset['state'] = state;
  document.title = state === 'ringing' ? `☎ ${say('incoming-call')} · entremise` : 'entremise';
  elementById('dial-heading', HTMLHeadingElement).textContent = say(state === 'ringing' ? 'incoming-call' : 'call-somebody');
  elementById('call', HTMLButtonElement).disabled = state !== 'ready' && state !== 'ringing';
  moveFocus(state, wasInCall);
}

/** What had the focus may be gone. Ringing focuses no button: somebody who is typing must not accept by accident. @param {PageState} state @param {boolean} wasInCall */
function moveFocus(state, wasInCall) {
  if (state === 'ringing') dial.focus();
  else if (state === 'calling' || state === 'in-call') elementById('hang-up', HTMLButtonElement).focus();
  else if (wasInCall) elementById('call', HTMLButtonElement).focus();
}

/** A narrow line breaks before the hash, not in its middle. @param {string} link */
function breakable(link) {
  const [page, hash] = link.split(/(?=#)/);
  return hash ? [page ?? '', make('wbr', ''), hash] : [];
}

function showOwnId() {
  const id = client.id ?? '';
  peerId.textContent = id;
  const link = id && linkTo(id, location);
  shareLink.replaceChildren(...breakable(link));
  shareLink.href = link;
  for (const button of ['copy-id', 'copy-link']) elementById(button, HTMLButtonElement).disabled = !id;
}

/** @param {Phrase} notice */
function tell(notice) {
  situation.ended = null;
  situation.notices = [notice];
  render();
}

/** @param {HTMLElement} source */
async function copy(source) {
  try {
    await navigator.clipboard.writeText(source.textContent ?? '');
    tell('copied');
  } catch {
    getSelection()?.selectAllChildren(source);
    tell('not-copied');
  }
}

function call() {
  const peer = peerInText(remoteId.value);
  if (!client.id || (line.current && !isRingingFrom(peer))) return;
  if (peer && peer !== client.id) return void line.call(peer, openMedia());
  tell(peer ? 'own-id' : 'needs-id');
  remoteId.focus();
}

/** Whoever presses "call" in the instant in which that very peer rings has consented. @param {string} peer */
function isRingingFrom(peer) {
  return line.current?.state === 'ringing' && line.current.peer === peer;
}

/** @returns {Promise<MediaStream | null>} */
async function openMedia() {
  const wish = new FormData(dial).get('media');
  const own = new LocalMedia();
  media = own;
  situation.asking = wish !== 'neither';
  const { stream, problems } = await own.open(wish === 'camera' || wish === 'microphone' ? wish : 'neither');
  if (media !== own || !line.current) return null;
  situation.asking = false;
  situation.notices = problems;
  stage.showLocal(stream);
  render();
  return stream;
}

/** @param {Call} call */
function follow(call) {
  situation.ended = null;
  situation.notices = [];
  stage.clear();
  chat.clear();
  for (const id of ['caller', 'other']) showPeer(elementById(id, HTMLElement), call.peer);
  call.on('state', ({ state, reason }) => {
    if (state === 'ended') end(call, reason ?? '');
    else showCall(call);
  });
  call.on('parked', ({ parked }) => showCall(call, parked));
  call.on('track', ({ track }) => stage.showRemote(track));
  call.on('chat', ({ text }) => chat.add('other-side', text));
  call.on('chat-state', ({ open }) => chat.open(open));
  call.on('path', ({ path }) => {
    stage.showPath(path);
    diagram.addDirect(say('media-direct', { path: wordsOfPath(path, say) }));
  });
  showCall(call);
}

/** @param {HTMLElement} element @param {string} peer */
function showPeer(element, peer) {
  element.textContent = short(peer);
  element.title = peer;
}

/** @param {Call} call @param {boolean} [parked] */
function showCall({ peer, state }, parked = situation.call?.parked ?? false) {
  situation.call = { peer, state, parked };
  render();
}

/** @param {Call} call @param {string} reason */
function end({ peer, role }, reason) {
  media.stop();
  stage.clear();
  chat.open(false);
  Object.assign(situation, { call: null, ended: { peer, role, reason }, asking: false });
  render();
}

/** @param {string} id @param {() => void} act */
function onClick(id, act) {
  elementById(id, HTMLButtonElement).addEventListener('click', act);
}

function prefill() {
  const peer = peerInHash(location.hash);
  if (peer && peer !== client.id) remoteId.value = peer;
}

client.on('state', (change) => {
  const { cause, retryIn } = change.cause ? change : situation.link;
  situation.link = { state: change.state, cause, retryIn };
  situation.hasFailed = change.cause !== null || (situation.hasFailed && change.state !== 'open');
  showOwnId();
  render();
});
client.on('frame', (frame) => diagram.add(frame));
line.on('call', (event) => follow(event.call));

dial.addEventListener('submit', (event) => {
  event.preventDefault();
  call();
});
onClick('accept', () => void line.current?.accept(openMedia()));
onClick('decline', () => line.current?.decline());
onClick('hang-up', () => line.current?.hangUp());
onClick('copy-id', () => void copy(peerId));
onClick('copy-link', () => void copy(shareLink));
addEventListener('hashchange', prefill);

prefill();
client.connect();
