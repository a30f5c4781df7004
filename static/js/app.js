/** The page: what a person does goes to the line, and what the client and the call report is shown. */

/** @import { Call } from './call.js' */
/** @import { Scope } from './page/abilities.js' */
/** @import { RoomSituation } from './page/meeting.js' */
/** @import { PageState, Situation } from './page/situation.js' */
/** @import { Phrase } from './page/words.js' */
/** @import { Path } from './path.js' */
import { Client } from './client.js';
import { Line } from './line.js';
import { canCall, hasDevices, missingIn } from './page/abilities.js';
import { CallSigns } from './page/call-signs.js';
import { Chat } from './page/chat.js';
import { CopyButton } from './page/copy-button.js';
import { Diagram } from './page/diagram.js';
import { DiagramTools } from './page/diagram-tools.js';
import { elementById } from './page/element.js';
import { Files } from './page/files.js';
import { Handover } from './page/handover.js';
import { HowItGoes } from './page/how-it-goes.js';
import { Keys } from './page/keys.js';
import { chooseLanguage, sayIn, translatePage } from './page/language.js';
import { Meeting } from './page/meeting.js';
import { OwnId } from './page/own-id.js';
import { OwnName } from './page/own-name.js';
import { OwnSide } from './page/own-side.js';
import { Retry } from './page/retry.js';
import { RoomDoor } from './page/room-door.js';
import { canShareScreen } from './page/screen.js';
import { Settings } from './page/settings.js';
import { peerInHash, peerInText, roomInHash, transportPolicyIn } from './page/share.js';
import { pageState, sentenceOf, short, toneOf, wordsOfPath } from './page/situation.js';
import { Stage } from './page/stage.js';
import { Token } from './page/token.js';
import { Verification } from './page/verification.js';

/** In a room, each picture leaves as often as there are others. @type {MediaTrackConstraints} */
const IN_ROOM = { width: 640, height: 360, frameRate: 15 };

const language = chooseLanguage(navigator.languages);
const say = sayIn(language);
translatePage(language);
if (language === 'fr') elementById('learn', HTMLAnchorElement).href = 'learn/fr.html';

const main = /** @type {HTMLElement} */ (document.querySelector('main'));
const dial = elementById('dial', HTMLFormElement);
const status = elementById('status', HTMLParagraphElement);
const statusBar = elementById('status-bar', HTMLDivElement);
const remoteId = elementById('remote-id', HTMLInputElement);

const missing = missingIn(/** @type {Scope} */ (globalThis));
const token = new Token(() => client?.connect());
const client = missing.includes('no-websocket') ? null : new Client({ credentials: () => token.value });
const settings = new Settings();
const ownName = new OwnName(settings, () => talks().forEach((call) => call.introduce()));
const options = { iceTransportPolicy: transportPolicyIn(location.search), name: () => ownName.value };
const line = client && new Line(client, { ...options, isBusy: () => meeting?.isOn ?? false });
const copying = new CopyButton(say, tell);
const handover = new Handover(say);
const ownId = new OwnId(copying, handover);
const door = new RoomDoor(copying, handover, (link) => void (location.href = link));
const retry = new Retry(say, () => client?.connect());
const stage = new Stage(say, {
  onMute: (muted) => own.outgoing.mute(muted),
  onCamera: (off) => own.outgoing.switchCamera(off),
  onScreen: (on) => own.outgoing.switchScreen(on),
});
const pictures = {
  /** @param {Parameters<Stage['showLocal']>[0]} shown */
  showLocal: (shown) => {
    stage.showLocal(shown);
    meeting?.showOwn(shown.stream, shown.sent);
  },
  /** @param {string} id */
  useSpeaker: (id) => {
    stage.useSpeaker(id);
    meeting?.useSpeaker(id);
  },
};
const own = new OwnSide(say, settings, pictures, { form: dial, isOn, calls: talks, onChange: showProblems });
const signs = new CallSigns(say, tell);
const keys = new Keys(settings);
const chat = new Chat(say, (text) => (meeting?.isOn ? meeting.chat(text) : (line?.current?.chat(text) ?? false)));
const files = new Files(say, { onRefused: () => chat.tell(say('files-not-sent')) });
const verification = new Verification(say);
const diagram = new Diagram(say);
new DiagramTools(say, diagram);
const howItGoes = new HowItGoes(say, language);
/** What is asked of the person when she enters, and then the same for all members. @type {Promise<unknown>} */
let asked = Promise.resolve();
const meeting = client && new Meeting(say, client, {
  options,
  media: async () => {
    await asked;
    return own.outgoing.stream;
  },
  chat,
  files,
  onCall: followInRoom,
  onChange: showRoom,
});

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
  door: '',
  room: null,
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
  const wasInCall = ['calling', 'ringing', 'in-call', 'in-room'].includes(main.dataset['state'] ?? '');
  main.dataset['state'] = state;
  main.toggleAttribute('data-meeting', state === 'in-call' || state === 'in-room');
  elementById('enter', HTMLButtonElement).disabled = !canCall(missing) || state !== 'ready';
  document.title = state === 'ringing' ? `☎ ${say('incoming-call')} · entremise` : 'entremise';
  elementById('call', HTMLButtonElement).disabled = !canCall(missing) || (state !== 'ready' && state !== 'ringing');
  elementById('hang-up', HTMLButtonElement).lastElementChild?.replaceChildren(say(state === 'in-room' ? 'leave-room' : 'hang-up'));
  showHeading();
  moveFocus(state, wasInCall);
}

