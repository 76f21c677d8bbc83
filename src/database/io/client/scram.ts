/**
 * Proves passwords to PostgreSQL. Sources: RFC 5802 and RFC 7677 (SCRAM-SHA-256), and PostgreSQL's manual,
 * "SASL Authentication" and "Message Formats" (md5).
 */
import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto';

/** PostgreSQL has 4096 by default. A higher number would keep this process busy. */
const iterationsMax = 200_000;
const keyBytes = 32;
/** No channel is bound: the server is at a unix socket. */
const channelHeader = 'n,,';

const hmac = (key: Uint8Array, text: string) => createHmac('sha256', key).update(text).digest();
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();
const saltedPassword = (password: string, salt: Uint8Array, iterations: number) =>
  pbkdf2Sync(password.normalize('NFKC'), salt, iterations, keyBytes, 'sha256');

/** One login. Each method returns undefined if the server's text is not right. */
export class Scram {
  readonly #password: string;
  readonly #bare: string;
  readonly #nonce: string;
  #signature: Uint8Array | undefined;

  constructor(password: string, nonce = randomBytes(18).toString('base64')) {
    this.#password = password;
    this.#nonce = nonce;
    // The server takes the user from the connection's start.
    this.#bare = `n=,r=${nonce}`;
  }

  get first(): string {
    return channelHeader + this.#bare;
  }

  /** Answers the server's first text: `r=…,s=…,i=4096`. */
  answer(text: string): string | undefined {
    const [, nonce = '', salt = '', count] =
      /^r=([^,]+),s=([^,]+),i=(\d{1,9})(?:,|$)/.exec(text) ?? [];
    const iterations = Number(count);
    if (!nonce.startsWith(this.#nonce) || nonce === this.#nonce) return undefined;
    if (!(iterations >= 1) || iterations > iterationsMax) return undefined;
    const salted = saltedPassword(this.#password, Buffer.from(salt, 'base64'), iterations);
    const key = hmac(salted, 'Client Key');
    const final = `c=${Buffer.from(channelHeader).toString('base64')},r=${nonce}`;
    const exchange = `${this.#bare},${text},${final}`;
    const mask = hmac(sha256(key), exchange);
    this.#signature = hmac(hmac(salted, 'Server Key'), exchange);
    const proof = Buffer.from(key.map((byte, index) => byte ^ (mask[index] ?? 0)));
    return `${final},p=${proof.toString('base64')}`;
  }

  /** Whether the server has proven that it knows the password: `v=…`. */
  accepts(text: string): boolean {
    const proof = Buffer.from(/^v=([^,]+)/.exec(text)?.[1] ?? '', 'base64');
    const wanted = this.#signature;
    return wanted !== undefined && proof.length === wanted.length && timingSafeEqual(proof, wanted);
  }
}

/** Returns what a server keeps of a password, so that the password itself need not be sent. */
export function scramVerifier(password: string, salt = randomBytes(16)): string {
  const iterations = 4096;
  const salted = saltedPassword(password, salt, iterations);
  const keys = [sha256(hmac(salted, 'Client Key')), hmac(salted, 'Server Key')];
  const [stored, server] = keys.map((each) => each.toString('base64'));
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${stored}:${server}`;
}

const md5 = (...parts: readonly (string | Uint8Array)[]) =>
  parts.reduce((hash, part) => hash.update(part), createHash('md5')).digest('hex');

export const md5Proof = (user: string, password: string, salt: Uint8Array): string =>
  `md5${md5(md5(password, user), salt)}`;
