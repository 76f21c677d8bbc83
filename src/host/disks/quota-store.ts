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
import { errnoCause, causeOf } from '../../sys/errno.ts';
import type { FileSystems } from './file-systems.ts';
import { readQuota, writeQuota } from './quotas.ts';
import { readText } from '../../sys/files/read.ts';
import { failed, type Errno, type Problem } from '../../base/problem.ts';
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

  #write({ mountPoint, uid }: QuotaPlace, limits: QuotaLimits): Result<void, Errno> {
    const node = this.#node(mountPoint);
    return node === undefined ? fail('ENODEV') : writeQuota(node, uid, limits);
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
  set(place: QuotaPlace & Pick<WantedQuota, 'label'>, limits: QuotaLimits): Result<void, Problem> {
    const places = this.#remembered();
    if (!places.some((each) => placeKey(each) === placeKey(place))) {
      const saved = this.#save([...places, place]);
      if (!saved.ok) return saved;
    }
    const written = this.#write(place, limits);
    if (written.ok) return written;
    const action = `set the quota of ${place.label} on`;
    return failed({ action, object: place.mountPoint, ...errnoCause(written.error) });
  }

  /** Drops the records of removed quotas only. Fails if a quota could not be kept or removed. */
  remember({ quotas, quotasLeft }: Pick<Wanted, 'quotas' | 'quotasLeft'>): Result<void, Problem> {
    const limited = quotas.filter((each) => !isNothing(each));
    const stuck = quotas.filter((each) => isNothing(each) && !this.#isLifted(each));
    const kept = [...limited, ...stuck, ...quotasLeft];
    const saved = samePlaces(kept, this.#remembered()) ? ok(undefined) : this.#save(kept);
    return saved.ok ? this.#findAll([...stuck, ...quotasLeft]) : saved;
  }

  #isLifted(place: QuotaPlace): boolean {
    const found = this.#read(place);
    return found.ok && isNothing(found.value);
  }

  /** Fails if their file systems are not mounted now. */
  #findAll(places: readonly QuotaPlace[]): Result<void, Problem> {
    const gone = places.filter((each) => this.#node(each.mountPoint) === undefined);
    if (gone.length === 0) return ok(undefined);
    const where = [...new Set(gone.map((each) => each.mountPoint))].join(', ');
    const whose = gone.slice(0, namedMax).map((each) => each.uid);
    const more = gone.length > namedMax ? ` and ${gone.length - namedMax} more` : '';
    return failed({
      action: 'find the file system with quotas that was at',
      object: where,
      reason: `it is not mounted, or its quotas are off, so the limits of uid ${whose.join(', ')}${more} were left as they are`,
      hint: `mount it with quotas on, or remove its lines from ${this.#file}`,
    });
  }

  /** Removes every quota that was set, and its record. */
  lift(): Result<void, readonly Problem[]> {
    const places = this.#remembered();
    const stuck: QuotaPlace[] = [];
    const problems = places.flatMap((place) => {
      const written = this.#write(place, nothing);
      if (written.ok) return [];
      stuck.push(place);
      return [this.#notLifted(place, written.error)];
    });
    const saved = places.length > 0 ? this.#save(stuck) : ok(undefined);
    if (!saved.ok) problems.push(saved.error);
    return problems.length === 0 ? ok(undefined) : fail(problems);
  }

  #notLifted({ uid, mountPoint }: QuotaPlace, errno: Errno): Problem {
    const what = { action: `lift the quota of uid ${uid} on`, object: mountPoint };
    if (errno !== 'ENODEV') return { ...what, ...errnoCause(errno) };
    return {
      ...what,
      reason: 'no file system with quotas is mounted there now',
      hint: `mount it, or remove its line from ${this.#file}`,
      errno,
    };
  }

  #save(places: readonly QuotaPlace[]): Result<void, Problem> {
    try {
      mkdirSync(this.#state, { recursive: true, mode: 0o755 });
    } catch (error) {
      return failed({ action: 'create the directory', object: this.#state, ...causeOf(error) });
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
