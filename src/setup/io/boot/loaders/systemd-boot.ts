/** systemd-boot, whose entries kernel-install(8) writes with the options of /etc/kernel/cmdline. */
import { failed, type Problem } from '../../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../../packages/base/result.ts';
import { readText } from '../../../../../packages/base/io/read.ts';
import {
  at,
  hasFile,
  hasProgram,
  installCommands,
  type BootHost,
} from '../../../../host/boot/boot-host.ts';
import { valuesOf } from '../../../core/boot/facts.ts';
import { addWords, hasWords, type BootWord } from '../../../core/boot/words.ts';
import type { BootFile, PlannedHost } from '../boot-file.ts';
import { commandLineFile, readCommandLine } from './command-line-file.ts';
import type { BootLoader, Commands, LoaderPlan } from './loader.ts';
import {
  entriesOf,
  entriesOfRelease,
  optionsOf,
  places,
  watchedEntries,
} from './loader-entries.ts';

export const systemdBoot: BootLoader = {
  name: 'systemd-boot',
  title: 'systemd-boot',
  isThere: (host) =>
    hasProgram(host, 'kernel-install') &&
    places.some((each) => hasFile(host, `${each}/loader/loader.conf`)),
  read(host) {
    const read = readLine(host);
    return read.ok ? ok([read.value.text]) : read;
  },
  plan: planEntries,
  undoCommands,
  check,
};

/** kernel-install writes each entry anew with the options of the file: they have to be the options that boot this host. */
function planEntries(host: PlannedHost, words: readonly BootWord[]): Result<LoaderPlan, Problem> {
  const read = readLine(host);
  if (!read.ok) return read;
  const { content: before, text } = read.value;
  const commands = installCommands(host);
  if (commands.length === 0)
    return failed({
      action: 'change the boot options',
      reason: 'no installed kernel has an image in /usr/lib/modules or /boot',
    });
  const entries = watchedEntries(host, commands.map(releaseOf), text);
  if (!entries.ok) return entries;
  const after = addWords(text, words);
  const line = { path: commandLineFile, role: 'line', before, after } as const;
  return ok({ edits: [line, ...entries.value], commands });
}

const releaseOf = ([, , release = '']: readonly string[]) => release;

function readLine(host: BootHost): Result<BootFile, Problem> {
  const read = readCommandLine(host);
  if (!read.ok) return read;
  const object = at(host, commandLineFile);
  const cannot = { action: 'change the kernel command line in', object };
  const hint =
    'write the options into it that this host boots with (see /proc/cmdline), then try again';
  if (read.value === undefined)
    return failed({ ...cannot, reason: 'it does not exist, or is empty', hint });
  const rootOf = (line: string) => valuesOf(line, 'root').at(-1);
  if (rootOf(read.value.text) === rootOf(readText(at(host, 'proc/cmdline')) ?? ''))
    return ok(read.value);
  const reason = 'its root= is not the one that this host was booted with';
  return failed({ ...cannot, reason, hint });
}

/** Entries whose files were restored are left alone: somebody may have edited them. */
function undoCommands(host: PlannedHost, words: readonly BootWord[]): Commands {
  return installCommands(host).filter((command) =>
    entriesOfRelease(host, releaseOf(command)).some((path) =>
      words.some(({ word }) => optionsOf(readText(at(host, path)) ?? '').includes(word)),
    ),
  );
}

/** Entries that are written by hand are not kernel-install's. */
function check(host: PlannedHost, words: readonly string[]): Result<readonly string[], Problem> {
  const entries = entriesOf(host);
  const lacking = entries.filter(
    (each) => !hasWords(optionsOf(readText(at(host, each)) ?? '').join(' '), words),
  );
  if (lacking.length < entries.length)
    return ok(
      lacking.map((each) => `/${each} does not have them; add them by hand if you boot it`),
    );
  return failed({
    action: 'change the boot options',
    reason: 'kernel-install has written no entry in loader/entries that has them',
    hint: 'see kernel-install inspect; is the layout "bls"?',
  });
}
