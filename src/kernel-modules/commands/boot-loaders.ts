/**
 * How `module_blacklist=` gets onto the kernel's command line, for each way in which hosts boot.
 *
 * Of several `module_blacklist=` the kernel keeps the last alone, so ours carries the names of those that
 * are there already. Source: Documentation/admin-guide/kernel-parameters.txt; kernel/module/main.c.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { quoted } from '../../sys/errno.ts';
import { readText } from '../../sys/files/read.ts';
import { kernelName } from '../core/modprobe/deny-file.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import { printProblem } from '../../base/problem.ts';
import { readOwnFile, type FileEdit } from './edits.ts';

export interface BootPlan {
  readonly edits: readonly FileEdit[];
  /** To run afterwards, in this order. */
  readonly commands: readonly (readonly string[])[];
}

/** Where the host's files are, and how a program of it is run; a test has its own. */
export interface BootHost {
  /** Empty for this host. */
  readonly root: string;
  /** The standard output, or why there is none. */
  readonly call: (command: readonly string[]) => Result<string>;
}

export interface BootLoader {
  readonly title: string;
  readonly isThere: (host: BootHost) => boolean;
  /** Names in the value that Bulkhead edits which are not Bulkhead's, and so are not to be taken out. */
  readonly others: (host: BootHost, was: readonly string[]) => readonly string[];
  /** `was` are the names that Bulkhead put there earlier, `now` those that shall be there. */
  readonly plan: (
    host: BootHost,
    was: readonly string[],
    now: readonly string[],
  ) => Result<BootPlan>;
}

const at = ({ root }: BootHost, path: string) => join(root === '' ? '/' : root, path);
const hasProgram = (host: BootHost, name: string) =>
  ['usr/sbin', 'usr/bin', 'sbin', 'bin'].some((each) => existsSync(at(host, join(each, name))));

/** Names of every `module_blacklist=` in a text, in order. */
export function blacklistedIn(text: string): readonly string[] {
  const values = [...text.matchAll(/(?<![\w.-])module_blacklist=([^\s"']*)/g)].map(
    ([, value = '']) => value,
  );
  const names = values.flatMap((each) => each.split(',')).map(kernelName);
  return [...new Set(names.filter((each) => each !== undefined))];
}

export const parameterOf = (names: readonly string[]): string =>
  `module_blacklist=${[...new Set(names)].join(',')}`;

const without = (names: readonly string[], ours: readonly string[]) =>
  names.filter((each) => !ours.includes(each));

/** Debian's and Ubuntu's GRUB, which reads /etc/default/grub.d. */
const grub: BootLoader = {
  title: 'GRUB',
  isThere: (host) => hasProgram(host, 'update-grub') && existsSync(at(host, 'etc/default/grub')),
  // Its file is ours alone.
  others: () => [],
  plan(host, _was, now) {
    const path = at(host, 'etc/default/grub.d/bulkhead.cfg');
    const before = readOwnFile(path);
    if (!before.ok) return fail(printProblem(before.error));
    const after = now.length === 0 ? undefined : grubText(now, foreignInGrub(host));
    if (after === before.value) return ok({ edits: [], commands: [] });
    return ok({ edits: [{ path, before: before.value, after }], commands: [['update-grub']] });
  },
};

function foreignInGrub(host: BootHost): readonly string[] {
  const directory = at(host, 'etc/default/grub.d');
  const files = existsSync(directory) ? readdirSync(directory) : [];
  const others = files.filter((each) => each.endsWith('.cfg') && each !== 'bulkhead.cfg').sort();
  const paths = [at(host, 'etc/default/grub'), ...others.map((each) => join(directory, each))];
  return blacklistedIn(paths.map((each) => withoutComments(readText(each) ?? '')).join('\n'));
}

const withoutComments = (text: string) => text.replace(/^\s*#.*$/gm, '');

/** Both variables where there is another blacklist, since GRUB puts the second one last. */
function grubText(names: readonly string[], foreign: readonly string[]): string {
  const variables =
    foreign.length === 0
      ? ['GRUB_CMDLINE_LINUX']
      : ['GRUB_CMDLINE_LINUX', 'GRUB_CMDLINE_LINUX_DEFAULT'];
  const parameter = parameterOf([...foreign, ...names]);
  return [
    '# Written by "bulkhead modules deny --boot", and removed by --undo',
    ...variables.map((each) => `${each}="$${each} ${parameter}"`),
    '',
  ].join('\n');
}

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
      return fail(
        'Cannot change the kernel command lines: the installed kernels have different values of ' +
          '"module_blacklist"; make them equal with grubby --update-kernel=ALL first',
      );
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
    if (!text.ok) return fail(printProblem(text.error));
    const before = text.value;
    if (before === undefined) {
      return fail(
        `Cannot change the kernel command line: ${quoted(path)} does not exist; write the options into ` +
          'it that this host boots with (see /proc/cmdline), then try again',
      );
    }
    const after = editCommandLine(before, was, now);
    if (after === before) return ok({ edits: [], commands: [] });
    return ok({ edits: [{ path, before, after }], commands: installCommands(host) });
  },
};

/** The names come last in the last `module_blacklist=`, the one that counts; all else stays as it is. */
export function editCommandLine(
  text: string,
  was: readonly string[],
  now: readonly string[],
): string {
  const last = [...text.matchAll(/(?<=^|\s)module_blacklist=(\S*)/g)].at(-1);
  if (last === undefined) {
    if (now.length === 0) return text;
    const body = text.trimEnd();
    return `${body}${body === '' ? '' : ' '}${parameterOf(now)}${text.slice(body.length)}`;
  }
  const [token, value = ''] = last;
  const kept = without(value.split(',').filter(Boolean), was);
  const names = [...new Set([...kept, ...now])];
  const [head, tail] = [text.slice(0, last.index), text.slice(last.index + token.length)];
  return names.length === 0 ? head.replace(/ $/, '') + tail : head + parameterOf(names) + tail;
}

function installCommands(host: BootHost): readonly (readonly string[])[] {
  const directory = at(host, 'usr/lib/modules');
  const releases = existsSync(directory) ? readdirSync(directory).sort() : [];
  return releases.flatMap((release) => {
    const image = [`/usr/lib/modules/${release}/vmlinuz`, `/boot/vmlinuz-${release}`].find((each) =>
      existsSync(at(host, each)),
    );
    return image === undefined ? [] : [['kernel-install', 'add', release, image]];
  });
}

const bootLoaders: readonly BootLoader[] = [grubby, grub, systemdBoot];

/** All that are there: which of them the firmware starts is not to be seen from here. */
export function bootLoadersOf(host: BootHost): readonly BootLoader[] {
  const found = bootLoaders.filter((each) => each.isThere(host));
  // Where there is grubby, it writes GRUB's entries itself.
  return found.includes(grubby) ? found.filter((each) => each !== grub) : found;
}
