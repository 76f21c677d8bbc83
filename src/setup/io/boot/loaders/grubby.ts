/**
 * Enterprise Linux and Fedora: grubby(8) writes the entries of all installed kernels.
 *
 * New kernels get their options from /etc/kernel/cmdline if it is there, and from /etc/default/grub if grub2-mkconfig
 * writes the entries. Not every version of grubby changes both, so they are changed first; grubby then finds the words
 * there.
 */
import { failed, type Problem } from '../../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../../packages/base/result.ts';
import { namesIn } from '../../../../../packages/base/io/read.ts';
import { at, hasProgram } from '../../../../host/boot/boot-host.ts';
import { editGrubDefault } from '../../../core/boot/grub-file.ts';
import { addWords, hasWords, keyOf, type BootWord } from '../../../core/boot/words.ts';
import { readBootFile, type BootEdit, type PlannedHost } from '../boot-file.ts';
import { commandLineFile, readCommandLine } from './command-line-file.ts';
import type { BootLoader, Commands, LoaderPlan } from './loader.ts';

const info = ['grubby', '--info=ALL'];
const update = ['grubby', '--update-kernel=ALL'];
const entries = 'boot/loader/entries';
const defaults = 'etc/default/grub';

export const grubby: BootLoader = {
  name: 'grubby',
  title: 'GRUB, through grubby',
  isThere: (host) => hasProgram(host, 'grubby'),
  read: argsOf,
  plan: planGrubby,
  undoCommands(_host, words) {
    if (words.length === 0) return [];
    // A word without its value would take out values that somebody else has set.
    const remove = `--remove-args=${words.map(({ word }) => word).join(' ')}`;
    return [[...update, remove, ...argsOption(words.flatMap(({ instead }) => instead ?? []))]];
  },
  check(host, words) {
    const found = argsOf(host);
    if (!found.ok) return found;
    if (found.value.length > 0 && found.value.every((each) => hasWords(each, words))) return ok([]);
    return failed({
      action: 'change the boot options',
      reason: '"grubby --info=ALL" does not show them for every kernel',
      hint: 'compare it with the files in /boot/loader/entries',
    });
  },
};

const argsOption = (words: readonly string[]) =>
  words.length === 0 ? [] : [`--args=${words.join(' ')}`];

/** Returns the command line of each kernel: `args="ro crashkernel=… $tuned_params"`. */
function argsOf(host: PlannedHost): Result<readonly string[], Problem> {
  const found = host.call(info);
  if (!found.ok) return found;
  return ok([...found.value.matchAll(/^args="(.*)"$/gm)].map(([, args = '']) => args));
}

function planGrubby(host: PlannedHost, words: readonly BootWord[]): Result<LoaderPlan, Problem> {
  if (words.length === 0) return ok({ edits: [], commands: [] });
  const edits: BootEdit[] = [];
  for (const path of [commandLineFile, defaults]) {
    const read = path === defaults ? readBootFile(host, path) : readCommandLine(host);
    if (!read.ok) return read;
    if (read.value === undefined) continue;
    const { content: before, text } = read.value;
    const edit = (line: string) => addWords(line, words);
    const after = path === defaults ? editGrubDefault(text, edit) : edit(text);
    if (after === undefined) return noPlainLine(host, words);
    edits.push({ path, role: path === defaults ? 'entry' : 'line', before, after });
  }
  const watched = watchedEntries(host);
  if (!watched.ok) return watched;
  const replaced = words.flatMap(({ word, instead }) => (instead === undefined ? [] : keyOf(word)));
  const remove = replaced.length === 0 ? [] : [`--remove-args=${replaced.join(' ')}`];
  const commands: Commands = [[...update, ...remove, ...argsOption(words.map(({ word }) => word))]];
  return ok({ edits: [...edits, ...watched.value], commands });
}

const noPlainLine = (host: PlannedHost, words: readonly BootWord[]) =>
  failed({
    action: 'change GRUB_CMDLINE_LINUX in',
    object: at(host, defaults),
    reason: 'it is not one line in double quotes without other quotes, backslashes and "$"',
    hint: `correct it, or add ${words.map(({ word }) => word).join(' ')} there and run grubby by hand`,
  });

/** The files that grubby writes, which undo restores. */
function watchedEntries(host: PlannedHost): Result<readonly BootEdit[], Problem> {
  const edits: BootEdit[] = [];
  for (const name of namesIn(at(host, entries)).filter((each) => each.endsWith('.conf'))) {
    const path = `${entries}/${name}`;
    const read = readBootFile(host, path);
    if (!read.ok) return read;
    edits.push({ path, role: 'entry', before: read.value?.content, after: undefined });
  }
  return ok(edits);
}
