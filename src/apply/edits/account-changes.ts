/** The recorded changes that concern some accounts. */
import type { Paths } from '../../host/paths.ts';
import type { ValueChange } from '../../policy/changes/describe.ts';
import { changedBetween } from '../change-record.ts';
import { readChangeTexts, type ListedChange } from '../read-changes.ts';
import { targetOf } from './edit-target.ts';

/** Returns the names by which a policy may have the account: its user name and its uid. */
export function namesOfAccount(account: string, paths: Paths): readonly string[] {
  const { name, alias } = targetOf('tenant', account, paths);
  const names = [name, ...(alias === undefined ? [] : [alias])];
  return names.map((each) => (each.kind === 'user' ? each.user : `${each.uid}`));
}

/** Returns the change with the values of these accounts only, and none without one. */
export function changeOfAccounts(
  change: ListedChange,
  names: readonly string[],
  paths: Paths,
): readonly ListedChange[] {
  const values = valuesOfChange(change, paths).filter(({ accounts }) =>
    accounts.some((each) => names.includes(each)),
  );
  return values.length === 0 ? [] : [{ ...change, changed: { count: values.length, values } }];
}

/** Returns all values: only the first ones of a large change are in the record. */
export function valuesOfChange(
  { number, changed }: ListedChange,
  paths: Paths,
): readonly ValueChange[] {
  if (changed === undefined || changed.count === changed.values.length)
    return changed?.values ?? [];
  const texts = readChangeTexts(paths, number);
  if (!texts.ok) return changed.values;
  const all = changedBetween(texts.value.before, texts.value.after, Infinity);
  return all.changed?.values ?? changed.values;
}
