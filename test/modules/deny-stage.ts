/** The common part of tests of `modules deny`: the files of a host that the tests make, and its programs. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach } from 'node:test';
import { failed, formatProblem } from '../../packages/base/problem.ts';
import { ok } from '../../packages/base/result.ts';
import type { BootHost } from '../../src/host/boot/boot-host.ts';
import { denyModules, type DenyOptions } from '../../src/modules/io/deny/deny.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';

export const conf = 'etc/modprobe.d/bulkhead.conf';
export const grubCfg = 'etc/default/grub.d/bulkhead.cfg';

/** The host of a test: its files, the programs that were run, and how they answer. */
export const stage = {
  root: '',
  calls: [] as string[],
  answer: (_command: string): string | undefined => '',
};

/** Gives each test of a file a host of its own. */
export function useHost(): void {
  beforeEach((t) => {
    stage.root = testDirectory(t, 'modules-deny');
    stage.calls = [];
    stage.answer = () => '';
    write('proc/modules', '');
    write('proc/cmdline', 'BOOT_IMAGE=/vmlinuz root=/dev/sda1 ro\n');
  });
}

export const host = (): BootHost => ({
  root: stage.root,
  call(command) {
    const line = command.join(' ');
    stage.calls.push(line);
    const text = stage.answer(line);
    return text === undefined
      ? failed({ action: 'run', object: line, reason: 'it failed with status 1: no room' })
      : ok(text);
  },
});

export function write(path: string, text: string): void {
  mkdirSync(dirname(join(stage.root, path)), { recursive: true });
  writeFileSync(join(stage.root, path), text);
}
export const read = (path: string) => readFileSync(join(stage.root, path), 'utf8');

/** Reads every file with its text, to check that nothing is left behind. */
export function tree(): ReadonlyMap<string, string> {
  const entries = readdirSync(stage.root, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((each) => each.isFile())
    .map((each) => join(each.parentPath, each.name));
  return new Map(files.sort().map((each) => [each, readFileSync(each, 'utf8')]));
}

export function deny(options: DenyOptions, ...names: string[]) {
  const outcome = denyModules(names, options, host());
  assert.ok(outcome.ok, outcome.ok ? '' : formatProblem(outcome.error));
  return outcome.value;
}

export function refusal(options: DenyOptions, ...names: string[]): string {
  const outcome = denyModules(names, options, host());
  assert.ok(!outcome.ok, 'it was done');
  return formatProblem(outcome.error);
}

export const withGrub = (settings = 'GRUB_CMDLINE_LINUX_DEFAULT="quiet"\n') => {
  write('usr/sbin/update-grub', '');
  write('etc/default/grub', settings);
};
