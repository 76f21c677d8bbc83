/** Reads all homes, several at a time, and collects a bounded number of findings. */
import { formatCause, formatProblem } from '../../../../packages/base/problem.ts';
import { availableParallelism } from 'node:os';
import { linkSeverities, type LinkFinding, type LinkSeverity } from '../../core/audit/finding.ts';
import type { Accounts, HomeDone, HomeProblem, AuditReply } from './protocol.ts';
import { ReaderProcess } from './reader-process.ts';

/** The maximum number of processes: more do not make disks faster. */
const processesMax = 8;
const findingsInAllMax = 100_000;
const problemsMax = 1000;

export interface Audit {
  /** The findings, the worst first, then by home. */
  readonly findings: readonly LinkFinding[];
  /** The number of findings, including those above the maximum, which are not listed. */
  readonly found: Readonly<Record<LinkSeverity, number>>;
  readonly problems: readonly HomeProblem[];
  /** The number of homes that were read. */
  readonly homes: number;
  /** Names read. */
  readonly entries: number;
  /** The number of links that were judged. */
  readonly links: number;
  /** Whether files with several names were too many to remember all. */
  readonly indexIsFull: boolean;
}

export interface AuditOptions {
  /** Places in the list of homes to read; all if absent. The other homes only tell whose files are found. */
  readonly homes?: readonly number[];
  readonly silenceMs?: number;
  readonly processes?: number;
  /** Called with the number of names read so far. */
  readonly progress?: (entries: number) => void;
}

export async function auditHomes(accounts: Accounts, options: AuditOptions = {}): Promise<Audit> {
  const { processes = Math.min(availableParallelism(), processesMax) } = options;
  const collected = new Collected(accounts, options.progress ?? (() => {}));
  const homes = options.homes ?? [...accounts.homes.keys()];
  const count = Math.min(processes, homes.length);
  const next = homes.values();
  const readers = await Promise.all(
    Array.from({ length: count }, () => readHomes(accounts, next, collected, options)),
  );
  try {
    await nameOthers(readers, collected);
  } finally {
    for (const reader of readers) reader?.[Symbol.dispose]();
  }
  return { ...collected.audit(), homes: homes.length };
}

/** Reads one home after the other, until there are no more. The process is kept for questions. */
async function readHomes(
  accounts: Accounts,
  next: Iterator<number>,
  collected: Collected,
  { silenceMs }: AuditOptions,
): Promise<ReaderProcess | undefined> {
  let reader: ReaderProcess | undefined;
  for (let index = next.next(); index.done !== true; index = next.next()) {
    if (reader === undefined) {
      const started = ReaderProcess.start(accounts, silenceMs);
      if (!started.ok) {
        collected.cannot(index.value, formatProblem(started.error));
        continue;
      }
      reader = started.value;
    }
    const entries = collected.counter();
    const ended = await reader.ask({ kind: 'home', index: index.value }, (reply) =>
      collected.take(reply, entries),
    );
    if (ended === undefined) continue;
    collected.cannot(index.value, formatCause(ended));
    reader[Symbol.dispose]();
    reader = undefined;
  }
  return reader;
}

/** Asks where the other names are of files that are known by their numbers. */
async function nameOthers(
  readers: readonly (ReaderProcess | undefined)[],
  collected: Collected,
): Promise<void> {
  const files = collected.filesToName();
  if (files.length === 0) return;
  for (const reader of readers)
    await reader?.ask({ kind: 'names', files }, (reply) => {
      if (reply.kind === 'names') collected.name(reply.names);
    });
}

class Collected {
  readonly #accounts: Accounts;
  readonly #progress: (entries: number) => void;
  readonly #problems: HomeProblem[] = [];
  readonly #found: Record<LinkSeverity, number> = { high: 0, medium: 0, low: 0 };
  readonly #names = new Map<string, string>();
  /** The counters of homes that are being read, and of those that have been. */
  readonly #counters: { entries: number }[] = [];
  readonly #findings: LinkFinding[] = [];
  #entries = 0;
  #links = 0;
  #indexIsFull = false;

  constructor(accounts: Accounts, progress: (entries: number) => void) {
    this.#accounts = accounts;
    this.#progress = progress;
  }

  counter(): { entries: number } {
    const counter = { entries: 0 };
    this.#counters.push(counter);
    return counter;
  }

  take(reply: AuditReply, counter: { entries: number }): void {
    if (reply.kind === 'finding') {
      if (this.#findings.length < findingsInAllMax) this.#findings.push(reply.finding);
    } else if (reply.kind === 'problem') {
      if (this.#problems.length < problemsMax) this.#problems.push(reply.problem);
    } else if (reply.kind === 'alive') {
      counter.entries = reply.entries;
      this.#report();
    } else if (reply.kind === 'done') {
      this.#counters.splice(this.#counters.indexOf(counter), 1);
      this.#done(reply);
    }
  }

  #done({ entries, links, found, indexIsFull }: HomeDone): void {
    this.#entries += entries;
    this.#links += links;
    this.#indexIsFull ||= indexIsFull;
    for (const severity of linkSeverities) this.#found[severity] += found[severity];
    this.#report();
  }

  #report(): void {
    const underWay = this.#counters.reduce((sum, each) => sum + each.entries, 0);
    this.#progress(this.#entries + underWay);
  }

  cannot(index: number, reason: string): void {
    const home = this.#accounts.homes[index];
    if (home === undefined) return;
    const { uid: tenant, path } = home;
    this.#problems.push({ tenant, path, cause: { reason }, kind: 'unread' });
  }

  filesToName(): readonly string[] {
    return [...new Set(this.#findings.flatMap(({ file }) => file ?? []))];
  }

  name(names: readonly (readonly [file: string, path: string])[]): void {
    for (const [file, path] of names) this.#names.set(file, path);
  }

  audit(): Omit<Audit, 'homes'> {
    const findings = this.#findings.map((each) => {
      const other = each.file === undefined ? undefined : this.#names.get(each.file);
      return other === undefined ? each : { ...each, target: other };
    });
    return {
      findings: findings.toSorted(worstFirst),
      found: this.#found,
      problems: this.#problems,
      entries: this.#entries,
      links: this.#links,
      indexIsFull: this.#indexIsFull,
    };
  }
}

const worstFirst = (a: LinkFinding, b: LinkFinding): number =>
  linkSeverities.indexOf(a.severity) - linkSeverities.indexOf(b.severity) ||
  a.tenant - b.tenant ||
  (a.path < b.path ? -1 : 1);
