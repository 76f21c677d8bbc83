/** The common part of tests of `bulkhead exec`: cgroups of an instance of its own, and a real account, both removed afterwards. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import type { SpawnSyncReturns, StdioOptions } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { patienceMilliseconds } from '../../testing/patience.ts';
import { launcher } from '../../testing/launcher.ts';
import { findTree, launchText, pause, removeCgroup } from './launch-stage.ts';

export const instance = `bulkhead-exectest-${process.pid}`;
export const account = `bhexec${process.pid}`;
export const group = `bhexecg${process.pid}`;
export const uidWithoutAccount = 7_000_001;
export const tree = findTree(instance);

function instanceObstacle(): string | false {
  if (process.getuid?.() !== 0) return 'needs root';
  return tree.roots.length === 0 && 'needs cgroups';
}

/** The reason to skip tests of a tenant without an account. */
export const skipWithoutAccount = instanceObstacle();

function reasonToSkip(): string | false {
  if (skipWithoutAccount !== false) return skipWithoutAccount;
  for (const program of ['/usr/bin/setpriv', '/usr/sbin/useradd']) {
    if (!fs.existsSync(program)) return `needs ${program}`;
  }
  return false;
}

export const skip = reasonToSkip();
export const scratch = join(tmpdir(), instance);
// Every character that a careless script would trip over.
export const home = join(scratch, 'gate', `it's $HOME; "home"`);
/** The uid of the account, once `useTenant` has made it. */
export let uid = 0;
/** Its gid. */
export let gid = 0;

function makeAccount(): void {
  fs.mkdirSync(scratch);
  fs.chmodSync(scratch, 0o755);
  fs.mkdirSync(join(scratch, 'gate'));
  withRetry(() => execFileSync('groupadd', [group], { stdio: 'pipe' }));
  const options = ['--user-group', '--groups', group, '--create-home', '--home-dir', home];
  const run = () =>
    execFileSync('useradd', [...options, '--shell', '/bin/sh', account], { stdio: 'pipe' });
  withRetry(run);
  [uid, gid] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, account]))) as [
    number,
    number,
  ];
}

function removeAccount(): void {
  withRetry(() => execFileSync('userdel', [account], { stdio: 'pipe' }));
  withRetry(() => execFileSync('groupdel', [group], { stdio: 'pipe' }));
  fs.rmSync(scratch, { recursive: true });
}

/** Runs account tools again if they fail because another process has the lock on /etc/passwd. */
function withRetry(run: () => void): void {
  for (let left = 20; ; left--) {
    try {
      return run();
    } catch (error) {
      if (left === 0) throw error;
      pause(100);
    }
  }
}

export function makeTenant(place: string): void {
  for (const root of tree.roots) fs.mkdirSync(`${root}/${place}`, { recursive: true });
}

export function removeTenant(place: string): void {
  for (const root of tree.roots) removeCgroup(`${root}/${place}`);
}

/** Calls `body` while the launch file has other text; `undefined` is a missing file. */
export function withLaunchText(text: string | undefined, body: () => void): void {
  const path = `/run/${instance}/launch`;
  try {
    fs.rmSync(path, { force: true });
    if (text !== undefined) fs.writeFileSync(path, text);
    body();
  } finally {
    fs.rmSync(path, { force: true });
    fs.writeFileSync(path, launchText(tree));
  }
}

export type LaunchOptions = {
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
  readonly stdio?: StdioOptions;
  readonly prefix?: readonly string[];
  readonly options?: readonly string[];
};

export type LaunchResult = SpawnSyncReturns<string>;

export function launch(
  tenant: string,
  command: readonly string[],
  given: LaunchOptions = {},
): LaunchResult {
  const { prefix = [], options = [], ...rest } = given;
  const own = [launcher, '--instance', instance, ...options, tenant, '--', ...command];
  const [program, ...args] = [...prefix, ...own] as [string, ...string[]];
  return spawnSync(program, args, { encoding: 'utf8', timeout: patienceMilliseconds, ...rest });
}

/** Returns the standard output of a shell script that the tenant runs. */
export function output(script: string, given: LaunchOptions = {}): string {
  const result = launch(account, ['sh', '-c', script], given);
  assert.equal(result.status, 0, result.stderr);
  return result.stdout.trim();
}

export function assertRefused(result: LaunchResult, message: RegExp, status = 1): void {
  assert.match(result.stderr, message);
  assert.equal(result.status, status);
  assert.equal(result.stdout, '');
}

function makeInstance(tenant: number): void {
  fs.mkdirSync(`/run/${instance}`);
  fs.writeFileSync(`/run/${instance}/launch`, launchText(tree));
  makeTenant(`u${tenant}`);
}

function removeInstance(): void {
  for (const root of tree.roots) removeCgroup(root);
  fs.rmSync(`/run/${instance}`, { recursive: true, force: true });
}

/** Registers hooks that make the account and its cgroup before the tests, and remove them afterwards. */
export function useTenant(): void {
  before(() => {
    makeAccount();
    makeInstance(uid);
  });
  after(() => {
    removeInstance();
    removeAccount();
  });
}

/** The same for a tenant without an account. */
export function useTenantWithoutAccount(): void {
  before(() => makeInstance(uidWithoutAccount));
  after(removeInstance);
}

/** Returns the name of `place` below `root` in /proc/self/cgroup. */
export function pathInHierarchy(root: string, place: string): string {
  const name = tree.join === 'tasks' ? `:${root.split('/')[4]}:` : '0::';
  return `${name}/${instance}/${place}`;
}