function showHeading() {
  const { invitation = '', door = '' } = situation;
  const heading = elementById('dial-heading', HTMLHeadingElement);
  if (main.dataset['state'] === 'ringing') heading.textContent = say('incoming-call');
  else if (door) heading.textContent = say('room-invites-you', { room: door });
  else heading.textContent = invitation ? say('invites-you', { peer: short(invitation) }) : say('make-a-call');
}

/** What had the focus may be gone. A call focuses no button: a key that is pressed once more must neither accept nor hang up. @param {PageState} state @param {boolean} wasInCall */
function moveFocus(state, wasInCall) {
  if (state === 'ringing') dial.focus();
  else if (['calling', 'in-call', 'in-room'].includes(state) && !document.activeElement?.closest('.room')) stage.focus();
  else if (wasInCall) elementById(situation.door ? 'enter' : 'call', HTMLButtonElement).focus();
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

/** The calls that are on. */
function talks() {
  if (meeting?.isOn) return meeting.calls;
  return line?.current ? [line.current] : [];
}

function isOn() {
  return meeting?.isOn === true || talks().length > 0;
}

function enterRoom() {
  if (!client?.id || !meeting || isOn() || !situation.door) return;
  situation.ended = null;
  situation.notices = [];
  stage.clear();
  chat.clear();
  files.clear();
  // Order: media are opened for who is on; and no call asks for them before this turn is over.
  void meeting.enter(situation.door);
  asked = openMedia().then((stream) => stream?.getVideoTracks().forEach((track) => void track.applyConstraints(IN_ROOM).catch(() => {})));
}

/** @param {Call} call */
function followInRoom(call) {
  own.outgoing.show();
  call.on('state', ({ state }) => {
    if (state === 'ended') diagram.endCall(call.peer);
    howItGoes.follow(talks().find((each) => each.state === 'connected') ?? null);
  });
  call.on('path', ({ path }) => drawPath(call, path, `${call.name || short(call.peer)}: `));
}

/** @param {Call} call @param {Path} path @param {string} [whose] where there are several */
function drawPath({ peer }, path, whose = '') {
  const { local, remote, protocol } = path;
  diagram.addDirect(say('media-direct', { path: wordsOfPath(path, say) }), { note: `${whose}${local} ↔ ${remote} ${protocol.toUpperCase()}`, peer });
}

/** @param {RoomSituation} room */
function showRoom(room) {
  const isOver = room.state === 'outside' && situation.room?.state !== 'outside';
  situation.room = room;
  if (isOver) leaveRoom();
  render();
}

function leaveRoom() {
  own.end();
  keys.close();
  stage.clear();
  chat.open(false);
  diagram.endCall();
  situation.asking = false;
}

/** @returns {Promise<MediaStream | null>} */
async function openMedia() {
  situation.asking = own.wish.value !== 'neither';
  const opened = await own.open();
  if (!opened) return null;
  situation.asking = false;
  stage.offer({ devices: hasDevices(missing), screen: canShareScreen() });
  own.outgoing.show();
  showProblems(opened.problems);
  return opened.stream;
}

/** @param {Phrase[]} problems with what this side sends; none: there are no more */
function showProblems(problems) {
  situation.notices = problems;
  render();
}

/** @param {Call} call */
function follow(call) {
  situation.ended = null;
  situation.notices = [];
  stage.clear();
  chat.clear();
  files.clear();
  howItGoes.follow(call);
  files.follow(call, () => call.name || short(call.peer));
  verification.follow(call);
  showPeer(call);
  signs.follow(call, call.name || short(call.peer));
  call.on('name', () => showPeer(call));
  call.on('state', ({ state, reason }) => {
    if (state === 'ended') end(call, reason ?? '');
    else showCall(call);
  });
  call.on('parked', () => showCall(call));
  call.on('peer', () => {
    showPeer(call);
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
    drawPath(call, path);
  });
  showCall(call, false);
}

/** A name proves nothing, and so the id stands beside it. @param {Call} call */
function showPeer({ name, peer }) {
  const shown = name ? `${name} (${short(peer)})` : short(peer);
  for (const id of ['caller', 'other']) Object.assign(elementById(id, HTMLElement), { textContent: shown, title: peer });
}

/** @param {Call} call @param {boolean} [silent] */
function showCall({ peer, state, isParked }, silent = situation.call?.silent ?? false) {
  situation.call = { peer, state, parked: isParked, silent };
  render();
}

/** @param {Call} call @param {string} reason */
function end({ peer, role }, reason) {
  own.end();
  keys.close();
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
  situation.door = situation.invitation ? '' : roomInHash(location.hash);
  door.show(situation.door);
  if (situation.room?.state === 'outside') situation.room = null;
  if (situation.invitation) remoteId.value = peer;
  main.toggleAttribute('data-invited', situation.invitation !== '' || situation.door !== '');
  main.toggleAttribute('data-room', situation.door !== '');
  showHeading();
  render();
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
    if (last !== null && last !== id && !meeting?.isOn) situation.notices = ['new-id'];
    last = id;
    ownId.show(id, canCall(missing));
    render();
  });
  client.on('frame', (frame) => diagram.add(frame));
}

dial.addEventListener('submit', (event) => {
  event.preventDefault();
  if (situation.door && main.dataset['state'] !== 'ringing') enterRoom();
  else call();
});
onClick('accept', () => void line?.current?.accept(openMedia()));
onClick('decline', () => line?.current?.decline());
onClick('hang-up', () => (meeting?.isOn ? meeting.leave() : line?.current?.hangUp()));
addEventListener('hashchange', readInvitation);
line?.on('call', (event) => follow(event.call));

if (!hasDevices(missing)) own.wish.limit();
readInvitation();
if (client) followClient(client);
client?.connect();
