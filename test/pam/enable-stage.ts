/**
 * The common part of tests that enable and disable the PAM step with Debian's own pam-auth-update, on copies of this
 * machine's PAM files that only the commands see, each in a mount namespace of its own.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before } from 'node:test';
import { compilePam } from '../../scripts/entry.ts';
import { ensurePrerequisites } from '../../testing/prerequisites.ts';
import { patienceMilliseconds } from '../../testing/patience.ts';

const compiler = await ensurePrerequisites('pam', (line) => console.log(`# ${line}`));
export const module = compiler.ok ? compilePam() : '';
export const bulkhead = new URL('../../bulkhead', import.meta.url).pathname;
export const program = '/usr/sbin/pam-auth-update';
export const scratch = join(tmpdir(), `bulkhead-logintest-${process.pid}`);
const directories = ['/etc/pam.d', '/var/lib/pam', '/usr/share/pam-configs', '/var/cache/debconf'];

export const copyOf = (path: string) => join(scratch, 'root', path);
export const read = (path: string) => fs.readFileSync(copyOf(path), 'utf8');
export const write = (path: string, text: string) => fs.writeFileSync(copyOf(path), text);

/** Files and directories that replace others, in addition to the copies. */
export type Instead = Readonly<Record<string, string>>;

export function words(command: string, instead: Instead = {}): readonly [string, string[]] {
  const mounts = [
    ...directories.map((each) => [copyOf(each), each] as const),
    ...Object.entries(instead).map(([path, by]) => [by, path] as const),
  ];
  const lines = mounts.map(([from, to]) => `mount --bind '${from}' '${to}'`);
  return ['unshare', ['-m', 'sh', '-c', [...lines, command].join(' && ')]];
}

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function run(command: string, instead: Instead = {}): Ran {
  const [file, args] = words(command, instead);
  return spawnSync(file, args, { encoding: 'utf8', timeout: patienceMilliseconds });
}

export function succeed(command: string, instead: Instead = {}): string {
  const { status, stdout, stderr } = run(command, instead);
  assert.equal(status, 0, `${command}: ${stderr}`);
  return stdout;
}

/** Returns all files that PAM and pam-auth-update use. */
export const files = () =>
  directories
    .filter((each) => each !== '/var/cache/debconf')
    .flatMap((directory) =>
      fs.readdirSync(copyOf(directory)).map((name) => {
        const path = `${directory}/${name}`;
        const { mode, uid } = fs.statSync(copyOf(path));
        const bytes = fs.readFileSync(copyOf(path));
        const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
        return `${path} ${(mode & 0o7777).toString(8)} ${uid} ${hash}`;
      }),
    )
    .sort();

export const enable = `'${bulkhead}' pam enable`;
export const disable = `'${bulkhead}' pam disable`;
export const update = `DEBIAN_FRONTEND=noninteractive ${program} --package`;
export const session = '/etc/pam.d/common-session';

const obstacle = () => {
  if (process.getuid?.() !== 0) return 'needs root';
  if (!compiler.ok) return compiler.reason;
  if (!fs.existsSync(program)) return `needs ${program}`;
  return spawnSync('unshare', ['-m', 'true']).status === 0 ? false : 'needs mount namespaces';
};
export const skip = obstacle();

/** The files before any test. */
export let pristine: ReturnType<typeof files> = [];

/** Registers hooks that copy the files before the tests, and check after each that `disable` restores them. */
export function useCopies(): void {
  before(() => {
    for (const each of directories)
      fs.cpSync(each, copyOf(each), { recursive: true, dereference: true });
    // Profiles that packages have left pending, and pam_systemd's, even if this machine has no systemd.
    write(
      '/usr/share/pam-configs/systemd',
      'Name: systemd\nDefault: yes\nPriority: 0\nSession-Interactive-Only: yes\nSession-Type: Additional\nSession:\n\toptional\tpam_systemd.so\n',
    );
    succeed(update);
    pristine = files();
  });
  after(() => fs.rmSync(scratch, { recursive: true, force: true }));
  afterEach(() => {
    succeed(disable);
    assert.deepEqual(files(), pristine);
  });
}
