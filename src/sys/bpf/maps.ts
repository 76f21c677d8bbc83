/** Maps, as programs' observers read them. */
import { closeSync } from 'node:fs';
import koffi from 'koffi';
import { failed, type Errno, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { errnoCause } from '../../../packages/base/io/errno.ts';
import { errnoOfAnswer, libbpf, type Handle, type Libbpf } from './libbpf.ts';

export class BpfMap implements Disposable {
  readonly #lib: Libbpf;
  readonly #isOwn: boolean;
  readonly fd: number;

  /** Opens a pinned map. */
  static open(path: string): Result<BpfMap, Problem> {
    const library = libbpf();
    if (!library.ok) return library;
    const fd = library.value.bpf_obj_get(path);
    if (fd >= 0) return ok(new BpfMap(library.value, fd, true));
    return failed({ ...errnoCause(errnoOfAnswer(fd)), action: 'open the map', object: path });
  }

  /** Returns a map of a loaded object, which closes it. */
  static ofObject(lib: Libbpf, fd: number): BpfMap {
    return new BpfMap(lib, fd, false);
  }

  private constructor(lib: Libbpf, fd: number, isOwn: boolean) {
    this.#lib = lib;
    this.#isOwn = isOwn;
    this.fd = fd;
  }

  /** Returns the value of a key, or undefined if it has none. */
  get(key: Uint8Array, valueBytes: number): Buffer | undefined {
    const value = Buffer.alloc(valueBytes);
    return this.#lib.bpf_map_lookup_elem(this.fd, key, value) < 0 ? undefined : value;
  }

  /** Sets the value of a key. Returns the error, such as E2BIG if the map is full. */
  set(key: Uint8Array, value: Uint8Array): Errno | undefined {
    const done = this.#lib.bpf_map_update_elem(this.fd, key, value, 0);
    return done < 0 ? errnoOfAnswer(done) : undefined;
  }

  /** Removes a key, if the map has it. */
  delete(key: Uint8Array): void {
    this.#lib.bpf_map_delete_elem(this.fd, key);
  }

  /** Returns the sum of a counter over all processors, for a map with one counter per processor. */
  sum(index: number): number {
    const bytes = 8 * this.#lib.libbpf_num_possible_cpus();
    const values = this.get(Buffer.from(Uint32Array.of(index).buffer), bytes);
    if (values === undefined) return 0;
    let sum = 0n;
    for (let at = 0; at < bytes; at += 8) sum += values.readBigUInt64LE(at);
    return Number(sum);
  }

  /**
   * Returns at most `max` keys, each once: a map can change while it is read, and after a key that is no more the kernel
   * begins again with the first one.
   */
  keys(keyBytes: number, max: number): readonly Buffer[] {
    const keys = new Map<string, Buffer>();
    let last: Buffer | null = null;
    for (let steps = 0; steps < 2 * max && keys.size < max; steps += 1) {
      const next = Buffer.alloc(keyBytes);
      if (this.#lib.bpf_map_get_next_key(this.fd, last, next) < 0) break;
      keys.set(next.toString('latin1'), next);
      last = next;
    }
    return [...keys.values()];
  }

  [Symbol.dispose](): void {
    if (this.#isOwn) closeSync(this.fd);
  }
}

const takes = koffi.pointer(
  koffi.proto('int bulkhead_take(void *context, void *data, size_t bytes)'),
);
/** A negative answer ends the call; the record counts as taken. */
const enough = -1;

interface Ring {
  readonly lib: Libbpf;
  readonly map: BpfMap;
  readonly callback: bigint;
  readonly handle: Handle;
}

/** The records taken in the current call. */
class Taking {
  records: Buffer[] = [];
  max = 0;

  take(data: bigint, bytes: number): number {
    this.records.push(Buffer.from(new Uint8Array(koffi.view(data, bytes))));
    return this.records.length < this.max ? 0 : enough;
  }
}

/** Takes the records that programs write to a ring buffer, without waiting. */
export class RingReader implements Disposable {
  readonly #ring: Ring;
  readonly #taking: Taking;

  static open(path: string): Result<RingReader, Problem> {
    const library = libbpf();
    if (!library.ok) return library;
    const map = BpfMap.open(path);
    if (!map.ok) return map;
    const taking = new Taking();
    const callback = koffi.register(
      (_context: unknown, data: bigint, bytes: number) => taking.take(data, bytes),
      takes,
    );
    const handle = library.value.ring_buffer__new(map.value.fd, callback, null, null);
    if (handle !== null)
      return ok(new RingReader({ lib: library.value, map: map.value, callback, handle }, taking));
    const cause = errnoCause(errnoOfAnswer());
    koffi.unregister(callback);
    map.value[Symbol.dispose]();
    return failed({ ...cause, action: 'read the ring buffer', object: path });
  }

  private constructor(ring: Ring, taking: Taking) {
    this.#ring = ring;
    this.#taking = taking;
  }

  /** Takes at most `max` records, however fast they come; the rest waits for the next call. */
  take(max: number): readonly Buffer[] {
    this.#taking.records = [];
    this.#taking.max = max;
    const { lib, handle } = this.#ring;
    lib.ring_buffer__consume(handle);
    return this.#taking.records;
  }

  [Symbol.dispose](): void {
    const { lib, map, callback, handle } = this.#ring;
    lib.ring_buffer__free(handle);
    koffi.unregister(callback);
    map[Symbol.dispose]();
  }
}

/**
 * Returns when a program wrote a record, by bpf_ktime_get_ns(): nanoseconds since boot → ISO 8601,
 * UTC.
 */
export function recordTime(nanoseconds: bigint): string {
  const agoMs = Number(process.hrtime.bigint() - nanoseconds) / 1e6;
  return new Date(Date.now() - agoMs).toISOString();
}
