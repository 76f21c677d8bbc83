/**
 * The controller in the process of a centre: it follows what hosts say, and puts one record after the other.
 *
 * - Servers take a record only from whoever has seen the last one, so of two controllers one is refused, and looks again.
 * - A record that a person has put into the published directory goes on from there, and wins.
 * - Servers that have lost the last records get them again: the newest one is kept in the centre's own directory.
 *
 * Without its key in the trust it says nothing of its own, and only brings the records of people to the servers.
 */
import { printable } from '../../../../packages/base/printable.ts';
import { formatProblem, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { TrustDocument } from '../../core/documents.ts';
import { documentText } from '../../core/parse.ts';
import {
  compareRecords,
  isNewWord,
  isSameWord,
  joined,
  joinedInOrder,
} from '../../core/rollout/agree.ts';
import type { Centre, RolloutStatus } from '../../core/rollout/centre.ts';
import { decide, rolloutTimes, type RolloutTimes } from '../../core/rollout/decide.ts';
import type { RolloutPlan } from '../../core/rollout/plan.ts';
import type { RolloutRecord } from '../../core/rollout/record.ts';
import {
  lastRecord,
  putNext,
  say,
  type LastRecord,
  type PutRecord,
  type Said,
  type Saying,
} from './controller.ts';
import type { ControllerKey } from './controller-key.ts';
import { clockError } from '../verify/verify-bundle.ts';
import { directoryCentre } from './directory-centre.ts';
import { noMemory, readMemory, writeMemory, type Memory } from './memory.ts';
import { followTrust } from './pinned-trust.ts';
import type { PublishedFleet } from './published.ts';
import { PublishedDirectory } from './published-fleet.ts';
import { signedRecord, type SignedRecord } from './signed-record.ts';
import { uploadRecord } from './upload-record.ts';

export interface LeaderParts {
  /** The directory that `fleet publish` has written. */
  readonly release: string;
  /** The centre's own directory. */
  readonly directory: string;
  readonly key: ControllerKey;
  readonly statuses: () => Result<ReadonlyMap<string, RolloutStatus>, Problem>;
  readonly log: { readonly info: (text: string) => void; readonly warn: (text: string) => void };
  readonly times?: LeaderTimes;
}

export interface LeaderTimes extends RolloutTimes {
  /** The age of a record when it is said again: hosts count it for a day. */
  readonly renewMilliseconds: number;
  /** The time without a step after which hosts have their time anew. */
  readonly gapMilliseconds: number;
}

export const leaderTimes: LeaderTimes = {
  ...rolloutTimes,
  renewMilliseconds: 6 * 3_600_000,
  gapMilliseconds: 60_000,
};

/** The records that are known. */
interface Known {
  readonly trust: TrustDocument;
  /** The newest record of all, by its number: the next one gets a larger one. */
  readonly highest: RolloutRecord | undefined;
  readonly there: LastRecord;
  readonly own: SignedRecord | undefined;
  /** The record of people in the published directory, and the last one that was followed. */
  readonly word: SignedRecord | undefined;
  readonly heard: RolloutRecord | undefined;
  readonly memory: Memory;
}

export class Leader {
  readonly #parts: LeaderParts;
  readonly #times: LeaderTimes;
  readonly #published: PublishedDirectory;
  #listensSince = 0;
  #steppedAt = 0;
  /** The last record, and the time when it was seen first: the clock of whoever issued it may have been ahead. */
  #seen = { text: '', at: 0 };
  /** The time since when the published directory has no whole release. */
  #brokenSince: number | undefined;

  constructor(parts: LeaderParts) {
    this.#parts = parts;
    this.#times = parts.times ?? leaderTimes;
    this.#published = new PublishedDirectory(parts.release);
  }

  /** Does what is due. What has failed is due again. `now` is in milliseconds since 1970. */
  async step(centre: Centre, now: number): Promise<Result<void, Problem>> {
    if (Math.abs(now - this.#steppedAt) > this.#times.gapMilliseconds) {
      this.#listensSince = now;
      this.#seen = { text: '', at: now };
    }
    this.#steppedAt = now;
    const { key, directory } = this.#parts;
    const given = this.#published.trust();
    if (!given.ok) return given;
    if (given.value === undefined) return ok(undefined);
    const trust = followTrust(directory, given.value, (each) => key.isListed(each));
    if (!trust.ok) return trust;
    if (!key.isListed(trust.value)) return await this.#carry(centre);
    const known = await this.#known(centre, trust.value);
    if (!known.ok) return known;
    const last = await this.#agree(centre, known.value, now);
    if (!last.ok || last.value === undefined) return last.ok ? ok(undefined) : last;
    const kept = this.#remember(known.value, last.value);
    const led = await this.#lead(centre, trust.value, last.value, { now, isKept: kept.ok });
    return led.ok ? kept : led;
  }

  async #carry(centre: Centre): Promise<Result<void, Problem>> {
    const put = await uploadRecord(this.#parts.release, centre);
    if (put.ok && put.value) this.#parts.log.info('The servers have a new record of the rollout');
    return put.ok ? ok(undefined) : put;
  }

  async #known(centre: Centre, trust: TrustDocument): Promise<Result<Known, Problem>> {
    const memory = this.#memory();
    if (!memory.ok) return memory;
    const people = await lastRecord(directoryCentre(this.#parts.release), trust);
    if (!people.ok) return people;
    const there = await lastRecord(centre, trust);
    if (!there.ok) return there;
    const own = signedRecord(memory.value.last, trust);
    const word = signedRecord(people.value.text, trust);
    const all = [own?.record, word?.record, there.value.record].filter(
      (each) => each !== undefined,
    );
    return ok({
      trust,
      highest: all.toSorted(compareRecords).at(-1),
      there: there.value,
      own,
      word,
      heard: signedRecord(memory.value.heard, trust)?.record,
      memory: memory.value,
    });
  }

  /** One that is damaged is none: it is written anew with what the servers have. */
  #memory(): Result<Memory, Problem> {
    const memory = readMemory(this.#parts.directory);
    if (memory.ok || memory.error.errno !== undefined) return memory;
    this.#parts.log.warn(formatProblem(memory.error));
    return ok(noMemory);
  }

  /** Makes the servers have what counts. Returns it; undefined: there is nothing, or another controller was faster. */
  async #agree(
    centre: Centre,
    known: Known,
    now: number,
  ): Promise<Result<LastRecord | undefined, Problem>> {
    const { trust, highest, there, own, word, heard } = known;
    const before = joinedInOrder(own?.record, there.record);
    const isNew = word !== undefined && isNewWord(word.record, heard, before);
    const wanted = isNew ? joined(word.record, before) : before;
    if (wanted === undefined) return ok(undefined);
    if (isSameWord(wanted, there.record) && !isAfter(own?.record, there.record)) return ok(there);
    // As it was signed, if hosts take it after all others.
    const signed = [own, word].find((each) => each?.record === wanted);
    if (signed !== undefined && isSameRecord(signed.record, highest)) {
      const put = await centre.put(signed.text, there.sequence);
      if (!put.ok) return put;
      if (put.value.kind === 'conflict') return ok(undefined);
      this.#log(signed.record);
      return ok({ ...signed, sequence: put.value.sequence });
    }
    const saying = this.#saying(centre, { ...there, record: highest }, now);
    const put = await putNext('lead the rollout of', wanted, trust, saying);
    if (!put.ok || put.value === 'conflict') return put.ok ? ok(undefined) : put;
    this.#log(put.value.record);
    return ok(put.value);
  }

  #saying(centre: Centre, last: LastRecord, now: number): Saying {
    return { centre, last, sign: (text) => ok(this.#parts.key.sign(text)), now };
  }

  #log({ release, verdict, wave, reason }: RolloutRecord): void {
    const why = reason === '' ? '' : `: ${printable(reason)}`;
    const line = `Rollout of generation ${release.generation}: ${verdict}, wave ${wave}${why}`;
    if (verdict === 'go' || verdict === 'keep') this.#parts.log.info(line);
    else this.#parts.log.warn(line);
  }

  /** Keeps the newest record, and the word of people that is in it. */
  #remember({ memory, word }: Known, last: LastRecord): Result<void, Problem> {
    const next: Memory = {
      format: 1,
      last: last.text ?? memory.last,
      heard: word?.text ?? memory.heard,
    };
    const isKnown = next.last === memory.last && next.heard === memory.heard;
    return isKnown ? ok(undefined) : writeMemory(this.#parts.directory, next);
  }

  /** Says what the hosts' statuses lead to, or the same again. */
  async #lead(
    centre: Centre,
    trust: TrustDocument,
    last: LastRecord,
    { now, isKept }: { readonly now: number; readonly isKept: boolean },
  ): Promise<Result<void, Problem>> {
    const { record } = last;
    if (record === undefined) return ok(undefined);
    if (this.#seen.text !== last.text) this.#seen = { text: last.text ?? '', at: now };
    const fleet = this.#published.fleet(now);
    if (!fleet.ok) {
      const braked = await this.#brake(centre, trust, { ...last, record }, now);
      return braked.ok ? fleet : braked;
    }
    this.#brokenSince = undefined;
    const isWhole = fleet.value && documentText(fleet.value.trust) === documentText(trust);
    const due = isWhole ? this.#due(fleet.value.plan, record, now) : ok(undefined);
    // Without a memory it can stop a rollout, and not go on with it.
    const isDue = due.ok && due.value !== undefined && (isKept || due.value.word !== 'next');
    if (!isDue || fleet.value === undefined) return due.ok ? ok(undefined) : due;
    return await this.#say(due.value, fleet.value, this.#saying(centre, last, now));
  }

  async #say(said: Said, fleet: PublishedFleet, saying: Saying): Promise<Result<void, Problem>> {
    const put = await say(said, fleet, saying);
    if (!put.ok || put.value === 'conflict') return put.ok ? ok(undefined) : put;
    if (said.word !== 'renew') this.#log(put.value.record);
    return this.#rememberLast(put.value);
  }

  #rememberLast({ text }: PutRecord): Result<void, Problem> {
    const memory = this.#memory();
    if (!memory.ok) return memory;
    return writeMemory(this.#parts.directory, { ...memory.value, last: text });
  }

  /** Stops a rollout, and goes on with none, while the published directory has no whole release. */
  async #brake(
    centre: Centre,
    trust: TrustDocument,
    last: LastRecord & { readonly record: RolloutRecord },
    now: number,
  ): Promise<Result<void, Problem>> {
    const next = this.#braked(last.record, now);
    if (next === undefined) return ok(undefined);
    const put = await putNext('stop the rollout of', next, trust, this.#saying(centre, last, now));
    if (!put.ok || put.value === 'conflict') return put.ok ? ok(undefined) : put;
    this.#log(put.value.record);
    return this.#rememberLast(put.value);
  }

  /** Returns what is to be said without a whole release; undefined: nothing. */
  #braked(record: RolloutRecord, now: number): RolloutRecord | undefined {
    this.#brokenSince ??= now;
    const plan = this.#published.last?.plan;
    const due = plan === undefined ? ok(undefined) : this.#due(plan, record, now);
    const said = due.ok ? due.value : undefined;
    const reason = said?.reason ?? 'the published directory has no whole release';
    if (said?.word === 'back') return { ...record, verdict: 'back', reason };
    const isLong = now - this.#brokenSince > this.#times.silentGraceMilliseconds;
    if (record.verdict === 'go' && (said?.word === 'pause' || isLong))
      return { ...record, verdict: 'hold', reason };
    return this.#isOld(record, now) ? record : undefined;
  }

  #due(plan: RolloutPlan, record: RolloutRecord, now: number): Result<Said | undefined, Problem> {
    if (record.verdict === 'go' || record.verdict === 'hold') {
      const statuses = this.#parts.statuses();
      if (!statuses.ok) return statuses;
      const seen = { statuses: statuses.value, now, times: this.#times };
      const opened = Math.min(Date.parse(record.opened), this.#seen.at);
      const since = { opened, listens: this.#listensSince };
      const decision = decide(plan, record, seen, since);
      if (decision !== undefined) return ok(decision);
    }
    return ok(this.#isOld(record, now) ? { word: 'renew' } : undefined);
  }

  #isOld({ issued }: RolloutRecord, now: number): boolean {
    const at = Date.parse(issued);
    const age = now - Math.min(at, this.#seen.at);
    // Hosts refuse what is far ahead.
    return age > this.#times.renewMilliseconds || at > now + clockError;
  }
}

/** Whether they are one record, which may be known from several places. */
const isSameRecord = (record: RolloutRecord, other: RolloutRecord | undefined): boolean =>
  other !== undefined && documentText(record) === documentText(other);

const isAfter = (record: RolloutRecord | undefined, than: RolloutRecord | undefined): boolean =>
  record !== undefined && (than === undefined || compareRecords(record, than) > 0);
