// Two pages that Vite has built, and that call each other:
//
//     make npm && cd examples/vite && npm install && npm run build
//     entremise --page dist
import { Client, Line } from 'entremise';

const client = new Client({ url: new URL('ws', location.href).href });
const line = new Line(client);
const camera = () => navigator.mediaDevices.getUserMedia({ audio: true, video: true });

line.on('incoming', ({ call }) => call.accept(camera()));
line.on('call', ({ call }) => {
  const remote = (document.querySelector('video').srcObject = new MediaStream());
  call.on('track', ({ track }) => {
    remote.addTrack(track);
    document.body.dataset.tracks = String(remote.getTracks().length);
  });
});
client.on('welcome', async () => line.callOneOf(await client.join('vite'), camera));
client.connect();
