/** A page whose peers meet through Trystero: its core, with a strategy that speaks as its relay's does, and as little as that one. */

import { createTopicStrategy, makeSocket, selfId } from '@trystero-p2p/core';

/** @import { SocketClient, StrategyMessage } from '@trystero-p2p/core' */

/** @type {string[]} */
const heard = [];

/** @type {Map<string, (topic: string, message: StrategyMessage) => void | Promise<void>>} */
const listeners = new Map();

/** In milliseconds. */
const ANNOUNCE_EVERY = 1000;

/** @type {SocketClient} */
let client;

/** It is sent back to its sender too, so the server has it by then. */
let announced = false;

/** @param {string} text */
function receive(text) {
  const { topic, payload } = JSON.parse(text);
  announced ||= JSON.stringify(payload).includes(selfId);
  void listeners.get(topic)?.(topic, payload);
}

/** @param {SocketClient} relay @param {object} message */
const send = (relay, message) => relay.send(JSON.stringify(message));

const joinRoom = createTopicStrategy({
  steadyAnnounceIntervalMs: ANNOUNCE_EVERY,
  // What it should do when the socket is there again is not told to it: so it is with Trystero's own strategy.
  init: ({ relayConfig }) => (relayConfig?.urls ?? []).map((url) => (client = makeSocket(url, receive)).ready),
  subscribeTopic(relay, topic, onMessage) {
    listeners.set(topic, onMessage);
    send(relay, { type: 'subscribe', topic });
    return () => {
      listeners.delete(topic);
      send(relay, { type: 'unsubscribe', topic });
    };
  },
  publishTopic(relay, topic, payload) {
    send(relay, { type: 'publish', topic, payload });
  },
});

/** @param {string} name @param {string} url */
function open(name, url) {
  const room = joinRoom({ appId: 'entremise', relayConfig: { urls: [url] }, rtcConfig: { iceServers: [] } }, name);
  const talk = room.makeAction('talk', { onMessage: (text, { peerId }) => void heard.push(`${peerId}: ${text}`) });
  room.onPeerJoin = (peerId) => {
    heard.push(`joined: ${peerId}`);
    void talk.send('hello', { target: peerId });
  };
  room.onPeerLeave = (peerId) => void heard.push(`left: ${peerId}`);
}

const id = () => selfId;
const hasAnnounced = () => announced;
const isConnected = () => client.socket.readyState === WebSocket.OPEN;

Object.assign(globalThis, { rig: { heard, open, id, hasAnnounced, isConnected } });
