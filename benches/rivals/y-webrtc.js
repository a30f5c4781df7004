// y-webrtc's own signaling server, which serves plain HTTP, behind HTTPS like all others here. Usage: node y-webrtc.js PORT CERT KEY
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { createServer } from 'node:https';

const [port, cert, key] = process.argv.slice(2);
const pair = { cert: readFileSync(cert), key: readFileSync(key) };
http.createServer = (listener) => createServer(pair, listener);
process.env.PORT = port;
await import('./node_modules/y-webrtc/bin/server.js');
