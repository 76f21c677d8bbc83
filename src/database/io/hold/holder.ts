/**
 * Holds tenants to their share of the CPU time of database servers: keeps each one's budget, and pauses the clients of
 * those that owe.
 *
 * Nothing stays frozen: not while there are no looks, not without a watchdog that answers, and not longer than a slice.
 */
import type { Problem } from '../../../../packages/base/problem.ts';
import type { Driver } from '../../../host/driver.ts';
import type { Paths } from '../../../host/paths.ts';
import type { HoldMode } from '../../../policy/databases/databases-element.ts';
import type { Tenant } from '../../../policy/policy.ts';
import type { CpuUse } from '../../core/bucket.ts';
import { judge, keptConnectionsFraction, newHold, type Hold, type Rung } from '../../core/hold.ts';
import { changesIn, nextSlice, type Slice } from '../../core/slices.ts';
import { ClientSearch } from './client-search.ts';
import { Clients } from './clients.ts';
import { Freezer } from './freezer.ts';
import { distinct, recordFile, type FreezeFile } from './record.ts';
import { Watchdog } from './watchdog.ts';

export interface HolderOptions {
  readonly paths: Paths;
  readonly mode: HoldMode;
  readonly driver: Driver;
  /** Called with what failed; the same problem may come again. */
  readonly onProblem: (problem: Problem) => void;
  /** The monotonic clock in microseconds. */
  readonly now?: () => number;
}

/** The use of a tenant since the sample before. */
export interface TenantUse extends CpuUse {
  readonly tenant: Tenant;
}

/** A tenant on a rung, as the agent acts on it and reports it. It stays there for a minute after its debt is paid. */
export interface HeldTenant {
  readonly uid: number;
  readonly rung: Rung;
  readonly owes: boolean;
  /** Whether it pauses because the tenants of its reseller owe together. */
  readonly isForReseller: boolean;
  readonly balanceMicroseconds: number;
  /** The time for which clients were frozen since the sample before; of `watch`, for which they would have been. */
  readonly pausedMicroseconds: number;
  /** The part of its connections that it keeps. */
  readonly connectionsFraction: number;
  /** How many of its statements are to be ended now. */
  readonly ends: number;
  /** Why some of its clients cannot be frozen. */
  readonly refused: readonly string[];
}

interface Entry {
  tenant: Tenant;
  hold: Hold;
  isForReseller: boolean;
  slice: Slice;
  /** The time paused that was not reported yet, and until when it is counted. */
  paused: number;
  countedAt: number;
  frozen: readonly FreezeFile[];
  readonly clients: ClientSearch;
  isSearching: boolean;
}

/** A process that got the rights of others while it was being frozen has them by then. */
const settledMilliseconds = 20;
/** The time after which nobody is paused any more by an old sample. */
const staleMicroseconds = 2_000_000;

const owesNow = ({ hold, isForReseller }: Entry) => hold.owes || isForReseller;

function heldOf(
  { tenant, hold, isForReseller, clients }: Entry,
  pausedMicroseconds: number,
  ends: number,
): HeldTenant | undefined {
  if (hold.rung === 'none' && !isForReseller) return undefined;
  const isCapped = hold.rung === 'connections' || hold.rung === 'statements';
  return {
    uid: tenant.uid,
    rung: hold.rung === 'none' ? 'freeze' : hold.rung,
    owes: hold.owes || isForReseller,
    isForReseller: isForReseller && !hold.owes,
    balanceMicroseconds: hold.balance,
    pausedMicroseconds,
    connectionsFraction: isCapped ? keptConnectionsFraction : 1,
    ends,
    refused: clients.refused,
  };
}

