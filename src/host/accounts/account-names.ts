/**
 * The current account names of a uid, from /etc/passwd, which is read again after it has changed.
 */
import { statSync } from 'node:fs';
import { parsePasswd } from './accounts.ts';
import type { Paths } from '../paths.ts';
import { readText } from '../../../packages/base/io/read.ts';

export class AccountNames {
  readonly #file: string;
  #stamp = '';
  #names: ReadonlyMap<number, readonly string[]> = new Map();

  constructor({ etc }: Pick<Paths, 'etc'>) {
    this.#file = `${etc}/passwd`;
  }

  /** Returns no names if the file has none, as for an account of a directory service. */
  namesOf(uid: number): readonly string[] {
    const stamp = stampOf(this.#file);
    if (stamp !== this.#stamp) {
      this.#stamp = stamp;
      const accounts = parsePasswd(readText(this.#file) ?? '');
      const byUid = Map.groupBy(accounts, (each) => each.uid);
      this.#names = new Map([...byUid].map(([key, of]) => [key, of.map((each) => each.user)]));
    }
    return this.#names.get(uid) ?? [];
  }
}

function stampOf(path: string): string {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? '' : `${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`;
}
