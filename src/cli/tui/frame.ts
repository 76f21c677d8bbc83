/** One frame of the screen: exactly its number of lines, none wider than the screen. Pure. */
import { clip, fitLeft } from '../shared/width.ts';
import type { Style } from './top-columns.ts';

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** The size that `head`, `body` and `foot` share. */
interface FrameParts {
  readonly head: readonly string[];
  readonly body: readonly string[];
  readonly foot: string;
}

/**
 * Composes a frame. A body that is too long is cut at the end; the foot is always the last line.
 */
export function composeFrame(
  { head, body, foot }: FrameParts,
  { rows, columns }: Size,
): readonly string[] {
  const room = Math.max(0, rows - 1);
  const lines = [...head, ...body].slice(0, room);
  const blank = Array.from({ length: room - lines.length }, () => '');
  return [...lines, ...blank, foot].slice(-rows).map((line) => clip(line, columns));
}

/** Formats pairs of key and effect, such as `q` and `quit`; as many as fit. */
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

/** Puts left-aligned and right-aligned text in one line; the left one is cut. */
export function bothSides(left: string, right: string, columns: number): readonly [string, string] {
  const room = Math.max(0, columns - right.length - 1);
  return [fitLeft(left, room), right.slice(0, Math.max(0, columns - 1))];
}

/** Returns text in reverse video, which is not a colour: it is used without colours, too. */
export const reverse = (text: string) => `\u001b[7m${text}\u001b[27m`;
