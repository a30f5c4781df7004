/**
 * A peer as a process of its own, because a network namespace holds processes: `node --experimental-websocket peer.js URL ROOM`.
 * Joins the room, sends each line of its input as a frame, and prints each frame that it receives, until its input ends.
 */

import { createInterface } from 'node:readline';

const [url, room] = process.argv.slice(2);
// @ts-expect-error Node's own, behind a flag in version 20; its types come with the flag's end.
const socket = new WebSocket(url);
socket.onopen = () => socket.send(JSON.stringify({ type: 'join', room }));
socket.onmessage = (/** @type {{ data: string }} */ { data }) => console.log(data);
socket.onclose = (/** @type {{ code: number }} */ { code }) => console.log(JSON.stringify({ type: 'closed', code }));
createInterface({ input: process.stdin }).on('line', (line) => socket.send(line)).on('close', () => process.exit());
