/**
 * Modules read earlier, by the SHA-256 of the file as it is stored.
 *
 * Each set of inputs has one file, so it never holds more than their last scan. A head line has the
 * program's format and the keys that signatures were judged with; a line of symbols follows, then a
 * line a module. It is a cache: a file with anything wrong is ignored and written anew. Only its
 * owner may have written it.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { SymbolToResolve } from '../../core/record/module.ts';
import { readCached, writeCached } from './own-cache.ts';
import { packModule, SharedSymbols, unpackModule } from './packed-module.ts';
import type { Keys, ParsedModule } from './scan-protocol.ts';

/**
 * The version of the results of `readModule` and of judging signatures; another number empties
 * every cache.
 */
const format = 6;

type Remembered = ReadonlyMap<string, ParsedModule>;

const nameOf = (inputs: readonly string[]): string =>
  `${createHash('sha256').update(inputs.join('\0')).digest('hex').slice(0, 32)}.jsonl`;

export class ScanCache {
  readonly #directory: string;
  readonly #name: string;
  readonly #head: string;

  /**
   * Opens a cache. `inputs` distinguishes scans; `keys` are all certificates that signatures are
   * checked with.
   */
  constructor(directory: string, inputs: readonly string[], keys: Keys) {
    const hash = createHash('sha256');
    // The owner and the end of each key are part of the judgement.
    for (const [of, each] of [
      ...keys.kernel.map((key) => ['kernel', key] as const),
      ...keys.given.map((key) => ['given', key] as const),
    ]) {
      hash.update(`${of} ${each.length}\n`).update(each);
    }
    this.#directory = directory;
    this.#name = nameOf(inputs);
    this.#head = JSON.stringify({ format, node: process.version, keys: hash.digest('hex') });
  }

  /** Whether there is anything to read, whatever keys it was judged with. */
  static isKept(directory: string, inputs: readonly string[]): boolean {
    return existsSync(join(directory, nameOf(inputs)));
  }

  read(): Remembered {
    const text = readCached(this.#directory, this.#name);
    try {
      return text === undefined ? new Map() : this.#parse(text);
    } catch {
      return new Map();
    }
  }

  #parse(text: string): Remembered {
    const lines = text.split('\n');
    if (lines[0] !== this.#head) return new Map();
    const symbols = JSON.parse(lines[1] ?? '') as readonly SymbolToResolve[];
    const known = new Map<string, ParsedModule>();
    for (const line of lines.slice(2)) {
      if (line !== '') known.set(line.slice(0, 64), unpackModule(line.slice(65), symbols));
    }
    return known;
  }

  write(modules: ReadonlyMap<string, ParsedModule>): void {
    const shared = new SharedSymbols();
    const lines = [...modules].map(([hash, read]) => `${hash} ${packModule(read, shared)}\n`);
    const symbols = JSON.stringify(shared.list);
    writeCached(this.#directory, this.#name, `${this.#head}\n${symbols}\n${lines.join('')}`);
  }
}
