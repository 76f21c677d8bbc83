/**
 * The common part of the placement tests: an instance with tenants on this machine's kernel, a running placer,
 * and a reader of /proc that shares no code with the placer's.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { releaseAll } from '../../src/apply/apply.ts';
import {
  ConnectorPlacement,
  placementTargets,
  type PlacementOptions,
  type PlacementTargets,
} from '../../src/agent/placer/placement.ts';
import type { PlacementStatus } from '../../src/agent/api/status-response.ts';
import type { Host } from '../../src/host/host.ts';
import { treeHost } from '../../testing/tree-host.ts';
import { pathsOf } from '../../src/host/paths.ts';
import type { PlacerHierarchy } from '../../src/host/placer/protocol.ts';
import { livingProcesses } from '../../testing/living-processes.ts';
import { eventually } from '../../testing/patience.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';
import { mustApply, policyOf } from '../conformance/suite.ts';
import { buildProgram } from './programs.ts';

/** uids that no account has; the last is for an account that the tests make. */
export const uids = {
  first: 64_301,
  second: 64_302,
  third: 64_303,
  fourth: 64_304,
  reseller: 64_310,
  bomber: 64_305,
  account: 64_320,
};
export const body = `
  <defaults><processes limit="2000"/></defaults>
  <tenant uid="${uids.first}"/><tenant uid="${uids.second}"/><tenant uid="${uids.third}"/>
  <tenant uid="${uids.account}"/><tenant uid="${uids.bomber}"><processes limit="60"/></tenant>
  <reseller uid="${uids.reseller}"><tenant uid="${uids.fourth}"/></reseller>`;

export const cgroupOf = (uid: number): string => `u${uid}`;

interface Found {
  readonly pid: number;
  readonly uid: number;
  /** Names of the hierarchies of the tree in which it is outside. */
  readonly outside: readonly string[];
}

/** Returns the cgroup of each uid, according to the policy and the driver. */
export function targetsHere(host: Host, policy: string): PlacementTargets {
  const driver = host.probe();
  assert.ok(driver.ok);
  return placementTargets(policyOf(policy), host.paths, driver.value.tree);
}

export class Stage implements AsyncDisposable {
  readonly host: Host;
  readonly #scratch = temporaryDirectory('placer');
  readonly directory = this.#scratch.path;
  readonly version: 1 | 2;
  readonly lines: string[] = [];
  readonly hierarchies: readonly PlacerHierarchy[];
  readonly #targets: PlacementTargets;
  readonly #children: ChildProcess[] = [];
  #placement: ConnectorPlacement | undefined;

  constructor(version: 1 | 2, instance: string) {
    this.version = version;
    this.host = treeHost(pathsOf(instance));
    mustApply(body, this.host);
    this.#targets = targetsHere(this.host, body);
    this.hierarchies = this.#targets.tree.hierarchies;
    assert.ok(this.hierarchies.length > 0);
  }

  get haltFile(): string {
    return `${this.host.paths.runtime}/stopped.json`;
  }

