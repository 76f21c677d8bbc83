/**
 * The choices of customers and resellers about their own digests: `/var/lib/bulkhead/digest-choices.json`, which only the
 * agent writes, and only for members of the policy.
 *
 *     {"kind":"bulkhead-digest-choices","version":1,"choices":[{"uid":1001,"name":"ann","use":0.9,"every":"week"}]}
 */
import { lstatSync } from 'node:fs';
import { isObject, parseObject } from '../../packages/base/json.ts';
import { decodeText, readBounded } from '../../packages/base/io/regular-file.ts';
import { removeFile, replaceStateFile } from '../../packages/base/io/replace-file.ts';
import { causedBy, failed, type Problem } from '../../packages/base/problem.ts';
import { ok, type Result } from '../../packages/base/result.ts';
import { fileVersionOf, isSameVersion, type FileVersion } from '../sys/files/text-file.ts';
import type { Paths } from './paths.ts';

export interface DigestChoice {
  readonly uid: number;
  /** The name of the account when it chose; another owner of the uid starts anew. */
  readonly name: string;
  /** The share of a limit from which use is reported; absent: the policy's. */
  readonly use?: number;
  /** Absent: as often as the policy says. */
  readonly every?: 'week' | 'off';
}

export type DigestChoices = ReadonlyMap<number, DigestChoice>;

type Place = Pick<Paths, 'state'>;

const choicesPath = ({ state }: Place): string => `${state}/digest-choices.json`;

/** A hundred thousand choices take less than 12 MiB. */
const bytesMax = 64 * 2 ** 20;
const kind = 'bulkhead-digest-choices';
const version = 1;

/** Returns the choices; none if nobody has chosen yet, or this process may not read them. */
export function readDigestChoices(paths: Place): Result<DigestChoices, Problem> {
  const object = choicesPath(paths);
  const read = readBounded(object, bytesMax, { links: 'refuse' });
  if (!read.ok) return ['ENOENT', 'EACCES'].includes(read.error.errno ?? '') ? ok(new Map()) : read;
  const found = parseObject(decodeText(read.value));
  const choices = found?.['choices'];
  const isWhole = found?.['kind'] === kind && found['version'] === version;
  if (!isWhole || !Array.isArray(choices) || !choices.every(isChoice))
    return failed({
      action: 'read',
      object,
      reason: 'it is damaged, or another version of Bulkhead has written it',
      hint: 'remove it; customers can choose again',
    });
  return ok(new Map(choices.map((each) => [each.uid, each])));
}

function isChoice(value: unknown): value is DigestChoice {
  if (!isObject(value)) return false;
  const { uid, name, use, every } = value;
  const isShare = typeof use === 'number' && use > 0 && use <= 1;
  return (
    Number.isSafeInteger(uid) &&
    typeof name === 'string' &&
    (use === undefined || isShare) &&
    (every === undefined || every === 'week' || every === 'off')
  );
}

/** The file as the agent uses it: each request of a customer asks, so it is read again only after it has changed. */
export class DigestChoiceFile {
  readonly #place: Place;
  #known:
    | { readonly version: FileVersion; readonly read: ReturnType<typeof readDigestChoices> }
    | undefined;

  constructor(place: Place) {
    this.#place = place;
  }

  /** The same as `readDigestChoices()`. */
  read(): Result<DigestChoices, Problem> {
    // Before the file is read, so that what replaces it meanwhile is read the next time.
    const stat = lstatSync(choicesPath(this.#place), { bigint: true, throwIfNoEntry: false });
    if (stat === undefined) return ok(new Map());
    const version = fileVersionOf(stat);
    if (this.#known !== undefined && isSameVersion(this.#known.version, version))
      return this.#known.read;
    const read = readDigestChoices(this.#place);
    // The next request reads again after a failure that passes without a change of the file, such as too many open files.
    this.#known = read.ok || read.error.errno === undefined ? { version, read } : undefined;
    return read;
  }

  /** Keeps a choice, without the choices of accounts that are no members any more. */
  keep(choice: DigestChoice, isMember: (choice: DigestChoice) => boolean): Result<void, Problem> {
    const read = this.read();
    if (!read.ok) return read;
    const others = [...read.value.values()].filter((each) => each.uid !== choice.uid);
    const isEmpty = choice.use === undefined && choice.every === undefined;
    const choices = [...others, ...(isEmpty ? [] : [choice])].filter(isMember);
    const text = `${JSON.stringify({ kind, version, choices })}\n`;
    const kept = replaceStateFile(choicesPath(this.#place), text);
    this.#known = undefined;
    return kept.ok ? kept : failed({ action: 'keep the choice', ...causedBy(kept.error) });
  }
}

export const releaseDigestChoices = (paths: Place): Result<void, Problem> =>
  removeFile(choicesPath(paths));
