/**
 * /etc/modprobe.d/bulkhead.conf, which keeps modprobe and udev from loading modules. Source:
 * modprobe.d(5).
 *
 *     # >>> bulkhead modules deny (lines outside this block are kept)
 *     blacklist pcspkr
 *     install pcspkr /bin/false
 *     # on the kernel command line: pcspkr
 *     # <<< bulkhead modules deny
 *
 * `blacklist` is for aliases, `install` for the name itself and for dependencies. The last comment
 * notes the names that Bulkhead has put on the kernel's command line, so that undoing removes only
 * those.
 */
import { failed, type Cause, type Problem } from '../../../base/problem.ts';
import { fail, ok, type Result } from '../../../base/result.ts';
import { withoutSuffix } from '../record/module-file.ts';

export interface DenyFile {
  readonly before: string;
  /** Names in the kernel's form, with underscores; in the order in which they were denied. */
  readonly names: readonly string[];
  /** The names that Bulkhead has put on the kernel's command line. */
  readonly boot: readonly string[];
  readonly after: string;
}

const begin = '# >>> bulkhead modules deny (lines outside this block are kept)\n';
const end = '# <<< bulkhead modules deny\n';
const bootNote = '# on the kernel command line: ';

/**
 * Returns a module's name as the kernel compares it; undefined for what cannot be one (55 bytes at
 * most).
 */
export const kernelName = (name: string): string | undefined =>
  /^[A-Za-z0-9_-]{1,55}$/.test(name) ? name.replaceAll('-', '_') : undefined;

/** Parses the file. The block goes to the beginning of a file that has none. */
export function readDenyFile(text: string): Result<DenyFile, Cause> {
  const at = text.indexOf(begin);
  if (at < 0) return ok({ before: '', names: [], boot: [], after: text });
  const stop = text.indexOf(end, at);
  if (stop < 0)
    return fail(damaged(`it has a block without the line "${end.trimEnd()}" at its end`));
  if (text.includes(begin, at + begin.length))
    return fail(damaged('it has two blocks of denied modules'));
  const lines = text.slice(at + begin.length, stop).split('\n');
  return ok({
    before: text.slice(0, at),
    names: namesOf(lines, 'blacklist ', '\n'),
    boot: namesOf(lines, bootNote, ' '),
    after: text.slice(stop + end.length),
  });
}

const damaged = (reason: string): Cause => ({ reason, hint: 'repair or remove it' });

function namesOf(lines: readonly string[], key: string, separator: string): readonly string[] {
  const values = lines.filter((each) => each.startsWith(key)).map((each) => each.slice(key.length));
  const names = values.flatMap((each) => each.split(separator)).map(kernelName);
  return [...new Set(names.filter((each) => each !== undefined))];
}

/** Formats the file; empty when nothing is denied and there are no other lines. */
export function formatDenyFile({ before, names, boot, after }: DenyFile): string {
  if (names.length === 0) return before + after;
  const lines = names.map((name) => `blacklist ${name}\ninstall ${name} /bin/false\n`);
  const note = boot.length === 0 ? '' : `${bootNote}${boot.join(' ')}\n`;
  return `${before}${begin}${lines.join('')}${note}${end}${after}`;
}

/** Returns the kernel's form of names or module files, each once. */
export function moduleNames(words: readonly string[]): Result<readonly string[], Problem> {
  const names = new Set<string>();
  for (const word of words) {
    const name = kernelName(withoutSuffix(word));
    if (name === undefined) {
      return failed({
        action: 'deny',
        object: word.slice(0, 80),
        reason: 'it is not a module name',
        hint: 'use letters, digits, "_" and "-" only, at most 55',
      });
    }
    names.add(name);
  }
  return ok([...names]);
}

/**
 * Adds or removes names. `onBoot` are the names that `--boot` puts on the command line, without the
 * administrator's own.
 */
export function changeDenied(
  file: DenyFile,
  names: readonly string[],
  { boot, undo }: { readonly boot?: boolean; readonly undo?: boolean },
  onBoot: readonly string[],
): DenyFile {
  const without = (all: readonly string[]) => all.filter((each) => !names.includes(each));
  if (undo === true) return { ...file, names: without(file.names), boot: without(file.boot) };
  return {
    ...file,
    names: [...new Set([...file.names, ...names])],
    boot: boot === true ? [...new Set([...file.boot, ...onBoot])] : file.boot,
  };
}
