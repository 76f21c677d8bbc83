/**
 * Takes processes into a tenant's slice that did not start there: `bulkhead-1001.scope` in `user-1001.slice`.
 *
 * systemd has to make the scope, and has to be told that its cgroup is ours (`Delegate=`); then a process is placed
 * as in any cgroup of ours, by a write. The scope ends with its last process, and is made again when it is needed.
 */
import { existsSync } from 'node:fs';
import { LinuxCgroupFiles } from '../cgroups/cgroup-files.ts';
import { failed, type Problem } from '../../base/problem.ts';
import { ok, type Result } from '../../base/result.ts';
import { scopeCgroup, scopeOf, sliceOf, sliceTenant } from '../../plan/slice.ts';
import { describeErrno } from '../../sys/errno.ts';
import { sleepSync } from '../../sys/sleep.ts';
import { SystemdManager } from './manager.ts';

const roundMilliseconds = 10;

export interface ScopeStart {
  /** How often it is tried, 10 ms apart, until the scope has its cgroup. */
  readonly rounds: number;
  readonly startMilliseconds: number;
  /** After a failure none is tried for as long. */
  readonly pauseMilliseconds: number;
}

const patient: ScopeStart = { rounds: 100, startMilliseconds: 10_000, pauseMilliseconds: 0 };

export class Scopes {
  readonly #instance: string;
  readonly #manager = new SystemdManager();
  readonly #files: LinuxCgroupFiles;
  readonly #start: ScopeStart;
  #notBefore = 0;

  /** Throws if `mountPoint` is not a cgroup file system: the caller is broken. */
  constructor(mountPoint: string, instance: string, start = patient) {
    this.#instance = instance;
    this.#start = start;
    this.#files = new LinuxCgroupFiles(mountPoint, '', (cgroup) => {
      const uid = sliceTenant(cgroup);
      return uid === undefined ? undefined : scopeCgroup(instance, uid);
    });
  }

  /** A process that has ended is placed. */
  place(uid: number, pid: number): Result<void, Problem> {
    const placed = this.#place(uid, pid);
    if (!placed.ok && isAlive(pid)) {
      this.#notBefore = performance.now() + this.#start.pauseMilliseconds;
      return placed;
    }
    return ok(undefined);
  }

  #place(uid: number, pid: number): Result<void, Problem> {
    const scope = scopeOf(this.#instance, uid);
    for (let round = 0; round < this.#start.rounds; round++) {
      const written = this.#files.write(`u${uid}`, 'cgroup.procs', String(pid));
      if (written.ok || written.error === 'ESRCH') return ok(undefined);
      if (written.error !== 'ENOENT' && written.error !== 'ENODEV') {
        return cannotPlace(pid, scope, describeErrno(written.error));
      }
      // The answer comes before its cgroup is there; one that exists already may be about to end.
      if (performance.now() < this.#notBefore) {
        return cannotPlace(pid, scope, 'systemd has just refused to make another one');
      }
      const { startMilliseconds } = this.#start;
      const started = this.#manager.startScope(scope, sliceOf(uid), pid, startMilliseconds);
      if (!started.ok) return started;
      sleepSync(roundMilliseconds);
    }
    return cannotPlace(pid, scope, 'systemd has not made its cgroup');
  }
}

const isAlive = (pid: number) => existsSync(`/proc/${pid}`);

const cannotPlace = (pid: number, scope: string, reason: string) =>
  failed({ action: `move process ${pid} to`, object: scope, reason });
