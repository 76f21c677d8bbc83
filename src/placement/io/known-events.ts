/** Adds facts to events while the host still has them: the account, and why the PAM module failed. */
import { existsSync, statSync } from 'node:fs';
import { printable } from '../../../packages/base/printable.ts';
import { AccountNames } from '../../host/accounts/account-names.ts';
import type { Paths } from '../../host/paths.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { recordTime } from '../../sys/bpf/maps.ts';
import { adviceOn, type KnownEvent } from '../core/event-text.ts';
import type { StrictEvent } from '../core/strict-event.ts';

/** An event as it is stored. */
export interface KeptStrictEvent extends KnownEvent {
  /** ISO 8601, UTC. */
  readonly at: string;
}

export function knownEvents(
  events: readonly StrictEvent[],
  paths: Paths,
): readonly KeptStrictEvent[] {
  if (events.length === 0) return [];
  const names = new AccountNames(paths);
  const stepIsOn = runsStep(paths);
  return events.map(({ nanoseconds, cgroup: _cgroup, ...event }) => {
    const at = recordTime(nanoseconds);
    const [account] = names.namesOf(event.tenant);
    const known = { at, ...event, ...(account === undefined ? {} : { account }) };
    const advice = adviceOn(known, {
      stepFailure: stepFailure([event.pid, event.parent], at, paths),
      stepIsOn,
      isSlice: isSlice(event.tenant, paths),
    });
    return { ...known, ...(advice === undefined ? {} : { advice }) };
  });
}

const stacks = ['common-session', 'common-session-noninteractive', 'system-auth', 'password-auth'];

/** Whether PAM runs the module, as far as its main files show. */
const runsStep = ({ etc }: Paths): boolean =>
  stacks.some((name) =>
    /^[^#\n]*\/pam_bulkhead\.so place\b/m.test(readText(`${etc}/pam.d/${name}`) ?? ''),
  );

const isSlice = (uid: number, { etc, instance }: Paths): boolean =>
  existsSync(`${etc}/systemd/system/user-${uid}.slice.d/90-${instance}.conf`);

/** How many records entry/session.c keeps. */
const records = 256;
/**
 * The maximum age of a record. Only one fork lies between the record and the refusal; an older record belongs to
 * another process of that pid.
 */
const recordMs = 300_000;

/** Returns the reason that the PAM module recorded for the process that opened the session: itself or its parent. */
function stepFailure(pids: readonly number[], at: string, { runtime }: Paths): string | undefined {
  for (const pid of pids) {
    const path = `${runtime}/unplaced/${pid % records}`;
    const [, whose, reason] = /^(\d+) (.+)\n/.exec(readText(path) ?? '') ?? [];
    if (reason === undefined || Number(whose) !== pid) continue;
    const written = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (Math.abs(Date.parse(at) - written) < recordMs) return printable(reason);
  }
  return undefined;
}
