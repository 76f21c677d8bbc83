/**
 * Words of the kernel's command line in the text of a boot loader's file.
 *
 *     root=UUID=… ro quiet lsm=landlock,yama,apparmor
 *
 * The kernel, dracut and initramfs-tools take the last of several values of one key.
 */
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import type { Cause } from '../../../../packages/base/problem.ts';

/** A word that is to be on the command line, and the one that it replaces. */
export interface BootWord {
  /** The word, such as `psi=1`. */
  readonly word: string;
  /** The word with the same key that is there until then; absent if there is none. */
  readonly instead?: string;
}

export const keyOf = (word: string): string => word.split('=', 1)[0] ?? word;

/** No quotes, dollars or blanks: neither a shell nor GRUB reads anything into it. */
const isPlain = (word: string): boolean => /^[\w.]+=[\w.,:=@/+-]+$/.test(word);

const escape = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
const begins = `(?<=^|[\\s"'=])`;
const ends = `(?=$|[\\s"'\\\\])`;

/** Returns the words with this key; a text of a shell has them in quotes. */
export const wordsWith = (text: string, key: string): readonly string[] =>
  [...text.matchAll(new RegExp(`${begins}${escape(key)}=[^\\s"'\\\\]*`, 'gm'))].map(
    ([word]) => word,
  );

/**
 * Decides what each word replaces. What is there with the same key has to be on the running kernel's command line once,
 * and in each text once: anything else was changed by somebody since, and only they know what they want. A word that
 * every text has needs no place.
 */
export function placeWords(
  wanted: readonly string[],
  texts: readonly string[],
  running: string,
): Result<readonly BootWord[], Cause> {
  const placed: BootWord[] = [];
  for (const word of wanted) {
    if (!isPlain(word)) return fail({ reason: `"${word}" has characters that a shell would read` });
    const key = keyOf(word);
    const found = texts.map((each) => wordsWith(each, key));
    if (found.length > 0 && found.every((each) => each.length === 1 && each[0] === word)) continue;
    const there = found.find((each) => each.length > 1) ?? [...new Set(found.flat())];
    const [instead] = there;
    if (instead === undefined || (instead === word && there.length === 1)) {
      placed.push({ word });
      continue;
    }
    const problem = problemOf(key, there, wordsWith(running, key));
    if (problem !== undefined) return fail(problem);
    placed.push({ word, instead });
  }
  return ok(placed);
}

function problemOf(
  key: string,
  there: readonly string[],
  running: readonly string[],
): Cause | undefined {
  const [first = ''] = there;
  if (there.length > 1)
    return {
      reason: `"${key}=" is given ${there.length} times: ${there.join(' ')}`,
      hint: 'leave one of them',
    };
  if (running.at(-1) === first) return undefined;
  return {
    reason: `it has ${first}, and this kernel was booted without it`,
    hint: 'reboot first, or take it out (what Bulkhead wrote: bulkhead setup boot undo)',
  };
}

/** Adds the words to one command line. */
export const addWords = (line: string, words: readonly BootWord[]): string =>
  words.reduce((text, { word, instead }) => {
    if (wordsWith(text, keyOf(word)).includes(word)) return text;
    if (instead !== undefined && wordsWith(text, keyOf(word)).includes(instead))
      return text.replace(pattern(instead), () => word);
    const end = text.trimEnd();
    return `${end}${end === '' ? '' : ' '}${word}${text.slice(end.length)}`;
  }, line);

/** Takes the words out of a text, wherever they are, and puts back what they replaced. */
export const removeWords = (text: string, words: readonly BootWord[]): string =>
  words.reduce(
    (rest, { word, instead }) =>
      instead === undefined
        ? rest.replace(new RegExp(`[ \\t]?${pattern(word).source}`, 'gm'), '')
        : rest.replace(pattern(word), () => instead),
    text,
  );

const pattern = (word: string) => new RegExp(`${begins}${escape(word)}${ends}`, 'gm');

/** Whether the last value of each key is ours. */
export const hasWords = (line: string, words: readonly string[]): boolean =>
  words.every((word) => wordsWith(line, keyOf(word)).at(-1) === word);

/** Whether two texts differ only in blanks. */
export const sameButBlanks = (a: string, b: string): boolean => plain(a) === plain(b);

const plain = (text: string) => text.replace(/[ \t]+/g, ' ').replace(/ (?=["'\n]|$)/g, '');
