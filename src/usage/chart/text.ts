/** Text in charts. SVG neither measures nor wraps text, so its width is estimated, rather too wide than too narrow. */
import { printable } from '../../../packages/base/printable.ts';
import { element, escapeXml } from './markup.ts';

const narrow = /[ijlftrI.,:;|!'()[\] /-]/;
const wide = /[mwMW%@]/;
const upper = /[A-Z]/;
const ascii = /[ -~]/;

/** The width of a character in shares of the font's size, in DejaVu Sans and narrower fonts. */
function charWidth(char: string): number {
  if (narrow.test(char)) return 0.42;
  if (wide.test(char)) return 1;
  if (upper.test(char)) return 0.78;
  return ascii.test(char) ? 0.65 : 1.05;
}

export const textWidth = (text: string, size: number): number =>
  Array.from(text).reduce((sum, char) => sum + charWidth(char), 0) * size;

/** Shortens text to a width, with an ellipsis in place of the rest. */
export function fitText(text: string, size: number, width: number): string {
  const whole = printable(text);
  if (textWidth(whole, size) <= width) return whole;
  const chars = Array.from(whole);
  while (chars.length > 0 && textWidth(`${chars.join('')}…`, size) > width) chars.pop();
  return `${chars.join('').trimEnd()}…`;
}

/** Divides text into lines at its spaces; a word that is too long alone is shortened. */
export function wrapText(text: string, size: number, width: number): readonly string[] {
  const lines: string[] = [];
  for (const word of printable(text).split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && textWidth(`${last} ${word}`, size) <= width)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(fitText(word, size, width));
  }
  return lines;
}

export interface TextStyle {
  readonly size: number;
  readonly fill: string;
  readonly weight?: 'bold';
  readonly anchor?: 'middle' | 'end';
}

export const textAt = (x: number, y: number, text: string, style: TextStyle): string =>
  element(
    'text',
    {
      x,
      y,
      'font-size': style.size,
      fill: style.fill,
      'font-weight': style.weight,
      'text-anchor': style.anchor,
    },
    escapeXml(text),
  );
