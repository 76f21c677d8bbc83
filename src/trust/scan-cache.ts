/**
 * What was read of modules before, by the SHA-256 of the file as it is stored.
 *
 * One file a set of inputs, so it never holds more than the last scan of them: a line of head (what made it,
 * and with which keys signatures were judged), then a line a module. It is a cache: whatever is wrong with it, it
 * is left out and written anew. Nobody but its owner may have written it.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { replaceFile } from '../host/replace-file.ts';
import type { ReadModule } from './scan-protocol.ts';

/** Of what `readModule` and the judging of signatures give; another number empties every cache. */
const format = 1;
const mostFiles = 32;
const mostBytes = 256 * 2 ** 20;

export type Remembered = ReadonlyMap<string, ReadModule>;

/** Of root below /var/cache, of everybody else in their own. Undefined where there is no such place. */
export function cacheDirectory(
  env: Readonly<Record<string, string | undefined>> = process.env,
): string | undefined {
  if (process.geteuid?.() === 0) return '/var/cache/bulkhead/modules';
  const home = env['XDG_CACHE_HOME'] ?? (env['HOME'] && join(env['HOME'], '.cache'));
  return home === undefined || home === '' ? undefined : join(home, 'bulkhead/modules');
}

export class ScanCache {
  readonly #directory: string;
  readonly #file: string;
  readonly #head: string;

  /** `inputs` tells one scan from another; `keys` are all certificates that signatures are judged by. */
  constructor(directory: string, inputs: readonly string[], keys: readonly Uint8Array[]) {
    const hash = createHash('sha256');
    for (const key of keys) hash.update(key);
    this.#directory = directory;
    const name = createHash('sha256').update(inputs.join('\0')).digest('hex').slice(0, 32);
    this.#file = join(directory, `${name}.jsonl`);
    this.#head = JSON.stringify({ format, node: process.version, keys: hash.digest('hex') });
  }

  read(): Remembered {
    try {
      return this.#parse(readOwn(this.#file));
    } catch {
      return new Map();
    }
  }

  #parse(text: string): Remembered {
    const lines = text.split('\n');
    if (lines[0] !== this.#head) return new Map();
    const known = new Map<string, ReadModule>();
    for (const line of lines.slice(1)) {
      if (line !== '') known.set(line.slice(0, 64), JSON.parse(line.slice(65)) as ReadModule);
    }
    return known;
  }

  /** Best effort: a full disk costs the next scan its time, nothing else. */
  write(modules: ReadonlyMap<string, ReadModule>): void {
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      const lines = [...modules].map(([hash, read]) => `${hash} ${JSON.stringify(read)}\n`);
      const text = `${this.#head}\n${lines.join('')}`;
      if (text.length > mostBytes) return;
      replaceFile(this.#file, text, 0o600);
      this.#forgetOldest();
    } catch {
      // The scan itself has its result.
    }
  }

  #forgetOldest(): void {
    const files = readdirSync(this.#directory)
      .filter((name) => name.endsWith('.jsonl'))
      .map((name) => join(this.#directory, name))
      .map((path) => ({ path, written: statSync(path).mtimeMs }))
      .sort((a, b) => b.written - a.written);
    for (const { path } of files.slice(mostFiles)) rmSync(path, { force: true });
  }
}

/** Throws when it is not there, is not ours, or others could have written it. */
function readOwn(path: string): string {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { uid, mode, size } = fstatSync(fd);
    if (uid !== process.geteuid?.() || (mode & 0o022) !== 0 || size > mostBytes) {
      throw new Error('is not a cache of this user');
    }
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}
