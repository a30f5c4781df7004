// A signaling server that serves plain HTTP, behind HTTPS like all others here. Usage: node https.js PORT CERT KEY SCRIPT
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { createServer } from 'node:https';

const [port, cert, key, script] = process.argv.slice(2);
const pair = { cert: readFileSync(cert), key: readFileSync(key) };
http.createServer = (listener) => createServer(pair, listener);
// The scripts take their port in one way or the other.
process.env.PORT = port;
await import(script);
