/** Parses the value of a limit, as written in a policy or on a command line. */
import { limits } from '../limits/limits.ts';
import type { LimitKey } from '../limits/limit.ts';
import { quantityKinds, unlimited, type Quantity } from '../../packages/base/quantity.ts';

/** Parses one value according to the vocabulary; `undefined` for a limit that does not exist. */
export function parseLimit(key: LimitKey, text: string) {
  const [name, attributeName = ''] = key.split('.');
  const attribute = limits.find((each) => each.name === name)?.attributes[attributeName];
  if (attribute === undefined) return undefined;
  const kind = quantityKinds[attribute.kind];
  const label = `${name} ${attributeName}`;
  const bad = (error: string) => ({ ok: false as const, error });
  if (text === unlimited) {
    if (attribute.unlimited) return { ok: true as const, value: unlimited as Quantity };
    return bad(`The ${label} cannot be "unlimited"; write ${kind.form}`);
  }
  if (text.startsWith('-')) return bad(`The ${label} "${text}" is negative; write ${kind.form}`);
  const parsed = kind.parse(text);
  if (!parsed.ok) return bad(`The ${label} ${parsed.error}`);
  const zeroIsMeant = attribute.min > 0 && attribute.fallback === 0 && parsed.value === 0;
  if (parsed.value < attribute.min && !zeroIsMeant) {
    const hint = attribute.unlimited && parsed.value === 0 ? ', or "unlimited"' : '';
    return bad(
      `The ${label} "${text}" is too small; the minimum is "${kind.print(attribute.min)}"${hint}`,
    );
  }
  return { ok: true as const, value: parsed.value as Quantity };
}
