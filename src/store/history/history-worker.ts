/** The thread in which `History` runs its queries: receives a query, and sends a result. */
import { parentPort, workerData } from 'node:worker_threads';
import { requireSameBuild } from '../../sys/processes/same-build.ts';
import type { Queries, QueryName, QueryOf } from './history-query.ts';
import { MovedReader } from '../moved/moved-query.ts';
import { pruneMoved } from '../moved/prune-moved.ts';
import { HistoryReader, Stopped, type Read } from './history-reader.ts';

export interface HistoryThreadData {
  readonly directory: string;
  /** The id of the query that should stop. */
  readonly stopped: Int32Array<SharedArrayBuffer>;
}

export interface HistoryRequest<Name extends QueryName = QueryName> {
  readonly id: number;
  readonly name: Name;
  readonly query: QueryOf<Name>;
}

export interface HistoryReply {
  readonly id: number;
  readonly answer: Read<Queries[QueryName]['answer']>;
}

function answer(
  directory: string,
  reader: HistoryReader,
  moved: MovedReader,
  { name, query }: HistoryRequest,
): HistoryReply['answer'] {
  const handlers: { readonly [Name in QueryName]: () => HistoryReply['answer'] } = {
    usage: () => reader.usage(query as QueryOf<'usage'>),
    maxima: () => reader.maxima(query as QueryOf<'maxima'>),
    quantiles: () => reader.quantiles(query as QueryOf<'quantiles'>),
    series: () => reader.series(query as QueryOf<'series'>),
    replays: () => reader.replays(query as QueryOf<'replays'>),
    columns: () => reader.columns(query as QueryOf<'columns'>),
    peakTotal: () => reader.peakTotal(query as QueryOf<'peakTotal'>),
    moved: () => moved.parts(query as QueryOf<'moved'>),
    movedIncident: () => moved.incident(query as QueryOf<'movedIncident'>),
    pruneMoved: () => pruneMoved(directory, query as QueryOf<'pruneMoved'>),
  };
  return handlers[name]();
}

requireSameBuild();
if (parentPort !== null) {
  const port = parentPort;
  const { directory, stopped } = workerData as HistoryThreadData;
  let current = 0;
  const reader = new HistoryReader(directory, () => {
    if (Atomics.load(stopped, 0) === current) throw new Stopped();
  });
  const moved = new MovedReader(directory);
  port.on('message', (request: HistoryRequest) => {
    current = request.id;
    const answered = answer(directory, reader, moved, request);
    port.postMessage({ id: request.id, answer: answered } satisfies HistoryReply);
  });
}
