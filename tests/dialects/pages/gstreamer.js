/** A page that produces and consumes through GStreamer's library for browsers. */

import GstWebRTCAPI from 'gstwebrtc-api';

import { picture } from './picture.js';

/** @type {string[]} */
const heard = [];

/** @type {GstWebRTCAPI} */
let api;
/** @type {ReturnType<GstWebRTCAPI['createProducerSession']>} */
let production;
/** @type {ReturnType<GstWebRTCAPI['createConsumerSession']>} */
let consumption;

const states = ['idle', 'connecting', 'streaming', 'closed'];

/** @param {string} signalingServerUrl @param {string} name */
function open(signalingServerUrl, name) {
  api = new GstWebRTCAPI({
    signalingServerUrl, meta: { name }, reconnectionTimeout: 500, webrtcConfig: { iceServers: [], bundlePolicy: 'max-bundle' },
  });
  api.registerConnectionListener({ connected: () => heard.push('connected'), disconnected: () => heard.push('disconnected') });
  api.registerPeerListener({
    producerAdded: ({ id, meta }) => heard.push(`producer: ${meta['name']} ${id}`),
    producerRemoved: ({ meta }) => heard.push(`no producer: ${meta['name']}`),
  });
}

function produce() {
  production = api.createProducerSession(picture());
  production.addEventListener('stateChanged', () => heard.push(`production: ${states[production.state]}`));
  production.addEventListener('clientConsumerAdded', () => heard.push('consumer added'));
  production.addEventListener('clientConsumerRemoved', () => heard.push('consumer removed'));
  return production.start();
}

/** @param {string} id of the producer */
function consume(id) {
  consumption = api.createConsumerSession(id);
  consumption.addEventListener('stateChanged', () => heard.push(`consumption: ${states[consumption.state]}`));
  consumption.addEventListener('error', () => heard.push('consumption: error'));
  consumption.addEventListener('streamsChanged', () => {
    const [video, [stream]] = [document.querySelector('video'), consumption.streams];
    if (video && stream) video.srcObject = stream;
  });
  return consumption.connect();
}

const producers = () => api.getAvailableProducers();
const stopProducing = () => production.close();
const stopConsuming = () => consumption.close();

Object.assign(globalThis, { rig: { heard, open, produce, consume, producers, stopProducing, stopConsuming } });
