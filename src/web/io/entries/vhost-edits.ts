/**
 * Adds our lines to vhost files, which are the administrator's, and removes them. A file in a home, or one that
 * somebody other than root could change, stays as it is.
 */
import { basename, dirname } from 'node:path';
import { directoryProblem } from '../../../../packages/base/io/pinned-directory.ts';
import { pinWithoutLinks } from '../../../sys/files/pin-without-links.ts';
import { realPathOf } from '../../../../packages/base/io/read.ts';
import type { FileChange } from '../../../sys/files/file-transaction.ts';
import {
  openRegularFile,
  readWhole,
  decodeText,
} from '../../../../packages/base/io/regular-file.ts';
import { withLines, withoutLines, type VhostLine } from '../../core/entries/vhost-lines.ts';

const bytesMax = 2 ** 20;

export interface MissingLine extends VhostLine {
  /** The path as the web server names it; links are followed. */
  readonly file: string;
}

/** Returns the files that get lines. */
export function vhostEdits(missing: readonly MissingLine[]): readonly FileChange[] {
  const byFile = Map.groupBy(missing, ({ file }) => realPathOf(file) ?? '');
  byFile.delete('');
  return [...byFile].flatMap(([path, lines]) => changeOf(path, (text) => withLines(text, lines)));
}

/** Returns the files that have our lines, without them. */
export function vhostRestorations(files: readonly string[]): readonly FileChange[] {
  const paths = new Set(files.flatMap((each) => realPathOf(each) ?? []));
  return [...paths].flatMap((path) => changeOf(path, withoutLines));
}

function changeOf(path: string, edit: (text: string) => string): readonly FileChange[] {
  const pinned = pinWithoutLinks(dirname(path));
  if (!pinned.ok) return [];
  using directory = pinned.value;
  if (directoryProblem(directory) !== undefined) return [];
  const opened = openRegularFile(directory.at(basename(path)), { links: 'refuse', shownAs: path });
  if (!opened.ok) return [];
  using file = opened.value;
  const { uid, nlink } = file.stat;
  const bytes = readWhole(file, bytesMax);
  if (!bytes.ok || uid !== process.geteuid?.() || nlink !== 1) return [];
  const before = decodeText(bytes.value);
  // Bytes that are no UTF-8 would be lost.
  if (!Buffer.from(before).equals(bytes.value)) return [];
  const after = edit(before);
  return after === before ? [] : [{ path, before, after }];
}
