/** What of lean-qr is used here. */
export interface Bitmap {
  readonly size: number;
  /** Is the module dark? Outside of the code none is. */
  get(x: number, y: number): boolean;
}
export const correction: { min: number; L: number; M: number; Q: number; H: number; max: number };
export function generate(text: string, options?: { minCorrectionLevel?: number }): Bitmap;
