/** A link as a picture, for the camera of a phone. */

import { correction, generate } from '../vendor/lean-qr.js';

/** @typedef {{ readonly size: number, get(x: number, y: number): boolean }} Code which modules are dark; outside of it none is */
/** @type {(text: string, options: { minCorrectionLevel: number }) => Code} */
const encode = /** @type {any} */ (generate);

/** In modules, on each side (ISO/IEC 18004, section 6.3.8). */
const QUIET_ZONE = 4;
/** In pixels of the canvas; the style says how large it is shown. */
const MODULE = 6;

/** Dark on light in either theme: many cameras read nothing else. @param {HTMLCanvasElement} canvas @param {string} text */
export function drawQrCode(canvas, text) {
  const code = encode(text, { minCorrectionLevel: correction.M });
  const side = (code.size + 2 * QUIET_ZONE) * MODULE;
  canvas.width = canvas.height = side;
  const context = canvas.getContext('2d');
  if (!context) return;
  context.fillStyle = '#ffffff';
  context.fillRect(0, 0, side, side);
  context.fillStyle = '#000000';
  for (let y = 0; y < code.size; y++) {
    for (let x = 0; x < code.size; x++) {
      if (code.get(x, y)) context.fillRect((x + QUIET_ZONE) * MODULE, (y + QUIET_ZONE) * MODULE, MODULE, MODULE);
    }
  }
}
