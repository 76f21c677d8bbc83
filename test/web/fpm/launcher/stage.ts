/** The common part of tests of bulkhead-fpm without a jail: a tenant, and a program instead of php-fpm. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { compileFpm } from '../../../../scripts/entry.ts';
import { patienceMilliseconds } from '../../../../testing/patience.ts';
import { suiteDirectory } from '../../../../testing/temporary-directory.ts';
import { findTree, launchText, removeCgroup } from '../../../cli/launch-stage.ts';

export const instance = `bulkhead-fpm-launcher-${process.pid}`;
export const tree = findTree(instance);
export const skip =
  process.getuid?.() !== 0
    ? 'needs root'
    : tree.roots.length === 0
      ? 'needs cgroups'
      : (false as const);
export const uid = 7_000_101;
export const modes = ['tenant', 'root', 'slice', 'slice-root'] as const;
export type Mode = (typeof modes)[number];

export const ownStatus = () => readFileSync('/proc/self/status', 'utf8');
export const boundingSet = (status: string) =>
  BigInt(`0x${/^CapBnd:\t([0-9a-f]+)$/m.exec(status)?.[1] ?? ''}`);

let launcher = '';
/** A directory that everybody may enter. */
export let scratch = '';

/** Instead of php-fpm. */
export const program = (script: string): string => {
  const path = join(scratch, 'program');
  writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return path;
};
export const call = (args: readonly string[], names?: string, more: Readonly<object> = {}) =>
  spawnSync(launcher, args, {
    env: {
      ...(names !== undefined && { LISTEN_FDNAMES: names, LISTEN_FDS: '9', LISTEN_PID: '1' }),
      LISTEN_PIDFDID: '1',
      NOTIFY_SOCKET: '/run/systemd/notify',
      HOME: '/of/the/unit',
      LANG: 'C.UTF-8',
      OTHER: 'other',
    },
    encoding: 'utf8',
    cwd: '/etc',
    timeout: patienceMilliseconds,
    ...more,
  });
export const words = (mode: Mode, script: string, site: readonly string[] = []) => [
  mode,
  instance,
  mode === 'slice' ? `${uid}:${uid}` : `${uid}`,
  program(script),
  '/x.conf',
  ...site,
];
export const launch = (mode: Mode, script: string, ...site: readonly string[]) =>
  call(words(mode, script, site), '/run/a.sock');

const each = (action: (root: string) => void) => tree.roots.forEach((root) => action(root));
export const make = (...places: readonly string[]) =>
  each((root) => places.forEach((place) => mkdirSync(`${root}/${place}`, { recursive: true })));
export const removeTree = () => each(removeCgroup);
export const writeLaunch = () => writeFileSync(`/run/${instance}/launch`, launchText(tree));

/** Registers hooks that make the tenant before the tests, and remove everything afterwards. */
export function useTenant(): void {
  launcher = compileFpm();
  scratch = suiteDirectory('fpm-test', undefined, 0o755);
  before(() => {
    mkdirSync(`/run/${instance}`);
    writeLaunch();
    make(`u${uid}`);
  });
  after(() => {
    for (const each of [`/run/${instance}`, `/var/lib/${instance}`])
      rmSync(each, { recursive: true, force: true });
    removeTree();
  });
}
