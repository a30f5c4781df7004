/** How things stand, from what the client and the call report: the page's state, and the sentences that tell it. Pure. */

/** @import { CallState, Role } from '../call.js' */
/** @import { EndReason } from '../end-reason.js' */
/** @import { StateChange } from '../link.js' */
/** @import { Path } from '../path.js' */
/** @import { Say } from './language.js' */
/** @import { RoomSituation } from './meeting.js' */
/** @import { Phrase } from './words.js' */
import { canCall } from './abilities.js';
import { isPhrase } from './language.js';

/** @typedef {'connecting' | 'ready' | 'calling' | 'ringing' | 'in-call' | 'in-room' | 'offline'} PageState */
/**
 * @typedef {'fine' | 'waiting' | 'notice' | 'problem'} Tone
 *   how the sentence looks. `waiting`: something is under way; `notice`: good to know, and nothing is broken; `problem`: it is.
 */

/**
 * @typedef {{
 *   link: Omit<StateChange, 'type'>,
 *   hasFailed: boolean,
 *   call: { peer: string, state: CallState, parked: boolean, silent?: boolean } | null,
 *   ended: { peer: string, role: Role, reason: EndReason } | null,
 *   asking: boolean,
 *   notices: Phrase[],
 *   missing?: Phrase[],
 *   invitation?: string,
 *   door?: string,
 *   room?: RoomSituation | null,
 * }} Situation
 *   `hasFailed`: a connection was lost or refused since the last welcome; `parked`: so is the other side's; `silent`: nothing comes
 *   from it; `asking`: the browser asks for the camera;
 *   `ended`: the last call; `notices`: what else there is to say, until the next call; `missing`: what this
 *   browser can't; `invitation`: the peer whose link was opened; `door`: the room whose link was opened; `room`: the one that is
 *   entered, or was the last to be
 */

/** @type {Record<Exclude<CallState, 'ended'>, PageState>} */
const statesInCall = { calling: 'calling', ringing: 'ringing', connecting: 'in-call', connected: 'in-call' };

/** @param {Situation} situation @returns {PageState} */
export function pageState({ link, hasFailed, call, room }) {
  if (isInRoom(room)) return 'in-room';
  if (call && call.state !== 'ended') return statesInCall[call.state];
  if (link.state === 'open') return 'ready';
  return hasFailed ? 'offline' : 'connecting';
}

/** @param {RoomSituation | null | undefined} room */
function isInRoom(room) {
  return room !== null && room !== undefined && room.state !== 'outside';
}

/** From the mildest on. @type {Tone[]} */
const tones = ['fine', 'waiting', 'notice', 'problem'];

/** How a call may end that did all it could. @type {EndReason[]} */
const ordinaryEnds = ['hung-up', 'remote-hung-up', 'canceled', 'declined', 'busy', 'no-answer'];

/** Of all that is said at once, the gravest. @param {Situation} situation @returns {Tone} */
export function toneOf(situation) {
  const said = [...(isInRoom(situation.room) ? roomTones(situation) : situation.call ? callTones(situation) : lobbyTones(situation)), ...situation.notices.map(toneOfNotice)];
  return tones.findLast((tone) => said.includes(tone)) ?? 'fine';
}

/** @param {Situation} situation @returns {Tone[]} */
function roomTones({ room, link }) {
  return [room?.state === 'inside' ? 'fine' : 'waiting', link.state === 'open' ? 'fine' : 'notice'];
}

/** @param {Situation} situation @returns {Tone[]} */
function callTones({ call, link }) {
  if (call?.state === 'connected' && call.silent) return ['problem'];
  return [call?.state === 'connected' ? 'fine' : 'waiting', link.state === 'open' && !call?.parked ? 'fine' : 'notice'];
}

/** @param {Situation} situation @returns {Tone[]} */
function lobbyTones({ ended, link, hasFailed, missing = [], room }) {
  const offline = hasFailed ? 'problem' : 'waiting';
  const unable = canCall(missing) ? 'notice' : 'problem';
  return [...(ended ? [toneOfEnd(ended.reason)] : []), room?.reason ? 'problem' : 'fine', link.state === 'open' ? 'fine' : offline, missing.length ? unable : 'fine'];
}

