/** A picture that is drawn, in the place of a camera's: so no permission is asked for, and no light goes on. */

/** @import { Scene } from './scene.js' */

const SIZE = { width: 320, height: 180 };
/** Frames per second; one, where the reader wants no movement. */
const RATE = 15;

/** @param {string} name @param {Scene} scene with which it ends @returns {MediaStream} */
export function picture(name, scene) {
  const canvas = Object.assign(document.createElement('canvas'), SIZE);
  const pen = canvas.getContext('2d');
  if (!pen) throw new Error('no canvas');
  const isCalm = matchMedia('(prefers-reduced-motion: reduce)').matches;
  let frame = 0;
  const draw = () => drawFrame(pen, name, isCalm ? 0 : frame++ / RATE);
  draw();
  const timer = setInterval(draw, 1000 / (isCalm ? 1 : RATE));
  const stream = canvas.captureStream(RATE);
  scene.onClose(() => {
    clearInterval(timer);
    for (const track of stream.getTracks()) track.stop();
  });
  return stream;
}

/** @param {CanvasRenderingContext2D} pen @param {string} name @param {number} seconds */
function drawFrame(pen, name, seconds) {
  const { width, height } = SIZE;
  pen.fillStyle = '#173a34';
  pen.fillRect(0, 0, width, height);
  pen.fillStyle = '#ffcf70';
  pen.beginPath();
  pen.arc(width / 2 + Math.cos(seconds) * 110, height / 2 + Math.sin(2 * seconds) * 55, 14, 0, 2 * Math.PI);
  pen.fill();
  pen.fillStyle = '#f2f5f3';
  pen.textAlign = 'center';
  pen.font = '600 28px system-ui, sans-serif';
  pen.fillText(name, width / 2, height / 2);
  pen.font = '16px ui-monospace, monospace';
  pen.fillText(new Date().toLocaleTimeString(document.documentElement.lang), width / 2, height / 2 + 32);
}
