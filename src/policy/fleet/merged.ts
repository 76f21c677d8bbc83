/** A policy whose text was merged: a fleet's policy below, the host's own file above. */
import { LineIndex } from '../diagnostic.ts';
import type { Sources } from './sources.ts';

export interface Merged {
  /** The text of the host's own file. */
  readonly ownText: string;
  readonly sources: Sources;
}

/** The text of a policy or a document. */
interface WithText {
  readonly text: string;
  /** Absent if the text is the file's. */
  readonly merged?: Merged | undefined;
}

/** Returns the lines of a policy's text, which also name the file of what another file says. */
export const linesOf = ({ text, merged }: WithText): LineIndex =>
  new LineIndex(text, merged?.sources);

/** Returns the text of the policy's own file. */
export const ownTextOf = ({ text, merged }: WithText): string => merged?.ownText ?? text;

/** A place in a policy, for people and programs. */
export interface WrittenPlace {
  /** The line, from 1. */
  readonly line: number;
  /** The file, if it is not the policy's own. */
  readonly file?: string;
}

export function writtenPlace(
  lines: LineIndex,
  { start }: { readonly start: number },
): WrittenPlace {
  const { line, file } = lines.at(start);
  return { line, ...(file !== undefined && { file }) };
}
