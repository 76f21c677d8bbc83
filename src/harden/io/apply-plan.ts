/**
 * Changes values of the kernel and the file that sets them at boot: all or nothing. If it is killed at any instant, the
 * next run can complete it or undo it.
 *
 * The record is written first and reduced last, so at every moment it has everything that may have been changed.
 */
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { failed, formatProblem, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { causeOf } from '../../../packages/base/io/errno.ts';
import { lockFile, type FileLock } from '../../sys/files/flock.ts';
import { putHostFile, readHostFile, type HostFile } from '../../sys/files/host-file.ts';
import { ensurePrivateDirectory } from '../../sys/files/private-file.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { decodeText } from '../../../packages/base/io/regular-file.ts';
import { readTextFile } from '../../sys/files/text-file.ts';
import type { KeptSettings, HardenPlan, ValueChange } from '../core/plan.ts';
import { parseRecord, formatRecord } from '../core/record.ts';
import { settingOf } from '../core/settings.ts';
import { isOurSysctlFile } from '../core/sysctl-files.ts';
import { recordOf, sysctlFile, type HardenPaths } from './places.ts';

const lockWaitMs = 10_000;
const recordBytesMax = 64 * 1024;
const fileBytesMax = 64 * 1024;

/** Locks from reading the record to the last change. */
export function lockHardening(places: HardenPaths): Result<FileLock, Problem> {
  const directory = ensurePrivateDirectory(places.state);
  if (!directory.ok) return directory;
  return lockFile(`${places.state}/.lock`, { waitMs: lockWaitMs });
}

/** Reads the record; it is empty if nothing was changed yet. */
export function readHardenRecord(places: HardenPaths): Result<KeptSettings, Problem> {
  const path = recordOf(places);
  const format = {
    bytesMax: recordBytesMax,
    decode: (bytes: Uint8Array) => ok(Buffer.from(bytes).toString('utf8')),
  };
  const read = readTextFile(path, format, 'trusted');
  if (!read.ok) return read.error.errno === 'ENOENT' ? ok([]) : read;
  const parsed = parseRecord(read.value);
  return parsed.ok ? parsed : failed({ ...parsed.error, action: 'use the record', object: path });
}

/** Reads our file; a file by that name which is not ours is a problem. */
export function readOurs(places: HardenPaths): Result<string | undefined, Problem> {
  const format = {
    bytesMax: fileBytesMax,
    decode: (bytes: Uint8Array) => ok(Buffer.from(bytes).toString('utf8')),
  };
  const read = readTextFile(places.file, format, 'trusted');
  if (!read.ok) return read.error.errno === 'ENOENT' ? ok(undefined) : read;
  if (isOurSysctlFile(read.value)) return read;
  return failed({
    action: 'replace',
    object: places.file,
    reason: 'it was not written by Bulkhead',
    hint: 'rename it',
  });
}

export interface HardenResult {
  readonly notes: readonly string[];
}

/** Returns the record to keep while the change goes on. */
type During = (record: KeptSettings) => KeptSettings;

export interface HardenWork {
  readonly places: HardenPaths;
  readonly plan: HardenPlan;
  /** The record before. */
  readonly before: KeptSettings;
  /** Whether this is an undo: values that cannot be restored are reported and left. */
  readonly undo: boolean;
  /** Called after each step, for the test that kills it there. */
  readonly afterStep?: () => void;
}

export function applyHardenPlan(work: HardenWork): Result<HardenResult, Problem> {
  const { places, plan, before, undo, afterStep = () => {} } = work;
  const text = readOurs(places);
  if (!text.ok) return text;
  const during: During = undo ? markedIn(plan.record) : () => plan.record;
  const done: ValueChange[] = [];
  const notes: string[] = [];
  const attempt = (): Result<void, Problem> => {
    const noted = writeRecord(places, during(before));
    if (!noted.ok) return noted;
    afterStep();
    if (!undo) {
      const written = writeOurs(places, plan.text);
      if (!written.ok) return written;
      afterStep();
    }
    for (const change of plan.values) {
      const set = setValue(places, change.key, change.to);
      afterStep();
      if (set.ok) done.push(change);
      else if (undo) notes.push(`${formatProblem(set.error)}; ${untilBoot(change)}`);
      else return set;
    }
    if (!undo) return ok(undefined);
    const written = writeOurs(places, plan.text);
    if (!written.ok) return written;
    afterStep();
    return writeRecord(places, plan.record);
  };
  const result = attempt();
  if (result.ok) return ok({ notes });
  if (undo) return result;
  return takeBack(places, { problem: result.error, done, before, text: text.value });
}

const untilBoot = ({ key, to }: ValueChange) =>
  settingOf(key)?.oneWay === true || key === 'kernel.unprivileged_bpf_disabled'
    ? 'the kernel keeps it until the next boot'
    : `set it to ${to} by hand`;

const markedIn =
  (left: KeptSettings): During =>
  (record) =>
    record.map((each) =>
      left.some(({ key }) => key === each.key) ? each : { ...each, undoing: true as const },
    );

interface Failed {
  readonly problem: Problem;
  readonly done: readonly ValueChange[];
  readonly before: KeptSettings;
  readonly text: string | undefined;
}

/** Undoes the changes, the last value first. Values that cannot be restored are reported, and stay in the record. */
function takeBack(
  places: HardenPaths,
  { problem, done, before, text }: Failed,
): Result<never, Problem> {
  const left = done
    .toReversed()
    .filter(({ key, from }) => !setValue(places, key, from).ok)
    .filter(({ key }) => !before.some((each) => each.key === key))
    .map(({ key, from, to }) => ({ key, before: from, set: to }));
  const file = writeOurs(places, text);
  const record = writeRecord(places, [...before, ...left]);
  const cannot = [file, record].flatMap((each) => (each.ok ? [] : [formatProblem(each.error)]));
  const stays = left.map(({ key, set }) => `${key} stays ${set}`);
  const after = [...stays, ...cannot];
  const rest = after.length === 0 ? 'nothing was changed' : after.join('; ');
  return failed({ ...problem, reason: `${problem.reason} (${rest})` });
}

/** Writes a value and reads it back, since the kernel may clamp or ignore it. */
function setValue(places: HardenPaths, key: string, value: string): Result<void, Problem> {
  const path = sysctlFile(places, key);
  const cannot = { action: `set ${key} to`, object: value };
  try {
    const fd = openSync(path, constants.O_WRONLY | constants.O_TRUNC | constants.O_NOFOLLOW);
    try {
      writeSync(fd, `${value}\n`);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    return failed({ ...causeOf(error), ...cannot });
  }
  const now = readText(path)?.trim();
  if (now === value) return ok(undefined);
  return failed({ ...cannot, reason: `the kernel has ${now ?? 'no value'} after it was written` });
}

const writeOurs = (places: HardenPaths, text: string | undefined): Result<void, Problem> =>
  put(places.file, text, 0o644);

const writeRecord = (places: HardenPaths, record: KeptSettings): Result<void, Problem> =>
  put(recordOf(places), record.length === 0 ? undefined : formatRecord(record), 0o600);

/** Writes the file whole, or removes it. */
function put(path: string, text: string | undefined, mode: number): Result<void, Problem> {
  const file: HostFile = { path, links: 'follow' };
  if (text === undefined) return putHostFile(file, undefined);
  const there = readHostFile(file);
  if (there.ok && there.value !== undefined && decodeText(there.value.bytes) === text)
    return ok(undefined);
  return putHostFile(file, { bytes: Buffer.from(text), mode });
}
