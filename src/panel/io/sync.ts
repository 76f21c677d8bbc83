/**
 * Reads the panel anew, and keeps what a policy with `<panel>` uses. Hooks of the panel may call this many times a
 * second: one process reads and one waits for it; the one that waits reads for all that come meanwhile.
 */
import { mkdirSync } from 'node:fs';
import { causeOf } from '../../../packages/base/io/errno.ts';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { readHostFacts } from '../../host/accounts/accounts.ts';
import { readPanelRecord } from '../../host/panel-record.ts';
import type { FollowedSource } from '../../policy/panel/panel-element.ts';
import type { PanelMember, PanelRecord } from '../../policy/panel/panel-record.ts';
import { isLocked, lockFile, type FileLock } from '../../sys/files/flock.ts';
import { changesBetween, recordOf, type RecordChanges } from '../core/follow.ts';
import type { PanelData } from '../core/panel-data.ts';
import { keepDomains } from './domain-cache.ts';
import { writePanelRecord } from './keep-record.ts';
import { readablePanels, readPanel, sourcesOf } from './read-panel.ts';
import type { Place } from './sources/source.ts';

export interface Synced {
  readonly data: PanelData;
  readonly record: PanelRecord;
  readonly changes: RecordChanges;
}

/** Longer than all scripts of CPAPI together, which run at the same time. */
const waitMs = 180_000;

/** Returns what was read and has changed; undefined if another process, which waits already, reads for this one. */
export async function syncPanel(
  place: Place,
  source: FollowedSource,
): Promise<Result<Synced | undefined, Problem>> {
  const { paths } = place;
  // A host without a panel keeps no trace of the question.
  if (sourcesOf(place).length === 0 && readPanelRecord(paths) === undefined)
    return failed(missing(source, undefined));
  try {
    mkdirSync(paths.runtime, { recursive: true, mode: 0o755 });
  } catch (error) {
    return failed({ action: 'create the directory', object: paths.runtime, ...causeOf(error) });
  }
  const turn = takeTurn(`${paths.runtime}/panel-next.lock`);
  if (!turn.ok) return turn;
  if (turn.value === undefined) return ok(undefined);
  const reading = takeOver(turn.value, `${paths.runtime}/panel-sync.lock`);
  if (!reading.ok) return reading;
  using _reading = reading.value;
  // The lock is held until it is done.
  return await readAndKeep(place, source);
}

/** Returns the lock of the process that waits; undefined if another one has it. */
function takeTurn(path: string): Result<FileLock | undefined, Problem> {
  const turn = lockFile(path, { waitMs: 0 });
  if (turn.ok) return turn;
  // That one may have begun meanwhile.
  return isLocked(path) ? ok(undefined) : lockFile(path, { waitMs: 1000 });
}

/** Waits for the process that reads; the next one may wait from then on. */
function takeOver(turn: FileLock, path: string): Result<FileLock, Problem> {
  using _turn = turn;
  return lockFile(path, { waitMs });
}

async function readAndKeep(place: Place, source: FollowedSource): Promise<Result<Synced, Problem>> {
  const read = readPanelRecord(place.paths);
  const before = read?.ok === true ? read.value : undefined;
  // A panel whose files are away for a moment, as before a mount, must not hand over to another one.
  const wanted = source === 'auto' ? (before?.source ?? source) : source;
  const data = await readPanel(place, wanted);
  if (data === undefined) return failed(missing(source, before));
  const last = before?.source === data.source ? before : undefined;
  const isWhole = !data.isPartial && data.accounts.length > 0;
  const known = last === undefined || isWhole ? [] : stillThere(place, last.members);
  const empty = emptiness(data, known);
  if (empty !== undefined) return failed(empty);
  const record = recordOf(data, known, Date.now());
  const changes = changesBetween(last, record);
  const isSame = last !== undefined && Object.values(changes).every((names) => names.length === 0);
  keepDomains(place.paths, data, Date.now());
  const written = isSame ? ok(undefined) : writePanelRecord(place.paths, record);
  return written.ok ? ok({ data, record, changes }) : written;
}

/** Returns why a reading without accounts does not count; undefined if it counts. */
function emptiness(
  { accounts, problems, panel }: PanelData,
  known: readonly PanelMember[],
): Problem | undefined {
  if (accounts.length > 0 || (problems.length === 0 && known.length === 0)) return undefined;
  const reason = problems[0]?.reason ?? 'it states none';
  const hint = `${staysInForce}; see "bulkhead panel status"`;
  return { action: `read the accounts of ${panel}`, reason, hint };
}

const staysInForce = 'the last record stays in force';

function missing(source: FollowedSource, before: PanelRecord | undefined): Problem {
  const action = 'read the panel';
  if (source !== 'auto')
    return { action, reason: `this host has no "${source}"`, hint: staysInForce };
  if (before === undefined)
    return {
      action,
      reason: 'this host has none that can be read',
      hint: `Bulkhead reads ${readablePanels}`,
    };
  return {
    action,
    reason: `${before.panel} is gone from ${before.from}`,
    hint: `${staysInForce}; if the panel was replaced, write its name instead of source="auto"`,
  };
}

/** Returns those whose accounts may exist: only another owner of the uid, or another uid, is proof that one is gone. */
function stillThere({ paths }: Place, members: readonly PanelMember[]): readonly PanelMember[] {
  const { accounts } = readHostFacts(
    paths,
    members.map(({ user }) => user),
  );
  const uids = new Map(accounts.map(({ user, uid }) => [user, uid]));
  const users = new Map(accounts.map(({ user, uid }) => [uid, user]));
  return members.filter(
    ({ user, uid }) => (uids.get(user) ?? uid) === uid && (users.get(uid) ?? user) === user,
  );
}
