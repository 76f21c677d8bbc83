/**
 * Moves processes that started elsewhere into the slice of a tenant or a site: `bulkhead-1001.scope` in
 * `user-1001.slice`.
 *
 * systemd must make the scope, with a cgroup that is ours (`Delegate=`). Then a write places a process, as in any
 * cgroup of ours. The scope ends with its last process, and is made again when needed.
 */
import { existsSync } from 'node:fs';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import {
  scopeCgroup,
  scopeOf,
  sliceName,
  sliceOf,
  sliceOwner,
  type SliceOwner,
} from '../../plan/slice.ts';
import { formatErrno } from '../../../packages/base/io/errno.ts';
import { sleepSync } from '../../sys/sleep.ts';
import { LinuxCgroupFiles } from '../cgroups/cgroup-files.ts';
import { SystemdManager, type Started } from './manager.ts';

const rounds = 200;
const roundMilliseconds = 20;
const defaultStartMilliseconds = 10_000;

export interface ScopeOptions {
  /** The time that systemd may take to answer. */
  readonly startMilliseconds?: number;
  /** The time after a failure during which no scope is started. */
  readonly pauseMilliseconds?: number;
}

export class Scopes implements Disposable {
  readonly #instance: string;
  readonly #manager = new SystemdManager();
  readonly #files: LinuxCgroupFiles;
  readonly #options: ScopeOptions;
  #notBefore = 0;

  /** Throws if `mountPoint` is not a cgroup file system: the caller is broken. */
  constructor(mountPoint: string, instance: string, options: ScopeOptions = {}) {
    this.#instance = instance;
    this.#options = options;
    this.#files = new LinuxCgroupFiles(mountPoint, '', (cgroup) => {
      const owner = sliceOwner(cgroup);
      return owner === undefined ? undefined : scopeCgroup(instance, owner);
    });
  }

  /** Puts a process into its scope, and waits until it is there. A process that has ended counts as placed. */
  place(owner: SliceOwner, pid: number): Result<void, Problem> {
    for (let round = 0; round < rounds; round++) {
      const written = this.#files.write(sliceName(owner), 'cgroup.procs', String(pid));
      if (written.ok || written.error === 'ESRCH') return ok(undefined);
      if (written.error !== 'ENOENT' && written.error !== 'ENODEV') {
        return this.#cannot(owner, pid, formatErrno(written.error));
      }
      const started = this.start(owner, pid);
      if (!started.ok) return isAlive(pid) ? started : ok(undefined);
      sleepSync(roundMilliseconds);
    }
    return this.#cannot(owner, pid, 'systemd has not made its cgroup');
  }

  /**
   * Lets systemd make the scope, with the process in it a moment after systemd has answered. If the scope exists but
   * had no cgroup just now, it is being made or about to end: the process is not in it then.
   */
  start(owner: SliceOwner, pid: number): Result<Started, Problem> {
    if (performance.now() < this.#notBefore) {
      return this.#cannot(owner, pid, 'systemd has just refused to make another one');
    }
    const { startMilliseconds = defaultStartMilliseconds, pauseMilliseconds = 0 } = this.#options;
    const scope = scopeOf(this.#instance, owner);
    const started = this.#manager.startScope(scope, sliceOf(owner), pid, startMilliseconds);
    // The failure may concern only this process, which has ended.
    if (!started.ok && isAlive(pid)) this.#notBefore = performance.now() + pauseMilliseconds;
    return started;
  }

  #cannot(owner: SliceOwner, pid: number, reason: string): Result<never, Problem> {
    const object = scopeOf(this.#instance, owner);
    return failed({ action: `move process ${pid} to`, object, reason });
  }

  [Symbol.dispose](): void {
    this.#files[Symbol.dispose]();
    this.#manager[Symbol.dispose]();
  }
}

const isAlive = (pid: number) => existsSync(`/proc/${pid}`);
