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
/** Files a message: fewer leave cores idle at the end, more cost messages. Fewer than that start no thread. */
const batchFiles = 16;
const batchBytes = 4 * 2 ** 20;
/** Batches under way a thread, and bytes of them in all; a single larger one goes alone. */
const queued = 2;
const waitingBytesMax = 256 * 2 ** 20;

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
  if (first.value.length < batchFiles) {
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
  /** Bytes of each batch that it has not answered yet, in order. */
  readonly waiting: number[];
}

class Pool implements AsyncDisposable {
  readonly #threads: readonly Thread[];
  #failure: Error | undefined;
  #wake: () => void = () => {};

  constructor(setup: ReaderSetup, taken: Taken) {
    const script = scriptBeside(import.meta.url, './reader-thread');
    const count = Math.min(availableParallelism(), mostThreads);
    this.#threads = Array.from({ length: count }, () => {
      const thread: Thread = { worker: new Worker(script, { workerData: setup }), waiting: [] };
      const failed = (error: Error) => {
        this.#failure ??= error;
        this.#wake();
      };
      thread.worker.on('message', (answers: readonly ReadAnswer[]) => {
        thread.waiting.shift();
        taken(answers);
        this.#wake();
      });
      thread.worker.on('error', failed);
      thread.worker.on('messageerror', failed);
      // Whoever waits for a thread that is gone waits for ever.
      thread.worker.on('exit', (status) => {
        failed(new Error(`a thread that reads modules ended (status ${status})`));
      });
      return thread;
    });
  }

  async read(batch: readonly StoredModule[]): Promise<void> {
    const bytes = batch.reduce((sum, each) => sum + each.bytes.length, 0);
    const free = await this.#until(() => this.#roomFor(bytes));
    free.waiting.push(bytes);
    // A small file may share its buffer with others: then it is copied.
    const owned = batch.map(({ label, sha256, bytes }) => {
      const whole = bytes.byteLength === bytes.buffer.byteLength;
      return { label, sha256, bytes: whole ? bytes : Uint8Array.from(bytes) };
    });
    const buffers = new Set(owned.map((each) => each.bytes.buffer as ArrayBuffer));
    free.worker.postMessage(owned, [...buffers]);
  }

  async finish(): Promise<void> {
    await this.#until(() => this.#threads.every((each) => each.waiting.length === 0) || undefined);
  }

  /** The least busy thread, when there is room for so many bytes more. */
  #roomFor(bytes: number): Thread | undefined {
    const [least] = this.#threads.toSorted((a, b) => a.waiting.length - b.waiting.length);
    const waiting = this.#threads
      .flatMap((each) => each.waiting)
      .reduce((sum, each) => sum + each, 0);
    if (waiting > 0 && waiting + bytes > waitingBytesMax) return undefined;
    return least !== undefined && least.waiting.length < queued ? least : undefined;
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
