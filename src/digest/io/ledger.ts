/**
 * The record of which digests were sent, in /var/lib/bulkhead/digests.log: a line for each attempt, written before it
 * and after it. A message whose attempt was interrupted counts as sent, so none is sent twice.
 *
 *     {"slot":"week 2026-11-30","to":"tenant","address":"ann@example.org","state":"sent","at":1796018400000}
 */
import { closeSync, constants, fsyncSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { causeOf } from '../../../packages/base/io/errno.ts';
import { decodeText, readBounded } from '../../../packages/base/io/regular-file.ts';
import { replaceStateFile } from '../../../packages/base/io/replace-file.ts';
import { isObject, parseObject } from '../../../packages/base/json.ts';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { Paths } from '../../host/paths.ts';
import type { DigestRule } from '../../policy/settings.ts';
import { dayMilliseconds } from '../core/forecast.ts';

export const ledgerPath = ({ state }: Pick<Paths, 'state'>): string => `${state}/digests.log`;

const states = ['since', 'started', 'sent', 'failed', 'given up', 'done'] as const;

/**
 *     since     the rule began: earlier slots are nobody's
 *     started   a message is being sent; it counts as sent if nothing follows
 *     sent      it was delivered
 *     failed    it was not, and will be tried again
 *     given up  it was not, and will not be
 *     done      everybody was considered for the slot
 */
export type LedgerState = (typeof states)[number];

export interface LedgerEntry {
  readonly slot: string;
  readonly to: DigestRule['to'];
  /** Empty for `since` and `done`. */
  readonly address: string;
  readonly state: LedgerState;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** The last state of a message, and how often it failed. */
export interface MessageState {
  readonly state: LedgerState;
  readonly at: number;
  readonly failures: number;
}

const bytesMax = 64 * 2 ** 20;
/** The part of it that older entries may take when a run begins. */
const keptBytesMax = 32 * 2 ** 20;
const keptMilliseconds = 35 * dayMilliseconds;

export class Ledger implements Disposable {
  readonly #fd: number;
  readonly #path: string;
  readonly #messages = new Map<string, MessageState>();
  /** How many messages of a slot were sent, or may have been. */
  readonly #sent = new Map<string, number>();

  private constructor(path: string, fd: number, entries: readonly LedgerEntry[]) {
    this.#path = path;
    this.#fd = fd;
    for (const each of entries) this.#count(each);
  }

  /** Opens the ledger of this host, without entries that are too old to matter. The caller has a lock. */
  static open(paths: Pick<Paths, 'state'>, now: number): Result<Ledger, Problem> {
    const path = ledgerPath(paths);
    const read = readEntries(paths);
    if (!read.ok) return read;
    const kept = read.value.filter(
      ({ state, at }) => state === 'since' || now - at < keptMilliseconds,
    );
    const text = newest(kept);
    const written = replaceStateFile(path, text);
    if (!written.ok) return written;
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
      const { O_WRONLY, O_APPEND, O_NOFOLLOW } = constants;
      return ok(new Ledger(path, openSync(path, O_WRONLY | O_APPEND | O_NOFOLLOW), kept));
    } catch (error) {
      return failed({ ...causeOf(error), action: 'open', object: path });
    }
  }

  #count(entry: LedgerEntry): void {
    const key = keyOf(entry);
    const before = this.#messages.get(key);
    const failures = (before?.failures ?? 0) + (entry.state === 'failed' ? 1 : 0);
    this.#messages.set(key, { state: entry.state, at: entry.at, failures });
    const more = Number(countsAsSent(entry.state)) - Number(countsAsSent(before?.state));
    this.#sent.set(slotKeyOf(entry), this.sentFor(entry) + more);
  }

  /** Returns the state of a message; with an empty address, of the slot. */
  stateOf(entry: Pick<LedgerEntry, 'slot' | 'to' | 'address'>): MessageState | undefined {
    return this.#messages.get(keyOf(entry));
  }

  /** Returns how many messages of a slot were sent, or may have been. */
  sentFor({ slot, to }: Pick<LedgerEntry, 'slot' | 'to'>): number {
    return this.#sent.get(slotKeyOf({ slot, to })) ?? 0;
  }

  /** Adds an entry; it is on disk afterwards. */
  add(entry: LedgerEntry): Result<void, Problem> {
    try {
      writeSync(this.#fd, `${JSON.stringify(entry)}\n`);
      fsyncSync(this.#fd);
    } catch (error) {
      return failed({ ...causeOf(error), action: 'write', object: this.#path });
    }
    this.#count(entry);
    return ok(undefined);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

/** Formats the entries: all beginnings of rules, and as many of the newest others as fit. */
function newest(entries: readonly LedgerEntry[]): string {
  let bytes = 0;
  const fits = (line: string) => (bytes += Buffer.byteLength(line)) <= keptBytesMax;
  const lines = entries.map((each) => ({ each, line: `${JSON.stringify(each)}\n` }));
  return lines
    .toReversed()
    .filter(({ each, line }) => each.state === 'since' || fits(line))
    .toReversed()
    .map(({ line }) => line)
    .join('');
}

const countsAsSent = (state: LedgerState | undefined): boolean =>
  state === 'sent' || state === 'started';

const slotKeyOf = ({ slot, to }: Pick<LedgerEntry, 'slot' | 'to'>): string =>
  JSON.stringify([slot, to]);

const keyOf = ({ slot, to, address }: Pick<LedgerEntry, 'slot' | 'to' | 'address'>): string =>
  JSON.stringify([slot, to, address]);

/** Reads all entries; a line that was cut off, or is not one, is left out. */
export function readEntries(paths: Pick<Paths, 'state'>): Result<readonly LedgerEntry[], Problem> {
  const path = ledgerPath(paths);
  const read = readBounded(path, bytesMax, { links: 'refuse' });
  if (!read.ok) return read.error.errno === 'ENOENT' ? ok([]) : read;
  return ok(
    decodeText(read.value)
      .split('\n')
      .flatMap((line) => {
        const found = parseObject(line);
        return isEntry(found) ? [found] : [];
      }),
  );
}

function isEntry(value: unknown): value is LedgerEntry {
  if (!isObject(value)) return false;
  const { slot, to, address, state, at } = value;
  return (
    typeof slot === 'string' &&
    (to === 'tenant' || to === 'reseller') &&
    typeof address === 'string' &&
    states.some((each) => each === state) &&
    Number.isSafeInteger(at)
  );
}
