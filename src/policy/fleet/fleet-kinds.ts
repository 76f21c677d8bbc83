/** The kinds of values in the elements of a fleet. */
import { durationPattern, parseDuration } from '../../../packages/base/duration.ts';
import type { Cause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { acceptWords, localWords } from './fleet-words.ts';
import { fleetName, fleetNamePattern, hostWord, hostsOf, notAName } from './host-set.ts';

const listOf = (each: string) => String.raw`[\s,]*${each}([\s,]+${each})*[\s,]*`;
const wordsOf = (value: string) => value.split(/[\s,]+/).filter((each) => each !== '');
const join = (words: readonly string[]) => words.join(' ');

/** Plain HTTP is for what adds TLS on this host. */
const server = String.raw`((https|tls)://[A-Za-z0-9.\-]+|http://(localhost|127\.0\.0\.1|\[::1\]))(:\d{1,5})?(/[A-Za-z0-9._~/\-]*)?`;
const serverPattern = new RegExp(
  `^(?:${server.replace(String.raw`[A-Za-z0-9.\-]+`, '[A-Za-z0-9.-]+')})$`,
);
const serversMax = 16;

export const fleetKinds = {
  fleetName: {
    form: 'lower-case letters, digits and `-`, at most 63',
    pattern: fleetName,
    parse: (value: string): Result<string, Cause> =>
      fleetNamePattern.test(value) ? ok(value) : fail(notAName(value, 'fleet')),
    format: (value: string) => value,
  },
  fleetNames: {
    form: 'names of lower-case letters, digits and `-`, separated by spaces or commas',
    pattern: listOf(fleetName),
    parse: (value: string) =>
      parseEach(value, (word) =>
        fleetNamePattern.test(word) ? ok([word]) : fail(notAName(word, 'group')),
      ),
    format: join,
  },
  fleetHosts: {
    form: 'names of hosts, and ranges such as `web-001..web-300`, separated by spaces or commas',
    pattern: listOf(hostWord),
    parse: (value: string) => parseEach(value, hostsOf),
    format: join,
  },
  waveHosts: {
    form: 'a share of all hosts, such as `10%`, or names and ranges of hosts',
    pattern: `([1-9]\\d?|100)%|${listOf(hostWord)}`,
    parse: (value: string): Result<number | readonly string[], Cause> =>
      value.includes('%') ? parseShare(value, 1) : parseEach(value, hostsOf),
    format: (value: number | readonly string[]) =>
      typeof value === 'number' ? formatShare(value) : join(value),
  },
  share: {
    form: 'a whole number of percent, `0%` to `100%`',
    pattern: String.raw`(\d|[1-9]\d|100)%`,
    parse: (value: string) => parseShare(value, 0),
    format: formatShare,
  },
  watch: {
    form: 'a duration from 1s to 7 days',
    pattern: durationPattern,
    parse: parseWatch,
    format: (seconds: number) => `${seconds}s`,
  },
  fleetServers: {
    form: 'addresses `https://HOST[:PORT][/PATH]` or `tls://HOST[:PORT]`, separated by spaces or commas',
    pattern: listOf(server),
    parse: parseServers,
    format: join,
  },
  acceptWords: wordList(acceptWords),
  localWords: wordList(localWords),
} as const;

function wordList<Word extends string>(known: readonly Word[]) {
  return {
    form: `words, separated by spaces or commas: ${known.map((each) => `\`${each}\``).join(' ')}; or \`none\``,
    pattern: `none|${listOf(`(${known.join('|')})`)}`,
    parse: (value: string): Result<readonly Word[], Cause> => {
      const words = wordsOf(value);
      if (words.join() === 'none') return ok([]);
      const bad = words.find((each) => !(known as readonly string[]).includes(each));
      if (bad !== undefined || words.length === 0)
        return fail({
          reason: bad === undefined ? 'It names nothing' : `"${bad}" is not one of its words`,
          hint: `write "none", or some of: ${known.join(' ')}`,
        });
      return ok([...new Set(words)] as Word[]);
    },
    format: (words: readonly Word[]) => words.join(' ') || 'none',
  };
}

function parseEach(
  value: string,
  parse: (word: string) => Result<readonly string[], Cause>,
): Result<readonly string[], Cause> {
  const all: string[] = [];
  for (const word of wordsOf(value)) {
    const parsed = parse(word);
    if (!parsed.ok) return parsed;
    for (const each of parsed.value) all.push(each);
  }
  return all.length > 0
    ? ok(all)
    : fail({ reason: 'It names nothing', hint: 'write at least one name' });
}

function parseShare(value: string, min: number): Result<number, Cause> {
  const percent = /^(?:\d|[1-9]\d|100)%$/.test(value) ? Number(value.slice(0, -1)) : NaN;
  return percent >= min
    ? ok(percent / 100)
    : fail({ reason: `"${value}" is not a share`, hint: `write "${min}%" to "100%"` });
}

function formatShare(fraction: number): string {
  return `${Math.round(fraction * 100)}%`;
}

const watchSecondsMax = 7 * 86_400;

function parseWatch(value: string): Result<number, Cause> {
  const parsed = parseDuration(value);
  if (!parsed.ok) return parsed;
  const seconds = Math.round(parsed.value / 1000);
  return seconds >= 1 && seconds <= watchSecondsMax
    ? ok(seconds)
    : fail({ reason: `"${value}" is not between 1s and 7 days` });
}

function parseServers(value: string): Result<readonly string[], Cause> {
  const words = wordsOf(value);
  const bad = words.find((each) => !serverPattern.test(each));
  if (bad !== undefined || words.length === 0)
    return fail({
      reason: `"${bad ?? ''}" is not the address of a fleet's server`,
      hint: 'write for example "https://fleet.example.org/releases"',
    });
  return words.length <= serversMax
    ? ok(words)
    : fail({ reason: `There are more than ${serversMax} servers` });
}
