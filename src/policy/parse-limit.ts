/** Parses the value of a limit, as written in a policy or on a command line. */
import { attributes } from '../limits/limits.ts';
import type { LimitKey } from '../limits/limit.ts';
import type { Cause } from '../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../packages/base/result.ts';
import { quantityKinds, unlimited, type Quantity } from '../../packages/base/quantity.ts';

/** Parses one value according to the vocabulary; `undefined` for a limit that does not exist. */
export function parseLimit(key: LimitKey, text: string): Result<Quantity, Cause> | undefined {
  const attribute = attributes.get(key);
  if (attribute === undefined) return undefined;
  const kind = quantityKinds[attribute.kind];
  const label = `${attribute.limit.name} ${attribute.name}`;
  if (text === unlimited) {
    if (attribute.unlimited) return ok(unlimited);
    return fail({ reason: `The ${label} cannot be "unlimited"`, hint: `write ${kind.form}` });
  }
  if (text.startsWith('-'))
    return fail({ reason: `The ${label} "${text}" is negative`, hint: `write ${kind.form}` });
  const parsed = kind.parse(text);
  if (!parsed.ok) return fail({ ...parsed.error, reason: `The ${label} ${parsed.error.reason}` });
  const zeroIsMeant = attribute.min > 0 && attribute.fallback === 0 && parsed.value === 0;
  if (parsed.value < attribute.min && !zeroIsMeant) {
    const or = attribute.unlimited && parsed.value === 0 ? ', or "unlimited"' : '';
    return fail({
      reason: `The ${label} "${text}" is too small`,
      hint: `the minimum is "${kind.format(attribute.min)}"${or}`,
    });
  }
  return ok(parsed.value as Quantity);
}

/** Returns the minimum of a limit in place of a value that only former versions allowed. */
export function raisedMin(key: LimitKey, text: string): Quantity | undefined {
  const attribute = attributes.get(key);
  if (attribute?.raisedFrom === undefined) return undefined;
  const parsed = quantityKinds[attribute.kind].parse(text);
  const wasAllowed =
    parsed.ok && parsed.value >= attribute.raisedFrom && parsed.value < attribute.min;
  return wasAllowed ? (attribute.min as Quantity) : undefined;
}
