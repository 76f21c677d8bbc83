/**
 * The way into the console: login codes, and the sessions that they are exchanged for.
 *
 * An account keeps its sessions as long as it has its name and its uid, and is root, a tenant or a reseller.
 */
import { formatProblem, type Problem } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { listLogins, recordLogins, type LoginsQuery } from '../../apply/record-logins.ts';
import type { AccountNames } from '../../host/accounts/account-names.ts';
import { readUidRange } from '../../host/accounts/accounts.ts';
import type { Paths } from '../../host/paths.ts';
import type { RecordedLogin } from '../../store/changes/login-store.ts';
import { resellerMember, tenantMember } from '../../usage/member.ts';
import type { SessionCaller } from '../api/caller.ts';
import type { Membership } from '../sampling/membership.ts';
import type { Account, Login } from './login.ts';
import { LoginCodes } from './login-codes.ts';
import { LoginRecord } from './login-record.ts';
import { readSessions, writeSessions } from './session-file.ts';
import { Sessions, type Session } from './sessions.ts';

export interface ConsoleAccessOptions {
  readonly paths: Paths;
  readonly names: AccountNames;
  readonly membership: Pick<Membership, 'beginningOf'>;
  /** Whether a policy has been applied, so that members are known. */
  readonly knowsMembers: () => boolean;
  readonly log: { readonly info: (line: string) => void; readonly error: (line: string) => void };
  /** Seconds since the boot. */
  readonly clock?: () => number;
}

export class ConsoleAccess implements Disposable {
  readonly #options: ConsoleAccessOptions;
  readonly #codes: LoginCodes;
  readonly #sessions: Sessions;
  readonly #record: LoginRecord;

  constructor(options: ConsoleAccessOptions) {
    this.#options = options;
    const { paths, clock = secondsSinceBoot } = options;
    const file = `${paths.runtime}/sessions`;
    const boot = readText(`${paths.proc}/sys/kernel/random/boot_id`)?.trim() ?? '';
    const stored = readSessions(file, boot);
    const onProblem = (problem: Problem) => options.log.error(formatProblem(problem));
    if (!stored.ok) onProblem(stored.error);
    this.#record = new LoginRecord({
      write: (logins) => recordLogins(paths, logins),
      error: options.log.error,
    });
    this.#codes = new LoginCodes(clock);
    this.#sessions = new Sessions(stored.ok ? stored.value : [], {
      clock,
      isCurrent: (login, since) => this.#isCurrent(login, since),
      save: (sessions) => writeSessions(file, boot, sessions),
      onProblem,
    });
  }

  /** Counts sessions that have ended. */
  get revision(): number {
    return this.#sessions.revision;
  }

  /** Returns the account of a uid; `user` is its name where /etc/passwd has none. */
  accountOf(uid: number, user: string | undefined): Account | undefined {
    const names = this.#options.names.namesOf(uid);
    const name = user !== undefined && names.includes(user) ? user : (names[0] ?? user);
    return name === undefined ? undefined : { uid, user: name, isLocal: names.length > 0 };
  }

  /** Returns the name of an account below `UID_MIN`, which nobody chooses who makes accounts for customers. */
  systemAccountOf(uid: number): string | undefined {
    const { first } = readUidRange(this.#options.paths);
    return uid < first ? this.accountOf(uid, undefined)?.user : undefined;
  }

  makeCode(login: Login): string {
    return this.#codes.make(login);
  }

  /** Exchanges a code for a token; undefined if the code is not valid any more. */
  exchange(code: string): { readonly token: string; readonly session: Session } | undefined {
    const taken = this.#codes.take(code);
    if (taken === undefined || !this.#isCurrent(taken.login, taken.madeAt)) {
      this.#record.refused();
      return undefined;
    }
    const started = this.#sessions.start(taken.login);
    this.#record.add({ kind: 'began', ...recordOf(started.session) });
    this.#options.log.info(
      `Console: session ${started.session.id} of ${nameOf(taken.login)} began`,
    );
    return started;
  }

  /** Returns the caller with this token. `isActive`: the request shows that somebody is there. */
  callerOf(token: string, isActive: boolean): SessionCaller | undefined {
    const session = this.#sessions.find(token, isActive);
    if (session === undefined) {
      if (token !== '') this.#record.refused();
      return undefined;
    }
    const { account, by, readOnly } = session.login;
    return { kind: 'session', id: session.id, uid: account.uid, byUid: by.uid, readOnly };
  }

  /** Returns the sessions that `wanted` accepts, the oldest first. */
  sessions(wanted: (session: Session) => boolean): readonly Session[] {
    return this.#sessions.list(wanted);
  }

  /** Returns recorded logins, the latest first. */
  logins(query: LoginsQuery): Result<readonly RecordedLogin[], Problem> {
    this.#record.write();
    return listLogins(this.#options.paths, query);
  }

  /** Ends sessions, and returns how many. `by`: the account that wants it. */
  end(ids: ReadonlySet<string>, by: string): number {
    const wanted = this.#sessions.list(({ id }) => ids.has(id));
    const ended = this.#sessions.end(ids);
    for (const each of wanted) this.#record.add({ kind: 'ended', ...recordOf(each), by });
    if (ended > 0) this.#options.log.info(`Console: ${ended} of the sessions were ended`);
    return ended;
  }

  #isCurrent({ account, by, within }: Login, since: number): boolean {
    if (within !== undefined && !this.#sessions.has(within)) return false;
    return [account, by].every((each) => this.#isSame(each, since));
  }

  /** Whether the account exists unchanged, and is a member since before the time. */
  #isSame({ uid, user, isLocal }: Account, since: number): boolean {
    if (uid === 0) return true;
    const { names, membership, knowsMembers } = this.#options;
    const found = names.namesOf(uid);
    if (isLocal ? !found.includes(user) : found.length > 0) return false;
    if (!knowsMembers()) return true;
    return [tenantMember(uid), resellerMember(uid)].some(
      (member) => membership.beginningOf(member) <= since,
    );
  }

  [Symbol.dispose](): void {
    this.#sessions.close();
    this.#record[Symbol.dispose]();
  }
}

const recordOf = ({ id, login: { account, by, readOnly } }: Session) => ({
  session: id,
  user: account.user,
  uid: account.uid,
  by: by.user,
  readOnly,
});

/** The name of a login in the log: `alice (uid 1001), by root`. */
function nameOf({ account, by, readOnly }: Login): string {
  const maker = by.uid === account.uid ? '' : `, by ${by.user}`;
  return `${account.user} (uid ${account.uid})${maker}${readOnly ? ', read-only' : ''}`;
}

/** The clock does not stop for a restart of the agent, and nobody sets it. Source: CLOCK_MONOTONIC, clock_gettime(2). */
const secondsSinceBoot = (): number => Number(process.hrtime.bigint() / 1_000_000n) / 1000;
