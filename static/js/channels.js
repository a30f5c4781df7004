/**
 * What the two sides of a call say to each other over its connection, past the server: chat, notes of their programs, files, and the words
 * by which people can tell that no one is in between.
 */

/** @import { FileTransfer } from './file-transfer.js' */
/** @import { MediaSent, Note } from './note.js' */
/** @import { Descriptions } from './short-authentication.js' */
import { CHANNEL, ChatChannel } from './chat-channel.js';
import { FILES, FileChannel } from './file-channel.js';
import { canDigest } from './file-digest.js';
import { ShortAuthentication } from './short-authentication.js';

/**
 * @typedef {{ type: 'chat', text: string }
 *   | { type: 'chat-state', open: boolean }
 *   | { type: 'media', media: MediaSent }
 *   | { type: 'name', name: string }
 *   | { type: 'file', transfer: FileTransfer }
 *   | { type: 'files-state', open: boolean }
 *   | { type: 'words', words: string[] }} ChannelEvent
 *   `media`: what the other side sends at the moment, if its program tells; `name`: what it calls itself; `file`: one is offered;
 *   `files-state`: files can be sent, or no longer; `words`: to be compared with the other side's
 */

export class Channels {
  #owner;
  #chat;
  /** A page that did not come over https can't digest, and so takes no files. @type {FileChannel | null} */
  #files = null;
  /** @type {ShortAuthentication | null} */
  #authentication = null;
  /** Does the other side take files? */
  #taken = false;
  #filesOpen = false;
  #notes = 0;

  /**
   * @param {RTCPeerConnection} connection
   * @param {{
   *   polite: boolean,
   *   emit(event: ChannelEvent): void,
   *   greeting(): Note,
   *   onAddress(id: string): void,
   *   onLeft(): void,
   * }} owner `greeting`: the first note, when they are open; `onAddress`: where the other side's program can be reached now; `onLeft`: they were open,
   *   and are closed
   */
  constructor(connection, owner) {
    this.#owner = owner;
    this.#chat = new ChatChannel(connection.createDataChannel('chat', CHANNEL), {
      onText: (text) => owner.emit({ type: 'chat', text }),
      onNote: (note) => this.#hear(note),
      onChange: (open) => this.#follow(open),
      onLeft: () => owner.onLeft(),
    });
    if (canDigest()) this.#openFiles(connection);
  }

  /** @param {RTCPeerConnection} connection */
  #openFiles(connection) {
    this.#files = new FileChannel(connection.createDataChannel('files', FILES), {
      onFile: (transfer) => this.#owner.emit({ type: 'file', transfer }),
      onChange: () => this.#followFiles(),
    });
    this.#authentication = new ShortAuthentication(this.#owner.polite, {
      note: (note) => this.note(note),
      descriptions: () => descriptionsOf(connection),
      onWords: (words) => this.#owner.emit({ type: 'words', words }),
    });
  }

  /** Notes that have come. */
  get notes() {
    return this.#notes;
  }

  /** @param {string} text @returns {boolean} whether it is on its way */
  chat(text) {
    return this.#chat.send(text);
  }

  /** @param {Note} note */
  note(note) {
    this.#chat.note(note);
  }

  /** @param {Blob} file @param {string} name @returns {FileTransfer | null} null: it can't be sent now */
  sendFile(file, name) {
    return this.#filesOpen && this.#files ? this.#files.send(file, name) : null;
  }

  /** The connection is closed from here. */
  close() {
    this.#files?.close();
  }

  /** @param {boolean} open */
  #follow(open) {
    if (open) this.note({ ...this.#owner.greeting(), files: this.#files !== null || undefined });
    if (open) void this.#authentication?.begin();
    this.#owner.emit({ type: 'chat-state', open });
  }

  #followFiles() {
    const open = this.#taken && this.#files?.isOpen === true;
    if (open === this.#filesOpen) return;
    this.#filesOpen = open;
    this.#owner.emit({ type: 'files-state', open });
  }

  /** @param {Note} note */
  #hear(note) {
    this.#notes++;
    if (note.id !== undefined) this.#owner.onAddress(note.id);
    if (note.name !== undefined) this.#owner.emit({ type: 'name', name: note.name });
    if (note.media) this.#owner.emit({ type: 'media', media: note.media });
    if (note.files) this.#taken = true;
    this.#followFiles();
    void this.#authentication?.hear(note);
  }
}

/** @param {RTCPeerConnection} connection @returns {Descriptions | null} */
function descriptionsOf({ localDescription, remoteDescription }) {
  return localDescription && remoteDescription ? { local: localDescription.sdp, remote: remoteDescription.sdp } : null;
}
