/** A thread that reads modules; see reading-pool.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { ModuleReader } from './module-reader.ts';
import type { ReadResponse, ReaderMessage, ReaderSetup } from './scan-protocol.ts';

const reader = new ModuleReader(workerData as ReaderSetup);
let waiting: (readonly (() => ReadResponse)[])[] | undefined = [];

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
const answer = (answers: readonly ReadResponse[]) => parentPort?.postMessage(answers);

parentPort?.on('message', (message: ReaderMessage) => {
  if (message.kind === 'keys') {
    reader.trust(message.keys);
    for (const batch of waiting ?? []) answer(batch.map((finish) => finish()));
    waiting = undefined;
  } else if (waiting === undefined) {
    answer(message.files.map((each) => reader.read(each)));
  } else {
    waiting.push(message.files.map((each) => reader.begin(each)));
  }
});
