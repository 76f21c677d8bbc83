/** The processes of tenants that are outside their groups now; moves none. */
import { Placer } from './placer.ts';
import { listProcesses } from './process-reader.ts';
import type { PlacerOutside, TargetsCommand } from './protocol.ts';

export function findOutside(targets: Omit<TargetsCommand, 'kind'>): readonly PlacerOutside[] {
  const placer = new Placer(() => undefined, { moves: false });
  placer.use({ kind: 'targets', ...targets });
  return listProcesses().flatMap((pid): readonly PlacerOutside[] => {
    const outcome = placer.place(pid);
    return typeof outcome === 'string' ? [] : [{ pid, ...outcome }];
  });
}
