/**
 * The cgroups in which a tenant's clients of a database are: the kernel names the sockets of all clients, and the open
 * files of the tenant's processes show which of them has one.
 */
import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { listSome } from '../../../../packages/base/list.ts';
import type { Problem } from '../../../../packages/base/problem.ts';
import { failed } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { readText } from '../../../../packages/base/io/read.ts';
import type { Driver } from '../../../host/driver.ts';
import { findEntryPaths } from '../../../host/entry-paths/entry-path-of-process.ts';
import { includesOthersRights } from '../../../host/kill-processes.ts';
import type { Paths } from '../../../host/paths.ts';
import { stopFile } from '../../../host/stops.ts';
import { sliceCgroup } from '../../../plan/slice.ts';
import { tenantCgroup } from '../../../plan/wanted.ts';
import type { Tenant } from '../../../policy/policy.ts';
import { unitsOf, type CgroupNode } from '../../core/client-cgroups.ts';
import { ClientLists } from './client-lists.ts';
import { processesWith } from './client-processes.ts';
import type { FreezeFile } from './record.ts';

export interface ClientCgroups {
  /** The cgroups with clients that may be frozen. */
  readonly freezable: readonly FreezeFile[];
  /** The reasons why others with clients may not. */
  readonly refused: readonly string[];
  /** All cgroups with its processes, where no process has a client's socket any more although the tenant made one. */
  readonly likely: readonly FreezeFile[];
}

/** A cgroup with its processes. */
interface Unit {
  readonly path: string;
  readonly pids: readonly number[];
}

const depthMax = 8;
const cgroupsMax = 1_000;
/** Nothing with more processes is frozen: each of them is examined before each pause. */
const examinedMax = 2_000;
/** Entry paths of people who are logged in, and would think that the host hangs. */
const sessionPaths: ReadonlySet<string> = new Set(['ssh', 'su']);

export class Clients {
  readonly #driver: Driver;
  readonly #paths: Paths;
  readonly #lists = new ClientLists();

  constructor(driver: Driver, paths: Paths) {
    this.#driver = driver;
    this.#paths = paths;
  }

  /** Why this host can freeze nothing; undefined if it can. */
  get obstacle(): string | undefined {
    return this.#mount() === undefined ? 'the kernel has no freezer for cgroups here' : undefined;
  }

  #mount(): { readonly mountPoint: string; readonly rootPath: string } | undefined {
    const { version, hierarchies } = this.#driver.tree;
    if (version === 2) return hierarchies[0];
    return hierarchies.find(({ controllers }) => controllers.has('freezer'));
  }

  #topOf(tenant: Tenant): string | undefined {
    const mount = this.#mount();
    if (mount === undefined) return undefined;
    const isSlice = this.#driver.tree.slices !== undefined && tenant.reseller === undefined;
    if (isSlice) return `${mount.mountPoint}/${sliceCgroup({ uid: tenant.uid })}`;
    return `${mount.rootPath}/${tenantCgroup(tenant)}`;
  }

  /** Finds the cgroups of a tenant's clients of these sockets. */
  async find(tenant: Tenant, sockets: readonly string[]): Promise<Result<ClientCgroups, Problem>> {
    const top = this.#topOf(tenant);
    if (top === undefined)
      return failed({ action: 'freeze clients', reason: this.obstacle ?? 'there is no freezer' });
    const peers = new Map<number, number | undefined>();
    for (const each of sockets) {
      const found = this.#lists.of(each);
      if (!found.ok) return found;
      for (const [inode, uid] of found.value) peers.set(inode, uid);
    }
    if (peers.size === 0) return ok({ freezable: [], refused: [], likely: [] });
    const units = unitsOf(readTree(top)).map((path) => ({ path, pids: pidsBelow(path) }));
    const pids = await processesWith(this.#paths.proc, units.flatMap(allPids), peers);
    const withClients = units.filter((unit) => unit.pids.some((pid) => pids.has(pid)));
    if (withClients.length > 0) return ok({ ...this.#divide(tenant, withClients), likely: [] });
    const isHere = [...peers.values()].includes(tenant.uid);
    const used = isHere ? units.filter((unit) => unit.pids.length > 0) : [];
    const { freezable: likely, refused } = this.#divide(tenant, used);
    return ok({ freezable: [], refused: likely.length === 0 ? refused : [], likely });
  }

  #divide(tenant: Tenant, units: readonly Unit[]): Omit<ClientCgroups, 'likely'> {
    const judged = units.map((unit) => ({ ...unit, refusal: this.#refusal(tenant, unit) }));
    const freezable = judged.filter(({ refusal }) => refusal === undefined);
    return {
      freezable: freezable.map(({ path }) => this.#fileOf(tenant, path)),
      refused: judged.flatMap(({ refusal }) => refusal ?? []),
    };
  }

  #fileOf(tenant: Tenant, path: string): FreezeFile {
    if (this.#driver.tree.version === 1) return { path: `${path}/freezer.state` };
    const file = `${path}/cgroup.freeze`;
    return path === this.#topOf(tenant)
      ? { path: file, stop: stopFile(this.#paths, tenant.uid) }
      : { path: file };
  }

  /** Whether nothing has come into the cgroup since that must not be frozen. */
  mayFreeze(tenant: Tenant, { path }: FreezeFile): boolean {
    const cgroup = dirname(path);
    return this.#refusal(tenant, { path: cgroup, pids: pidsBelow(cgroup) }) === undefined;
  }

  /** Whether no process in the cgroup has got the rights of others while it was being frozen. */
  mayStayFrozen(tenant: Tenant, { path }: FreezeFile): boolean {
    return !this.#hasOthersRights(tenant, pidsBelow(dirname(path)));
  }

  #hasOthersRights(tenant: Tenant, pids: readonly number[]): boolean {
    return includesOthersRights(pids, this.#driver.ownerOf(tenantCgroup(tenant)));
  }

  #refusal(tenant: Tenant, { path, pids }: Unit): string | undefined {
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (pids.length > examinedMax) return `more than ${examinedMax} processes are in ${name}`;
    if (this.#hasOthersRights(tenant, pids))
      return `processes of other accounts, or with their rights, are in ${name}`;
    const entryPathOf = findEntryPaths(tenant.uid, pathsFor(this.#paths));
    const logins = pids.filter((pid) => sessionPaths.has(entryPathOf(pid) ?? ''));
    return logins.length === 0
      ? undefined
      : `somebody is logged in in ${name} (process ${listSome(logins.map(String), 3)})`;
  }
}

const pathsFor = ({ proc }: Paths) => ({ proc, sessions: '/run/systemd/sessions' });
const allPids = ({ pids }: Unit) => pids;

function readTree(path: string, depth = depthMax, budget = { left: cgroupsMax }): CgroupNode {
  if (depth === 0) return { path, children: [] };
  const children = directoriesIn(path).flatMap((name) =>
    budget.left-- > 0 ? [readTree(`${path}/${name}`, depth - 1, budget)] : [],
  );
  return { path, children };
}

function directoriesIn(path: string): readonly string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((each) => each.isDirectory())
      .map(({ name }) => name);
  } catch {
    return [];
  }
}

function pidsBelow(path: string): readonly number[] {
  const pids: number[] = [];
  const add = (node: CgroupNode) => {
    const text = readText(`${node.path}/cgroup.procs`) ?? '';
    for (const line of text.split('\n')) if (line !== '') pids.push(Number(line));
    for (const each of node.children) add(each);
  };
  add(readTree(path));
  return pids;
}
