/** Kinds of values that are lists of hosts or of origins. */
import type { Cause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';

/** A label of a host name. Host names have no underscores, but some web servers are set up with them. */
export const hostLabel = String.raw`[A-Za-z0-9_]([A-Za-z0-9_\-]{0,61}[A-Za-z0-9_])?`;

const host = String.raw`(${hostLabel}(\.${hostLabel})*|\[[0-9A-Fa-f:.]{2,45}\])`;
const origin = String.raw`https://${host}(:\d{1,5})?`;
const eachMax = 32;
const lengthMax = 270;

const listOf = (each: string) => String.raw`[\s,]*${each}([\s,]+${each})*[\s,]*`;
const format = (words: readonly string[]) => words.join(' ');

export const hostKinds = {
  hosts: {
    form: 'names or addresses of hosts, separated by spaces or commas',
    pattern: listOf(host),
    parse: parseEach(host, (each) => ({
      reason: `"${each}" is not the name of a host`,
      hint: 'write for example "limits.example" or "192.0.2.1", without a port',
    })),
    format,
  },
  origins: {
    form: 'origins `https://HOST[:PORT]`, separated by spaces or commas',
    pattern: listOf(origin),
    parse: parseEach(origin, (each) => ({
      reason: `"${each}" is not the origin of a page with TLS`,
      hint: 'write for example "https://panel.example:2083", without a path',
    })),
    format,
  },
} as const;

/** Parses the words of a list; each must match. */
function parseEach(pattern: string, error: (word: string) => Cause) {
  const whole = new RegExp(`^(?:${pattern})$`);
  return (value: string): Result<readonly string[], Cause> => {
    const words = value.split(/[\s,]+/).filter((each) => each !== '');
    const bad = words.find((each) => each.length > lengthMax || !whole.test(each));
    if (bad !== undefined) return fail(error(bad));
    return words.length <= eachMax ? ok(words) : fail({ reason: `There are more than ${eachMax}` });
  };
}
