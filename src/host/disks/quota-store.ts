/**
 * Quotas that Bulkhead set, recorded across reboots so that they can be removed again:
 * `/var/lib/bulkhead/quotas`, one per line: `1001 /home`.
 */
import { mkdirSync } from 'node:fs';
import {
  placeKey,
  type QuotaContext,
  type QuotaLimits,
  type QuotaPlace,
  type WantedQuota,
} from '../../plan/quota.ts';
import { causeOf, describeErrno } from '../../sys/errno.ts';
import { failed, printProblem, type Errno, type Problem } from '../../base/problem.ts';
import type { FileSystems } from './file-systems.ts';
import { readQuota, writeQuota } from './quotas.ts';
import { readText } from '../../sys/files/read.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import type { Wanted } from '../../plan/wanted.ts';
import { replaceFile } from '../../sys/files/replace-file.ts';

const namedMax = 8;
const nothing: QuotaLimits = { spaceBytes: undefined, files: undefined };

export class QuotaStore {
  readonly #file: string;
  readonly #state: string;
  readonly #fileSystems: FileSystems;
  readonly context: QuotaContext;

  constructor(state: string, fileSystems: FileSystems) {
    this.#state = state;
    this.#file = `${state}/quotas`;
    this.#fileSystems = fileSystems;
    this.context = {
      quotaMountOf: (directory) => this.#quotaMountOf(directory),
      alreadySet: this.#remembered(),
    };
  }

  #quotaMountOf(directory: string): string | undefined {
    const found = this.#fileSystems.of(directory);
    return found?.userQuota === true ? found.mountPoint : undefined;
  }

  #remembered(): readonly QuotaPlace[] {
    return (readText(this.#file) ?? '').split('\n').flatMap((line): QuotaPlace[] => {
      const match = /^(\d+) (\/.*)$/.exec(line);
      return match === null ? [] : [{ uid: Number(match[1]), mountPoint: match[2] ?? '/' }];
    });
  }

  /** Undefined if no disk file system with quotas is mounted there. */
  #node(mountPoint: string): string | undefined {
    const found = this.#fileSystems.all.find((each) => each.mountPoint === mountPoint);
    return found?.userQuota === true ? found.node : undefined;
  }

  #read({ mountPoint, uid }: QuotaPlace): Result<QuotaLimits, Errno> {
    const node = this.#node(mountPoint);
    return node === undefined ? fail('ENODEV') : readQuota(node, uid);
  }

  #write({ mountPoint, uid }: QuotaPlace, limits: QuotaLimits): Errno | undefined {
    const node = this.#node(mountPoint);
    return node === undefined ? 'ENODEV' : writeQuota(node, uid, limits);
  }

  observe(wanted: readonly WantedQuota[]): ReadonlyMap<string, QuotaLimits> {
    const found = new Map<string, QuotaLimits>();
    for (const place of wanted) {
      const limits = this.#read(place);
      if (limits.ok) found.set(placeKey(place), limits.value);
    }
    return found;
  }

  /** Records first: a quota that was set and not recorded could never be removed. */
  set(place: QuotaPlace, limits: QuotaLimits): Errno | undefined {
    const places = this.#remembered();
    if (limits !== nothing && !places.some((each) => placeKey(each) === placeKey(place))) {
      const saved = this.#save([...places, place]);
      if (!saved.ok) return saved.error.errno ?? 'UNKNOWN';
    }
    return this.#write(place, limits);
  }

  /** Drops the records of removed quotas only. Returns the failures. */
  remember({ quotas, quotasLeft }: Pick<Wanted, 'quotas' | 'quotasLeft'>): string | undefined {
    const limited = quotas.filter((each) => !isNothing(each));
    const stuck = quotas.filter((each) => isNothing(each) && !this.#isLifted(each));
    const kept = [...limited, ...stuck, ...quotasLeft];
    if (!samePlaces(kept, this.#remembered())) {
      const saved = this.#save(kept);
      if (!saved.ok) return printProblem(saved.error);
    }
    return this.#complaint([...stuck, ...quotasLeft]);
  }

  #isLifted(place: QuotaPlace): boolean {
    const found = this.#read(place);
    return found.ok && isNothing(found.value);
  }

  /** For file systems that are not mounted now. */
  #complaint(places: readonly QuotaPlace[]): string | undefined {
    const gone = places.filter((each) => this.#node(each.mountPoint) === undefined);
    if (gone.length === 0) return undefined;
    const where = [...new Set(gone.map((each) => each.mountPoint))].join(', ');
    const whose = gone.slice(0, namedMax).map((each) => each.uid);
    const more = gone.length > namedMax ? ` and ${gone.length - namedMax} more` : '';
    return `Cannot find the file system with quotas that was at ${where}, where the limits of uid ${whose.join(', ')}${more} were set, so they were left as they are; mount it with quotas on, or take its lines out of ${this.#file}`;
  }

  /** Removes every quota that was set, and its record; returns the failures. */
  lift(): readonly string[] {
    const places = this.#remembered();
    const stuck: QuotaPlace[] = [];
    const problems = places.flatMap((place) => {
      const error = this.#write(place, nothing);
      if (error === undefined) return [];
      stuck.push(place);
      const why =
        error === 'ENODEV'
          ? `no file system with quotas is mounted there now; mount it, or take its line out of ${this.#file}`
          : describeErrno(error);
      return [`Cannot lift the quota of uid ${place.uid} on ${place.mountPoint}: ${why}`];
    });
    const saved = places.length > 0 ? this.#save(stuck) : ok(undefined);
    return saved.ok ? problems : [...problems, printProblem(saved.error)];
  }

  #save(places: readonly QuotaPlace[]): Result<void, Problem> {
    try {
      mkdirSync(this.#state, { recursive: true, mode: 0o755 });
    } catch (error) {
      return failed({ ...causeOf(error), action: 'make the directory', object: this.#state });
    }
    return replaceFile(this.#file, places.map((each) => `${placeKey(each)}\n`).join(''));
  }
}

const isNothing = ({ spaceBytes, files }: QuotaLimits) =>
  spaceBytes === undefined && files === undefined;

function samePlaces(a: readonly QuotaPlace[], b: readonly QuotaPlace[]): boolean {
  const text = (places: readonly QuotaPlace[]) => places.map(placeKey).sort().join('\n');
  return text(a) === text(b);
}
