/** Login codes: each is good for one session, within two minutes. They are only in memory. */
import { evictedFor, type Login, type LoginBounds } from './login.ts';
import { hashOf, idOf, newSecret, SecretTable } from './secrets.ts';

export const codeSeconds = 120;
const bounds: LoginBounds = { ofPair: 4, inAll: 512 };

interface Code {
  readonly id: string;
  readonly login: Login;
  /** Seconds of the clock. */
  readonly made: number;
  /** Milliseconds since 1970. */
  readonly madeAt: number;
}

export class LoginCodes {
  readonly #codes = new SecretTable<Code>();
  readonly #clock: () => number;

  /** `clock`: monotonic, in seconds. */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  make(login: Login): string {
    this.#forgetOld();
    const evicted = evictedFor(this.#codes.values, login, bounds);
    if (evicted !== undefined) this.#codes.delete(evicted.id);
    const secret = newSecret();
    const hash = hashOf(secret);
    this.#codes.set(hash, { id: idOf(hash), login, made: this.#clock(), madeAt: Date.now() });
    return secret;
  }

  /** Returns the login that a code is for, and when it was made, once; undefined if it is not valid. */
  take(secret: string): Pick<Code, 'login' | 'madeAt'> | undefined {
    this.#forgetOld();
    const found = this.#codes.find(secret);
    if (found !== undefined) this.#codes.delete(found.id);
    return found;
  }

  #forgetOld(): void {
    const oldest = this.#clock() - codeSeconds;
    for (const { id, made } of this.#codes.values) {
      if (made > oldest) break;
      this.#codes.delete(id);
    }
  }
}
