/** A certificate and its key, as an operator has them. Browsers are told not to look at who has signed it. */

/** @import { Changes } from './document.js' */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { NAME } from './internet.js';
import { need } from './namespaces.js';

const folder = mkdtempSync(join(tmpdir(), 'entremise-certificate-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

export const cert = join(folder, 'cert.pem');
export const key = join(folder, 'key.pem');

need('openssl', 'openssl');
execFileSync('openssl', [
  'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '90',
  '-subj', `/CN=${NAME}`, '-addext', `subjectAltName=DNS:${NAME}`, '-out', cert, '-keyout', key,
], { stdio: 'ignore' });

/** What takes the place of an operator's own files. @type {Changes} */
export const files = [['--cert fullchain.pem', `--cert ${cert}`], ['--key privkey.pem', `--key ${key}`]];
