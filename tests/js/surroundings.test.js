/** Where there is no window: Node, workers, React Native. Each has a process of its own, whose globals are cut down to what is there. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';

const CLIENT = new URL('../../static/js/client.js', import.meta.url).href;
const LINE = new URL('../../static/js/line.js', import.meta.url).href;

/** A WebSocket with the least that one has: no EventTarget, no `signal`, errors that must be listened to. */
const SOCKET = `
class Socket {
  static all = [];
  listeners = {};
  sent = [];
  constructor(url, protocols) { Object.assign(this, { url, protocols }); Socket.all.push(this); }
  addEventListener(type, listener, ...rest) {
    if (rest.length) throw new Error('no options here');
    (this.listeners[type] ??= []).push(listener);
  }
  emit(type, event = {}) {
    if (type === 'error' && !this.listeners.error) throw new Error('unheard');
    for (const listener of this.listeners[type] ?? []) listener({ type, ...event });
  }
  send(text) { this.sent.push(JSON.parse(text)); }
  close(code) { this.closedWith = code; }
}`;

/** Connects, asks, is answered, loses the connection, and closes. */
const STORY = `
const { Client } = await import(${JSON.stringify(CLIENT)});
const { Line } = await import(${JSON.stringify(LINE)});
const client = new Client({ url: 'wss://host/ws', WebSocket: Socket });
new Line(client);
client.connect();
const [socket] = Socket.all;
socket.emit('open');
socket.emit('message', { data: JSON.stringify({ type: 'welcome', id: 'me', resumed: false, iceServers: [], heartbeat: 25, maxMessageBytes: 65536 }) });
const pong = client.ping();
socket.emit('message', { data: JSON.stringify({ type: 'ack', ref: socket.sent[0].ref }) });
await pong;
socket.emit('error');
socket.emit('close', { code: 1006 });
const { state, id } = client;
client.close();
console.log(JSON.stringify({ state, id, ends: client.state }));`;

/** @param {string} missing globals that are deleted first */
function play(missing) {
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', `${missing}\n${SOCKET}\n${STORY}`], { encoding: 'utf8' });
  assert.equal(stderr, '');
  return JSON.parse(stdout);
}

const over = { state: 'waiting', id: null, ends: 'closed' };

describe('the client, and a line', () => {
  it('work in Node, which has no window', () => {
    assert.deepEqual(play(''), over);
  });

  it('work in a worker, which has events of its own and no document', () => {
    assert.deepEqual(play('const heard = new EventTarget(); globalThis.addEventListener = (...all) => heard.addEventListener(...all);'), over);
  });

  it('work in React Native, which has neither EventTarget nor a time-out for fetch', () => {
    assert.deepEqual(play('delete globalThis.EventTarget; delete globalThis.Event; AbortSignal.timeout = undefined;'), over);
  });

  it('say at once that there is no WebSocket, and what to do', () => {
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', `
      delete globalThis.WebSocket;
      const { Client } = await import(${JSON.stringify(CLIENT)});
      try { new Client({ url: 'wss://host/ws' }); } catch (error) { console.log(error.name, error.message); }`], { encoding: 'utf8' });
    assert.match(stdout, /^TypeError there is no WebSocket here .*new Client\(\{ WebSocket \}\)/);
  });

  it('need a url where the module comes from no server', () => {
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', `
      const { Client } = await import(${JSON.stringify(CLIENT)});
      try { new Client({ WebSocket: class {} }); } catch (error) { console.log(error.name, error.message); }`], { encoding: 'utf8' });
    assert.match(stdout, /^TypeError the url of the signaling server/);
  });
});
