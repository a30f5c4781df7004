/** Files beside the chat: chosen, dropped or pasted, and those that others offer. */

/** @import { Call } from '../call.js' */
/** @import { Say } from './language.js' */
import { elementById } from './element.js';
import { FileRow } from './file-row.js';

/** Rows; what is over goes first. */
const MOST_ROWS = 64;
/** Files at once: a folder that was dropped by mistake is not sent whole. */
const MOST_AT_ONCE = 16;

export class Files {
  #say;
  #owner;
  #list = elementById('files', HTMLUListElement);
  #attach = elementById('attach', HTMLButtonElement);
  #input = elementById('file-input', HTMLInputElement);
  #area = elementById('meeting', HTMLDivElement);
  /** The calls over which files can be sent. @type {Map<Call, () => string>} */
  #open = new Map();

  /** @param {Say} say @param {{ onRefused(): void }} owner `onRefused`: a file could not be sent */
  constructor(say, owner) {
    this.#say = say;
    this.#owner = owner;
    this.#attach.addEventListener('click', () => this.#input.click());
    this.#input.addEventListener('change', () => {
      this.send(this.#input.files ?? []);
      this.#input.value = '';
    });
    document.addEventListener('paste', (event) => this.#paste(event));
    for (const type of ['dragover', 'dragleave', 'drop']) this.#area.addEventListener(type, (event) => this.#drag(/** @type {DragEvent} */ (event)));
    this.clear();
  }

  clear() {
    this.#open.clear();
    this.#list.replaceChildren();
    this.#update();
  }

  /** @param {Call} call @param {() => string} who it is with */
  follow(call, who) {
    call.on('files-state', ({ open }) => {
      if (open) this.#open.set(call, who);
      else this.#open.delete(call);
      this.#update();
    });
    call.on('file', ({ transfer }) => this.#add(new FileRow(this.#say, transfer, who)));
  }

  /** To each that is there. @param {Iterable<File>} files */
  send(files) {
    for (const file of [...files].slice(0, MOST_AT_ONCE)) for (const [call, who] of this.#open) this.#offer(call, who, file);
  }

  /** @param {Call} call @param {() => string} who @param {File} file */
  #offer(call, who, file) {
    const transfer = call.sendFile(file);
    if (transfer) this.#add(new FileRow(this.#say, transfer, who));
    else this.#owner.onRefused();
  }

  /** @param {FileRow} row */
  #add({ element }) {
    this.#list.append(element);
    while (this.#list.childElementCount > MOST_ROWS) (this.#list.querySelector(':not([data-state="running"], [data-state="offered"])') ?? this.#list.firstElementChild)?.remove();
    element.scrollIntoView({ block: 'nearest' });
    this.#update();
  }

  #update() {
    this.#attach.disabled = this.#open.size === 0;
    this.#list.hidden = this.#list.childElementCount === 0;
  }

  /** Text goes where it is written, and files to the others. @param {ClipboardEvent} event */
  #paste({ clipboardData }) {
    if (this.#open.size > 0 && clipboardData?.files.length) this.send(clipboardData.files);
    else if (clipboardData && this.#open.size > 0 && !document.activeElement?.closest('input, textarea')) elementById('chat-input', HTMLInputElement).focus();
  }

  /** @param {DragEvent} event */
  #drag(event) {
    if (this.#open.size === 0 || !event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    this.#area.toggleAttribute('data-dropping', event.type === 'dragover');
    if (event.type === 'drop') this.send(event.dataTransfer.files);
  }
}
