/** Changes given on a command line: `cpu=150%`, `memory.soft=3GiB`, `package=business`, `cpu=`. */
import { attributes, findAttribute, limits } from '../limits/limits.ts';
import type { LimitKey } from '../limits/limit.ts';
import { quantityKinds } from '../../packages/base/quantity.ts';
import type { Cause } from '../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../packages/base/result.ts';
import { suggestion } from './diagnostic.ts';
import { parseLimit } from './parse-limit.ts';

/** The attributes of elements themselves that can be set like limits. */
export type OwnAttribute = 'package' | 'may' | 'for';

/** A change of a limit or of such an attribute. Without a value, the attribute is removed. */
export type Assignment =
  | { readonly kind: 'limit'; readonly key: LimitKey; readonly value: string | undefined }
  | { readonly kind: OwnAttribute; readonly value: string | undefined };

const ownAttributes: Readonly<Record<OwnAttribute, { readonly example: string }>> = {
  package: { example: 'business' },
  may: { example: 'limits packages' },
  for: { example: 'acme' },
};

const isOwnAttribute = (name: string): name is OwnAttribute => Object.hasOwn(ownAttributes, name);

/** Parses words as typed, and the names given to `--unset`. Every error is reported. */
export function parseAssignments(
  words: readonly string[],
  unset: readonly string[] = [],
): Result<readonly Assignment[], readonly Cause[]> {
  const results = [...words.map(parseWord), ...unset.map((name) => removal(name))];
  const errors = results.flatMap((each) => (each.ok ? [] : [each.error]));
  const assignments = results.flatMap((each) => (each.ok ? each.value : []));
  errors.push(...repeated(assignments));
  if (errors.length === 0 && assignments.length === 0) {
    errors.push({ reason: 'There is nothing to change', hint: 'add for example "cpu=150%"' });
  }
  return errors.length > 0 ? fail(errors) : ok(assignments);
}

function parseWord(word: string): Result<readonly Assignment[], Cause> {
  const at = word.indexOf('=');
  if (at <= 0)
    return fail({
      reason: `"${word}" has no value`,
      hint: `write for example "${word || 'cpu'}=${example(word)}"`,
    });
  const name = word.slice(0, at).trim();
  const value = word.slice(at + 1).trim();
  if (value === '') return removal(name);
  if (isOwnAttribute(name)) return ok([{ kind: name, value }]);
  const attribute = findAttribute(name);
  if (attribute === undefined) return fail(unknown(name));
  const parsed = parseLimit(attribute.key, value);
  if (parsed !== undefined && !parsed.ok) return parsed;
  return ok([{ kind: 'limit', key: attribute.key, value }]);
}

function example(name: string): string {
  if (isOwnAttribute(name)) return ownAttributes[name].example;
  const kind = findAttribute(name)?.kind ?? 'cpu';
  return quantityKinds[kind].examples[0] ?? '';
}

/**
 * Returns the removals. A limit without a value of its own, such as `io`, is removed with all its
 * attributes.
 */
function removal(name: string): Result<readonly Assignment[], Cause> {
  if (isOwnAttribute(name)) return ok([{ kind: name, value: undefined }]);
  const attribute = findAttribute(name);
  const keys = attribute === undefined ? keysOf(name) : [attribute.key];
  if (keys.length === 0) return fail(unknown(name));
  return ok(keys.map((key) => ({ kind: 'limit', key, value: undefined })));
}

const keysOf = (limit: string): readonly LimitKey[] =>
  [...attributes.values()].filter((each) => each.limit.name === limit).map((each) => each.key);

function unknown(name: string): Cause {
  const inside = keysOf(name);
  if (inside.length > 0)
    return { reason: `"${name}" has several values`, hint: `write ${inside.join(', ')}` };
  const known = [...attributes.keys(), ...limits.map((each) => each.name), 'package'];
  return { reason: `There is no limit "${name}"${suggestion(name, known)}` };
}

function repeated(assignments: readonly Assignment[]): readonly Cause[] {
  const seen = new Set<string>();
  return assignments.flatMap((each) => {
    const name = each.kind === 'limit' ? each.key : each.kind;
    if (seen.has(name)) return [{ reason: `"${name}" is given twice`, hint: 'write it once' }];
    seen.add(name);
    return [];
  });
}
