/**
 * The common part of tests of the PAM module's placing part: an instance with a tenant, and sessions that a libpam
 * program opens as sshd, su and cron do, with PAM files of the tests.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { text } from 'node:stream/consumers';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { compilePam } from '../../scripts/entry.ts';
import { profilesOf, sessionLines } from '../../src/pam/core/profiles.ts';
import { eventually, patienceMilliseconds } from '../../testing/patience.ts';
import { ensurePrerequisites } from '../../testing/prerequisites.ts';
import { findTree, launchText } from '../cli/launch-stage.ts';
import { compileSessionOpener } from '../jail/session-opener.ts';

const ready = await ensurePrerequisites('pam', (line) => console.log(`# ${line}`));
export const instance = `bulkhead-logintest-${process.pid}`;
export const runtime = `/run/${instance}`;
const state = `/var/lib/${instance}`;
export const scratch = join(tmpdir(), instance);
export const configuration = join(scratch, 'pam');
export const opener = join(scratch, 'session');
/** An account that every Linux has, and that nobody logs in as. */
export const user = 'nobody';
export const uid = Number(execFileSync('id', ['-u', user], { encoding: 'utf8' }));

const tree = findTree(instance);
export const roots = tree.roots;
export const isV2 = tree.join === 'cgroup.procs';
/** The launch file of the instance. */
export const launch = launchText(tree);
/** The path of the PAM module, once `useTenant` has compiled it. */
export let module = '';

const obstacle = () => {
  if (process.getuid?.() !== 0) return 'needs root';
  if (roots.length === 0) return 'needs cgroups';
  return ready.ok ? false : ready.reason;
};
export const skip = obstacle();

/** Returns our hierarchies that a process is in, and where. */
export const placesIn = (listed: string): readonly string[] =>
  listed.split('\n').flatMap((line) => new RegExp(`/${instance}/(.*)$`).exec(line)?.[1] ?? []);

interface Outcome {
  readonly opened: boolean;
  readonly places: readonly string[];
}

interface Session extends Outcome {
  readonly log: string;
  /** The process that opened the session. */
  readonly pid: number;
}

/** PAM services of this test: the lines of one profile, and pam_permit. */
export const writeService = (name: string, ...lines: readonly string[]) =>
  fs.writeFileSync(
    join(configuration, name),
    ['session required pam_permit.so', ...lines, ''].join('\n'),
  );

/**
 * Opens a session, in a process that has a second thread, and returns where both are meanwhile. `around` is the command
 * that starts it all.
 */
export async function open(
  account = user,
  service = 'login',
  around: readonly string[] = [],
): Promise<Session> {
  return outcomeOf(start(account, service, around));
}

export function start(account: string, service: string, around: readonly string[]): ChildProcess {
  const look = `for each in /proc/$PPID/task/*; do echo "task $PPID"; /bin/cat $each/cgroup; done`;
  const words = ['-t', configuration, service, account, '/bin/sh', '-c', look];
  const [program = '', ...args] = [...around, opener, ...words];
  return spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: patienceMilliseconds });
}

export async function outcomeOf(child: ChildProcess): Promise<Session> {
  const { stdout, stderr } = child;
  assert.ok(stdout && stderr);
  const closed = once(child, 'close');
  const [printed, log] = await Promise.all([text(stdout), text(stderr), closed]);
  assert.match(log, /^closed: 0$/m);
  const [before, ...tasks] = printed.split(/^task /m);
  assert.equal(before, '');
  const opened = log.includes('opened: yes');
  assert.equal(tasks.length, opened ? 2 : 0, log);
  const places = tasks.map(placesIn);
  for (const each of places) assert.deepEqual(each, places[0]);
  return { opened, places: places[0] ?? [], log, pid: child.pid ?? 0 };
}

/** The same as if strict placement were in the kernel: with its pins in a file system that nobody else sees. */
export const strictly = [
  'unshare',
  '-m',
  'sh',
  '-c',
  'mount -t tmpfs none /sys/fs/bpf && mkdir -p "/sys/fs/bpf/$0/placement-1" && exec "$@"',
  instance,
];

export const elsewhere: Outcome = { opened: true, places: [] };
export const refused: Outcome = { opened: false, places: [] };
export const everywhere: Outcome = { opened: true, places: roots.map(() => `u${uid}`) };

export function assertOutcome(
  { opened, places, log }: Session,
  expected: Outcome,
  about = '',
): void {
  assert.deepEqual({ opened, places }, expected, `${about}\n${log}`);
}

export async function removeCgroup(path: string): Promise<void> {
  if (!fs.existsSync(path)) return;
  for (const entry of fs.readdirSync(path, { withFileTypes: true }))
    if (entry.isDirectory()) await removeCgroup(join(path, entry.name));
  await eventually(`${path} can be removed`, () => {
    try {
      fs.rmdirSync(path);
      return true;
    } catch {
      return false;
    }
  });
}

export const makeTenant = (cgroup: string) => {
  for (const root of roots) fs.mkdirSync(`${root}/${cgroup}`, { recursive: true });
};

/** Runs a body while the tenant, or somebody else, is stopped. */
export async function whileStopped(whom: number, body: () => Promise<void>): Promise<void> {
  fs.mkdirSync(`${state}/stopped`, { recursive: true, mode: 0o700 });
  fs.writeFileSync(`${state}/stopped/${whom}`, '');
  try {
    await body();
  } finally {
    fs.rmSync(state, { recursive: true, force: true });
  }
}

/** Returns the output of a command that sees these files as /etc/pam.d. */
export const withPamFiles = (files: string, ...command: readonly string[]): string =>
  execFileSync(
    'unshare',
    ['-m', 'sh', '-c', 'mount --bind "$0" /etc/pam.d && exec "$@"', files, ...command],
    { encoding: 'utf8', timeout: patienceMilliseconds },
  );

/** Returns the lines of each profile. */
export const linesOf = (jump: boolean) =>
  profilesOf({ module, instance }, jump).map((each) => sessionLines(each).join('\n'));

/** Registers hooks that make the tenant and the PAM files before the tests, and remove them afterwards. */
export function useTenant(): void {
  before(() => {
    fs.mkdirSync(configuration, { recursive: true });
    fs.mkdirSync(runtime);
    fs.writeFileSync(`${runtime}/launch`, launch);
    makeTenant(`u${uid}`);
    module = compilePam();
    compileSessionOpener(scratch);
    for (const name of ['login', 'systemd-user', 'su', 'cron', 'other'])
      writeService(name, ...linesOf(false));
  });
  after(async () => {
    for (const each of [runtime, state, scratch]) fs.rmSync(each, { recursive: true, force: true });
    for (const root of roots) await removeCgroup(root);
  });
}
