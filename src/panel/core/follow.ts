/** The record of a reading. What an incomplete reading lacks stays as it was, so that nobody loses a plan by an unreadable file. */
import type { PanelMember, PanelRecord } from '../../policy/panel/panel-record.ts';
import type { PackageName, PanelAccount, PanelData } from './panel-data.ts';

/** Returns the record. `known`: accounts of the last one, if this reading is partial and may lack them or their plans. */
export function recordOf(
  data: PanelData,
  known: readonly PanelMember[],
  readAt: number,
): PanelRecord {
  const administrators = administratorsOf(data);
  const read = data.accounts.map((each) => memberOf(each, administrators));
  const { source, panel, from } = data;
  const members = completed(read, known);
  return { source, panel, from, readAt, members: members.toSorted((a, b) => a.uid - b.uid) };
}

/** Returns the panel accounts whose packages are the panel's own. */
export const administratorsOf = ({
  administrators,
}: Pick<PanelData, 'administrators'>): ReadonlySet<string> => new Set(['root', ...administrators]);

function memberOf(
  { uid, user, package: plan, owner, mail, databaseAccounts, postgresqlAccounts }: PanelAccount,
  administrators: ReadonlySet<string>,
): PanelMember {
  return {
    uid,
    user,
    ...(plan && { plan: planOf(plan, administrators) }),
    ...(owner !== undefined && { owner }),
    ...(mail !== undefined && { mail }),
    ...(databaseAccounts && { databaseAccounts }),
    ...(postgresqlAccounts && { postgresqlAccounts }),
  };
}

/** An administrator's plan is the panel's own. */
export const planOf = ({ name, owner }: PackageName, administrators: ReadonlySet<string>) =>
  owner === undefined || administrators.has(owner) ? { name } : { name, owner };

function completed(
  read: readonly PanelMember[],
  known: readonly PanelMember[],
): readonly PanelMember[] {
  const earlier = new Map(known.map((each) => [keyOf(each), each]));
  const found = new Set(read.map(({ uid }) => uid));
  const withEarlier = (each: PanelMember): PanelMember => {
    const before = earlier.get(keyOf(each));
    const plan = each.plan ?? before?.plan;
    const databaseAccounts = each.databaseAccounts ?? before?.databaseAccounts;
    const postgresqlAccounts = each.postgresqlAccounts ?? before?.postgresqlAccounts;
    return {
      ...each,
      ...(plan && { plan }),
      ...(databaseAccounts && { databaseAccounts }),
      ...(postgresqlAccounts && { postgresqlAccounts }),
    };
  };
  return [...read.map(withEarlier), ...known.filter(({ uid }) => !found.has(uid))];
}

/** Returns the accounts that keep the plan of an earlier reading, since this one is partial and states none for them. */
export function carriedOver(
  { isPartial, accounts }: PanelData,
  known: readonly PanelMember[],
): readonly string[] {
  if (!isPartial) return [];
  const stated = new Set(accounts.filter((each) => each.package !== undefined).map(keyOf));
  const kept = known.filter((each) => each.plan !== undefined && !stated.has(keyOf(each)));
  return kept.map(({ user }) => user);
}

const keyOf = ({ uid, user }: Pick<PanelMember, 'uid' | 'user'>): string => `${uid} ${user}`;

export interface RecordChanges {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

/** Returns the accounts that differ between two records. */
export function changesBetween(
  before: PanelRecord | undefined,
  { members }: PanelRecord,
): RecordChanges {
  const known = new Map(before?.members.map((each) => [keyOf(each), JSON.stringify(each)]));
  const kept = new Set(members.map(keyOf));
  const names = (some: readonly PanelMember[]) => some.map(({ user }) => user);
  return {
    added: names(members.filter((each) => !known.has(keyOf(each)))),
    changed: names(
      members.filter(
        (each) => (known.get(keyOf(each)) ?? JSON.stringify(each)) !== JSON.stringify(each),
      ),
    ),
    removed: names((before?.members ?? []).filter((each) => !kept.has(keyOf(each)))),
  };
}
