/**
 * The outcome of a program: its own report, and what the kernel counted meanwhile.
 *
 * The first line that a program prints in this form counts:
 *
 *     through read "neighbour"       it did what it tried
 *     refused EACCES open            the kernel refused it
 *     cannot make a socket: EINVAL   something else was in the way
 *     measured 2097152               a figure, for the attack's judge
 */
import type { Counters } from '../../limits/limit.ts';

export interface Said {
  readonly word: 'through' | 'refused' | 'cannot' | 'measured';
  readonly text: string;
}

export interface AttackEvidence {
  /** The report; absent if it printed nothing: it was killed, or is only measured. */
  readonly said: Said | undefined;
  /** The end of its first process, and its error output. */
  readonly ended: string;
  readonly seconds: number;
  /** The increase of its cgroup's counters. */
  readonly counters: Readonly<Counters>;
  /** Sightings of its processes: how many times in its cgroup, and where else. */
  readonly inside: number;
  readonly outside: readonly string[];
  /** Processes that were still there after all had been killed. */
  readonly survivors: number;
}

/** The kind of outcome. `impossible`: the attack could not be made, so that it shows nothing. */
export type AttackResultKind = 'through' | 'blocked' | 'impossible';

export interface AttackResult {
  readonly kind: AttackResultKind;
  readonly detail: string;
}

export const blocked = (detail: string): AttackResult => ({ kind: 'blocked', detail });
export const through = (detail: string): AttackResult => ({ kind: 'through', detail });
export const impossible = (detail: string): AttackResult => ({ kind: 'impossible', detail });

const line = /^(through|refused|cannot|measured)(?: (.*))?$/m;

export function parseSaid(output: string): Said | undefined {
  const match = line.exec(output);
  if (match === null) return undefined;
  return { word: match[1] as Said['word'], text: match[2] ?? '' };
}

/** The errors of missing permissions. */
export const permissionErrors: readonly string[] = ['EPERM', 'EACCES'];

/**
 * The errors of a jail: files that are not in it do not exist, and system calls that its filter refuses seem to be
 * unknown.
 */
export const jailErrors: readonly string[] = ['ENOENT', 'ESRCH', 'ENOSYS'];

/** Judges by the program's report only; silence is never a refusal. */
export function judgeSaid(
  { said, ended }: AttackEvidence,
  refusals: readonly string[],
): AttackResult {
  if (said === undefined) return impossible(`the program said nothing: ${ended}`);
  if (said.word === 'through') return through(said.text);
  if (said.word !== 'refused') return impossible(said.text);
  const errno = said.text.split(' ', 1)[0] ?? '';
  if (refusals.includes(errno)) return blocked(`refused: ${said.text}`);
  return impossible(`${said.text}, which is not an error of permission`);
}
