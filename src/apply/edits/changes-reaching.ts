/** The recorded changes that reached an account: of its own elements, of its package, and of the defaults. */
import type { LimitKey } from '../../limits/limit.ts';
import { attributes } from '../../limits/limits.ts';
import type { Paths } from '../../host/paths.ts';
import type { ValueChange } from '../../policy/changes/describe.ts';
import { valuesOf, type Chain, type Link, type Policy } from '../../policy/policy.ts';
import type { PolicyReader } from '../load-policy.ts';
import { readChangeTexts, type ListedChange } from '../read-changes.ts';
import { namesOfAccount, valuesOfChange } from './account-changes.ts';

/** Returns changes with the values that reached the account, and none without one. */
export function changesReaching(
  changes: readonly ListedChange[],
  account: string,
  paths: Paths,
  reader: PolicyReader,
): readonly ListedChange[] {
  const names = namesOfAccount(account, paths);
  return changes.flatMap((change): readonly ListedChange[] => {
    const all = valuesOfChange(change, paths);
    const reaches = all.some(isShared) ? reachOf(change, names, paths, reader) : undefined;
    const values = all.filter(({ accounts, ...value }) =>
      accounts.length === 0 ? reaches?.(value) : accounts.some((each) => names.includes(each)),
    );
    return values.length === 0 ? [] : [{ ...change, changed: { count: values.length, values } }];
  });
}

const isShared = ({ accounts, element }: ValueChange) =>
  accounts.length === 0 && (element === theDefaults || element.startsWith('package '));

const theDefaults = 'the defaults';

type Reach = (value: Omit<ValueChange, 'accounts'>) => boolean;

/** Returns what reached the account of a change of packages and defaults; nothing if one of the texts is not known. */
function reachOf(
  { number, file }: ListedChange,
  names: readonly string[],
  paths: Paths,
  reader: PolicyReader,
): Reach | undefined {
  const texts = readChangeTexts(paths, number);
  if (!texts.ok) return undefined;
  const chainIn = (text: string) => chainOf(reader.resolve(file, text, paths).policy, names);
  const [before, after] = [chainIn(texts.value.before), chainIn(texts.value.after)];
  return ({ element, setting }) => {
    if (![...before, ...after].some((link) => elementOf(link) === element)) return false;
    const key = setting as LimitKey;
    return !attributes.has(key) || valuesOf(before)[key] !== valuesOf(after)[key];
  };
}

const chainOf = (policy: Policy | undefined, names: readonly string[]): Chain =>
  [...(policy?.tenants ?? []), ...(policy?.resellers ?? [])].find(
    ({ uid, account }) =>
      names.includes(`${uid}`) || (account !== undefined && names.includes(account.user)),
  )?.chain ?? [];

function elementOf({ kind, name }: Link): string | undefined {
  if (kind === 'defaults') return theDefaults;
  return kind === 'package' || kind === 'reseller package' ? `package "${name}"` : undefined;
}
