// turn-credentials.js: a user name and a password for a TURN server. They are
// good for an hour. Try it: node turn-credentials.js secret.txt alice
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';

// `secret` is what this program and the TURN server have in common, and what
// no browser ever sees.
export function credentialsFor(name, secret, seconds = 3600) {
  const expiry = Math.floor(Date.now() / 1000) + seconds;
  const username = `${expiry}:${name}`;
  const credential = createHmac('sha1', secret).update(username).digest('base64');
  return { username, credential };
}

const [, , file, name] = process.argv;
if (file && name) {
  const secret = readFileSync(file, 'utf8').trim();
  console.log(JSON.stringify(credentialsFor(name, secret)));
}
