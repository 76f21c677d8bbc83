/** Reads homes and judges the names in them; runs in a separate process. */
import type { Cause } from '../../../../packages/base/problem.ts';
import {
  byteString,
  closeEntry,
  kinds,
  Memory,
  readTarget,
  statBytes,
  statEntry,
  statOf,
} from '../../../sys/files/entries.ts';
import type { LinkFinding, LinkJudgement, LinkSeverity } from '../../core/audit/finding.ts';
import { judgeHardLink, judgeLink, type Neighbours, type Whose } from '../../core/audit/judge.ts';
import { isSystemDirectory } from '../../core/audit/system-home.ts';
import { HomeWalk } from './home-walk.ts';
import { MountKinds } from './mount-kinds.ts';
import type { Accounts, HomeDone, HomeProblem, HomeToRead, AuditReply } from './protocol.ts';
import { pathBytesMax, Resolver } from './resolver.ts';

/**
 * The maximum number of files with several names that are remembered, to report where the other
 * name is.
 */
const indexMax = 200_000;
const problemsMax = 20;
const beatMs = 100;

interface Home {
  /** The home's path without links. */
  readonly path: string;
  readonly identity: string;
}

/** The reason why a home is not read: `unread` if its tenant may use it nevertheless. */
type NoHome = Pick<HomeProblem, 'cause' | 'kind'>;

/** A home that is being read. */
interface Reading {
  readonly whose: Whose;
  readonly walk: HomeWalk;
  readonly found: Record<LinkSeverity, number>;
  links: number;
  problems: number;
}

export class HomeReader implements Disposable {
  readonly #accounts: Accounts;
  readonly #tell: (reply: AuditReply) => void;
  readonly #resolver: Resolver;
  readonly #neighbours: Neighbours;
  /** The real paths of homes, with the same index as the accounts. */
  readonly #homes: readonly (Home | NoHome)[];
  /** Homes below a home, by its identity; they are read for their own tenants. */
  readonly #below: ReadonlyMap<string, ReadonlySet<string>>;
  readonly #index = new Map<string, string>();
  readonly #stat = new Memory(statBytes);
  readonly #target = new Memory(pathBytesMax);
  #indexIsFull = false;
  #beat = 0;

  constructor(accounts: Accounts, tell: (reply: AuditReply) => void) {
    this.#accounts = accounts;
    this.#tell = tell;
    this.#resolver = new Resolver(new MountKinds(accounts.proc));
    this.#homes = accounts.homes.map(({ path }) => this.#locate(path));
    this.#neighbours = neighboursOf(accounts, this.#homes);
    this.#below = homesBelow(this.#homes);
  }

  [Symbol.dispose](): void {
    this.#resolver[Symbol.dispose]();
  }

