/**
 * Lowers the CPU limits of tenants by what database servers use for them, under one policy after another.
 *
 * The kernel's files are the source of truth: they are read before they are changed. A value that is not ours was written
 * by an apply, whose policy comes soon, and stays until then. Nothing is lowered that is not recorded, nor without a
 * watchdog that answers; so nothing stays lowered when this process ends.
 */
import { formatProblem, type Problem } from '../../../../packages/base/problem.ts';
import type { CgroupFiles } from '../../../host/cgroups/cgroup-files.ts';
import type { Driver } from '../../../host/driver.ts';
import {
  forgetLowered,
  loweredFile,
  restoreAndForget,
  writeLowered,
} from '../../../host/cgroups/lowered-quotas.ts';
import type { Paths } from '../../../host/paths.ts';
import { periodMicroseconds } from '../../../limits/cpu.ts';
import { cpuMicroseconds, loweredText } from '../../../limits/lowered-cpu.ts';
import { countedCpuOf } from '../../../policy/databases/counted-cpu.ts';
import type { Policy } from '../../../policy/policy.ts';
import { tenantMember, type Member } from '../../../usage/member.ts';
import { nextQuota } from '../../core/lowered-quota.ts';
import { RecentUse } from '../../core/recent-use.ts';
import { Watchdog } from '../hold/watchdog.ts';
import { countedLimits, cpuFilesOf, type CountedFile, type CountedLimit } from './counted-files.ts';

export interface MoverOptions {
  readonly paths: Pick<Paths, 'runtime'>;
  readonly warn: (text: string) => void;
  /** The program of the watchdog; absent: the package's. */
  readonly program?: string;
  /** The monotonic clock in microseconds. */
  readonly now?: () => number;
}

interface Counted {
  readonly limit: CountedLimit;
  /** The use of servers, if it is a tenant. */
  readonly use: RecentUse;
  /** The quota that the kernel is to have, in microseconds of each period. */
  quota: number;
  /**
   *     unchecked   the kernel is to have what this object wants, whoever wrote what it has
   *     ours        it has that
   *     theirs      somebody else wrote it; it is checked within a minute, or with the next policy
   */
  state: 'unchecked' | 'ours' | 'theirs';
}

/** Returns by how much a limit is lowered now, in microseconds of each period. */
const loweredBy = ({ limit, quota, state }: Counted): number =>
  state === 'ours' ? limit.full - quota : 0;

const stepMilliseconds = 1_000;
/** So many limits are checked in a step, and all of them again after a minute. */
const checkedMax = 500;
const checkMicroseconds = 60_000_000;
/** More files are not lowered at a time. */
const recordedMax = 20_000;

export class QuotaMover implements Disposable {
  readonly #options: MoverOptions;
  readonly #now: () => number;
  #driver: Driver | undefined;
  #counted = new Map<Member, Counted>();
  /** The files that are lowered, or may be. */
  readonly #recorded = new Map<Member, readonly CountedFile[]>();
  #watchdog: Watchdog | undefined;
  #timer: NodeJS.Timeout | undefined;
  #checkAt = 0;

