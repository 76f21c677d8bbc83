/** Bulkhead's rights in database servers as a layer of protection: without them, no limit on databases is enforced. */
import type { Layer } from '../../../packages/base/layer.ts';
import { count, listSome } from '../../../packages/base/list.ts';
import { formatProblem } from '../../../packages/base/problem.ts';
import type { EntryPathContext } from '../../host/entry-paths/entry-paths.ts';
import { readServers } from '../io/record-file.ts';
import { serverSockets } from './servers.ts';

const key = 'database servers';

export function databaseLayers({ paths }: EntryPathContext): readonly Layer[] {
  const sockets = serverSockets(paths);
  if (sockets.length === 0) return [];
  const recorded = readServers(paths);
  if (!recorded.ok) return [{ key, state: 'unknown', reason: formatProblem(recorded.error) }];
  const enabled = new Set(
    recorded.value.filter(({ undoing }) => undoing === undefined).map(({ socket }) => socket),
  );
  const open = sockets.filter((each) => !enabled.has(each));
  if (open.length === 0)
    return [
      {
        key,
        state: 'enforced',
        reason: `Bulkhead has its rights in ${count(sockets.length, 'server')}`,
      },
    ];
  return [
    {
      key,
      state: open.length === sockets.length ? 'open' : 'partly',
      reason: `Bulkhead has no rights at ${listSome(open)}`,
      improve: 'bulkhead db enable',
    },
  ];
}
