/**
 * A patch reduced to its unified diffs: file headers and hunks, all other lines left out.
 *
 * patch(1) searches the text between them for anything that it knows, such as ed scripts, even when
 * it is asked for unified diffs. So it gets only the diffs.
 */
import { FormatError } from '../elf/bytes.ts';
import { pathInside } from './archive.ts';

/**
 * Returns the diffs of a patch, a character a byte. Throws FormatError with the line's offset for
 * bad names, cut hunks and git's forms.
 */
export function unifiedDiffsOf(patch: string): string {
  const lines = patch.split('\n');
  const kept: string[] = [];
  let offset = 0;
  for (let at = 0; at < lines.length;) {
    const taken = linesAt(lines, at, offset);
    for (let end = at + Math.max(taken, 1); at < end; at++) {
      const line = lines[at] ?? '';
      if (taken > 0) kept.push(line);
      offset += line.length + 1;
    }
  }
  return kept.length === 0 ? '' : `${kept.join('\n')}\n`;
}

/** Returns how many lines from here belong to a unified diff: 0 for text between. */
function linesAt(lines: readonly string[], at: number, offset: number): number {
  const line = lines[at] ?? '';
  if (
    /^(rename|copy) (from|to) |^GIT binary patch|^((new file |new |old )mode|index .*) 120000/.test(
      line,
    )
  ) {
    throw new FormatError(`has an unsupported line: "${line.slice(0, 100)}"`, offset);
  }
  const next = lines[at + 1] ?? '';
  if (line.startsWith('--- ') && next.startsWith('+++ ')) {
    checkName(line, offset);
    checkName(next, offset);
    return 2;
  }
  return line.startsWith('@@ ') ? hunkLines(lines, at, offset) : 0;
}

function checkName(line: string, offset: number): void {
  const name = line.slice(4).split('\t', 1).join('').trimEnd();
  if (name === '/dev/null') return;
  const safe = pathInside(name.split(' ', 1).join(''));
  if ('why' in safe || name.startsWith('"')) {
    throw new FormatError(`has a name that leads outside: "${name.slice(0, 100)}"`, offset);
  }
}

function hunkLines(lines: readonly string[], at: number, offset: number): number {
  const found = /^@@ -\d{1,9}(?:,(\d{1,9}))? \+\d{1,9}(?:,(\d{1,9}))? @@/.exec(lines[at] ?? '');
  if (found === null) throw new FormatError('has a damaged hunk', offset);
  let before = Number(found[1] ?? '1');
  let after = Number(found[2] ?? '1');
  let end = at + 1;
  for (; before > 0 || after > 0; end++) {
    const mark = markOf(lines[end], offset);
    if (mark !== '+' && mark !== '\\') before--;
    if (mark !== '-' && mark !== '\\') after--;
  }
  if (before < 0 || after < 0) throw new FormatError('has a damaged hunk', offset);
  return end - at + (lines[end]?.startsWith('\\') === true ? 1 : 0);
}

function markOf(line: string | undefined, offset: number): string {
  // Some editors strip the blank of an empty line.
  const mark = line === '' ? ' ' : (line?.[0] ?? '');
  if (mark === '' || !' +-\\'.includes(mark)) throw new FormatError('has a cut hunk', offset);
  return mark;
}