export class Holder implements Disposable {
  readonly #options: HolderOptions;
  readonly #freezer: Freezer;
  readonly #clients: Clients;
  readonly #now: () => number;
  readonly #entries = new Map<number, Entry>();
  #watchdog: Watchdog | undefined;
  #lookedAt = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(options: HolderOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now() * 1_000);
    this.#freezer = new Freezer(options.paths);
    this.#clients = new Clients(options.driver, options.paths);
    this.#report(this.#freezer.begin());
  }

  /**
   * Judges tenants after a look, and returns all that are held. `isAll`: the others have no limit any more; otherwise they
   * were not looked at. `forResellers` pause although they owe nothing themselves; absent: the same as before.
   */
  look(
    uses: readonly TenantUse[],
    sockets: readonly string[],
    isAll = true,
    forResellers?: ReadonlySet<number>,
  ): readonly HeldTenant[] {
    this.#lookedAt = this.#now();
    const known = new Set(uses.map(({ tenant }) => tenant.uid));
    const others = [...this.#entries].filter(([uid]) => !known.has(uid));
    for (const [uid, entry] of isAll ? others : []) {
      this.#letGo(entry);
      this.#entries.delete(uid);
    }
    for (const { tenant } of forResellers === undefined ? [] : uses)
      this.#entryOf(tenant).isForReseller = forResellers?.has(tenant.uid) === true;
    const held = [
      ...uses.flatMap((use) => this.#judge(use, sockets) ?? []),
      ...(isAll ? [] : others.flatMap(([, entry]) => heldOf(entry, 0, 0) ?? [])),
    ];
    const frozen = [...this.#entries.values()].flatMap((each) => each.frozen);
    this.#report(this.#freezer.releaseOthers(frozen));
    this.#turn();
    return held;
  }

  #judge(use: TenantUse, sockets: readonly string[]): HeldTenant | undefined {
    const entry = this.#entryOf(use.tenant);
    const { mode } = this.#options;
    const hold = judge(entry.hold, { ...use, canFreeze: this.#canFreeze(entry) }, mode);
    entry.hold = hold;
    const paused = this.#takePaused(entry);
    if (mode === 'on' && owesNow(entry)) this.#search(entry, sockets);
    return heldOf(entry, paused, hold.ends);
  }

  #entryOf(tenant: Tenant): Entry {
    const found = this.#entries.get(tenant.uid);
    if (found !== undefined) {
      found.tenant = tenant;
      return found;
    }
    const entry: Entry = {
      tenant,
      hold: newHold,
      isForReseller: false,
      slice: { isFrozen: false, since: -Infinity },
      paused: 0,
      countedAt: 0,
      frozen: [],
      clients: new ClientSearch(),
      isSearching: false,
    };
    this.#entries.set(tenant.uid, entry);
    return entry;
  }

  /** Why nothing can be frozen on this host. */
  get #obstacle(): string | undefined {
    return this.#clients.obstacle ?? Watchdog.missing();
  }

  #canFreeze({ clients }: Entry): boolean | undefined {
    if (this.#obstacle !== undefined) return false;
    return clients.canFreeze;
  }

  /** Finds the clients, also again: they come and go. */
  #search(entry: Entry, sockets: readonly string[]): void {
    if (entry.isSearching || !entry.clients.isDue(this.#now()) || this.#obstacle !== undefined)
      return;
    this.#watchdog ??= this.#startWatchdog();
    entry.isSearching = true;
    void this.#clients.find(entry.tenant, sockets).then((found) => {
      entry.isSearching = false;
      entry.clients.add(found.ok ? found.value : undefined, this.#now());
      if (!found.ok) this.#report([found.error]);
      this.#turn();
    });
  }

  #startWatchdog(): Watchdog {
    return new Watchdog({
      record: recordFile(this.#options.paths),
      onLost: (how) => {
        this.releaseAll();
        this.#report([{ action: 'watch over frozen tenants', reason: how }]);
      },
    });
  }

  /** Freezes and thaws what is due, and comes back when the next slice is over. */
  #turn(): void {
    clearTimeout(this.#timer);
    if (this.#isOver) return;
    const now = this.#now();
    const isStale = now - this.#lookedAt > staleMicroseconds;
    let next = Infinity;
    for (const entry of this.#entries.values()) {
      const owes = owesNow(entry) && !isStale && this.#isReady(entry);
      const slice = nextSlice(entry.slice, owes, now);
      if (slice !== entry.slice) this.#change(entry, slice, now);
      if (!owes && entry.frozen.length > 0) this.#letGo(entry);
      if (owes) next = Math.min(next, changesIn(entry.slice, now));
    }
    if (next === Infinity) return;
    this.#timer = setTimeout(() => this.#turn(), Math.max(1, Math.ceil(next / 1_000)));
  }

  #isReady({ clients }: Entry): boolean {
    if (this.#options.mode === 'watch') return true;
    return this.#watchdog?.isAlive === true && clients.freezable.length > 0;
  }

  #change(entry: Entry, slice: Slice, now: number): void {
    this.#count(entry, now);
    if (this.#options.mode === 'watch') entry.slice = slice;
    else if (slice.isFrozen) this.#freeze(entry, slice);
    else {
      this.#report(this.#freezer.thaw(entry.frozen));
      entry.slice = slice;
    }
  }

  #freeze(entry: Entry, slice: Slice): void {
    const frozen = entry.clients.freezable.filter((file) => this.#freezeOne(entry, file));
    entry.frozen = distinct([...entry.frozen, ...frozen]);
    // They are searched for again.
    if (frozen.length === 0) return entry.clients.forget();
    entry.slice = slice;
    setTimeout(() => this.#examine(entry, slice, frozen), settledMilliseconds).unref();
  }

  /** Thaws what must not be frozen after all. */
  #examine(entry: Entry, slice: Slice, frozen: readonly FreezeFile[]): void {
    if (entry.slice !== slice) return;
    const wrong = frozen.filter((file) => !this.#clients.mayStayFrozen(entry.tenant, file));
    this.#report(this.#freezer.thaw(wrong));
  }

  #freezeOne({ tenant }: Entry, file: FreezeFile): boolean {
    if (!this.#clients.mayFreeze(tenant, file)) return false;
    const frozen = this.#freezer.freeze(tenant.uid, file);
    if (!frozen.ok) this.#report([frozen.error]);
    return frozen.ok && frozen.value;
  }

  #count(entry: Entry, now: number): void {
    if (entry.slice.isFrozen)
      entry.paused += Math.max(0, now - Math.max(entry.slice.since, entry.countedAt));
    entry.countedAt = now;
  }

  #takePaused(entry: Entry): number {
    this.#count(entry, this.#now());
    const { paused } = entry;
    entry.paused = 0;
    return paused;
  }

  #letGo(entry: Entry): void {
    const now = this.#now();
    this.#report(this.#freezer.release(entry.frozen));
    this.#count(entry, now);
    entry.frozen = [];
    entry.slice = { isFrozen: false, since: now };
  }

  /** Thaws everybody, as when the server does not answer. The budgets stay. */
  releaseAll(): void {
    clearTimeout(this.#timer);
    for (const entry of this.#entries.values()) this.#letGo(entry);
    this.#report(this.#freezer.releaseAll());
  }

  #report(problems: readonly Problem[]): void {
    for (const each of problems) this.#options.onProblem(each);
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.releaseAll();
    this.#watchdog?.[Symbol.dispose]();
    this.#watchdog = undefined;
  }
}
