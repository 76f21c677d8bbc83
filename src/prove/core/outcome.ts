/**
 * What came of a program: its own word, and what the kernel counted meanwhile.
 *
 * A program says one line, the first of which counts:
 *
 *     through read "neighbour"       it did what it tried
 *     refused EACCES open            the kernel refused it
 *     cannot make a socket: EINVAL   something else was in the way
 *     measured 2097152               a figure, for whoever judges it
 */
import type { Counters } from '../../limits/limit.ts';

export interface Said {
  readonly word: 'through' | 'refused' | 'cannot' | 'measured';
  readonly text: string;
}

export interface Evidence {
  /** Absent if it said nothing: it was killed, or it is one that is only measured. */
  readonly said: Said | undefined;
  /** How its first process ended, and what it wrote as errors. */
  readonly ended: string;
  readonly seconds: number;
  /** What the counters of its cgroup rose by. */
  readonly counters: Readonly<Counters>;
  /** Of its processes that were seen: how many times in its cgroup, and where else. */
  readonly inside: number;
  readonly outside: readonly string[];
  /** Processes that were still there after all had been killed. */
  readonly survivors: number;
}

/** `impossible`: it could not be carried out, so that nothing can be said. */
export type OutcomeKind = 'through' | 'held' | 'impossible';

export interface Outcome {
  readonly kind: OutcomeKind;
  readonly detail: string;
}

export const held = (detail: string): Outcome => ({ kind: 'held', detail });
export const through = (detail: string): Outcome => ({ kind: 'through', detail });
export const impossible = (detail: string): Outcome => ({ kind: 'impossible', detail });

const line = /^(through|refused|cannot|measured)(?: (.*))?$/m;

export function parseSaid(output: string): Said | undefined {
  const match = line.exec(output);
  if (match === null) return undefined;
  return { word: match[1] as Said['word'], text: match[2] ?? '' };
}

/** What permissions answer with. */
export const permissionErrors: readonly string[] = ['EPERM', 'EACCES'];

/** What a jail answers with: what is not in it is not there, and calls that its filter refuses seem to be unknown. */
export const jailErrors: readonly string[] = ['ENOENT', 'ESRCH', 'ENOSYS'];

/** By the word of the program alone; silence is never a refusal. */
export function judgeSaid({ said, ended }: Evidence, refusals: readonly string[]): Outcome {
  if (said === undefined) return impossible(`the program said nothing: ${ended}`);
  if (said.word === 'through') return through(said.text);
  if (said.word !== 'refused') return impossible(said.text);
  const errno = said.text.split(' ', 1)[0] ?? '';
  if (refusals.includes(errno)) return held(`refused: ${said.text}`);
  return impossible(`${said.text}, which is not an error of permission`);
}
