// A bot in plain Node: it is in a room, greets who comes, and says back what it is told.
//
//     make npm && cd examples/bot && npm install
//     NODE_EXTRA_CA_CERTS=../../certs/cert.pem node bot.js wss://localhost:8443/ws lobby
import { Client } from 'entremise/client';
import WebSocket from 'ws';

const [url, room] = process.argv.slice(2);
const client = new Client({ url, WebSocket });

// A message to one who has just left is refused, which is no trouble of ours.
const say = (peer, message) => client.message({ to: peer }, message).catch(({ code }) => console.error(`${peer}: ${code}`));

client.on('peer-joined', ({ peer }) => say(peer, { text: 'hello' }));
client.on('message', ({ from, message }) => say(from, message));
client.on('welcome', async ({ id }) => {
  await client.join(room);
  console.log(`I am ${id}, in ${room}`);
});
client.on('state', ({ state, cause }) => cause && console.error(`${state}: ${cause.code}`));
client.connect();

process.once('SIGTERM', () => client.close());