/** @param {EndReason} reason @returns {Tone} */
function toneOfEnd(reason) {
  return ordinaryEnds.includes(reason) ? 'notice' : 'problem';
}

/** @param {Phrase} notice @returns {Tone} */
function toneOfNotice(notice) {
  return notice === 'copied' ? 'fine' : 'notice';
}

/** @param {Situation} situation @param {Say} say */
export function sentenceOf(situation, say) {
  const notices = situation.notices.map((notice) => say(notice));
  const sentences = isInRoom(situation.room) ? roomSentences : situation.call ? callSentences : lobbySentences;
  return [...sentences(situation, say), ...notices].join(' ');
}

/** @param {Situation} situation @param {Say} say */
function roomSentences({ room, asking, link }, say) {
  const others = room?.members.length ?? 0;
  const phrase = room?.state === 'entering' ? 'state-entering' : others ? 'state-in-room' : 'state-alone';
  const sentence = say(asking ? 'state-asking' : phrase, { room: room?.name ?? '', count: others + 1 });
  return link.state === 'open' ? [sentence] : [sentence, say('room-reconnects')];
}

/** @param {Situation} situation @param {Say} say */
function callSentences({ call, asking, link }, say) {
  const phrase = asking ? 'state-asking' : phraseOfCall(call);
  const sentence = say(phrase, { peer: short(call?.peer ?? '') });
  if (link.state !== 'open') return [sentence, say(call?.state === 'connected' ? 'also-offline' : 'signaling-reconnects')];
  return call?.parked ? [sentence, say('also-parked')] : [sentence];
}

/** @param {Situation['call']} call @returns {Phrase} */
function phraseOfCall(call) {
  const state = call?.state;
  if (state === 'connecting') return 'state-joining';
  if (state === 'connected') return call?.silent ? 'state-silent' : 'state-in-call';
  return state === 'ringing' ? 'state-ringing' : 'state-calling';
}

/** @param {Situation} situation @param {Say} say */
function lobbySentences(situation, say) {
  const { link, notices, missing = [], invitation = '', door = '' } = situation;
  const ended = [...(situation.ended ? [sentenceOfEnd(situation.ended, say)] : []), ...sentencesOfRoom(situation.room, say)];
  const unable = missing.map((phrase) => say(phrase));
  if (link.state !== 'open') return [...unable, ...ended, sentenceOfLink(situation, say)];
  if (ended.length || notices.length || !canCall(missing)) return [...unable, ...ended];
  if (door) return [...unable, say('state-at-door', { room: door })];
  return [...unable, invitation ? say('state-invited', { peer: short(invitation) }) : say('state-ready')];
}

/** Why it could not be entered, or was lost. @param {Situation['room']} room @param {Say} say */
function sentencesOfRoom(room, say) {
  if (!room?.reason) return [];
  const phrase = [`room-${room.reason}`, `end-${room.reason}`].find(isPhrase) ?? 'room-otherwise';
  return [say(phrase, { room: room.name, reason: room.reason })];
}

/** @param {NonNullable<Situation['ended']>} ended @param {Say} say */
function sentenceOfEnd({ peer, role, reason }, say) {
  const phrases = [...(role === 'callee' ? [`end-${reason}-here`] : []), `end-${reason}`];
  return say(phrases.find(isPhrase) ?? 'end-otherwise', { peer: short(peer), reason });
}

/** @param {Situation} situation @param {Say} say */
function sentenceOfLink({ link, hasFailed }, say) {
  if (!hasFailed || !link.cause) return say('state-connecting');
  const { code, message } = link.cause;
  const phrase = `cause-${code}`;
  const cause = isPhrase(phrase) ? say(phrase) : message;
  return say('state-offline', { cause });
}

/** @param {Path} path @param {Say} say */
export function wordsOfPath({ kind, relayProtocol }, say) {
  return relayProtocol ? say('path-turn-over', { protocol: relayProtocol.toUpperCase() }) : say(`path-${kind}`);
}

/** An id is long; its first letters are enough to know it again. @param {string} peer */
export function short(peer) {
  return peer.length > 12 ? peer.slice(0, 8) : peer;
}
