/**
 * Secrets of the console, which are login codes and session tokens: 32 random bytes as base64url, 43 characters. Only
 * their SHA-256 is kept, so whoever reads memory or a file of the agent cannot log in.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const secretBytes = 32;
const secretPattern = /^[A-Za-z0-9_-]{43}$/;
const idLength = 16;

export const newSecret = (): string => randomBytes(secretBytes).toString('base64url');

export const hashOf = (secret: string): Buffer => createHash('sha256').update(secret).digest();

/** The beginning of the hash, which may be shown. */
export const idOf = (hash: Buffer): string => hash.toString('hex').slice(0, idLength);

/** Values that are found by a secret, in the order in which they were added. */
export class SecretTable<T> {
  readonly #rows = new Map<string, { readonly hash: Buffer; readonly value: T }>();

  /** Returns the id of the row. */
  set(hash: Buffer, value: T): string {
    const id = idOf(hash);
    this.#rows.set(id, { hash, value });
    return id;
  }

  /** Finds the row by 64 bits of the hash, and compares all of it in constant time. */
  find(secret: string): T | undefined {
    if (!secretPattern.test(secret)) return undefined;
    const hash = hashOf(secret);
    const row = this.#rows.get(idOf(hash));
    return row !== undefined && timingSafeEqual(row.hash, hash) ? row.value : undefined;
  }

  has(id: string): boolean {
    return this.#rows.has(id);
  }

  withId(id: string): T | undefined {
    return this.#rows.get(id)?.value;
  }

  delete(id: string): boolean {
    return this.#rows.delete(id);
  }

  get values(): readonly T[] {
    return [...this.#rows.values()].map(({ value }) => value);
  }
}
