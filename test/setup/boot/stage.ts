/** A host below a directory for the tests of `setup boot`: its files, its kernel, and how its programs answer. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, mock } from 'node:test';
import { failed } from '../../../packages/base/problem.ts';
import { ok } from '../../../packages/base/result.ts';
import type { BootHost } from '../../../src/host/boot/boot-host.ts';
import type { Paths } from '../../../src/host/paths.ts';
import type { BootOptions } from '../../../src/setup/commands/boot/ask.ts';
import { runBoot } from '../../../src/setup/commands/boot/run-boot.ts';
import type { SetupBootJson } from '../../../src/setup/commands/json.ts';
import { jsonOf } from '../../../testing/json-output.ts';
import { testDirectory } from '../../../testing/temporary-directory.ts';

type Answer = (command: readonly string[]) => string | undefined;

export const stage = { root: '', calls: [] as string[], answer: (() => '') as Answer };

export const at = (path: string) => join(stage.root, path);
export const read = (path: string) => readFileSync(at(path), 'utf8');
export function write(path: string, text: string): void {
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), text);
}

export const paths = (): Paths => ({
  instance: 'bulkhead',
  proc: at('proc'),
  sys: at('sys'),
  etc: at('etc'),
  runtime: at('run/bulkhead'),
  state: at('var/lib/bulkhead'),
  cache: at('var/cache/bulkhead'),
});

export const host = (): BootHost => ({
  root: stage.root,
  call(command) {
    stage.calls.push(command.join(' '));
    const text = stage.answer(command);
    const object = command.join(' ');
    return text === undefined
      ? failed({ action: 'run', object, reason: 'it failed with status 1: no room' })
      : ok(text);
  },
});

export const wantedLsm = 'lsm=lockdown,landlock,yama,apparmor,bpf,integrity';
export const wantedWords = [wantedLsm, 'psi=1'];

/** Gives each test a host whose kernel has BPF and PSI turned off, and both built in. */
export function useHost(): void {
  beforeEach((t) => {
    stage.root = testDirectory(t, 'setup-boot');
    stage.calls = [];
    stage.answer = () => '';
    write('proc/cmdline', 'BOOT_IMAGE=/vmlinuz-6.12.1 root=/dev/vda1 ro quiet\n');
    write('proc/sys/kernel/osrelease', '6.12.1\n');
    write('proc/sys/kernel/random/boot_id', 'first\n');
    write('proc/cgroups', '#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t0\t90\t1\n');
    write('sys/kernel/security/lsm', 'lockdown,capability,landlock,yama,apparmor');
    write('boot/config-6.12.1', kernelConfig);
    mkdirSync(at('run'));
  });
}

export const kernelConfig = [
  'CONFIG_BPF_LSM=y',
  'CONFIG_DEBUG_INFO_BTF=y',
  'CONFIG_INTEGRITY=y',
  'CONFIG_LSM="landlock,lockdown,yama,integrity,apparmor"',
  'CONFIG_PSI=y',
  'CONFIG_PSI_DEFAULT_DISABLED=y',
  '',
].join('\n');

/** Debian's GRUB. Its program is played by a shell, which reads the files in the order of grub-mkconfig. */
export function withGrub(options = 'quiet'): void {
  write('usr/sbin/update-grub', '');
  write('etc/default/grub', `GRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX_DEFAULT="${options}"\n`);
  updateGrub();
  stage.answer = () => updateGrub();
}

const mkconfig = `
  cd "$1/etc/default"; . ./grub
  for file in grub.d/*.cfg; do if [ -e "$file" ]; then . "./$file"; fi; done
  echo "linux /vmlinuz root=/dev/vda1 ro $GRUB_CMDLINE_LINUX $GRUB_CMDLINE_LINUX_DEFAULT"
  echo "linux /vmlinuz root=/dev/vda1 ro single $GRUB_CMDLINE_LINUX"`;

