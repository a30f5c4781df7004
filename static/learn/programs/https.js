// https.js: serves a few files over HTTPS. Start it with: node https.js
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:https';

// What is served, by its path. A path that is not in this list leads nowhere,
// so no request can reach a file that is not meant for it, such as key.pem.
const files = new Map([
  ['/', ['call.html', 'text/html']],
  ['/call.js', ['call.js', 'text/javascript']],
  ['/peer.js', ['peer.js', 'text/javascript']],
]);

const credentials = {
  key: readFileSync('key.pem'),
  cert: readFileSync('cert.pem'),
};

export const server = createServer(credentials, async (request, response) => {
  const [path] = request.url.split('?');
  const [name, type] = files.get(path) ?? [];
  const content = name && (await readFile(name).catch(() => null));
  if (!content) return response.writeHead(404).end('There is nothing here.');
  response.writeHead(200, { 'Content-Type': `${type}; charset=utf-8` });
  response.end(content);
});

server.listen(Number(process.env.PORT ?? 8443), () => {
  console.log(`https://localhost:${server.address().port}/`);
});
