/** A thread that reads modules; see reading-pool.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { makeReader } from './module-reader.ts';
import type { ReaderSetup, StoredModule } from './scan-protocol.ts';

const read = makeReader(workerData as ReaderSetup);
parentPort?.on('message', (batch: readonly StoredModule[]) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort?.postMessage(batch.map(read));
});