  #locate(path: string): Home | NoHome {
    if (isSystemDirectory(path)) return skipped({ reason: 'it is a directory of the system' });
    const reached = this.#resolver.openTrusted(path);
    // Closed again: ten thousand of them would be too many to hold.
    if ('fd' in reached) closeEntry(reached.fd);
    const { to } = reached;
    if (to.kind === 'nowhere') return skipped({ reason: 'it does not exist', errno: 'ENOENT' });
    if (to.kind === 'unread') return unread({ reason: `it is on ${to.why}` });
    if (to.kind === 'loop')
      return unread({ reason: 'on its path is a link that root did not make' });
    if (to.type !== 'directory') return unread({ reason: 'it is not a directory' });
    if (isSystemDirectory(to.path)) return skipped({ reason: 'it is a directory of the system' });
    return { path: to.path, identity: to.identity };
  }

  read(index: number): void {
    const home = this.#accounts.homes[index];
    const located = this.#homes[index];
    if (home === undefined || located === undefined) return;
    const done = (walked?: Reading) =>
      this.#tell({
        kind: 'done',
        index,
        entries: walked?.walk.entries ?? 0,
        links: walked?.links ?? 0,
        found: walked?.found ?? { high: 0, medium: 0, low: 0 },
        indexIsFull: this.#indexIsFull,
      } satisfies HomeDone);
    if ('cause' in located) {
      this.#tell(told({ tenant: home.uid, path: home.path, ...located }));
      return done();
    }
    done(this.#walk(home, located));
  }

  #walk(home: HomeToRead, { path, identity }: Home): Reading | undefined {
    const reached = this.#resolver.openTrusted(home.path);
    if (!('fd' in reached) || reached.to.identity !== identity) {
      if ('fd' in reached) closeEntry(reached.fd);
      const cause = { reason: 'another directory took its place meanwhile' };
      this.#tell(told({ tenant: home.uid, path, cause, kind: 'unread' }));
      return undefined;
    }
    try {
      const reading = this.#reading(home, identity);
      reading.walk.run(reached.fd, path);
      return reading;
    } finally {
      closeEntry(reached.fd);
    }
  }

  #reading(home: HomeToRead, identity: string): Reading {
    const reading: Reading = {
      whose: { uid: home.uid, owns: ownsOf(home) },
      found: { high: 0, medium: 0, low: 0 },
      links: 0,
      problems: 0,
      walk: new HomeWalk(
        {
          file: (at, stat) => this.#file(reading, at, stat),
          link: (directory, at) => this.#link(reading, directory, at),
          problem: (path, cause, kind) => {
            if (++reading.problems > problemsMax) return;
            this.#tell(told({ tenant: home.uid, path, cause, kind }));
          },
          alive: (entries) => this.#alive(entries),
        },
        {
          except: this.#below.get(identity) ?? new Set(),
          files: this.#accounts.hardLinks,
        },
      ),
    };
    return reading;
  }

  #alive(entries: number): void {
    const now = performance.now();
    if (now - this.#beat < beatMs) return;
    this.#beat = now;
    this.#tell({ kind: 'alive', entries });
  }

  #file(reading: Reading, name: number, stat: Memory): void {
    if (statOf.links(stat) < 2) return;
    const owner = statOf.uid(stat);
    const file = statOf.identity(stat);
    const path = reading.walk.pathAt(name);
    if (reading.whose.owns(owner)) return this.#remember(file, path);
    const judged = judgeHardLink(owner, statOf.permissions(stat), reading.whose, this.#neighbours);
    if (judged === undefined) return;
    this.#found(reading, judged, {
      kind: 'hard link',
      path,
      target: undefined,
      leadsTo: undefined,
      owner,
      targetOwner: owner,
      file,
    });
  }

  #remember(file: string, path: string): void {
    if (this.#index.size < indexMax) this.#index.set(file, path);
    else this.#indexIsFull = true;
  }

  #link(reading: Reading, directory: number, name: number): void {
    reading.links++;
    if (statEntry(directory, name, this.#stat) < 0) return;
    if (statOf.kind(this.#stat) !== kinds.link) return;
    const owner = statOf.uid(this.#stat);
    const names = statOf.links(this.#stat);
    const size = readTarget(directory, name, this.#target);
    if (size <= 0) return;
    const nearby = this.#resolver.ownerNearby(directory, this.#target.address);
    if (nearby !== undefined && reading.whose.owns(nearby) && reading.whose.owns(owner)) return;
    const target = byteString(this.#target.bytes, 0);
    const to = this.#resolver.resolve(directory, target);
    const judged = judgeLink({ owner, names }, to, reading.whose, this.#neighbours);
    if (judged === undefined) return;
    this.#found(reading, judged, {
      kind: 'link',
      path: reading.walk.pathAt(name),
      target,
      leadsTo: to.kind === 'loop' ? undefined : to.path,
      owner,
      targetOwner: to.kind === 'there' ? to.owner : undefined,
      file: undefined,
    });
  }

  #found(
    { whose, found }: Reading,
    judged: LinkJudgement,
    rest: Omit<LinkFinding, 'tenant' | keyof LinkJudgement>,
  ): void {
    if (++found[judged.severity] > this.#accounts.findingsMax) return;
    this.#tell({ kind: 'finding', finding: { tenant: whose.uid, ...judged, ...rest } });
  }

  /** Returns the names of files that other processes have found by their numbers. */
  namesOf(files: readonly string[]): readonly (readonly [file: string, path: string])[] {
    return files.flatMap((file) => {
      const path = this.#index.get(file);
      return path === undefined ? [] : [[file, path] as const];
    });
  }
}

const skipped = (cause: Cause): NoHome => ({ cause, kind: 'skipped' });
const unread = (cause: Cause): NoHome => ({ cause, kind: 'unread' });

const told = (problem: HomeProblem): AuditReply => ({ kind: 'problem', problem });

function ownsOf({ uid, ranges }: HomeToRead): Whose['owns'] {
  if (ranges.length === 0) return (other) => other === uid;
  return (other) =>
    other === uid || ranges.some(([first, last]) => first <= other && other <= last);
}

function neighboursOf(accounts: Accounts, homes: readonly (Home | NoHome)[]): Neighbours {
  const names = new Map(accounts.names);
  const tenants = new Set(accounts.homes.map((each) => each.uid));
  const byPath = new Map<string, number>();
  const above = new Set<string>();
  for (const [index, home] of homes.entries()) {
    const uid = accounts.homes[index]?.uid;
    if (!('path' in home) || uid === undefined) continue;
    // If several tenants have one home, the first counts.
    if (!byPath.has(home.path)) byPath.set(home.path, uid);
    for (const path of pathsAbove(home.path)) above.add(path);
  }
  return {
    nameOf: (uid) => names.get(uid) ?? `uid ${uid}`,
    isTenant: (uid) => tenants.has(uid),
    homeOf: (path) =>
      byPath.get(path) ??
      pathsAbove(path)
        .map((each) => byPath.get(each))
        .find((uid) => uid !== undefined),
    holdsHomes: (path) => above.has(path),
  };
}

function homesBelow(homes: readonly (Home | NoHome)[]): ReadonlyMap<string, ReadonlySet<string>> {
  const located = homes.flatMap((each) => ('path' in each ? [each] : []));
  const byPath = new Map(located.map((each) => [each.path, each.identity]));
  const below = new Map<string, Set<string>>();
  for (const { path, identity } of located) {
    for (const above of pathsAbove(path).flatMap((each) => byPath.get(each) ?? []))
      below.set(above, (below.get(above) ?? new Set()).add(identity));
  }
  return below;
}

/** Returns the directories above the path, the nearest first. */
function pathsAbove(path: string): readonly string[] {
  const above: string[] = [];
  for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1))
    above.push(path.slice(0, at));
  return [...above, '/'];
}