  constructor(options: MoverOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now() * 1000);
  }

  /** The limit now in cores, if it is lowered. */
  nowOf(member: Member): number | undefined {
    const counted = this.#counted.get(member);
    return counted !== undefined && loweredBy(counted) > 0
      ? counted.quota / periodMicroseconds
      : undefined;
  }

  /** Adds what servers have used for tenants since the look before. */
  add(used: ReadonlyMap<number, number>, elapsedMicroseconds: number): void {
    const now = this.#now();
    for (const [uid, each] of used)
      this.#counted.get(tenantMember(uid))?.use.add(each, elapsedMicroseconds, now);
  }

  /**
   * Takes over a policy that has been applied. A limit that still counts stays lowered, and one that does not gets what
   * the policy wants: the apply may have been before this object's last write.
   */
  follow(policy: Policy, probe: () => Driver | undefined): void {
    clearTimeout(this.#timer);
    const isCounting = policy.tenants.some((each) => countedCpuOf(each) !== undefined);
    if (!isCounting && this.#recorded.size === 0) return this.#end();
    this.#driver?.[Symbol.dispose]();
    this.#driver = probe();
    if (this.#driver === undefined) return this.#end();
    const limits = countedLimits(policy, this.#driver, new Set(this.#recorded.keys()));
    const before = this.#counted;
    this.#counted = new Map(
      [...limits].flatMap(([member, limit]) => {
        if (!limit.isCounted) return [];
        const { use = new RecentUse(), quota = Infinity } = before.get(member) ?? {};
        const now = Math.min(quota, limit.full);
        return [[member, { limit, use, quota: now, state: 'unchecked' }]] as const;
      }),
    );
    this.#passOn(limits);
    if (this.#counted.size === 0) return this.#end();
    this.#checkAt = this.#now() + checkMicroseconds;
    this.#turn();
  }

  /** Records what restores the limits of now, and restores those that do not count any more. */
  #passOn(limits: ReadonlyMap<Member, CountedLimit>): void {
    for (const [member, files] of this.#recorded) {
      const limit = limits.get(member);
      if (limit !== undefined && this.#counted.has(member)) this.#recorded.set(member, limit.files);
      else if (this.#write(limit ?? { files: this.#lower(files) }, Infinity))
        this.#recorded.delete(member);
    }
    this.#saveRecord();
  }

  /** Returns the files of a member that is gone which are still lower than its limit was; it may have none any more. */
  #lower(files: readonly CountedFile[]): readonly CountedFile[] {
    const isLower = (file: CountedFile) =>
      cpuMicroseconds(this.#read(file) ?? 'max') < cpuMicroseconds(file.setting.value);
    return files.filter(isLower);
  }

  #turn(): void {
    this.step();
    this.#timer = setTimeout(() => this.#turn(), stepMilliseconds).unref();
  }

  /** Moves the limits, once a second. */
  step(): void {
    const now = this.#now();
    if (now >= this.#checkAt) {
      for (const each of this.#counted.values()) each.state = 'unchecked';
      this.#checkAt = now + checkMicroseconds;
    }
    const lost = this.#lostByReseller();
    const wanted = [...this.#counted.values()].map((each) => {
      const { limit, quota, use } = each;
      const used = lost.get(limit.member) ?? use.average(now);
      return { each, next: nextQuota(limit.full, quota, used) };
    });
    const lowered = wanted.filter(({ each, next }) => next < each.limit.full);
    const mayLower = this.#prepare(lowered.map(({ each }) => each.limit));
    let checks = checkedMax;
    for (const { each, next } of wanted) {
      const quota = mayLower(each.limit.member) ? next : each.limit.full;
      const isDue = each.state === 'unchecked' && checks-- > 0;
      // The watchdog may have restored what is lowered, while this process had to wait.
      const isMoved = quota !== each.quota || each.quota < each.limit.full;
      if (isDue || (isMoved && each.state === 'ours')) this.#move(each, quota);
    }
    const isBack = (member: Member) => {
      const { quota, limit, state } = this.#counted.get(member) ?? {};
      return state === 'ours' && quota === limit?.full;
    };
    const back = [...this.#recorded.keys()].filter(isBack);
    for (const member of back) this.#recorded.delete(member);
    if (back.length > 0) this.#saveRecord();
  }

  /**
   * Returns by how many cores the limits of each reseller's tenants are lowered now. A reseller's limit is lowered by that,
   * and not by what servers use: so nobody takes more from the reseller's other tenants than its own limit.
   */
  #lostByReseller(): ReadonlyMap<Member, number> {
    const lost = new Map<Member, number>();
    for (const each of this.#counted.values()) {
      const { reseller } = each.limit;
      if (reseller === undefined) continue;
      const cores = loweredBy(each) / periodMicroseconds;
      lost.set(reseller, (lost.get(reseller) ?? 0) + cores);
    }
    return lost;
  }

  /** Returns which of these may be lowered now: those that are recorded, while the watchdog answers. */
  #prepare(lowered: readonly CountedLimit[]): (member: Member) => boolean {
    if (lowered.length > 0) this.#watchdog ??= this.#startWatchdog();
    if (this.#watchdog?.isAlive !== true) return () => false;
    let left = recordedMax - [...this.#recorded.values()].flat().length;
    const fresh = lowered.filter(
      ({ member, files }) => !this.#recorded.has(member) && (left -= files.length) >= 0,
    );
    for (const { member, files } of fresh) this.#recorded.set(member, files);
    if (fresh.length > 0 && !this.#saveRecord())
      for (const { member } of fresh) this.#recorded.delete(member);
    return (member) => this.#recorded.has(member);
  }

  #startWatchdog(): Watchdog | undefined {
    const { paths, program } = this.#options;
    const missing = Watchdog.missing(program);
    if (missing !== undefined) {
      this.#options.warn(`No CPU limit is lowered by what database servers use: ${missing}`);
      return undefined;
    }
    return new Watchdog({
      record: loweredFile(paths),
      onLost: (how) => {
        this.#options.warn(`The process that restores CPU limits is started again: ${how}`);
        this.#restore();
      },
      ...(program === undefined ? {} : { program }),
    });
  }

  #move(each: Counted, next: number): void {
    const { limit, quota, state } = each;
    const [first] = limit.files;
    const text = first && this.#read(first);
    // A cgroup that is made again gets the whole limit.
    const isWhole = text === undefined || text === first?.setting.value;
    const isOurs = first !== undefined && text === loweredText(first.setting, quota);
    if (state === 'ours' && !isWhole && !isOurs) {
      each.state = 'theirs';
      return;
    }
    each.state = this.#write(limit, next) ? 'ours' : 'theirs';
    each.quota = next;
  }

  #read({ cgroup, setting }: CountedFile): string | undefined {
    return this.#files?.read(cgroup, setting.file)?.trim();
  }

  get #files(): CgroupFiles | undefined {
    return this.#driver && cpuFilesOf(this.#driver);
  }

  /** Gives the files of a tenant at most `quota`. Returns whether all have it; a cgroup that has gone needs nothing. */
  #write({ files }: Pick<CountedLimit, 'files'>, quota: number): boolean {
    const changes = files.flatMap((file) => {
      const from = this.#read(file);
      const to = loweredText(file.setting, quota);
      if (from === undefined || from === to) return [];
      return [{ file, to, isRise: cpuMicroseconds(to) > cpuMicroseconds(from) }];
    });
    const rises = changes.filter(({ isRise }) => isRise);
    const falls = changes.filter(({ isRise }) => !isRise).toReversed();
    return [...rises, ...falls].every(({ file: { cgroup, path, setting }, to }) => {
      const written = this.#files?.write(cgroup, setting.file, to);
      if (written?.ok !== false || ['ENOENT', 'ENODEV'].includes(written.error)) return true;
      const reason = `the kernel refused "${to}" (${written.error})`;
      this.#report({ action: 'change the CPU limit', object: path, reason });
      return false;
    });
  }

  #saveRecord(): boolean {
    const { paths } = this.#options;
    const files = [...this.#recorded.values()].flat();
    if (files.length === 0) {
      forgetLowered(paths);
      return true;
    }
    const written = writeLowered(paths, files);
    if (!written.ok) this.#report(written.error);
    return written.ok;
  }

  #report(problem: Problem): void {
    this.#options.warn(formatProblem(problem));
  }

  /** Restores all limits. */
  #restore(): void {
    if (this.#recorded.size === 0) return;
    // Without a driver, the record says which files they are.
    if (this.#driver === undefined)
      for (const each of restoreAndForget(this.#options.paths)) this.#report(each);
    const isLeft = (member: Member) => {
      const counted = this.#counted.get(member);
      if (counted === undefined || this.#driver === undefined) return false;
      return !this.#write(counted.limit, Infinity);
    };
    const left = [...this.#recorded].filter(([member]) => isLeft(member));
    this.#recorded.clear();
    for (const [member, files] of left) this.#recorded.set(member, files);
    this.#saveRecord();
    for (const each of this.#counted.values()) {
      each.quota = each.limit.full;
      each.state = 'unchecked';
    }
  }

  #end(): void {
    clearTimeout(this.#timer);
    this.#restore();
    this.#counted.clear();
    this.#watchdog?.[Symbol.dispose]();
    this.#watchdog = undefined;
    this.#driver?.[Symbol.dispose]();
    this.#driver = undefined;
  }

  [Symbol.dispose](): void {
    this.#end();
  }
}
