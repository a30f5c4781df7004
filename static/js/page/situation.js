/** How things stand, from what the client and the call report: the page's state, and the sentences that tell it. Pure. */

/** @import { CallState, EndReason, Role } from '../call.js' */
/** @import { StateChange } from '../link.js' */
/** @import { Path } from '../path.js' */
/** @import { Say } from './language.js' */
/** @import { Phrase } from './words.js' */
import { isPhrase } from './language.js';

/** @typedef {'connecting' | 'ready' | 'calling' | 'ringing' | 'in-call' | 'offline'} PageState */
/**
 * @typedef {'fine' | 'waiting' | 'notice' | 'problem'} Tone
 *   how the sentence looks. `waiting`: something is under way; `notice`: good to know, and nothing is broken; `problem`: it is.
 */

/**
 * @typedef {{
 *   link: Omit<StateChange, 'type'>,
 *   hasFailed: boolean,
 *   call: { peer: string, state: CallState, parked: boolean } | null,
 *   ended: { peer: string, role: Role, reason: EndReason } | null,
 *   asking: boolean,
 *   notices: Phrase[],
 * }} Situation
 *   `hasFailed`: a connection was lost or refused since the last welcome; `parked`: so is the other side's; `asking`: the browser asks for the camera;
 *   `ended`: the last call; `notices`: what else there is to say, until the next call
 */

/** @type {Record<Exclude<CallState, 'ended'>, PageState>} */
const statesInCall = { calling: 'calling', ringing: 'ringing', connecting: 'in-call', connected: 'in-call' };

/** @param {Situation} situation @returns {PageState} */
export function pageState({ link, hasFailed, call }) {
  if (call && call.state !== 'ended') return statesInCall[call.state];
  if (link.state === 'open') return 'ready';
  return hasFailed ? 'offline' : 'connecting';
}

/** From the mildest on. @type {Tone[]} */
const tones = ['fine', 'waiting', 'notice', 'problem'];

/** How a call may end that did all it could. @type {EndReason[]} */
const ordinaryEnds = ['hung-up', 'remote-hung-up', 'canceled', 'declined', 'busy', 'no-answer'];

/** Of all that is said at once, the gravest. @param {Situation} situation @returns {Tone} */
export function toneOf(situation) {
  const said = [...(situation.call ? callTones(situation) : lobbyTones(situation)), ...situation.notices.map(toneOfNotice)];
  return tones.findLast((tone) => said.includes(tone)) ?? 'fine';
}

/** @param {Situation} situation @returns {Tone[]} */
function callTones({ call, link }) {
  return [call?.state === 'connected' ? 'fine' : 'waiting', link.state === 'open' && !call?.parked ? 'fine' : 'notice'];
}

/** @param {Situation} situation @returns {Tone[]} */
function lobbyTones({ ended, link, hasFailed }) {
  const offline = hasFailed ? 'problem' : 'waiting';
  return [...(ended ? [toneOfEnd(ended.reason)] : []), link.state === 'open' ? 'fine' : offline];
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
  return [...(situation.call ? callSentences(situation, say) : lobbySentences(situation, say)), ...notices].join(' ');
}

/** @param {Situation} situation @param {Say} say */
function callSentences({ call, asking, link }, say) {
  const phrase = asking ? 'state-asking' : phraseOfCall(call?.state);
  const sentence = say(phrase, { peer: short(call?.peer ?? '') });
  if (link.state !== 'open') return [sentence, say(call?.state === 'connected' ? 'also-offline' : 'signaling-reconnects')];
  return call?.parked ? [sentence, say('also-parked')] : [sentence];
}

/** @param {CallState | undefined} state @returns {Phrase} */
function phraseOfCall(state) {
  if (state === 'connecting') return 'state-joining';
  if (state === 'connected') return 'state-in-call';
  return state === 'ringing' ? 'state-ringing' : 'state-calling';
}

/** @param {Situation} situation @param {Say} say */
function lobbySentences(situation, say) {
  const ended = situation.ended ? [sentenceOfEnd(situation.ended, say)] : [];
  if (situation.link.state !== 'open') return [...ended, sentenceOfLink(situation, say)];
  return ended.length || situation.notices.length ? ended : [say('state-ready')];
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
  if (link.retryIn === null) return say('state-offline', { cause });
  return say('state-offline-retry', { cause, seconds: Math.ceil(link.retryIn) });
}

/** @param {Path} path @param {Say} say */
export function wordsOfPath({ kind, relayProtocol }, say) {
  return relayProtocol ? say('path-turn-over', { protocol: relayProtocol.toUpperCase() }) : say(`path-${kind}`);
}

/** An id is long; its first letters are enough to know it again. @param {string} peer */
export function short(peer) {
  return peer.length > 12 ? peer.slice(0, 8) : peer;
}
