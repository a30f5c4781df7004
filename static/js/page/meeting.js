/** A room on the page: enters it, shows its members, and brings them what is written and sent. */

/** @import { Call } from '../call.js' */
/** @import { Client } from '../client.js' */
/** @import { MediaSent } from '../note.js' */
/** @import { RoomState } from '../room.js' */
/** @import { Chat } from './chat.js' */
/** @import { Files } from './files.js' */
/** @import { Say } from './language.js' */
import { Room } from '../room.js';
import { short } from './situation.js';
import { Speaking } from './speaking.js';
import { Tiles } from './tiles.js';
import { CallTimer } from './timer.js';

/** @typedef {{ name: string, state: RoomState, members: string[], reason: string | null }} RoomSituation */

export class Meeting {
  #say;
  #client;
  #owner;
  #tiles;
  #timer = new CallTimer();
  #speaking = new Speaking(() => this.calls, (loud) => this.#tiles.showSpeaking(loud));
  /** @type {Room | null} */
  #room = null;
  /** Those of whom it was told that they came, by their ids. @type {Map<string, () => string>} */
  #known = new Map();
  /** Over these one can write. @type {Set<Call>} */
  #open = new Set();

  /**
   * @param {Say} say
   * @param {Client} client
   * @param {{
   *   options: { iceTransportPolicy: RTCIceTransportPolicy, name(): string },
   *   media(): Promise<MediaStream | null>,
   *   chat: Chat,
   *   files: Files,
   *   onCall(call: Call): void,
   *   onChange(situation: RoomSituation): void,
   * }} owner `media`: what each call sends from its beginning
   */
  constructor(say, client, owner) {
    this.#say = say;
    this.#client = client;
    this.#owner = owner;
    this.#tiles = new Tiles(say);
  }

  /** Is the person in a room, or on her way into one? */
  get isOn() {
    return this.#room !== null;
  }

  get calls() {
    return this.#room?.calls ?? [];
  }

  /** @param {string} name */
  async enter(name) {
    if (this.#room) return;
    const room = new Room(this.#client, name, { ...this.#owner.options, media: () => this.#owner.media() });
    this.#room = room;
    room.on('state', ({ state, reason }) => this.#follow(room, state, reason));
    room.on('members', ({ members }) => this.#show(room, members));
    room.on('call', ({ call }) => this.#take(call));
    this.#tiles.show([]);
    await room.enter().catch(() => {});
  }

  leave() {
    this.#room?.leave();
  }

  /** @param {string} text @returns {boolean} whether it is on its way */
  chat(text) {
    return this.#room?.chat(text) ?? false;
  }

  /** @param {MediaStream | null} stream @param {MediaSent} sent */
  showOwn(stream, sent) {
    this.#tiles.showOwn(stream, sent);
  }

  /** @param {string} id of a speaker */
  useSpeaker(id) {
    this.#tiles.useSpeaker(id);
  }

  /** @param {Room} room @param {RoomState} state @param {string | null} reason */
  #follow(room, state, reason) {
    if (state === 'inside') this.#begin();
    if (state === 'outside') this.#clear();
    this.#owner.onChange({ name: room.name, state, members: room.members, reason });
  }

  #begin() {
    this.#speaking.start();
    this.#timer.start();
  }

  #clear() {
    this.#room = null;
    this.#known.clear();
    this.#open.clear();
    this.#speaking.stop();
    this.#timer.stop();
    this.#tiles.clear();
  }

  /** @param {Room} room @param {string[]} members */
  #show(room, members) {
    if (this.#room !== room) return;
    this.#tiles.show(members);
    for (const [peer, who] of this.#known) if (!members.includes(peer)) this.#forget(peer, who());
    this.#owner.onChange({ name: room.name, state: room.state, members, reason: null });
  }

  /** @param {string} peer @param {string} who */
  #forget(peer, who) {
    this.#known.delete(peer);
    this.#owner.chat.tell(this.#say('member-left', { who }));
  }

  /** @param {Call} call */
  #take(call) {
    const who = () => call.name || short(call.peer);
    this.#tiles.follow(call);
    this.#owner.files.follow(call, who);
    // What it sends is told after its name.
    call.on('media', () => this.#greet(call, who));
    call.on('peer', ({ peer }) => this.#move(call, peer, who));
    call.on('chat', ({ text }) => this.#owner.chat.add('other-side', text, who()));
    call.on('chat-state', ({ open }) => this.#followChat(call, open));
    call.on('state', ({ state }) => void (state === 'ended' && this.#followChat(call, false)));
    this.#owner.onCall(call);
  }

  /** @param {Call} call @param {boolean} open */
  #followChat(call, open) {
    if (open) this.#open.add(call);
    else this.#open.delete(call);
    this.#owner.chat.open(this.#open.size > 0);
  }

  /** @param {Call} call @param {() => string} who */
  #greet(call, who) {
    if (this.#known.has(call.peer)) return;
    this.#known.set(call.peer, who);
    this.#owner.chat.tell(this.#say('member-joined', { who: who() }));
  }

  /** @param {Call} call @param {string} peer its other side’s id now @param {() => string} who */
  #move(call, peer, who) {
    for (const [id, each] of this.#known) if (each === who) this.#known.delete(id);
    if (call.state === 'connected') this.#known.set(peer, who);
  }
}
