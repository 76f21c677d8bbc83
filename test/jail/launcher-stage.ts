/** The common part of tests of `apply`, `exec` and `release` with jails. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { after, before } from 'node:test';
import { patienceMilliseconds } from '../../testing/patience.ts';
import { findTree } from '../cli/launch-stage.ts';
import { publicScratch, reasonToSkip } from './stage.ts';
import { compileExec } from '../../scripts/entry.ts';

export const program = fileURLToPath(new URL('../../bulkhead', import.meta.url));
export const launcher = compileExec();
export const [jailed, plain] = [620_300, 620_301] as const;

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export const call = (file: string, ...args: readonly string[]): Ran =>
  spawnSync(file, args, { encoding: 'utf8', timeout: patienceMilliseconds });

/** An instance with a tenant in a jail and one without, and commands of an administrator. */
export class LauncherStage {
  readonly instance: string;
  readonly skip: string | false;
  /** The directory of the policy, which everybody may enter. */
  scratch = '';

  constructor(instance: string) {
    this.instance = instance;
    this.skip = reasonToSkip() || (findTree(instance).roots.length === 0 ? 'needs cgroups' : false);
    before(() => {
      if (this.skip !== false) return;
      this.bulkhead('release', '--kill');
      this.scratch = publicScratch(instance);
      this.writePolicy('<jail profile="web"/>');
    });
    after(() => {
      if (this.skip !== false) return;
      this.bulkhead('release', '--kill');
      rmSync(this.scratch, { recursive: true });
      rmSync(`/var/lib/${instance}`, { recursive: true, force: true });
    });
  }

  get policy(): string {
    return `${this.scratch}/policy.xml`;
  }

  readonly bulkhead = (...args: readonly string[]): Ran =>
    call(program, '--instance', this.instance, ...args);

  readonly exec = (uid: number, ...args: readonly string[]): Ran =>
    call(launcher, '--instance', this.instance, `${uid}`, '--', ...args);

  readonly writePolicy = (jail: string): void => {
    const tenants = `<tenant uid="${jailed}">${jail}</tenant><tenant uid="${plain}"/>`;
    writeFileSync(this.policy, `<bulkhead version="1">${tenants}</bulkhead>\n`);
  };

  readonly mustApply = (): void => {
    const { status, stderr } = this.bulkhead('apply', this.policy);
    assert.equal(status, 0, stderr);
  };
}
