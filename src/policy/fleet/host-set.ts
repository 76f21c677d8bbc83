/** The names of hosts as a fleet's policy lists them: `web-001..web-300 rs-01`. */
import type { Cause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';

/** The most hosts of a fleet. */
export const fleetHostsMax = 10_000;

/** Names of fleets, groups and hosts. A dot or another sign could widen what a host may read at a server. */
export const fleetName = '[a-z0-9\\-]{1,63}';
export const fleetNamePattern = /^[a-z0-9-]{1,63}$/;

const name = '[a-z0-9\\-]{1,63}';
/** A word of a list, for the schema. */
export const hostWord = `${name}(\\.\\.${name})?`;

/** Returns the hosts of one word, a name or a range. */
export function hostsOf(word: string): Result<readonly string[], Cause> {
  const [first = '', last, ...rest] = word.split('..');
  if (last === undefined)
    return fleetNamePattern.test(first) ? ok([first]) : fail(notAName(first, 'host'));
  if (rest.length > 0 || first === '' || last === '')
    return fail({
      reason: `"${word}" is not a range: it needs a first and a last host`,
      hint: example,
    });
  const wrong = [first, last].find((each) => !fleetNamePattern.test(each));
  return wrong === undefined ? rangeOf(word, first, last) : fail(notAName(wrong, 'host'));
}

export const notAName = (word: string, what: 'fleet' | 'group' | 'host'): Cause => ({
  reason: `"${word}" is not the name of a ${what}`,
  hint: 'write lower-case letters, digits and "-", at most 63',
});

const example = 'write for example "web-001..web-300"';

function rangeOf(word: string, first: string, last: string): Result<readonly string[], Cause> {
  const [from, to] = [splitName(first), splitName(last)];
  if (from === undefined || to === undefined || from.prefix !== to.prefix)
    return fail({
      reason: `"${word}" is not a range: both hosts must be the same but for the number at their end`,
      hint: example,
    });
  const width = from.digits.length;
  const isPadded = [from, to].some(({ digits }) => digits.length > 1 && digits.startsWith('0'));
  if (isPadded && width !== to.digits.length)
    return fail({
      reason: `"${word}" is not a range: its numbers have ${width} and ${to.digits.length} digits`,
      hint: example,
    });
  const [low, high] = [Number(from.digits), Number(to.digits)];
  if (low > high)
    return fail({
      reason: `The range "${word}" is reversed`,
      hint: `write "${last}..${first}"`,
    });
  if (high - low >= fleetHostsMax)
    return fail({
      reason: `The range "${word}" has ${high - low + 1} hosts`,
      hint: `a fleet has at most ${fleetHostsMax}`,
    });
  return ok(
    Array.from(
      { length: high - low + 1 },
      (_, index) => from.prefix + String(low + index).padStart(isPadded ? width : 1, '0'),
    ),
  );
}

/** Splits `web-017` into `web-` and `017`; undefined without a number, and for one that is too large to count with. */
function splitName(host: string): { prefix: string; digits: string } | undefined {
  const [digits] = /\d{1,15}$/.exec(host) ?? [];
  if (digits === undefined) return undefined;
  const prefix = host.slice(0, -digits.length);
  return /\d$/.test(prefix) ? undefined : { prefix, digits };
}
