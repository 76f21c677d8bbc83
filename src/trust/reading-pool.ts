/**
 * Threads that read modules, one a core. Few files are read here and now: a thread costs more to start.
 *
 * The files' bytes are handed over, not copied; how many wait at a time is bounded.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { scriptBeside } from '../host/child-script.ts';
import type { ReadAnswer, ReaderSetup, StoredModule } from './scan-protocol.ts';

const mostThreads = 8;
const fewFiles = 24;
/** Files a message: fewer leave cores idle at the end, more cost messages. */
const batchFiles = 16;
const batchBytes = 4 * 2 ** 20;
/** Batches under way a thread. */
const queued = 2;

export type Taken = (answers: readonly ReadAnswer[]) => void;

/** Reads all of them; `taken` is called as answers come. */
export async function readStored(
  files: AsyncIterable<StoredModule>,
  setup: ReaderSetup,
  taken: Taken,
): Promise<void> {
  const batches = inBatches(files);
  const first = await batches.next();
  if (first.done === true) return;
  if (first.value.length < Math.min(fewFiles, batchFiles)) {
    const { makeReader } = await import('./module-reader.ts');
    const read = makeReader(setup);
    taken(first.value.map(read));
    for await (const batch of batches) taken(batch.map(read));
    return;
  }
  await using pool = new Pool(setup, taken);
  await pool.read(first.value);
  for await (const batch of batches) await pool.read(batch);
  await pool.finish();
}

async function* inBatches(files: AsyncIterable<StoredModule>): AsyncGenerator<StoredModule[]> {
  let batch: StoredModule[] = [];
  let bytes = 0;
  for await (const file of files) {
    batch.push(file);
    bytes += file.bytes.length;
    if (batch.length < batchFiles && bytes < batchBytes) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}

interface Thread {
  readonly worker: Worker;
  waiting: number;
}

class Pool implements AsyncDisposable {
  readonly #threads: readonly Thread[];
  #failure: Error | undefined;
  #wake: () => void = () => {};

  constructor(setup: ReaderSetup, taken: Taken) {
    const script = scriptBeside(import.meta.url, './reader-thread');
    const count = Math.min(availableParallelism(), mostThreads);
    this.#threads = Array.from({ length: count }, () => {
      const thread: Thread = { worker: new Worker(script, { workerData: setup }), waiting: 0 };
      thread.worker.on('message', (answers: readonly ReadAnswer[]) => {
        thread.waiting--;
        taken(answers);
        this.#wake();
      });
      thread.worker.on('error', (error: Error) => {
        this.#failure = error;
        this.#wake();
      });
      return thread;
    });
  }

  async read(batch: readonly StoredModule[]): Promise<void> {
    const free = await this.#until(() => this.#leastBusy(queued));
    free.waiting++;
    // A small file may share its buffer with others: then it is copied.
    const owned = batch.map(({ label, bytes }) => {
      const whole = bytes.byteLength === bytes.buffer.byteLength;
      return { label, bytes: whole ? bytes : Uint8Array.from(bytes) };
    });
    const buffers = new Set(owned.map((each) => each.bytes.buffer as ArrayBuffer));
    free.worker.postMessage(owned, [...buffers]);
  }

  async finish(): Promise<void> {
    await this.#until(() => this.#threads.every((each) => each.waiting === 0) || undefined);
  }

  #leastBusy(bound: number): Thread | undefined {
    const [least] = this.#threads.toSorted((a, b) => a.waiting - b.waiting);
    return least !== undefined && least.waiting < bound ? least : undefined;
  }

  async #until<T>(ready: () => T | undefined): Promise<T> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      const value = ready();
      if (value !== undefined) return value;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }
}
