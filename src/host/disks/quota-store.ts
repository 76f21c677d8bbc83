/**
 * The quotas that Bulkhead changed, recorded across reboots so that they can be restored: `/var/lib/bulkhead/quotas`.
 * Each line is a place, with the earlier hard and soft limits of the changed parts, in bytes and in files.
 *
 *     1001 space=-:- files=5000:4000 /home
 */
import { mkdirSync } from 'node:fs';
import {
  quotaKey,
  type QuotaContext,
  type QuotaLimit,
  type QuotaLimits,
  type QuotaPlace,
  type QuotaRecord,
  type RecordedQuota,
  type WantedQuota,
} from '../../plan/quota.ts';
import { errnoCause, causeOf } from '../../../packages/base/io/errno.ts';
import type { FileSystems } from './file-systems.ts';
import { readQuota, writeQuota, type Quotas } from './quotas.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { failed, type Errno, type Problem } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import type { Wanted } from '../../plan/wanted.ts';
import { replaceFile } from '../../../packages/base/io/replace-file.ts';

const namedMax = 8;
const parts = ['space', 'files'] as const;

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

  #remembered(): readonly RecordedQuota[] {
    return (readText(this.#file) ?? '').split('\n').flatMap((line) => parseRecord(line) ?? []);
  }

  /** Returns undefined if no disk file system with quotas is mounted there. */
  #node(mountPoint: string): string | undefined {
    const found = this.#fileSystems.all.find((each) => each.mountPoint === mountPoint);
    return found?.userQuota === true ? found.node : undefined;
  }

  #read({ mountPoint, uid }: QuotaPlace): Result<Quotas, Errno> {
    const node = this.#node(mountPoint);
    return node === undefined ? fail('ENODEV') : readQuota(node, uid);
  }

  #write({ mountPoint, uid }: QuotaPlace, given: QuotaRecord): Result<void, Errno> {
    const node = this.#node(mountPoint);
    return node === undefined ? fail('ENODEV') : writeQuota(node, uid, given);
  }

  observe(wanted: readonly WantedQuota[]): ReadonlyMap<string, QuotaLimits> {
    const found = new Map<string, QuotaLimits>();
    for (const place of wanted) {
      const limits = this.#read(place);
      if (!limits.ok) continue;
      const { space, files } = limits.value;
      found.set(quotaKey(place), { spaceBytes: space.hard, files: files.hard });
    }
    return found;
  }

  /**
   * Records the earlier quota, then sets the new one: a quota that was set without a record could never be undone. A
   * limit that returns to its earlier value gets its soft limit back. Others have no soft limit, since one that the
   * kernel enforces after a week does not limit anything.
   */
  set(place: QuotaPlace & Pick<WantedQuota, 'label'>, limits: QuotaLimits): Result<void, Problem> {
    const cannot = (errno: Errno) => {
      const action = `set the quota of ${place.label} on`;
      return failed({ action, object: place.mountPoint, ...errnoCause(errno) });
    };
    const now = this.#read(place);
    if (!now.ok) return cannot(now.error);
    const wanted = { space: limits.spaceBytes, files: limits.files };
    const changed = parts.filter((each) => now.value[each].hard !== wanted[each]);
    const noted = this.#note(place, changed, now.value);
    if (!noted.ok) return noted;
    const given = changed.map((each): readonly [string, QuotaLimit] => {
      const before = noted.value[each];
      const isBefore = before !== undefined && before.hard === wanted[each];
      return [each, isBefore ? before : { hard: wanted[each], soft: undefined }];
    });
    const written = this.#write(place, Object.fromEntries(given));
    return written.ok ? written : cannot(written.error);
  }

  /** Records a quota. Returns the value before the first change. */
  #note(
    place: QuotaPlace,
    changed: readonly (keyof QuotaRecord)[],
    now: Quotas,
  ): Result<QuotaRecord, Problem> {
    const places = this.#remembered();
    const known = places.find((each) => quotaKey(each) === quotaKey(place))?.before ?? {};
    const news = changed.filter((each) => known[each] === undefined);
    if (news.length === 0) return ok(known);
    const before = { ...known, ...Object.fromEntries(news.map((each) => [each, now[each]])) };
    const others = places.filter((each) => quotaKey(each) !== quotaKey(place));
    const { uid, mountPoint } = place;
    const saved = this.#save([...others, { uid, mountPoint, before }]);
    return saved.ok ? ok(before) : saved;
  }

  /** Drops the records of quotas that are as before. Fails if a quota could not be kept or undone. */
  remember({ quotas, quotasLeft }: Pick<Wanted, 'quotas' | 'quotasLeft'>): Result<void, Problem> {
    const places = this.#remembered();
    const kept: RecordedQuota[] = [];
    const stuck: QuotaPlace[] = [];
    for (const { held, uid, mountPoint } of quotas) {
      const place = places.find((each) => quotaKey(each) === quotaKey({ uid, mountPoint }));
      if (place === undefined) continue;
      const left = parts.filter((each) => !held.includes(each) && !this.#isBack(place, each));
      const before = only(place.before, [...held, ...left]);
      if (left.length > 0) stuck.push(place);
      if (Object.keys(before).length > 0) kept.push({ uid, mountPoint, before });
    }
    const all = [...kept, ...quotasLeft];
    const saved = sameRecords(all, places) ? ok(undefined) : this.#save(all);
    return saved.ok ? this.#findAll([...stuck, ...quotasLeft]) : saved;
  }

  /** Returns whether the quota is as before, or was never changed. */
  #isBack(place: RecordedQuota, part: keyof QuotaRecord): boolean {
    const before = place.before[part];
    if (before === undefined) return true;
    const found = this.#read(place);
    return found.ok && found.value[part].hard === before.hard;
  }

  /** Fails if a place's file system is not mounted now. */
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

  /** Restores every quota and removes its record. */
  lift(): Result<void, readonly Problem[]> {
    const places = this.#remembered();
    const stuck: RecordedQuota[] = [];
    const problems = places.flatMap((place) => {
      const written = this.#write(place, place.before);
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

  #save(places: readonly RecordedQuota[]): Result<void, Problem> {
    try {
      mkdirSync(this.#state, { recursive: true, mode: 0o755 });
    } catch (error) {
      return failed({ action: 'create the directory', object: this.#state, ...causeOf(error) });
    }
    return replaceFile(this.#file, places.map((each) => `${recordText(each)}\n`).join(''));
  }
}

const only = (record: QuotaRecord, wanted: readonly (keyof QuotaRecord)[]): QuotaRecord =>
  Object.fromEntries(
    parts.flatMap((each) =>
      wanted.includes(each) && record[each] !== undefined ? [[each, record[each]]] : [],
    ),
  );

const recordText = ({ uid, mountPoint, before }: RecordedQuota): string => {
  const limits = parts.flatMap((each) => {
    const limit = before[each];
    return limit === undefined ? [] : [`${each}=${limit.hard ?? '-'}:${limit.soft ?? '-'}`];
  });
  return [uid, ...limits, mountPoint].join(' ');
};

const line =
  /^(?<uid>\d{1,10})(?: space=(?<space>\d+|-):(?<spaceSoft>\d+|-))?(?: files=(?<files>\d+|-):(?<filesSoft>\d+|-))? (?<mountPoint>\/.*)$/;

function parseRecord(text: string): RecordedQuota | undefined {
  const found = line.exec(text)?.groups;
  if (found === undefined) return undefined;
  const { uid, space, spaceSoft, files, filesSoft, mountPoint = '/' } = found;
  const before = {
    ...(space === undefined ? {} : { space: { hard: number(space), soft: number(spaceSoft) } }),
    ...(files === undefined ? {} : { files: { hard: number(files), soft: number(filesSoft) } }),
  };
  return { uid: Number(uid), mountPoint, before };
}

const number = (text: string | undefined) =>
  text === undefined || text === '-' ? undefined : Number(text);

function sameRecords(a: readonly RecordedQuota[], b: readonly RecordedQuota[]): boolean {
  const text = (places: readonly RecordedQuota[]) => places.map(recordText).sort().join('\n');
  return text(a) === text(b);
}
