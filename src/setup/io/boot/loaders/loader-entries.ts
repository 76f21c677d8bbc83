/**
 * Entries of systemd-boot, in loader/entries of the EFI system partition or of /boot.
 *
 *     TOKEN-6.12.1.conf, TOKEN-6.12.1+3-0.conf     written by kernel-install(8); the second counts its tries
 *     options root=UUID=… ro quiet                 one or several such lines
 */
import { failed, type Problem } from '../../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../../packages/base/result.ts';
import { namesIn } from '../../../../../packages/base/io/read.ts';
import { at, type BootHost } from '../../../../host/boot/boot-host.ts';
import { readBootFile, type BootEdit } from '../boot-file.ts';
import { commandLineFile } from './command-line-file.ts';

export const places: readonly string[] = ['efi', 'boot', 'boot/efi'];

export const entriesOf = (host: BootHost): readonly string[] =>
  places.flatMap((place) =>
    namesIn(at(host, `${place}/loader/entries`))
      .filter((each) => each.endsWith('.conf'))
      .map((each) => `${place}/loader/entries/${each}`),
  );

/** Returns the entries that kernel-install may write again for this kernel. */
export const entriesOfRelease = (host: BootHost, release: string): readonly string[] =>
  entriesOf(host).filter((each) =>
    each.replace(/(?:\+\d+(?:-\d+)?)?\.conf$/, '').endsWith(`-${release}`),
  );

/** Returns the options of an entry's text. */
export const optionsOf = (text: string): readonly string[] =>
  [...text.matchAll(/^options\s+(.*)$/gm)].flatMap(([, line = '']) => wordsOf(line));

/** Returns the entries of these kernels, which undo restores; none may have other options than the command line. */
export function watchedEntries(
  host: BootHost,
  releases: readonly string[],
  commandLine: string,
): Result<readonly BootEdit[], Problem> {
  const edits: BootEdit[] = [];
  for (const path of new Set(releases.flatMap((each) => entriesOfRelease(host, each)))) {
    const read = readBootFile(host, path);
    if (!read.ok) return read;
    const { content: before, text = '' } = read.value ?? {};
    if (comparable(optionsOf(text)) !== comparable(wordsOf(commandLine)))
      return failed({
        action: 'have kernel-install write the entry',
        object: at(host, path),
        reason: `its options are not those of /${commandLineFile}, and would be lost`,
        hint: `make the two the same (the options that work are in /proc/cmdline), and try again`,
      });
    edits.push({ path, role: 'entry', before, after: undefined });
  }
  return ok(edits);
}

const wordsOf = (line: string) => line.split(/\s+/).filter((each) => each !== '');

/** kernel-install adds the machine's ID itself. */
const comparable = (words: readonly string[]) =>
  words.filter((each) => !each.startsWith('systemd.machine_id=')).join(' ');
