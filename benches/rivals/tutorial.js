// The server that tutorials teach: socket.io behind HTTPS, which passes offers, answers and candidates on to whom they
// name, and says so on its console, message by message. Usage: node tutorial.js PORT CERT KEY
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';

import express from 'express';
import { Server } from 'socket.io';

const [port, cert, key] = process.argv.slice(2);
const app = express();
const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, app);
const io = new Server(server);

io.on('connection', (socket) => {
  console.log('A user connected');
  socket.emit('newUser', `Hello ${socket.id}`);
  socket.on('offer', ({ offer, to }) => {
    console.log('Server received offer, transmitting to : ', to);
    socket.to(to).emit('offer', { offer, from: socket.id });
  });
  socket.on('candidate', ({ candidate, to }) => {
    console.log('Server received candidate, transmitting to : ', to);
    socket.to(to).emit('candidate', { candidate, from: socket.id });
  });
  socket.on('answer', ({ answer, to }) => {
    console.log('Server received answer, transmitting to : ', to);
    socket.to(to).emit('answer', { answer, from: socket.id });
  });
});

server.listen(Number(port), '127.0.0.1');
