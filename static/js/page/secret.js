/** What is shown, copied and saved of a message: a person may show the screen, or send the file. Pure. */

/** By these names, secrets are in messages: to know one is to use a relay, or a session, in the place of its owner. */
const SECRETS = ['credential', 'resume', 'token'];

/** For `JSON.stringify`. @param {string} field @param {unknown} value */
export function withoutSecrets(field, value) {
  return SECRETS.includes(field) && value !== undefined ? '…' : value;
}
