/**
 * What went wrong with one message: a code of the server's, or one of the client's own.
 *
 * @typedef {'not-connected' | 'connection-lost' | 'closed' | 'timeout' | 'too-many-requests' | 'message-too-large'
 *   | 'unexpected-answer'} ClientErrorCode
 */

/** @typedef {import('./protocol.js').ErrorCode | ClientErrorCode | (string & {})} SignalingErrorCode */

export class SignalingError extends Error {
  /**
   * @param {SignalingErrorCode} code
   * @param {string} message for people, in English
   * @param {import('./protocol.js').ErrorMessage | null} [answer] the server's own words, where it was the server
   */
  constructor(code, message, answer = null) {
    super(message);
    this.name = 'SignalingError';
    /** @readonly */
    this.code = code;
    /** @readonly */
    this.answer = answer;
  }
}
