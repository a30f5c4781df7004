/** What a message carries, in the few words that stand beside its name. Pure, and bounded whatever the other side says. */

/** @import { ClientMessage, ServerMessage } from '../protocol.js' */
/** @import { Say } from './language.js' */
/** @import { Section } from './sdp.js' */
import { descriptionOf } from '../description.js';
import { isRecord } from '../protocol.js';
import { roomOf } from '../room-signaling.js';
import { candidateFields, candidateText, endpoint } from './candidate.js';
import { codecsOf, isRefused, sectionsOf, valuesOf } from './sdp.js';
import { short } from './situation.js';

/** In characters. */
const LONGEST = 120;

/** @typedef {ClientMessage | ServerMessage} Said */
/** @typedef {'call' | 'candidate' | 'direct' | 'room' | 'session'} Kind of a row, for the reader to choose by; `direct`: not over the server */

/** @type {Partial<Record<Said['type'], Kind>>} */
const kinds = {
  offer: 'call', answer: 'call', bye: 'call', candidate: 'candidate',
  message: 'room', join: 'room', joined: 'room', leave: 'room', left: 'room', 'peer-joined': 'room', 'peer-left': 'room',
};

/** @param {Said} message @returns {Kind} */
export function kindOf({ type }) {
  return kinds[type] ?? 'session';
}

/** @param {Said} message @param {Say} say @param {boolean} isFirst no answer has passed in this call: who offers now controls ICE */
export function carriedBy(message, say, isFirst) {
  const words = [memberIn(message), carried(message, say, isFirst)].filter(Boolean).join(': ');
  return words.length > LONGEST ? `${words.slice(0, LONGEST)}…` : words;
}

/** In a room, the other side is one of several. @param {Said} message */
function memberIn(message) {
  if (roomOf(message) === null) return '';
  return short(('from' in message ? message.from : 'to' in message ? message.to : '') ?? '');
}

/** @param {Said} message @param {Say} say @param {boolean} isFirst @returns {string} */
function carried(message, say, isFirst) {
  switch (message.type) {
    case 'offer':
      return ofDescription(descriptionOf('offer', message.offer)?.sdp, isFirst ? 'controlling' : '', say);
    case 'answer':
      return ofDescription(descriptionOf('answer', message.answer)?.sdp, isFirst ? 'controlled' : '', say);
    case 'candidate':
      return ofCandidate(candidateText(message.candidate), say);
    case 'welcome':
      return short(message.id);
    case 'ice-servers':
      return 'iceServers' in message ? schemesOf(message.iceServers) : '';
    case 'bye':
      return isRecord(message.bye) && typeof message.bye['reason'] === 'string' ? message.bye['reason'] : '';
    case 'error':
      return message.message;
    default:
      return ofRoom(message);
  }
}

/** @param {Said} message */
function ofRoom(message) {
  const peer = 'peer' in message ? [short(message.peer)] : [];
  return ['room' in message ? (message.room ?? '') : '', ...peer].filter(Boolean).join(' · ');
}

/** @param {RTCIceServer[]} servers */
function schemesOf(servers) {
  const urls = servers.flatMap(({ urls }) => urls);
  return [...new Set(urls.map((url) => String(url).split(':', 1)[0] ?? ''))].join(', ');
}

/** @param {string | null} text @param {Say} say */
function ofCandidate(text, say) {
  if (text === '') return say('no-more-candidates');
  const fields = candidateFields(text ?? '');
  if (!fields) return '';
  const { typ, protocol, address, port, more } = fields;
  const [, tcpType = ''] = more.find(([name]) => name === 'tcptype') ?? [];
  return [typ, protocol, tcpType, endpoint(address, port)].filter(Boolean).join(' ');
}

/** @param {string | undefined} sdp @param {'controlling' | 'controlled' | ''} role @param {Say} say */
function ofDescription(sdp, role, say) {
  if (sdp === undefined) return '';
  const [session, ...media] = sectionsOf(sdp);
  const setup = [...media, ...(session ? [session] : [])].flatMap((section) => valuesOf(section, 'setup'))[0];
  const lite = session && valuesOf(session, 'ice-lite').length > 0 ? 'lite' : '';
  const ice = [role, lite].filter(Boolean).join(' ');
  return [...media.slice(0, 8).map((section) => ofSection(section, say)), ice && `ICE ${ice}`, setup && `DTLS ${setup}`].filter(Boolean).join(' · ');
}

/** @param {Section} section @param {Say} say */
function ofSection(section, say) {
  const kind = section.kind === 'application' ? say('data') : section.kind;
  if (isRefused(section)) return `${kind} ✕`;
  return [kind, codecsOf(section)[0]].filter(Boolean).join(' ');
}
