/** One picture of the screen: exactly its number of lines, none wider than it is. Pure. */
import { clip, fitLeft } from '../shared/width.ts';
import type { Style } from './top-columns.ts';

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** What `head`, `body` and `foot` have to share. */
export interface FrameParts {
  readonly head: readonly string[];
  readonly body: readonly string[];
  readonly foot: string;
}

/** What is too long is cut at the end; the foot is the last line, whatever else there is. */
export function composeFrame(
  { head, body, foot }: FrameParts,
  { rows, columns }: Size,
): readonly string[] {
  const room = Math.max(0, rows - 1);
  const lines = [...head, ...body].slice(0, room);
  const blank = Array.from({ length: room - lines.length }, () => '');
  return [...lines, ...blank, foot].slice(-rows).map((line) => clip(line, columns));
}

/** `keys` are pairs: `q`, `quit`. As many as fit. */
export function keyLine(
  keys: readonly (readonly [key: string, does: string])[],
  columns: number,
  { colors }: Style,
): string {
  let width = 0;
  const shown: string[] = [];
  for (const [key, does] of keys) {
    width += key.length + does.length + 3;
    if (width > columns) break;
    shown.push(` ${colors.bold(key)} ${colors.dim(does)}`);
  }
  return shown.join(' ');
}

/** Text at the left and at the right of one line; the left gives way. */
export function bothSides(left: string, right: string, columns: number): readonly [string, string] {
  const room = Math.max(0, columns - right.length - 1);
  return [fitLeft(left, room), right.slice(0, Math.max(0, columns - 1))];
}

/** Reverse video is no colour: it stays where colour is off. */
export const reverse = (text: string) => `\u001b[7m${text}\u001b[27m`;
