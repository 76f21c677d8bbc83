/**
 * Reads the panel anew, and keeps what a policy with `<panel>` uses. Hooks of the panel may call this many times a
 * second: one process reads and one waits for it; the one that waits reads for all that come meanwhile.
 */
import { mkdirSync } from 'node:fs';
import { causeOf } from '../../../packages/base/io/errno.ts';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { readHostFacts } from '../../host/accounts/accounts.ts';
import { readPanelRecord, writePanelRecord } from '../../host/panel-record.ts';
import type { FollowedSource } from '../../policy/panel/panel-element.ts';
import type { PanelMember, PanelRecord } from '../../policy/panel/panel-record.ts';
import { isLocked, lockFile, type FileLock } from '../../sys/files/flock.ts';
import { changesBetween, recordOf, type RecordChanges } from '../core/follow.ts';
import type { PanelData } from '../core/panel-data.ts';
import { readPanel } from './read-panel.ts';
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
  return readAndKeep(place, source);
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
  const { paths } = place;
  const data = await readPanel(place, source);
  if (data === undefined) {
    const reason =
      source === 'auto' ? 'this host has none that can be read' : `this host has no "${source}"`;
    const hint = 'what was read last stays in force; see "bulkhead panel status"';
    return failed({ action: 'read the panel', reason, hint });
  }
  if (data.accounts.length === 0 && data.problems.length > 0) {
    const [{ reason }] = data.problems as [Problem];
    const hint = 'what was read last stays in force; see "bulkhead panel status"';
    return failed({ action: `read the accounts of ${data.panel}`, reason, hint });
  }
  const before = readPanelRecord(paths);
  const last =
    before?.ok === true && before.value.source === data.source ? before.value : undefined;
  const record = recordOf(data, last, accountChecker(place, last), Date.now());
  const changes = changesBetween(last, record);
  const isSame = last !== undefined && Object.values(changes).every((names) => names.length === 0);
  const written = isSame ? ok(undefined) : writePanelRecord(paths, record);
  return written.ok ? ok({ data, record, changes }) : written;
}

/** Returns a check whether this host has an account still. */
function accountChecker({ paths }: Place, last: PanelRecord | undefined) {
  const { accounts } = readHostFacts(paths, last?.members.map(({ user }) => user) ?? []);
  const uids = new Map(accounts.map(({ user, uid }) => [user, uid]));
  return ({ user, uid }: PanelMember): boolean => uids.get(user) === uid;
}
