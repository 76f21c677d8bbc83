/** /etc/kernel/cmdline: the command line that kernel-install(8) gives new kernels. */
import { failed, type Problem } from '../../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../../packages/base/result.ts';
import { at, type BootHost } from '../../../../host/boot/boot-host.ts';
import { readBootFile, type BootFile } from '../boot-file.ts';

export const commandLineFile = 'etc/kernel/cmdline';

/** Reads its one line; undefined if it is missing or blank: kernel-install then takes the running kernel's. */
export function readCommandLine(host: BootHost): Result<BootFile | undefined, Problem> {
  const read = readBootFile(host, commandLineFile);
  if (!read.ok) return read;
  const text = read.value?.text.trim() ?? '';
  if (text === '') return ok(undefined);
  if (!/["'#\n]/.test(text)) return read;
  return failed({
    action: 'change the kernel command line in',
    object: at(host, commandLineFile),
    reason: 'it has quotes, a comment or several lines',
    hint: 'add the words by hand: see bulkhead setup boot --dry-run',
  });
}
