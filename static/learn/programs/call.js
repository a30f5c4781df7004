// call.js: the page of a call. It has an id, which you tell the other person.
import { Peer } from './peer.js';

const MOST_WAITING = 100;
const element = (id) => document.getElementById(id);

const socket = new WebSocket(`wss://${location.host}/ws`);
let iceServers = [];
let other = null; // the id of the one whom we call, or who calls us
let peer = null; // our side of the call, once we take part in it
let waiting = []; // what the caller says while it rings here

socket.onmessage = ({ data }) => hear(JSON.parse(data));
socket.onclose = () => tell('The connection to the server is lost.');

function hear(message) {
  const { type, from } = message;
  if (type === 'welcome') return welcome(message);
  if (type === 'error' && message.to === other) return hangUp(message.code);
  if (type === 'offer' && other === null) return ring(from, message.offer);
  if (type === 'offer') return send('bye', from, { reason: 'busy' });
  if (from !== other) return;
  if (type === 'bye') return hangUp('The other side hung up.');
  if (peer) return take(type, message[type]);
  if (waiting.length < MOST_WAITING) waiting.push([type, message[type]]);
}

function welcome(message) {
  iceServers = message.iceServers;
  element('own-id').textContent = message.id;
}

function ring(from, offer) {
  other = from;
  waiting = [['offer', offer]];
  show({ accept: true, 'hang-up': true });
  tell(`${from} is calling you.`);
}

// Accept: the camera first, and then all that came meanwhile.
element('accept').onclick = async () => {
  show({ 'hang-up': true });
  if (!(await open())) return;
  for (const [type, value] of waiting.splice(0)) await take(type, value);
};

element('dial').onsubmit = async (event) => {
  event.preventDefault();
  if (other !== null) return;
  other = element('other-id').value.trim();
  show({ 'hang-up': true });
  if (await open()) await peer.call();
};

element('hang-up').onclick = () => {
  send('bye', other);
  hangUp('You hung up.');
};

// Our side of the call: camera, microphone, connection.
async function open() {
  const called = other;
  const camera = { video: true, audio: true };
  const stream = await navigator.mediaDevices.getUserMedia(camera).catch(tell);
  if (!stream || other !== called) return stop(stream);
  element('local').srcObject = stream;
  const say = (type, value) => send(type, called, value);
  const onStream = (remote) => (element('remote').srcObject = remote);
  peer = new Peer({ iceServers, stream, say, onStream, onState: tell });
  return true;
}

// What the other side says may be nonsense: then this call is over.
async function take(type, value) {
  await peer?.hear(type, value).catch((error) => hangUp(String(error)));
}

function hangUp(why) {
  peer?.close();
  stop(element('local').srcObject);
  other = peer = element('local').srcObject = element('remote').srcObject = null;
  waiting = [];
  show({});
  tell(why);
}

// A camera that is not stopped stays on, and so does its light.
function stop(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
  return false;
}

function send(type, to, value) {
  socket.send(JSON.stringify({ type, to, [type]: value }));
}

function show(buttons) {
  for (const id of ['accept', 'hang-up']) element(id).hidden = !buttons[id];
}

function tell(text) {
  element('status').textContent = text;
}
