/**
 * What the gate has refused, or would have: taken out of the kernel's ring buffer by whoever looks first, the agent or
 * `gate status`, and kept in `/var/lib/bulkhead/modules-gate/refusals.jsonl`, the last ones only.
 */
import type { Problem } from '../../../base/problem.ts';
import { ok, type Result } from '../../../base/result.ts';
import { KeptEvents } from '../../../host/kept-events.ts';
import type { Paths } from '../../../host/paths.ts';
import { RingReader, timeOf } from '../../../sys/bpf/maps.ts';
import { Programs } from '../../../sys/bpf/programs.ts';
import { readText } from '../../../sys/files/read.ts';
import { parseGateEvent, type GateEvent } from '../../core/gate/gate-event.ts';

export interface Refusal extends Pick<GateEvent, 'pid' | 'uid' | 'command' | 'name' | 'from'> {
  /** ISO 8601, UTC. */
  readonly at: string;
  /** Whether it was loaded all the same, since the gate only watches. */
  readonly loaded: boolean;
  readonly sha256: string;
  /** It was not hashed; absent where it was. */
  readonly unstable?: true;
}

export const gatePrograms = (paths: Paths): Programs => new Programs('modules', paths);

const takenMax = 4_096;

const recordOf = ({ state }: Paths) =>
  new KeptEvents<Refusal>(`${state}/modules-gate/refusals.jsonl`);

/** All that are kept, the oldest first. */
export const keptRefusals = (paths: Paths): readonly Refusal[] => recordOf(paths).list();

/** Takes what is new from the kernel and keeps it; nothing where the gate is off. */
export const takeRefusals = (paths: Paths): Result<readonly Refusal[], Problem> =>
  gatePrograms(paths).inForce((directory) =>
    recordOf(paths).take(() => takeFrom(`${directory}/map_events`)),
  ) ?? ok([]);

function takeFrom(ring: string): Result<readonly Refusal[], Problem> {
  const opened = RingReader.open(ring);
  if (!opened.ok) return opened;
  using reader = opened.value;
  const fresh = reader.take(takenMax).flatMap((bytes) => {
    const event = parseGateEvent(bytes);
    return event?.refused === true && !isCanary(event) ? [refusalOf(event)] : [];
  });
  return ok(fresh);
}

/** Our own tries, when the gate was switched. */
const isCanary = ({ command, name, uid, from }: GateEvent): boolean =>
  uid === 0 &&
  (/^gate-(un)?(listed|refused)$/.test(name) || (from === 'memory' && command === ours));

/** As the kernel calls this program: its main thread, and its first 15 bytes. */
const ours = (readText('/proc/self/comm') ?? '').trim();

function refusalOf(event: GateEvent): Refusal {
  const { pid, uid, command, name, from, digest, mode, nanoseconds, unstable } = event;
  return {
    at: timeOf(nanoseconds),
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
