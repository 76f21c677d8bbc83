/**
 * SVG → PNG, by resvg as WebAssembly: no native code, and always the same font, which is DejaVu Sans. Both are loaded
 * only here.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const fontFamily = 'DejaVu Sans';
const fontFiles = [400, 700].map(
  (weight) => `@fontsource/dejavu-sans/files/dejavu-sans-latin-${weight}-normal.woff2`,
);

const { resolve } = createRequire(import.meta.url);
let ready: Promise<void> | undefined;

/** Draws an SVG at its own size. Throws if it is not one. */
export async function pngOf(svg: string): Promise<Uint8Array> {
  const { initWasm, Resvg } = await import('@resvg/resvg-wasm');
  ready ??= initWasm(readFileSync(resolve('@resvg/resvg-wasm/index_bg.wasm')));
  await ready;
  const fontBuffers = fontFiles.map((each) => readFileSync(resolve(each)));
  const font = { fontBuffers, defaultFontFamily: fontFamily, sansSerifFamily: fontFamily };
  return new Resvg(svg, { font }).render().asPng();
}