export function updateGrub(): string {
  const text = execFileSync('sh', ['-c', mkconfig, 'sh', stage.root], { encoding: 'utf8' });
  write('boot/grub/grub.cfg', text);
  return '';
}

/** Enterprise Linux. grubby is played: it removes `psi=1` or any `psi`, and writes blanks in its own way. */
export function withGrubby(
  options: string,
  kernels: readonly string[] = ['6.12.1', '6.11.0'],
): void {
  write('usr/sbin/grubby', '');
  write('etc/default/grub', `GRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX="${options}"\n`);
  for (const each of kernels)
    write(entryOf(each), `title EL\noptions root=UUID=a  ro ${options}\n`);
  stage.answer = playGrubby;
}

export const entryOf = (release: string) => `boot/loader/entries/id-${release}.conf`;

function playGrubby(command: readonly string[]): string {
  const directory = 'boot/loader/entries';
  const files = readdirSync(at(directory)).map((each) => `${directory}/${each}`);
  const lineOf = (file: string) => /^options (.*)$/m.exec(read(file))?.[1] ?? '';
  if (command.includes('--info=ALL'))
    return files.map((each) => `args="${lineOf(each)}"\n`).join('');
  const value = (name: string) =>
    command
      .find((each) => each.startsWith(`--${name}=`))
      ?.slice(name.length + 3)
      .split(' ') ?? [];
  const keyOf = (word: string) => word.split('=')[0];
  const gone = value('remove-args');
  const added = value('args').map(keyOf);
  for (const file of files) {
    const words = lineOf(file)
      .split(' ')
      .filter((each) => each !== '' && !gone.includes(each) && !gone.includes(keyOf(each) ?? ''))
      .filter((each) => !added.includes(keyOf(each)));
    const line = [...words, ...value('args')].join(' ');
    write(
      file,
      read(file).replace(/^options .*$/m, () => `options ${line}`),
    );
  }
  return '';
}

/** systemd-boot, whose program writes an entry for each kernel. */
export function withSystemdBoot(options: string): void {
  write('usr/bin/kernel-install', '');
  write('boot/efi/loader/loader.conf', 'timeout 3\n');
  write('etc/kernel/cmdline', options);
  write('usr/lib/modules/6.12.1/vmlinuz', '');
  stage.answer = ([, , release]) => {
    write(
      `boot/efi/loader/entries/id-${release}.conf`,
      `title Debian\noptions ${read('etc/kernel/cmdline').trim()}\n`,
    );
    return '';
  };
}

/** Reads every file with its text, except the record's lock and what the stage itself is made of. */
export function tree(): ReadonlyMap<string, string> {
  const entries = readdirSync(stage.root, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((each) => each.isFile() && !each.name.endsWith('.lock'))
    .map((each) => join(each.parentPath, each.name));
  return new Map(files.sort().map((each) => [each, readFileSync(each, 'utf8')]));
}

interface Ran {
  readonly status: number;
  readonly out: string;
  readonly errors: string;
}

/** Runs the command in this process, and returns what it printed. */
export async function boot(options: BootOptions = { yes: true }): Promise<Ran> {
  const printed = { out: '', errors: '' };
  const outputs = [
    mock.method(process.stdout, 'write', (text: string) => ((printed.out += text), true)),
    mock.method(process.stderr, 'write', (text: string) => ((printed.errors += text), true)),
  ];
  try {
    const answer = options.yes === true ? true : undefined;
    const status = await runBoot(host(), paths(), options, () => Promise.resolve(answer));
    return { status, ...printed };
  } finally {
    for (const each of outputs) each.mock.restore();
  }
}

export async function bootJson(options: BootOptions = {}): Promise<SetupBootJson> {
  const { out } = await boot({ ...options, json: true });
  return jsonOf<SetupBootJson>('setup boot', out);
}

/** Options of `setup boot undo`, without a question. */
export const undo = { undo: true, yes: true } as const;
