/** The first name under which a tenant's sites are served, from the last record: no web server is asked. */
import type { Paths } from '../../../host/paths.ts';
import { readServed } from './record.ts';

export async function firstServedNames(paths: Paths): Promise<ReadonlyMap<number, string>> {
  const served = readServed(paths) ?? new Map<number, ReadonlySet<string>>();
  return new Map([...served].flatMap(([uid, [first]]) => (first ? [[uid, first]] : [])));
}
