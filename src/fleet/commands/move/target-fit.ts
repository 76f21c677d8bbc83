/** Whether the host to which a tenant moves has room for it, by what `bulkhead fleet room --json` has printed at the centre. */
import { decodeText, readBounded } from '../../../../packages/base/io/regular-file.ts';
import { isObject, parseObject } from '../../../../packages/base/json.ts';
import { failed, type Cause, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { duration } from '../../../cli/shared/format.ts';
import type { TenantMove } from '../../../policy/fleet/plan/move-tenant.ts';
import { name, object, orNull, text } from '../../core/fields.ts';
import {
  fitOf,
  needField,
  roomField,
  usedLike,
  type RoomHost,
  type RoomNeed,
} from '../../core/room.ts';

export interface TargetFit {
  /** Null: unknown. */
  readonly fits: boolean | null;
  readonly why: string | null;
}

const bytesMax = 32 * 2 ** 20;
/** An older file decides nothing. */
export const roomAgeMilliseconds = 3_600_000;
/** Clocks of two machines may differ by this much. */
const aheadMilliseconds = 300_000;
const stateCharsMax = 32;

/** Fields that the check needs; the file has others. */
const toldHost = object<RoomHost>({
  host: name,
  state: text(stateCharsMax),
  room: orNull(roomField),
});
const likeField = object({ tenant: text(64), host: name, need: needField });

export interface MovedNeed extends TenantMove {
  /** The limits that the tenant will have on the target. */
  readonly promised: RoomNeed;
}

/** Reads the room of a host; unknown without a file, and if the file does not have the host. */
export function targetFit(
  file: string | undefined,
  move: MovedNeed,
  now: number,
): Result<TargetFit, Problem> {
  if (file === undefined) return ok({ fits: null, why: 'nobody has asked the centre' });
  const read = readBounded(file, bytesMax);
  if (!read.ok) return read;
  const { at, hosts, like } = parseObject(decodeText(read.value)) ?? {};
  const refuse = (cause: Cause) =>
    failed({ action: 'use the room of hosts in', object: file, ...cause });
  if (typeof at !== 'number' || !Array.isArray(hosts)) return refuse(otherText);
  const age = ageProblem(now - at);
  if (age !== undefined) return refuse(age);
  const row: unknown = hosts.find((each: unknown) => isObject(each) && each['host'] === move.to);
  if (!isObject(row)) return ok({ fits: null, why: `the centre knows nothing of ${move.to}` });
  const { host, state, told } = row;
  const known = toldHost.read({ host, state, room: told });
  if (known === undefined) return refuse(otherText);
  const { fits, why } = fitOf(known, needOf(move, like));
  return ok({ fits, why });
}

/** Returns the limits of the tenant, and what it has used if the file says so of this very tenant. */
function needOf({ promised, tenant, from }: MovedNeed, like: unknown): RoomNeed {
  const known = likeField.read(like);
  const isIt = known?.tenant === tenant && known.host === from;
  return isIt ? usedLike(promised, known.need) : promised;
}

const again = 'write it again at the centre with "bulkhead fleet room --json"';

const otherText: Cause = {
  reason: 'it is not what "bulkhead fleet room --json" of this version prints',
  hint: again,
};

function ageProblem(age: number): Cause | undefined {
  if (age > roomAgeMilliseconds)
    return {
      reason: `it was written ${duration(age / 1000)} ago, and counts for ${duration(roomAgeMilliseconds / 1000)}`,
      hint: again,
    };
  return age < -aheadMilliseconds
    ? { reason: 'it is from the future', hint: "compare this clock with the centre's" }
    : undefined;
}
