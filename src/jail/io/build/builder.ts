/** Builds jails that are missing or outdated, and drops jails that no tenant has any more. */
import { lstatSync } from 'node:fs';
import type { Problem } from '../../../../packages/base/problem.ts';
import { commandsOf, databasesOf, type JailDatabase } from '../../../policy/jail.ts';
import type { Account } from '../../../policy/policy.ts';
import { readText } from '../../../../packages/base/io/read.ts';
import { accountFilesOf, readHostFiles } from '../../core/account-files.ts';
import { idOf, keyOf, type JailKey } from '../../core/jail-key.ts';
import { earlierNamespaces, type JailStateFile } from '../../core/state-file.ts';
import type { DatabaseSocket } from '../../../host/databases/database-files.ts';
import type { JailPaths } from '../jail-paths.ts';
import { readStateFiles, removeStateFile, writeStateFile } from '../state-files.ts';
import { canFilter } from '../seccomp.ts';
import { causeOfCall } from './call-failed.ts';
import { bindDatabases, skeletonsWithSockets } from './database-binds.ts';
import { directoryGroups } from './directory-groups.ts';
import { Pins } from './pins.ts';
import { jailName, type BuildAnswer, type BuildRequest, type JailTenant } from './protocol.ts';
import { ensureSkeleton, refreshEtc, skeletonName, type Skeleton } from './skeleton.ts';
import { mountsHere, removeTemporary, TemporaryPlaces } from './temporary.ts';
import {
  buildOnSome,
  dropTenant,
  openSources,
  fingerprintOf,
  writeAccountFiles,
  type JailSources,
} from './tenant.ts';
import type { Vault } from './vault.ts';

type Done = 'built' | 'kept' | Problem;

export class Builder {
  readonly #tenants: readonly JailTenant[];
  readonly #vault: Vault;
  readonly #paths: JailPaths;
  readonly #pins: Pins;
  readonly #filter = canFilter();
  readonly #landlock: boolean;
  readonly #host = readHostFiles(readText('/etc/passwd') ?? '', readText('/etc/group') ?? '');
  readonly #mounts = mountsHere();
  readonly #skeletons = new Map<string, Skeleton>();
  readonly #directoryGroups: ReturnType<typeof directoryGroups>;

  readonly #databases: readonly DatabaseSocket[];
  readonly #sockets: Problem[] = [];

  /** Starts in the host's namespace. Throws Node's errors, as all methods do. */
  constructor(
    { tenants, databases }: Extract<BuildRequest, { kind: 'build' }>,
    vault: Vault,
    paths: JailPaths,
    landlock: boolean,
  ) {
    this.#tenants = tenants;
    this.#databases = databases;
    this.#landlock = landlock;
    this.#vault = vault;
    this.#paths = paths;
    this.#pins = new Pins(paths.inside);
    const users = tenants.flatMap(({ account }) => account?.user ?? []);
    this.#directoryGroups = directoryGroups(users.filter((each) => !this.#host.passwd.has(each)));
  }

