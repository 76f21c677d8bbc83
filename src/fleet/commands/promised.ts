/** The promise of limits to one tenant, as the room of hosts counts it. */
import { limitNumbers } from '../../agent/sampling/limit-numbers.ts';
import type { LimitValues } from '../../limits/limit.ts';
import type { RoomNeed } from '../core/room.ts';

/** Returns what limits promise; what the tenant will use is unknown. */
export function promisedBy(values: LimitValues): RoomNeed {
  const { 'cpu.limit': cpu = null, 'memory.limit': memory = null } = limitNumbers(values);
  return { cpu: { promised: cpu, p95: null }, memory: { promised: memory, p95: null } };
}
