/**
 * Reads the ring buffer `events` of the programs in force, of whichever generation, and their earlier counts from the
 * map `tallies`. Each of its values starts with the uid's total, in 8 of `tallyBytes`.
 */
import type { Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { AnyGuard } from './bpf-guard.ts';
import { BpfMap, RingReader } from './maps.ts';

const tallyBytes = 24;
/** The number of uids that the programs remember. */
const talliedMax = 8192;

export interface ProgramRecords {
  readonly generation: string;
  readonly records: readonly Buffer[];
}

interface Reader {
  readonly generation: string;
  readonly ring: RingReader;
}

export class ProgramEvents implements Disposable {
  readonly #guard: AnyGuard;
  readonly #restart: (totals: ReadonlyMap<number, number>) => void;
  #reader: Reader | undefined;

  /** Creates the reader. It calls `restart` when other programs, or none, are in force, with their earlier counts. */
  constructor(guard: AnyGuard, restart: (totals: ReadonlyMap<number, number>) => void) {
    this.#guard = guard;
    this.#restart = restart;
  }

  /** Takes at most `max` records without waiting; undefined if no programs are in force. */
  take(max: number): Result<ProgramRecords | undefined, Problem> {
    const opened = this.#guard.inForce((directory, generation) =>
      generation === this.#reader?.generation
        ? ok(this.#reader)
        : this.#open(directory, generation),
    );
    if (opened === undefined) this.#close();
    if (opened?.ok !== true) return opened ?? ok(undefined);
    const { generation, ring } = opened.value;
    return ok({ generation, records: ring.take(max) });
  }

  #open(directory: string, generation: string): Result<Reader, Problem> {
    this.#close();
    this.#restart(readTotals(`${directory}/map_tallies`));
    const ring = RingReader.open(`${directory}/map_events`);
    if (!ring.ok) return ring;
    this.#reader = { generation, ring: ring.value };
    return ok(this.#reader);
  }

  #close(): void {
    if (this.#reader === undefined) return;
    this.#reader.ring[Symbol.dispose]();
    this.#reader = undefined;
    this.#restart(new Map());
  }

  [Symbol.dispose](): void {
    this.#close();
  }
}

function readTotals(path: string): ReadonlyMap<number, number> {
  const opened = BpfMap.open(path);
  if (!opened.ok) return new Map();
  using map = opened.value;
  return new Map(
    map.keys(4, talliedMax).map((key) => {
      const value = map.get(key, tallyBytes);
      return [key.readUInt32LE(), Number(value?.readBigUInt64LE() ?? 0n)] as const;
    }),
  );
}
