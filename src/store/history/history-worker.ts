/** The thread in which `History` runs its queries: receives a query, and sends a result. */
import { parentPort, workerData } from 'node:worker_threads';
import { requireSameBuild } from '../../sys/processes/same-build.ts';
import type { Queries, QueryName, QueryOf } from './history-query.ts';
import { HistoryReader, type Read } from './history-reader.ts';

export interface HistoryRequest<Name extends QueryName = QueryName> {
  readonly id: number;
  readonly name: Name;
  readonly query: QueryOf<Name>;
}

export interface HistoryReply {
  readonly id: number;
  readonly answer: Read<Queries[QueryName]['answer']>;
}

function answer(reader: HistoryReader, { name, query }: HistoryRequest): HistoryReply['answer'] {
  const handlers: { readonly [Name in QueryName]: () => HistoryReply['answer'] } = {
    usage: () => reader.usage(query as QueryOf<'usage'>),
    maxima: () => reader.maxima(query as QueryOf<'maxima'>),
    quantiles: () => reader.quantiles(query as QueryOf<'quantiles'>),
    series: () => reader.series(query as QueryOf<'series'>),
    replays: () => reader.replays(query as QueryOf<'replays'>),
    columns: () => reader.columns(query as QueryOf<'columns'>),
    peakTotal: () => reader.peakTotal(query as QueryOf<'peakTotal'>),
  };
  return handlers[name]();
}

requireSameBuild();
if (parentPort !== null) {
  const port = parentPort;
  const { directory } = workerData as { readonly directory: string };
  const reader = new HistoryReader(directory);
  port.on('message', (request: HistoryRequest) => {
    const reply: HistoryReply = { id: request.id, answer: answer(reader, request) };
    port.postMessage(reply);
  });
}
