/**
 * The server that the tutorial has its reader write, with the tutorial's own words in it.
 * Usage: node tutorial.js PORT FOLDER ORIGIN [CERT KEY]; the folder is served, and pages of the origin may connect; '' for none.
 */

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';

import express from 'express';
import { Server } from 'socket.io';

const [port, folder, origin, cert, key] = process.argv.slice(2);
const app = express();
if (folder) app.use(express.static(folder));
const server = cert && key ? createSecureServer({ cert: readFileSync(cert), key: readFileSync(key) }, app) : createServer(app);
const io = new Server(server, origin ? { cors: { origin } } : {});

io.on('connection', (socket) => {
  socket.emit('newUser', 'Coucou user :  ' + socket.id);
  socket.on('offer', ({ offer, to }) => {
    socket.to(to).emit('offer', { offer, from: socket.id });
  });
  socket.on('candidate', ({ candidate, to }) => {
    socket.to(to).emit('candidate', { candidate, from: socket.id });
  });
  socket.on('answer', ({ answer, to }) => {
    socket.to(to).emit('answer', { answer, from: socket.id });
  });
});

server.listen(Number(port), '127.0.0.1');
