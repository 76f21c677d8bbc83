/**
 * How `module_blacklist=` gets onto the kernel's command line, for each boot loader.
 *
 * The kernel keeps only the last of several `module_blacklist=`, so ours repeats the names in the
 * others. Source: Documentation/admin-guide/kernel-parameters.txt; kernel/module/main.c.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { at, hasProgram, installCommands, type BootHost } from '../../../host/boot/boot-host.ts';
import { readText } from '../../../../packages/base/io/read.ts';
import {
  blacklistedIn,
  editCommandLine,
  grubText,
  without,
} from '../../../../packages/modules/core/modprobe/blacklist-parameter.ts';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { FileChange } from '../../../sys/files/file-transaction.ts';
import { readOwnFile } from './own-file.ts';

interface BootPlan {
  readonly edits: readonly FileChange[];
  /** Commands to run afterwards, in this order. */
  readonly commands: readonly (readonly string[])[];
}

export interface BootLoader {
  readonly title: string;
  readonly isThere: (host: BootHost) => boolean;
  /** Returns the names in the value Bulkhead edits that are not Bulkhead's and so must stay. */
  readonly others: (host: BootHost, was: readonly string[]) => readonly string[];
  /**
   * Plans the edits. `was` are the names that Bulkhead put there earlier, `now` the names that must
   * be there.
   */
  readonly plan: (
    host: BootHost,
    was: readonly string[],
    now: readonly string[],
  ) => Result<BootPlan, Problem>;
  /** Returns the commands by which the boot loader takes over its edited files. */
  readonly refresh: (host: BootHost) => readonly (readonly string[])[];
}

/** Debian's and Ubuntu's GRUB, which reads /etc/default/grub.d. */
const grub: BootLoader = {
  title: 'GRUB',
  isThere: (host) => hasProgram(host, 'update-grub') && existsSync(at(host, 'etc/default/grub')),
  // The file belongs only to Bulkhead.
  others: () => [],
  plan(host, _was, now) {
    const path = at(host, 'etc/default/grub.d/bulkhead.cfg');
    const before = readOwnFile(path);
    if (!before.ok) return before;
    const after = now.length === 0 ? undefined : grubText(now, foreignInGrub(host));
    if (after === before.value) return ok({ edits: [], commands: [] });
    return ok({ edits: [{ path, before: before.value, after }], commands: grub.refresh(host) });
  },
  refresh: () => [['update-grub']],
};

function foreignInGrub(host: BootHost): readonly string[] {
  const directory = at(host, 'etc/default/grub.d');
  const files = existsSync(directory) ? readdirSync(directory) : [];
  const others = files.filter((each) => each.endsWith('.cfg') && each !== 'bulkhead.cfg').sort();
  const paths = [at(host, 'etc/default/grub'), ...others.map((each) => join(directory, each))];
  return blacklistedIn(paths.map((each) => withoutComments(readText(each) ?? '')).join('\n'));
}

const withoutComments = (text: string) => text.replace(/^\s*#.*$/gm, '');

/** Enterprise Linux and Fedora. Source: grubby(8). */
const grubby: BootLoader = {
  title: 'grubby',
  isThere: (host) => hasProgram(host, 'grubby'),
  others(host, was) {
    const info = host.call(['grubby', '--info=ALL']);
    return info.ok ? without(blacklistedIn(info.value), was) : [];
  },
  plan(host, was, now) {
    const info = host.call(['grubby', '--info=ALL']);
    if (!info.ok) return info;
    const values = new Set(
      [...info.value.matchAll(/(?<![\w.-])module_blacklist=([^\s"']*)/g)].map(([, value]) => value),
    );
    if (values.size > 1) {
      return failed({
        action: 'change the kernel command lines',
        reason: 'the installed kernels have different values of "module_blacklist"',
        hint: 'make them equal with grubby --update-kernel=ALL first',
      });
    }
    const [old] = values;
    const names = [...without((old ?? '').split(',').filter(Boolean), was), ...now];
    const value = [...new Set(names)].join(',');
    if (value === (old ?? '')) return ok({ edits: [], commands: [] });
    const changes = [
      ...(old === undefined ? [] : [`--remove-args=module_blacklist=${old}`]),
      ...(value === '' ? [] : [`--args=module_blacklist=${value}`]),
    ];
    return ok({ edits: [], commands: [['grubby', '--update-kernel=ALL', ...changes]] });
  },
  refresh: () => [],
};

/** systemd-boot, whose entries kernel-install(8) writes with the options of /etc/kernel/cmdline. */
const systemdBoot: BootLoader = {
  title: 'systemd-boot',
  isThere: (host) =>
    hasProgram(host, 'kernel-install') &&
    ['boot', 'efi', 'boot/efi'].some((each) => existsSync(at(host, `${each}/loader/loader.conf`))),
  others: (host, was) =>
    without(blacklistedIn(readText(at(host, 'etc/kernel/cmdline')) ?? ''), was),
  plan(host, was, now) {
    const path = at(host, 'etc/kernel/cmdline');
    const text = readOwnFile(path);
    if (!text.ok) return text;
    const before = text.value;
    if (before === undefined) {
      return failed({
        action: 'change the kernel command line in',
        object: path,
        reason: 'it does not exist',
        hint: 'write the options into it that this host boots with (see /proc/cmdline), then try again',
      });
    }
    const after = editCommandLine(before, was, now);
    if (after === before) return ok({ edits: [], commands: [] });
    return ok({ edits: [{ path, before, after }], commands: installCommands(host) });
  },
  refresh: installCommands,
};

const bootLoaders: readonly BootLoader[] = [grubby, grub, systemdBoot];

/** Returns all installed boot loaders: which one the firmware starts cannot be seen from here. */
export function bootLoadersOf(host: BootHost): readonly BootLoader[] {
  const found = bootLoaders.filter((each) => each.isThere(host));
  // If grubby is installed, it writes GRUB's entries itself.
  return found.includes(grubby) ? found.filter((each) => each !== grub) : found;
}
