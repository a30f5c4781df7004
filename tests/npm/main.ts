// What a program in strict TypeScript is told of the package.
import { Call, Client, Line, SignalingError } from 'entremise';
import { Client as Alone } from 'entremise/client';

const client: Client = new Client({ url: 'wss://calls.example/ws', credentials: async () => 'token' });
const line: Line = new Line(client);
const undo: () => void = client.on('welcome', ({ id, iceServers }) => {
  const text: string = id;
  const servers: RTCIceServer[] = iceServers ?? [];
  console.log(text, servers);
});
client.on('message', ({ from, message }) => console.log(from.toUpperCase(), message));
client.on('state', ({ state, retryIn }) => {
  const wait: number | null = retryIn;
  if (state === 'waiting') console.log(wait);
});
line.on('incoming', ({ call }) => {
  const incoming: Call = call;
  incoming.accept(navigator.mediaDevices.getUserMedia({ audio: true }));
});
async function meet(): Promise<string[]> {
  try {
    return await client.join('room');
  } catch (error) {
    if (error instanceof SignalingError) console.log(error.code.length);
    throw error;
  }
}
const alone: Alone = client;
// @ts-expect-error there is no such event
client.on('no-such-event', () => {});
// @ts-expect-error a room has a name
void client.join(1);
undo();
void meet().then(() => alone.close());
