/** The ports at which root's sockets serve one tenant: pools of PHP-FPM. No program is asked. */
import { findFpmMasters } from '../../host/servers/fpm-masters.ts';
import { readFpmFiles } from '../../host/servers/fpm-files.ts';
import type { Paths } from '../../host/paths.ts';
import { printable } from '../../../packages/base/printable.ts';
import { fpmIncludes, poolPorts, servedPortsOf, type ServedPorts } from '../core/fpm-ports.ts';

/** `uidOf`: the uid of a tenant, by its account's name or by the uid in digits; undefined for others. */
export function readServedPorts(
  { proc }: Pick<Paths, 'proc'>,
  uidOf: (user: string) => number | undefined,
): ServedPorts {
  const read = findFpmMasters(proc).map(({ configuration }) =>
    readFpmFiles(configuration, fpmIncludes),
  );
  const pools = read.flatMap(({ files }) => poolPorts(files.map(({ text }) => text)));
  const served = servedPortsOf(pools, uidOf);
  const problems = read.flatMap((each) => each.problems);
  const unread = problems.map(
    ({ file = 'PHP-FPM', message }) =>
      `the ports of pools in ${printable(file)} are unknown: ${message}`,
  );
  return { ...served, remarks: [...served.remarks, ...unread] };
}
