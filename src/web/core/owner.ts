/**
 * The owner of a site: the tenant as whom its programs run, or else the owner of its directory. If
 * several answers differ, the first one counts, and all are reported.
 */
import type { AccountFacts } from './facts.ts';
import type { PoolIndex } from './fpm/pools.ts';
import type { ServerSite } from './site.ts';

export interface OwnerAnswer {
  /** The kind of setting that shows the owner. */
  readonly by: 'pool' | NonNullable<ServerSite['runsAs']>['by'] | 'LiteSpeed' | 'directory';
  /** The pool, the account, the path. */
  readonly what: string;
  readonly uid: number;
  /** The tenant. */
  readonly name: string;
}

export interface SiteOwnership {
  readonly owner: OwnerAnswer | undefined;
  /** All answers that name a tenant, the one that counts first. */
  readonly owners: readonly OwnerAnswer[];
  readonly findings: readonly string[];
}

export function ownershipOf(
  site: ServerSite,
  pools: PoolIndex,
  facts: AccountFacts,
): SiteOwnership {
  const named = [
    ...poolAnswers(site, pools, facts),
    ...runsAsAnswers(site, facts),
    ...externalAnswers(site, facts),
  ];
  const answers = [...named, ...directoryAnswers(site, facts)].filter(({ uid }) =>
    facts.isTenant(uid),
  );
  const [owner] = answers;
  const distinct = answers.filter(
    ({ uid }, index) => answers.findIndex((each) => each.uid === uid) === index,
  );
  const findings = [...ghosts(site, facts)];
  if (distinct.length > 1) {
    const list = distinct.map(({ by, what, name }) => `${name} by ${sourceText[by]} ${what}`);
    findings.push(`More than one tenant is named as its owner, ${list.join(', ')}`);
  }
  return { owner, owners: distinct, findings };
}

const sourceText: Readonly<Record<OwnerAnswer['by'], string>> = {
  pool: 'the pool',
  SuexecUserGroup: 'SuexecUserGroup',
  AssignUserID: 'AssignUserID',
  RUidGid: 'RUidGid',
  suPHP_UserGroup: 'suPHP_UserGroup',
  LiteSpeed: 'LiteSpeed, which runs its programs as',
  directory: 'the directory',
};

function poolAnswers(
  site: ServerSite,
  pools: PoolIndex,
  facts: AccountFacts,
): readonly OwnerAnswer[] {
  return site.handlers.flatMap((each) => {
    if (each.kind !== 'fastcgi' || each.address === undefined) return [];
    const pool = pools.at(each.address);
    if (pool?.uid === undefined) return [];
    const { uid, name } = pool;
    return [{ by: 'pool' as const, what: name, uid, name: facts.nameOf(uid) }];
  });
}

function runsAsAnswers({ runsAs }: ServerSite, facts: AccountFacts): readonly OwnerAnswer[] {
  const uid = runsAs === undefined ? undefined : facts.uidOf(runsAs.user);
  if (runsAs === undefined || uid === undefined) return [];
  return [{ by: runsAs.by, what: runsAs.user, uid, name: facts.nameOf(uid) }];
}

function externalAnswers({ handlers }: ServerSite, facts: AccountFacts): readonly OwnerAnswer[] {
  return handlers.flatMap((each) => {
    const uid = each.kind === 'external' ? facts.uidOf(each.user) : undefined;
    if (uid === undefined) return [];
    const name = facts.nameOf(uid);
    return [{ by: 'LiteSpeed' as const, what: name, uid, name }];
  });
}

/** Returns owners of the directories above, too: they can put another directory in its place. */
function directoryAnswers({ root }: ServerSite, facts: AccountFacts): readonly OwnerAnswer[] {
  if (root === undefined || !root.startsWith('/')) return [];
  const uids = facts.ownersOf(root)?.uids ?? [];
  return uids.toReversed().map((uid) => ({
    by: 'directory',
    what: root,
    uid,
    name: facts.nameOf(uid),
  }));
}

function ghosts({ runsAs }: ServerSite, facts: AccountFacts): readonly string[] {
  if (runsAs === undefined || facts.uidOf(runsAs.user) !== undefined) return [];
  return [`${runsAs.by} names "${runsAs.user}", which is not an account of this host`];
}
