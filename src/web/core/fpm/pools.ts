/** The pools of all PHP versions, where they are written, and their problems. */
import { formatCause, type Cause } from '../../../../packages/base/problem.ts';
import { poolWriterOf } from '../../../layouts/layouts.ts';
import { addressKey, sameAddress, type Address } from '../address.ts';
import type { ConfigLine } from '../directive.ts';
import type { AccountFacts } from '../facts.ts';
import type { FpmPool } from './dump.ts';
import { strangerText } from './strangers.ts';

export interface Pool extends FpmPool {
  /** `8.4`. */
  readonly php: string;
  /** The places where its section begins and continues; empty if they were not found. */
  readonly places: readonly ConfigLine[];
  /** The uid of the account, if it exists. */
  readonly uid?: number;
}

export interface PoolFinding {
  /** The pool's name. */
  readonly pool: string;
  /** The version of PHP: `8.4`. */
  readonly php: string;
  readonly message: string;
}

/** Finds the pool that serves an address. */
export class PoolIndex {
  readonly #pools: ReadonlyMap<string, readonly Pool[]>;

  constructor(pools: readonly Pool[]) {
    this.#pools = Map.groupBy(
      pools.filter(({ address }) => address !== undefined),
      ({ address }) => addressKey(address!),
    );
  }

  at(address: Address): Pool | undefined {
    const near = this.#pools.get(addressKey(address)) ?? [];
    return near.find((each) => each.address !== undefined && sameAddress(each.address, address));
  }
}

export function poolFindings(pools: readonly Pool[], facts: AccountFacts): readonly PoolFinding[] {
  const index = new PoolIndex(pools);
  return pools.flatMap((pool) =>
    [
      unknownUser(pool),
      ...fileFindings(pool, facts),
      sectionTwice(pool),
      socketFinding(pool, facts),
      ...(facts.strangersOf?.(pool) ?? []).map((each) => ({ reason: strangerText(each) })),
      sharedAddress(pool, index),
    ].flatMap((cause) =>
      cause === undefined ? [] : [{ pool: pool.name, php: pool.php, message: formatCause(cause) }],
    ),
  );
}

const placeText = ({ file, line }: ConfigLine) => `${file}:${line}`;

function unknownUser({ user, uid }: Pool): Cause | undefined {
  if (uid !== undefined) return undefined;
  return {
    reason: user === '' ? 'it names no user' : `its user "${user}" is not an account of this host`,
  };
}

function fileFindings({ places, php }: Pool, facts: AccountFacts): readonly Cause[] {
  const files = [...new Set(places.map(({ file }) => file))];
  return files.flatMap((file) => fileFinding(file, facts, php) ?? []);
}

/**
 * Returns the problem of a pool file that others can write: they could choose the user of the pool. A panel's own
 * account may, unless it is a tenant.
 */
export function fileFinding(
  file: string,
  { ownersOf, nameOf, isTenant }: Pick<AccountFacts, 'ownersOf' | 'nameOf' | 'isTenant'>,
  php: string,
): Cause | undefined {
  const owners = ownersOf(file);
  if (owners === undefined) return undefined;
  const writer = poolWriterOf(php);
  const isPanel = (uid: number) => writer !== undefined && nameOf(uid) === writer && !isTenant(uid);
  const other = owners.uids.find((uid) => uid !== 0 && !isPanel(uid));
  if (other !== undefined)
    return {
      reason: `its file ${file} can be changed by ${nameOf(other)}, who can so run anything as anybody`,
      hint: 'run: chown root on it and on its directory',
    };
  return owners.writableByOthers
    ? { reason: `its file ${file} can be written by others`, hint: `run: chmod go-w ${file}` }
    : undefined;
}

function sectionTwice({ places }: Pool): Cause | undefined {
  const [first, ...others] = places;
  if (first === undefined || others.length === 0) return undefined;
  return {
    reason: `it is begun at ${placeText(first)} and changed at ${others.map(placeText).join(', ')}`,
    hint: 'give the other pool a name of its own',
  };
}

function socketFinding({ address }: Pool, facts: AccountFacts): Cause | undefined {
  if (address?.kind !== 'unix') return undefined;
  const directory = address.path.slice(0, Math.max(1, address.path.lastIndexOf('/')));
  const owner = facts.ownersOf(directory)?.uids.find(facts.isTenant);
  if (owner === undefined) return undefined;
  return {
    reason: `its socket ${address.path} is in a directory of ${facts.nameOf(owner)}, who can put a link to another tenant's socket in its place`,
    hint: 'listen below /run/php',
  };
}

function sharedAddress(pool: Pool, index: PoolIndex): Cause | undefined {
  const first = pool.address === undefined ? undefined : index.at(pool.address);
  if (first === undefined || first === pool) return undefined;
  return {
    reason: `it listens at ${pool.listen}, as the pool ${first.name} of PHP ${first.php} does`,
  };
}
