/** Bytes as hexadecimal digits. */

/** @param {Uint8Array} bytes */
export function hexOf(bytes) {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** @param {string} digits @returns {Uint8Array<ArrayBuffer>} */
export function bytesOfHex(digits) {
  return Uint8Array.from(digits.match(/../g) ?? [], (digit) => parseInt(digit, 16));
}
