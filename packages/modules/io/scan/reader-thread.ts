/** A thread that reads modules; see reading-pool.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { ModuleReader } from './module-reader.ts';
import { packModule, SharedSymbols } from './packed-module.ts';
import type { ReadResponse, ReaderAnswer, ReaderMessage, ReaderSetup } from './scan-protocol.ts';

const reader = new ModuleReader(workerData as ReaderSetup);
let waiting: (readonly (() => ReadResponse)[])[] | undefined = [];

const shared = new SharedSymbols();

function answer(answers: readonly ReadResponse[]): void {
  const sent = shared.list.length;
  const packed = answers.map((each) => ({
    ...each,
    read: each.read === undefined ? undefined : packModule(each.read, shared),
  }));
  const message: ReaderAnswer = { answers: packed, symbols: shared.list.slice(sent) };
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort?.postMessage(message);
}

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
