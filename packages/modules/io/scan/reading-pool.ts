/**
 * Threads that read modules, one a core. A few files are read on the calling thread: starting
 * others would cost more.
 *
 * The files' bytes are transferred, not copied; the number that waits is bounded.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { SymbolToResolve } from '../../core/record/module.ts';
import { unpackModule } from './packed-module.ts';
import { scriptFile } from '../../script-file.ts';
import type { Problem } from '../../../base/problem.ts';
import { ok, type Result } from '../../../base/result.ts';
import type {
  Keys,
  ReadResponse,
  ReaderAnswer,
  ReaderMessage,
  ReaderSetup,
  StoredModule,
} from './scan-protocol.ts';

const threadsMax = 8;
/**
 * Files in a message: fewer leave cores idle at the end, more cost messages. Fewer than that start
 * no thread.
 */
const batchFiles = 16;
const batchBytes = 4 * 2 ** 20;
/**
 * Batches in progress for each thread, and bytes of them in all; a single larger one is sent by
 * itself.
 */
const queued = 2;
const waitingBytesMax = 256 * 2 ** 20;
/** The same while this thread reads the keys: as much as the threads can do meanwhile. */
const queuedAhead = 16;
const aheadBytesMax = 64 * 2 ** 20;

type Taken = (answers: readonly ReadResponse[]) => void;

/**
 * Reads all files; `taken` is called as responses come. `open` gives the keys, and is called once.
 * With threads, it is called when they have work, so that they unpack while the keys are read.
 */
export async function readStored(
  files: AsyncIterable<StoredModule>,
  setup: ReaderSetup,
  open: () => Result<Keys, Problem>,
  taken: Taken,
): Promise<Result<undefined, Problem>> {
  const batches = inBatches(files);
  const first = await batches.next();
  if (first.done === true || !isFull(first.value)) {
    return readHere(first.done === true ? [] : first.value, setup, open, taken);
  }
  await using pool = new Pool(setup, taken);
  pool.post(first.value);
  const ahead = await postAhead(batches, pool);
  const keys = open();
  if (!keys.ok) return keys;
  pool.trust(keys.value);
  if (ahead !== undefined) await pool.read(ahead);
  for await (const batch of batches) await pool.read(batch);
  await pool.finish();
  return ok(undefined);
}

async function readHere(
  files: readonly StoredModule[],
  setup: ReaderSetup,
  open: () => Result<Keys, Problem>,
  taken: Taken,
): Promise<Result<undefined, Problem>> {
  const keys = open();
  if (!keys.ok || files.length === 0) return keys.ok ? ok(undefined) : keys;
  const { ModuleReader } = await import('./module-reader.ts');
  const reader = new ModuleReader(setup);
  reader.trust(keys.value);
  taken(files.map((each) => reader.read(each)));
  return ok(undefined);
}

/** Posts batches ahead; returns the batch that did not fit. */
async function postAhead(
  batches: AsyncGenerator<StoredModule[]>,
  pool: Pool,
): Promise<StoredModule[] | undefined> {
  for (;;) {
    const next = await batches.next();
    if (next.done === true) return undefined;
    if (!pool.hasRoomAhead(next.value)) return next.value;
    pool.post(next.value);
  }
}

const bytesOf = (batch: readonly StoredModule[]): number =>
  batch.reduce((sum, each) => sum + each.bytes.length, 0);

const isFull = (batch: readonly StoredModule[]): boolean =>
  batch.length >= batchFiles || bytesOf(batch) >= batchBytes;

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
  /** Bytes of each batch that the thread has not answered yet, in order. */
  readonly waiting: number[];
  /** All symbols that the thread has sent. */
  readonly symbols: SymbolToResolve[];
}

function unpacked(
  { answers, symbols: news }: ReaderAnswer,
  symbols: SymbolToResolve[],
): readonly ReadResponse[] {
  for (const each of news) symbols.push(each);
  return answers.map((each) => ({
    ...each,
    read: each.read === undefined ? undefined : unpackModule(each.read, symbols),
  }));
}

const send = (worker: Worker, message: ReaderMessage, moved: readonly ArrayBuffer[] = []): void =>
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  worker.postMessage(message, moved);

class Pool implements AsyncDisposable {
  readonly #threads: readonly Thread[];
  #failure: Error | undefined;
  #wake: () => void = () => {};

  constructor(setup: ReaderSetup, taken: Taken) {
    const script = scriptFile('io/scan/reader-thread');
    const count = Math.min(availableParallelism(), threadsMax);
    this.#threads = Array.from({ length: count }, () => {
      const worker = new Worker(script, { workerData: setup });
      const thread: Thread = { worker, waiting: [], symbols: [] };
      const failed = (error: Error) => {
        this.#failure ??= error;
        this.#wake();
      };
      thread.worker.on('message', (message: ReaderAnswer) => {
        thread.waiting.shift();
        taken(unpacked(message, thread.symbols));
        this.#wake();
      });
      thread.worker.on('error', failed);
      thread.worker.on('messageerror', failed);
      // Nothing else would wake the callers that wait for this thread.
      thread.worker.on('exit', (status) => {
        failed(new Error(`a thread that reads modules ended (status ${status})`));
      });
      return thread;
    });
  }

  async read(batch: readonly StoredModule[]): Promise<void> {
    const bytes = bytesOf(batch);
    this.#post(batch, await this.#until(() => this.#roomFor(bytes)));
  }

  /** Posts a batch to the least busy thread, however much waits there. */
  post(batch: readonly StoredModule[]): void {
    const [min] = this.#byWork();
    if (min !== undefined) this.#post(batch, min);
  }

  hasRoomAhead(batch: readonly StoredModule[]): boolean {
    const min = this.#byWork()[0]?.waiting.length ?? 0;
    return min < queuedAhead && this.#waitingBytes() + bytesOf(batch) <= aheadBytesMax;
  }

  trust(keys: Keys): void {
    for (const { worker } of this.#threads) send(worker, { kind: 'keys', keys });
  }

  #post(batch: readonly StoredModule[], thread: Thread): void {
    thread.waiting.push(bytesOf(batch));
    // A small file may share its buffer with others: then it is copied.
    const files = batch.map(({ label, sha256, bytes }) => {
      const whole = bytes.byteLength === bytes.buffer.byteLength;
      return { label, sha256, bytes: whole ? bytes : Uint8Array.from(bytes) };
    });
    const buffers = new Set(files.map((each) => each.bytes.buffer as ArrayBuffer));
    send(thread.worker, { kind: 'files', files }, [...buffers]);
  }

  async finish(): Promise<void> {
    await this.#until(() => this.#threads.every((each) => each.waiting.length === 0) || undefined);
  }

  #byWork(): readonly Thread[] {
    return this.#threads.toSorted((a, b) => a.waiting.length - b.waiting.length);
  }

  #waitingBytes(): number {
    return this.#threads.flatMap((each) => each.waiting).reduce((sum, each) => sum + each, 0);
  }

  /** Returns the least busy thread, if it may take so many more bytes. */
  #roomFor(bytes: number): Thread | undefined {
    const [min] = this.#byWork();
    const waiting = this.#waitingBytes();
    if (waiting > 0 && waiting + bytes > waitingBytesMax) return undefined;
    return min !== undefined && min.waiting.length < queued ? min : undefined;
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
