/** The members of a room as tiles: each with her picture, her name, and how things stand with her. */

/** @import { Call } from '../call.js' */
/** @import { MediaSent } from '../note.js' */
/** @import { Say } from './language.js' */
import { ConnectionMark } from './connection-mark.js';
import { elementById, make } from './element.js';
import { short } from './situation.js';
import { draw } from './svg.js';

export class Tiles {
  #say;
  #list = elementById('tiles', HTMLUListElement);
  /** By the members' ids. @type {Map<string, Tile>} */
  #tiles = new Map();
  #own;
  #speaker = '';

  /** @param {Say} say */
  constructor(say) {
    this.#say = say;
    this.#own = new Tile(say, say('you'));
    this.#own.video.muted = true;
    this.#own.element.dataset['own'] = '';
  }

  clear() {
    for (const tile of [this.#own, ...this.#tiles.values()]) tile.clear();
    this.#tiles.clear();
    this.#list.replaceChildren();
  }

  /** @param {MediaStream | null} stream @param {MediaSent} sent */
  showOwn(stream, sent) {
    this.#own.video.srcObject = stream;
    this.#own.showMedia(sent);
  }

  /** @param {string} id as for `Stage` */
  useSpeaker(id) {
    this.#speaker = id;
    for (const { video } of this.#tiles.values()) playOn(video, id);
  }

  /** @param {string[]} members the others */
  show(members) {
    for (const [peer, tile] of this.#tiles) if (!members.includes(peer)) this.#drop(peer, tile);
    for (const peer of members) if (!this.#tiles.has(peer)) this.#tiles.set(peer, new Tile(this.#say, short(peer)));
    const tiles = members.flatMap((peer) => this.#tiles.get(peer)?.element ?? []);
    this.#arrange([...tiles, this.#own.element]);
  }

  /** An element that stays is not moved: its picture would stop for a moment. @param {HTMLElement[]} elements */
  #arrange(elements) {
    for (const element of [...this.#list.children]) if (!elements.includes(/** @type {HTMLElement} */ (element))) element.remove();
    elements.forEach((element, index) => {
      if (this.#list.children[index] !== element) this.#list.insertBefore(element, this.#list.children[index] ?? null);
    });
    this.#list.dataset['count'] = String(elements.length);
  }

  /** @param {string} peer @param {Tile} tile */
  #drop(peer, tile) {
    this.#tiles.delete(peer);
    tile.clear();
  }

  /** A new call with a member: in place of an earlier one, if there was any. @param {Call} call */
  follow(call) {
    const tile = this.#tiles.get(call.peer) ?? new Tile(this.#say, short(call.peer));
    this.#tiles.set(call.peer, tile);
    playOn(tile.video, this.#speaker);
    tile.follow(call);
    call.on('peer', ({ peer }) => this.#move(tile, peer));
  }

  /** The member has another id. @param {Tile} tile @param {string} peer */
  #move(tile, peer) {
    for (const [id, each] of this.#tiles) if (each === tile || id === peer) this.#tiles.delete(id);
    this.#tiles.set(peer, tile);
  }

  /** @param {Set<Call>} calls of those who speak at the moment */
  showSpeaking(calls) {
    for (const tile of this.#tiles.values()) tile.element.toggleAttribute('data-speaking', tile.call !== null && calls.has(tile.call));
  }
}

/** @param {HTMLVideoElement} video @param {string} id of a speaker; one that is gone is no reason to hear nothing */
function playOn(video, id) {
  if ('setSinkId' in video) void video.setSinkId(id).catch(() => {});
}

class Tile {
  #say;
  #name = make('bdi', 'name');
  #told = make('span', 'told');
  #muted;
  #mark;
  /** @type {MediaSent} */
  #media = { audio: true, video: true };
  /** @type {Call | null} */
  call = null;
  video = /** @type {HTMLVideoElement} */ (make('video', ''));
  element;

  /** @param {Say} say @param {string} name */
  constructor(say, name) {
    this.#say = say;
    this.#name.textContent = name;
    this.#muted = make('span', 'muted', say('remote-muted'));
    this.#muted.hidden = true;
    this.video.autoplay = this.video.playsInline = true;
    const mark = make('span', 'quality', draw('svg', { 'aria-hidden': 'true' }, draw('use', { href: '#icon-quality' })), make('span', ''));
    mark.hidden = true;
    this.#mark = new ConnectionMark(say, mark);
    const avatar = make('span', 'avatar', [...name][0]?.toUpperCase() ?? '');
    avatar.ariaHidden = 'true';
    this.element = make('li', 'tile', this.video, avatar, make('p', 'label', this.#name, ' ', this.#muted, mark, this.#told));
  }

  clear() {
    this.video.srcObject = null;
    this.call = null;
    this.#mark.clear();
    this.element.remove();
  }

  /** @param {Call} call */
  follow(call) {
    this.call = call;
    this.#mark.clear();
    this.video.srcObject = new MediaStream();
    this.#showName();
    call.on('name', () => this.#showName());
    call.on('track', ({ track }) => this.#take(track));
    call.on('media', ({ media }) => this.showMedia(media));
    call.on('state', () => this.#showState(call));
    call.on('silent', ({ silent }) => this.#showState(call, silent));
    this.#showState(call);
  }

  /** @param {MediaSent} media what is sent at the moment */
  showMedia(media) {
    this.#media = media;
    this.#muted.hidden = media.audio;
    this.#showPicture();
  }

  #showName() {
    const { name, peer } = this.call ?? { name: '', peer: '' };
    this.#name.textContent = name || short(peer);
    this.#name.title = peer;
    const avatar = this.element.querySelector('.avatar');
    if (avatar) avatar.textContent = [...(name || short(peer))][0]?.toUpperCase() ?? '';
    this.video.ariaLabel = this.#say('picture-of', { who: name || short(peer) });
  }

  /** One of each kind, the newest. @param {MediaStreamTrack} track */
  #take(track) {
    const stream = /** @type {MediaStream} */ (this.video.srcObject);
    for (const other of stream.getTracks()) if (other.kind === track.kind) stream.removeTrack(other);
    stream.addTrack(track);
    for (const change of ['mute', 'unmute']) track.addEventListener(change, () => this.#showPicture());
    this.#showPicture();
  }

  #showPicture() {
    const stream = this.video.srcObject;
    const hasPicture = stream instanceof MediaStream && stream.getVideoTracks().some(({ muted }) => !muted);
    this.video.toggleAttribute('data-picture', hasPicture && this.#media.video);
    this.video.toggleAttribute('data-screen', this.#media.screen ?? false);
  }

  /** @param {Call} call @param {boolean} [silent] */
  #showState(call, silent = false) {
    if (this.call !== call) return;
    if (call.state === 'connected') this.#mark.follow(call);
    this.#mark.showSilence(silent);
    const state = call.state === 'connected' ? (silent ? 'silent' : 'connected') : call.state === 'ended' ? 'silent' : 'joining';
    this.element.dataset['state'] = state;
    this.#told.textContent = state === 'connected' ? '' : this.#say(state === 'silent' ? 'member-silent' : 'member-joining');
  }
}
