/** The common part of suites on the kernel of this machine. */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess, type SpawnSyncReturns } from 'node:child_process';
import { rmSync } from 'node:fs';
import { after, test } from 'node:test';
import { eventually, patienceMilliseconds } from '../../testing/patience.ts';
import { releaseAll } from '../../src/apply/apply.ts';
import type { Driver } from '../../src/host/driver.ts';
import { readText } from '../../packages/base/io/read.ts';
import { hostHere } from './host-here.ts';
import { launcher } from '../../testing/launcher.ts';
import type { Host } from '../../src/host/host.ts';

/** An instance on the kernel of this machine, and commands in it. */
export class KernelStage {
  readonly instance: string;
  readonly host: Host;
  readonly version: 1 | 2;

  constructor(instance: string, host: Host, version: 1 | 2) {
    this.instance = instance;
    this.host = host;
    this.version = version;
    // Removes what a killed run has left.
    this.#release();
    after(() => rmSync(host.paths.runtime, { recursive: true, force: true }));
  }

  readonly driver = (): Driver => {
    const probed = this.host.probe();
    assert.ok(probed.ok);
    return probed.value;
  };

  readonly counters = (cgroup: string): NonNullable<ReturnType<Driver['counters']>> => {
    const found = this.driver().counters(cgroup);
    assert.ok(found, `${cgroup} is gone`);
    return found;
  };

  readonly inside = (uid: number, ...command: string[]): ChildProcess =>
    spawn(launcher, ['--instance', this.instance, String(uid), '--', ...command], {
      stdio: 'ignore',
    });

  /** Waits until a command from `inside()` runs: then it is in the cgroups of its tenant, in all hierarchies. */
  readonly runs = (child: ChildProcess, command: string): Promise<unknown> =>
    eventually(`it runs ${command}`, () => readText(`/proc/${child.pid}/comm`) === `${command}\n`);

  readonly run = (uid: number, ...command: string[]): SpawnSyncReturns<string> =>
    spawnSync(launcher, ['--instance', this.instance, String(uid), '--', ...command], {
      encoding: 'utf8',
      timeout: patienceMilliseconds,
    });

  /** Defines a test that ends with nothing in force. */
  readonly held = (title: string, body: () => Promise<void> | void): void =>
    void test(`${title} (kernel v${this.version})`, async () => {
      try {
        await body();
      } finally {
        this.#release();
      }
    });

  #release(): void {
    assert.deepEqual(releaseAll(this.host, { kill: true }), { ok: true, value: undefined });
  }
}

/** Defines the tests of a suite on this kernel, or one that is skipped with the reason. */
export function kernelSuite(instance: string, define: (stage: KernelStage) => void): void {
  const here = hostHere(instance);
  if ('skip' in here) test('limits on the real kernel', { skip: here.skip }, () => {});
  else define(new KernelStage(instance, here.host, here.version));
}
