/** The processes of tenants that are outside their cgroups now; moves nothing. */
import { PidHistory } from '../../host/placer/pid-history.ts';
import { Placer } from '../../host/placer/placer.ts';
import type { TargetsCommand } from '../../host/placer/protocol.ts';
import { outrunReason, Scan, type ScanResult } from '../../host/placer/scan.ts';

export function findOutside(targets: Omit<TargetsCommand, 'kind'>): Omit<ScanResult, 'outrun'> {
  const placer = new Placer({ missing: () => undefined }, { moves: false });
  placer.use({ kind: 'targets', ...targets });
  const scan = new Scan(new PidHistory(), (pid) => placer.place(pid));
  for (;;) {
    const found = scan.step(Infinity);
    if (found === undefined) continue;
    const { outside, unknown, outrun } = found;
    return { outside, unknown: outrun ? [...unknown, outrunReason] : unknown };
  }
}
