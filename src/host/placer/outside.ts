/** The processes of tenants that are outside their groups now; moves none. */
import { PidClock } from './pid-clock.ts';
import { Placer } from './placer.ts';
import type { TargetsCommand } from './protocol.ts';
import { outrunReason, Scan, type Found } from './scan.ts';

export function findOutside(targets: Omit<TargetsCommand, 'kind'>): Omit<Found, 'outrun'> {
  const placer = new Placer({ missing: () => undefined }, { moves: false });
  placer.use({ kind: 'targets', ...targets });
  const scan = new Scan(new PidClock(), (pid) => placer.place(pid));
  for (;;) {
    const found = scan.step(Infinity);
    if (found === undefined) continue;
    const { outside, unknown, outrun } = found;
    return { outside, unknown: outrun ? [...unknown, outrunReason] : unknown };
  }
}
