/** Bulkhead's rights in database servers as a layer of protection: without them, no limit on databases is enforced. */
import type { Layer } from '../../../packages/base/layer.ts';
import { because } from '../../../packages/base/layer-texts.ts';
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
        ...because('rights in servers', sockets.length),
      },
    ];
  return [
    {
      key,
      state: open.length === sockets.length ? 'open' : 'partly',
      ...because('no rights at', ...open),
      improve: 'bulkhead db enable',
    },
  ];
}