  build(): Partial<BuildAnswer> {
    const vault = this.#vault;
    vault.open();
    vault.enter();
    refreshEtc(this.#paths.inside);
    for (const { jail } of this.#tenants) this.#skeletonOf(jail);
    vault.leave();
    const stateFiles = readStateFiles(this.#paths);
    using temporary = new TemporaryPlaces(this.#paths);
    const done = this.#tenants.map((tenant) => {
      const key = keyOf(tenant);
      return [key, this.#one(tenant, stateFiles.get(key), temporary), tenant] as const;
    });
    const { dropped, problems } = this.#dropOthers(stateFiles);
    vault.enter();
    this.#clearUnused();
    this.#pins.retire();
    vault.leave();
    return {
      built: done.flatMap(([key, what]) => (what === 'built' ? [key] : [])),
      kept: done.filter(([, what]) => what === 'kept').length,
      dropped,
      problems: [
        ...done.flatMap(([, what, tenant]) =>
          typeof what === 'object' && !isGone(tenant, what) ? [what] : [],
        ),
        ...problems,
      ],
      sockets: this.#sockets,
    };
  }

  /** Returns the profile's skeleton, which is made and brought up to date once. */
  #skeletonOf(jail: JailTenant['jail']): Skeleton {
    const name = skeletonName(jail);
    const known = this.#skeletons.get(name);
    if (known !== undefined) return known;
    const skeleton = ensureSkeleton(this.#paths, jail);
    this.#skeletons.set(name, skeleton);
    this.#bindDatabases(skeleton, databasesOf(jail));
    return skeleton;
  }

  /** Whatever fails here, jails are built. */
  #bindDatabases(skeleton: Pick<Skeleton, 'root' | 'tree'>, kinds: readonly JailDatabase[]): void {
    try {
      this.#sockets.push(...bindDatabases(skeleton, this.#databases, kinds));
    } catch (error) {
      const object = 'database servers';
      this.#sockets.push({ action: 'mount the sockets of', object, ...causeOfCall(error) });
    }
  }

  /** Unmounts the sockets in skeletons that no jail of the policy uses. Runs in the vault. */
  #clearUnused(): void {
    for (const skeleton of skeletonsWithSockets(this.#paths))
      if (!this.#skeletons.has(skeleton.name)) this.#bindDatabases(skeleton, []);
  }

  /** Builds one jail if needed. Begins and ends in the host's namespace. */
  #one(tenant: JailTenant, before: JailStateFile | undefined, temporary: TemporaryPlaces): Done {
    try {
      const opened = openSources(tenant, this.#paths, this.#mounts, temporary);
      if (!opened.ok) return this.#failed(tenant, before, opened.error);
      using sources = opened.value;
      return this.#oneOf(tenant, before, sources);
    } catch (error) {
      this.#vault.leave();
      const problem = {
        action: 'build the jail of',
        object: jailName(tenant),
        ...causeOfCall(error),
      };
      return this.#failed(tenant, before, problem);
    }
  }

  #oneOf(tenant: JailTenant, before: JailStateFile | undefined, sources: JailSources): Done {
    const { jail } = tenant;
    const key = keyOf(tenant);
    const print = fingerprintOf(tenant, sources);
    this.#vault.enter();
    const files = writeAccountFiles(key, this.#accountFiles(tenant.account), this.#paths);
    if (!files.ok) {
      this.#vault.leave();
      return this.#failed(tenant, before, files.error);
    }
    const pinned = this.#pins.current(key);
    const same =
      before?.state === 'ready' &&
      before.print === print &&
      before.namespace === pinned &&
      before.filter === this.#filter &&
      before.landlock === this.#landlock;
    if (same) {
      this.#vault.leave();
      return this.#kept(tenant, before);
    }
    const skeleton = this.#skeletonOf(jail);
    const stage = { vault: this.#vault, paths: this.#paths, pins: this.#pins, skeleton };
    const namespace = buildOnSome(tenant, sources, stage);
    this.#vault.leave();
    const stateFile: JailStateFile = {
      profile: jail.profile,
      state: 'ready',
      filter: this.#filter,
      landlock: this.#landlock,
      commands: commandsOf(jail),
      namespace,
      earlier: earlierNamespaces(before),
      ...homeOf(jail),
      print,
    };
    const written = writeStateFile(this.#paths, key, stateFile);
    return written.ok ? 'built' : written.error;
  }

  /**
   * Updates the state file of a jail that is kept: the list of commands is not part of the
   * namespace.
   */
  #kept(tenant: JailTenant, before: JailStateFile): Done {
    const commands = commandsOf(tenant.jail);
    if (before.commands.join() === commands.join()) return 'kept';
    const written = writeStateFile(this.#paths, keyOf(tenant), { ...before, commands });
    return written.ok ? 'kept' : written.error;
  }

  /** Records the failure. The launcher then starts nothing in the jail, and prints why. */
  #failed(tenant: JailTenant, before: JailStateFile | undefined, problem: Problem): Problem {
    const { jail } = tenant;
    const { reason, hint } = problem;
    const written = writeStateFile(this.#paths, keyOf(tenant), {
      profile: jail.profile,
      state: 'failed',
      reason: hint === undefined ? reason : `${reason}; ${hint}`,
      filter: this.#filter,
      landlock: this.#landlock,
      commands: commandsOf(jail),
      earlier: earlierNamespaces(before),
      ...homeOf(jail),
      print: '',
    });
    return written.ok ? problem : written.error;
  }

  #accountFiles(account: Account | undefined) {
    const more = account === undefined ? undefined : this.#directoryGroups.get(account.user);
    return accountFilesOf(account, this.#host, more);
  }

  /** Drops jails that no tenant has any more. One that cannot be dropped keeps its state file until a later build. */
  #dropOthers(stateFiles: ReadonlyMap<JailKey, JailStateFile>): {
    readonly dropped: readonly JailKey[];
    readonly problems: readonly Problem[];
  } {
    const wanted = new Set(this.#tenants.map(keyOf));
    this.#vault.enter();
    const others = [...new Set([...this.#pins.keys, ...stateFiles.keys()])].filter(
      (key) => !wanted.has(key),
    );
    const failures = new Map(others.map((key) => [key, this.#drop(key)]));
    this.#vault.leave();
    const dropped = others.filter((key) => failures.get(key) === undefined);
    const problems = removeTemporary(this.#paths, (key) => wanted.has(key));
    // State files go last: as long as one exists, nothing of the tenant starts half inside.
    for (const key of dropped) removeStateFile(this.#paths, key);
    return {
      dropped,
      problems: [...[...failures.values()].flatMap((each) => each ?? []), ...problems],
    };
  }

  /** Drops one jail, in the vault. */
  #drop(key: JailKey): Problem | undefined {
    try {
      dropTenant(key, this.#pins, this.#paths);
      return undefined;
    } catch (error) {
      return {
        action: 'remove the jail of',
        object: jailName({ ...idOf(key), account: undefined }),
        ...causeOfCall(error),
      };
    }
  }
}

const homeOf = ({ home }: JailTenant['jail']) => (home === undefined ? {} : { home });

/**
 * Whether the jail fails because an account is gone with its home: nothing starts there, and its state file says why.
 * While only a directory service is down, the home is there, and so are the tenant's daemons.
 */
function isGone({ missingHome }: JailTenant, { errno }: Problem): boolean {
  if (missingHome === undefined || errno !== 'ENOENT') return false;
  try {
    return lstatSync(missingHome, { throwIfNoEntry: false }) === undefined;
  } catch {
    return false;
  }
}
