/** What a connection offers in `Sec-WebSocket-Protocol`. The server selects the first, and never echoes the others: they are secrets. */

/**
 * @param {string | null} bearer the application's credentials
 * @param {{ token: string, received: number } | null} resume the session to take back, and how many of its frames have come
 * @returns {string[]}
 */
export function subprotocols(bearer, resume) {
  return [
    'entremise.v1',
    ...(bearer === null ? [] : [`entremise.bearer.${bearer}`]),
    ...(resume === null ? [] : [`entremise.resume.${resume.token}.${resume.received}`]),
  ];
}
