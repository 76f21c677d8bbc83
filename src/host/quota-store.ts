/**
 * Quotas that Bulkhead set, remembered over a reboot so that they can be lifted again:
 * `/var/lib/bulkhead/quotas`, a line each: `1001 /home`.
 */
import { mkdirSync } from 'node:fs';
import type { FileSystemFacts } from '../limits/limit.ts';
import {
  placeKey,
  type QuotaContext,
  type QuotaLimits,
  type QuotaPlace,
  type WantedQuota,
} from '../plan/quota.ts';
import { describeErrno, errnoOf, type ErrnoName } from './errno.ts';
import { readQuota, writeQuota } from './quotas.ts';
import { readText } from './read.ts';
import { replaceFile } from './replace-file.ts';

const nothing: QuotaLimits = { spaceBytes: undefined, files: undefined };

export class QuotaStore {
  readonly #file: string;
  readonly #state: string;
  readonly #fileSystems: readonly FileSystemFacts[];
  readonly context: QuotaContext;

  constructor(state: string, fileSystems: readonly FileSystemFacts[]) {
    this.#state = state;
    this.#file = `${state}/quotas`;
    this.#fileSystems = fileSystems;
    this.context = {
      quotaMountOf: (directory) => this.#quotaMountOf(directory),
      alreadySet: this.#remembered(),
    };
  }

  /** The mount with the longest path that the directory lies in. */
  #quotaMountOf(directory: string): string | undefined {
    const holds = (mountPoint: string) =>
      directory === mountPoint || directory.startsWith(mountPoint.replace(/\/?$/, '/'));
    const [nearest] = this.#fileSystems
      .filter((each) => holds(each.mountPoint))
      .toSorted((a, b) => b.mountPoint.length - a.mountPoint.length);
    return nearest?.userQuota === true ? nearest.mountPoint : undefined;
  }

  #remembered(): readonly QuotaPlace[] {
    return (readText(this.#file) ?? '').split('\n').flatMap((line): QuotaPlace[] => {
      const match = /^(\d+) (\/.*)$/.exec(line);
      return match === null ? [] : [{ uid: Number(match[1]), mountPoint: match[2] ?? '/' }];
    });
  }

  #source(mountPoint: string): string {
    return this.#fileSystems.find((each) => each.mountPoint === mountPoint)?.source ?? '';
  }

  observe(wanted: readonly WantedQuota[]): ReadonlyMap<string, QuotaLimits> {
    const found = new Map<string, QuotaLimits>();
    for (const place of wanted) {
      const limits = readQuota(place.mountPoint, this.#source(place.mountPoint), place.uid);
      if (limits.ok) found.set(placeKey(place), limits.value);
    }
    return found;
  }

  /** Remembers first: what was set and forgotten could never be lifted. */
  set(place: QuotaPlace, limits: QuotaLimits): ErrnoName | undefined {
    const places = this.#remembered();
    if (limits !== nothing && !places.some((each) => placeKey(each) === placeKey(place))) {
      this.#save([...places, place]);
    }
    return writeQuota(place.mountPoint, this.#source(place.mountPoint), place.uid, limits);
  }

  /** Forgets what has been lifted. */
  remember(wanted: readonly WantedQuota[]): string | undefined {
    const kept = wanted.filter((each) => each.spaceBytes !== undefined || each.files !== undefined);
    if (sameText(kept, this.#remembered())) return undefined;
    try {
      this.#save(kept);
      return undefined;
    } catch (error) {
      return `Cannot write ${this.#file}: ${describeErrno(errnoOf(error))}`;
    }
  }

  /** Lifts everything that was set; answers what could not be. */
  lift(): readonly string[] {
    const places = this.#remembered();
    const problems = places.flatMap((place) => {
      const error = writeQuota(
        place.mountPoint,
        this.#source(place.mountPoint),
        place.uid,
        nothing,
      );
      return error === undefined
        ? []
        : [
            `Cannot lift the quota of uid ${place.uid} on ${place.mountPoint}: ${describeErrno(error)}`,
          ];
    });
    if (places.length > 0) this.#save([]);
    return problems;
  }

  #save(places: readonly QuotaPlace[]): void {
    mkdirSync(this.#state, { recursive: true, mode: 0o755 });
    replaceFile(this.#file, places.map((each) => `${placeKey(each)}\n`).join(''));
  }
}

function sameText(a: readonly QuotaPlace[], b: readonly QuotaPlace[]): boolean {
  const text = (places: readonly QuotaPlace[]) => places.map(placeKey).sort().join('\n');
  return text(a) === text(b);
}
