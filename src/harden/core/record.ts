/**
 * The record of all changed settings and their previous values.
 *
 *     {"version":1,"values":[{"key":"fs.protected_symlinks","before":"0","set":"1"}]}
 */
import type { Cause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import type { KeptSetting, KeptSettings } from './plan.ts';
import { settingOf } from './settings.ts';

export const formatRecord = (values: KeptSettings): string =>
  `${JSON.stringify({ version: 1, values })}\n`;

const damaged: Cause = {
  reason: 'it is damaged',
  hint: 'set the values by hand, then remove the file',
};

export function parseRecord(text: string): Result<KeptSettings, Cause> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return fail(damaged);
  }
  const { version, values } = (parsed ?? {}) as { version?: unknown; values?: unknown };
  if (version !== 1 || !Array.isArray(values) || !values.every(isKept)) return fail(damaged);
  return ok(values);
}

const value = /^-?\d{1,15}$/;

/**
 * Whether a row is valid. Values are written to the kernel by their names, so only names of the
 * table are accepted.
 */
function isKept(each: unknown): each is KeptSetting {
  const { key, before, set, undoing } = (each ?? {}) as Record<string, unknown>;
  return (
    typeof key === 'string' &&
    settingOf(key)?.key === key &&
    typeof before === 'string' &&
    value.test(before) &&
    typeof set === 'string' &&
    value.test(set) &&
    (undoing === undefined || undoing === true)
  );
}
