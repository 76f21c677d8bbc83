/** systemd-boot, whose entries kernel-install(8) writes with the options of /etc/kernel/cmdline. */
import { failed, type Problem } from '../../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../../packages/base/result.ts';
import { namesIn, readText } from '../../../../../packages/base/io/read.ts';
import { at, hasFile, hasProgram, installCommands } from '../../../../host/boot/boot-host.ts';
import { addWords, hasWords } from '../../../core/boot/words.ts';
import { readBootFile, type BootFile, type PlannedHost } from '../boot-file.ts';
import type { BootLoader } from './loader.ts';

const commandLine = 'etc/kernel/cmdline';
const places = ['efi', 'boot', 'boot/efi'];

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
  plan(host, words) {
    const read = readLine(host);
    if (!read.ok) return read;
    const { content: before, text } = read.value;
    const commands = installCommands(host);
    if (commands.length === 0)
      return failed({
        action: 'change the boot options',
        reason: 'no installed kernel has an image in /usr/lib/modules or /boot',
      });
    const after = addWords(text, words);
    return ok({ edits: [{ path: commandLine, role: 'line', before, after }], commands });
  },
  undoCommands: installCommands,
  check,
};

function readLine(host: PlannedHost): Result<BootFile, Problem> {
  const read = readBootFile(host, commandLine);
  if (!read.ok) return read;
  const object = at(host, commandLine);
  const cannot = { action: 'change the kernel command line in', object };
  if (read.value === undefined)
    return failed({
      ...cannot,
      reason: 'it does not exist',
      hint: 'write the options into it that this host boots with (see /proc/cmdline), then try again',
    });
  if (/["'#]/.test(read.value.text) || read.value.text.trim().includes('\n'))
    return failed({
      ...cannot,
      reason: 'it has quotes, a comment or several lines',
      hint: 'add the words by hand: see bulkhead setup boot --dry-run',
    });
  return ok(read.value);
}

/** Entries that are written by hand are not kernel-install's. */
function check(host: PlannedHost, words: readonly string[]): Result<readonly string[], Problem> {
  const entries = places.flatMap((place) =>
    namesIn(at(host, `${place}/loader/entries`))
      .filter((each) => each.endsWith('.conf'))
      .map((each) => `${place}/loader/entries/${each}`),
  );
  const lacking = entries.filter((each) => !hasOptions(host, each, words));
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

/** Reads `options root=UUID=… ro` lines, of which an entry may have several. */
function hasOptions(host: PlannedHost, path: string, words: readonly string[]): boolean {
  const lines = [...(readText(at(host, path)) ?? '').matchAll(/^options\s+(.*)$/gm)];
  return hasWords(lines.map(([, line]) => line).join(' '), words);
}
