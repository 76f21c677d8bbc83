/**
 * Remembers that systemd has yet to read its files, and whose slices are not ours any more: `/run/bulkhead/reload`,
 * one a line, `1001` or `1001/shop.example`. An apply that was killed in between is thereby finished by the next one.
 */
import { rmSync } from 'node:fs';
import { failed, type Problem } from '../../base/problem.ts';
import { ok, type Result } from '../../base/result.ts';
import type { SliceOwner } from '../../plan/slice.ts';
import { causeOf } from '../../sys/errno.ts';
import { readText } from '../../sys/files/read.ts';
import { replaceFile } from '../../sys/files/replace-file.ts';
import type { Paths } from '../paths.ts';

export class StaleMark {
  readonly #path: string;
  /** Since this made sure of it; others change it only under the lock that who sets it has. */
  #isKnown = false;

  constructor({ runtime }: Paths) {
    this.#path = `${runtime}/reload`;
  }

  get isSet(): boolean {
    return readText(this.#path) !== undefined;
  }

  /** Before anything is changed; with the owner of a slice that is left to systemd. */
  set(owner?: SliceOwner): Result<void, Problem> {
    if (owner === undefined && (this.#isKnown || this.isSet)) {
      this.#isKnown = true;
      return ok(undefined);
    }
    const lines = new Set(this.owners().map(lineOf));
    if (owner !== undefined && lines.has(lineOf(owner))) return ok(undefined);
    if (owner !== undefined) lines.add(lineOf(owner));
    const replaced = replaceFile(this.#path, [...lines].map((each) => `${each}\n`).join(''));
    if (replaced.ok) this.#isKnown = true;
    return replaced;
  }

  owners(): readonly SliceOwner[] {
    return (readText(this.#path) ?? '').split('\n').flatMap((line) => {
      const [, uid, site] = /^(\d{1,10})(?:\/(.+))?$/.exec(line) ?? [];
      if (uid === undefined) return [];
      return [{ uid: Number(uid), ...(site === undefined ? {} : { site }) }];
    });
  }

  clear(): Result<void, Problem> {
    this.#isKnown = false;
    try {
      rmSync(this.#path, { force: true });
      return ok(undefined);
    } catch (error) {
      return failed({ ...causeOf(error), action: 'remove', object: this.#path });
    }
  }
}

const lineOf = ({ uid, site }: SliceOwner) => (site === undefined ? `${uid}` : `${uid}/${site}`);
