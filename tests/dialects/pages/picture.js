/** A moving picture, instead of a camera's. */
export function picture() {
  const canvas = document.body.appendChild(document.createElement('canvas'));
  const brush = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  setInterval(() => brush.fillRect(Math.random() * 300, Math.random() * 150, 9, 9), 40);
  return canvas.captureStream();
}
