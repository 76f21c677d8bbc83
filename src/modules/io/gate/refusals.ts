/**
 * Modules that the gate has refused, or would have. The agent or `gate status`, whichever comes
 * first, takes them out of the kernel's ring buffer. The last ones are kept in
 * `/var/lib/bulkhead/modules-gate/refusals.jsonl`.
 */
import type { Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { KeptEvents } from '../../../host/kept-events.ts';
import type { Paths } from '../../../host/paths.ts';
import type { AnyGuard } from '../../../sys/bpf/bpf-guard.ts';
import { RingReader, recordTime } from '../../../sys/bpf/maps.ts';
import { readText } from '../../../../packages/base/io/read.ts';
import { parseGateEvent, type GateEvent } from '../../core/gate/gate-event.ts';

export interface GateRefusal extends Pick<GateEvent, 'pid' | 'uid' | 'command' | 'name' | 'from'> {
  /** The time, ISO 8601 in UTC. */
  readonly at: string;
  /** Whether it was loaded all the same, since the gate only watches. */
  readonly loaded: boolean;
  /** The digest of the file; hexadecimal. */
  readonly sha256: string;
  /**
   * Whether its file system does not keep contents, so that it was not hashed; absent if it was.
   */
  readonly unstable?: true;
}

const takenMax = 4_096;

const recordOf = ({ state }: Paths) =>
  new KeptEvents<GateRefusal>(`${state}/modules-gate/refusals.jsonl`);

/** Returns all kept refusals, the oldest first. */
export const keptRefusals = (paths: Paths): readonly GateRefusal[] => recordOf(paths).list();

/** Takes new refusals from the kernel and keeps them; none if the gate is off. */
export const takeRefusalsOf = (
  gate: AnyGuard,
  paths: Paths,
): Result<readonly GateRefusal[], Problem> =>
  gate.inForce((directory) => recordOf(paths).take(() => takeFrom(`${directory}/map_events`))) ??
  ok([]);

function takeFrom(ring: string): Result<readonly GateRefusal[], Problem> {
  const opened = RingReader.open(ring);
  if (!opened.ok) return opened;
  using reader = opened.value;
  const fresh = reader.take(takenMax).flatMap((bytes) => {
    const event = parseGateEvent(bytes);
    return event?.refused === true && !isSelfTest(event) ? [refusalOf(event)] : [];
  });
  return ok(fresh);
}

/** Whether the event is our own self-test, made when the gate was switched. */
const isSelfTest = ({ command, name, uid, from }: GateEvent): boolean =>
  uid === 0 &&
  (/^gate-(un)?(listed|refused)$/.test(name) || (from === 'memory' && command === ours));

/** This program's name in the kernel: its main thread's, first 15 bytes. */
const ours = (readText('/proc/self/comm') ?? '').trim();

function refusalOf(event: GateEvent): GateRefusal {
  const { pid, uid, command, name, from, digest, mode, nanoseconds, unstable } = event;
  return {
    at: recordTime(nanoseconds),
    name,
    from,
    sha256: digest,
    command,
    pid,
    uid,
    loaded: mode === 'watch',
    ...(unstable ? { unstable } : {}),
  };
}