  get placement(): ConnectorPlacement {
    assert.ok(this.#placement, 'no placer is at work');
    return this.#placement;
  }

  targets(containers: 'leave' | 'move' = 'leave'): PlacementTargets {
    return { ...this.#targets, containers };
  }

  /** Ends the one before; comes back when the new one has scanned everything once. */
  async place(options: Partial<PlacementOptions> = {}, containers: 'leave' | 'move' = 'leave') {
    await this.rest();
    const placement = new ConnectorPlacement({
      log: (line) => this.lines.push(line),
      haltFile: this.haltFile,
      ...options,
    });
    this.#placement = placement;
    placement.start();
    placement.setTargets(this.targets(containers));
    await this.until(
      'the placer has scanned all processes',
      () => placement.status().scannedAt !== undefined,
    );
    const status = placement.status();
    assert.equal(status.state, 'on', status.problem ?? '');
    return placement;
  }

  /** Returns the result of a scan of all processes, once all of them could be inspected. */
  scanned(): Promise<PlacementStatus> {
    return eventually(
      'all processes are inspected',
      async () => {
        const status = await this.placement.rescan();
        return status.unknown.length === 0 ? status : undefined;
      },
      () => this.lines.join('\n'),
    );
  }

  /** Stops the placer. */
  async rest(): Promise<void> {
    await this.#placement?.[Symbol.asyncDispose]();
    this.#placement = undefined;
  }

  run(program: string, ...args: string[]): ChildProcess & { readonly pid: number } {
    const child = spawn(program, args, { stdio: 'ignore' });
    this.#children.push(child);
    assert.ok(child.pid !== undefined, `${program} does not start`);
    return child as ChildProcess & { readonly pid: number };
  }

  /** Starts a process of a uid that sleeps; it was root's before. */
  sleepAs(uid: number) {
    const who = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];
    return this.run('setpriv', ...who, 'sleep', '3600');
  }

  /** Returns the cgroup of a process in each hierarchy of the tree; nothing once it is gone. */
  cgroupsOf(pid: number, path = `${pid}`): readonly string[] | undefined {
    const text = read(`/proc/${path}/cgroup`);
    if (text === undefined) return undefined;
    return this.hierarchies.map(({ controller }) => {
      const pattern =
        this.version === 2
          ? /^0::(.*)$/m
          : new RegExp(`^\\d+:(?:[^:]*,)?${controller}(?:,[^:]*)?:(.*)$`, 'm');
      return pattern.exec(text)?.[1] ?? '';
    });
  }

  /** Puts a process into a cgroup of the instance, which the placer would not. */
  join(pid: number, cgroup: string): void {
    for (const { mountPoint, rootCgroup } of this.hierarchies)
      writeFileSync(`${mountPoint}/${rootCgroup}/${cgroup}/cgroup.procs`, String(pid));
  }

  isIn(pid: number, cgroup: string): boolean {
    const cgroups = this.cgroupsOf(pid);
    return (
      cgroups?.every((each, index) => each === `${this.hierarchies[index]?.path}/${cgroup}`) ??
      false
    );
  }

  /** Waits until a process of a tenant is in its cgroup. */
  placed(pid: number, uid: number, path = cgroupOf(uid)): Promise<number> {
    return this.until(`process ${pid} of uid ${uid} is in ${path}`, () => this.isIn(pid, path));
  }

  /** Whether a process is outside the instance in all hierarchies. */
  isNotPlaced(pid: number): boolean {
    return (
      this.cgroupsOf(pid)?.every(
        (each, index) => !each.startsWith(`${this.hierarchies[index]?.path}`),
      ) ?? false
    );
  }

  /** Returns all living processes of a uid. */
  processesOf(uid: number): readonly number[] {
    return livingProcesses()
      .filter((each) => each.uid === uid)
      .map(({ pid }) => pid);
  }

  outside(...of: readonly number[]): readonly Found[] {
    return livingProcesses().flatMap(({ pid, uid }): Found[] => {
      if (!of.includes(uid)) return [];
      const cgroups = this.cgroupsOf(pid) ?? [];
      // A process that is about to end shows as outside on v1; it can no longer run.
      const cgroup = uid === uids.fourth ? `r${uids.reseller}/u${uid}` : `u${uid}`;
      const outside = this.hierarchies.filter(
        ({ path }, index) => cgroups[index] !== `${path}/${cgroup}`,
      );
      return cgroups.length === 0 || outside.length === 0
        ? []
        : [{ pid, uid, outside: outside.map((each) => each.name) }];
    });
  }

  /**
   * Waits until a condition holds. Returns the time that it took in milliseconds, to be printed and not to be
   * tested.
   */
  async until(what: string, condition: () => boolean | Promise<boolean>): Promise<number> {
    const begin = performance.now();
    await eventually(what, condition, () => this.lines.join('\n'));
    return performance.now() - begin;
  }

  /** Makes a cgroup outside the instance in each hierarchy, as another manager would. */
  otherCgroup(path: string): { readonly join: (pid: number) => void } & AsyncDisposable {
    const made = this.hierarchies.map(
      ({ mountPoint }) => `${mountPoint}/bulkhead-place-other/${path}`,
    );
    const until = this.until.bind(this);
    for (const each of made) mkdirSync(each, { recursive: true });
    return {
      join: (pid) => {
        for (const each of made) execFileSync('sh', ['-c', `echo ${pid} > '${each}/cgroup.procs'`]);
      },
      async [Symbol.asyncDispose]() {
        for (const each of made) {
          for (const pid of (read(`${each}/cgroup.procs`) ?? '').split('\n')) {
            if (pid !== '') kill(Number(pid));
          }
        }
        await until('the other cgroups are removed', () => made.every((each) => removeUp(each)));
      },
    };
  }

  /** Ends every process of the tests' uids, and those that were started here. */
  async quiet(): Promise<void> {
    for (const child of this.#children.splice(0)) child.kill('SIGKILL');
    const ours = new Set(Object.values(uids));
    await this.until('every process has ended', () => {
      const left = livingProcesses().filter(({ uid }) => ours.has(uid));
      for (const { pid } of left) kill(pid);
      return left.length === 0;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.rest();
    await this.quiet();
    this.#scratch.remove();
    await this.until('the cgroups are removed', () => {
      return releaseAll(this.host, { kill: true }).ok;
    });
    for (const path of [this.host.paths.runtime, this.host.paths.state])
      rmSync(path, { recursive: true, force: true });
  }
}

/** Removes a scratch cgroup and those above it that the tests made; false while in use. */
function removeUp(path: string): boolean {
  for (let at = path; at.includes('/bulkhead-place-other'); at = dirname(at)) {
    try {
      rmdirSync(at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EBUSY')
        return readdirSync(at, { withFileTypes: true }).some((each) => each.isDirectory());
      if (code !== 'ENOENT') throw error;
    }
  }
  return true;
}

/** Compiles the storm. */
export const buildStorm = (directory: string): string =>
  buildProgram(fileURLToPath(new URL('storm.c', import.meta.url)), directory);

export function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

export function kill(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone already.
  }
}
