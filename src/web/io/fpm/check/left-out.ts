/**
 * php-fpm accepts all of its pools or none. It does not start if a directory that one of them names is missing, and the
 * tenant may be able to remove that directory. So a tenant's file with which php-fpm refuses everything is left out,
 * and php-fpm is asked again. The same applies to a file that makes it wait for ever, such as a slowlog that is a FIFO.
 */
import { mkdtempSync } from 'node:fs';
import { fail, ok, type Result } from '../../../../../packages/base/result.ts';
import { readHostFacts } from '../../../../host/accounts/accounts.ts';
import { lacksPools, type FpmSection } from '../../../core/fpm/dump.ts';
import { emptyPoolName, mainFile, type Include } from '../../../core/fpm/service/main-file.ts';
import type { PoolFile } from '../../../core/fpm/service/split.ts';
import { sectionsInText } from '../../../core/fpm/service/text-sections.ts';
import type { FpmContext } from '../context.ts';
import { inParallel, type CheckBudget } from './budget.ts';
import { dumpMain, poolIn } from './check.ts';
import { dumpPools, type DumpProblem } from './dump.ts';
import { digestOfParts, unfinishedReason, type Unfinished } from './unfinished.ts';

/** Problems by the paths of the files that are left out. */
export type LeftOut = ReadonlyMap<string, DumpProblem>;

export interface CheckRun {
  /** A directory where only root can write, and that everybody may pass through. */
  readonly scratch: string;
  readonly budget: CheckBudget;
  readonly unfinished: Unfinished;
}

export interface PoolSources {
  readonly main: string;
  readonly includes: readonly Include[];
  readonly files: readonly PoolFile[];
  /** The file that php-fpm reads itself if nothing is left out, so that messages have its places. */
  readonly original?: string;
}

type Context = Pick<FpmContext, 'fpm' | 'layout' | 'paths' | 'policy'>;

interface Accepted {
  readonly sections: readonly FpmSection[];
  readonly leftOut: LeftOut;
}

/** Dumps the pools that php-fpm accepts. There are at most as many rounds as files: each leaves out one more. */
export async function dumpAccepted(
  context: Context,
  sources: PoolSources,
  check: CheckRun,
  before: LeftOut,
): Promise<Result<Accepted, DumpProblem>> {
  const dumper = new Dumper(context, sources, check);
  const leftOut = new Map(before);
  for (const file of sources.files)
    if (check.unfinished.has(digestOfFile(file)) && dumper.mayLeaveOut(file))
      leftOut.set(file.path, { message: unfinishedReason, isUnfinished: true });
  for (;;) {
    const rest = sources.files.filter(({ path }) => !leftOut.has(path));
    const dumped = await dumper.dump(rest);
    if (dumped.ok) return ok({ sections: dumped.value, leftOut });
    const found = await dumper.culprits(rest, dumped.error);
    if (found.length === 0) return dumped;
    for (const { file, problem } of found) {
      if (problem.isUnfinished === true) check.unfinished.add(digestOfFile(file));
      leftOut.set(file.path, problem);
    }
  }
}

/** Returns the files that a php-fpm message is about, by the place or by the pool that it names. */
export function filesNamed(
  { file, message }: DumpProblem,
  files: readonly PoolFile[],
): readonly PoolFile[] {
  const pool = poolIn(message);
  return files.filter(({ path, sections }) =>
    file === undefined ? sections.some(({ name }) => name === pool) : path === file,
  );
}

const digestOfFile = ({ path, text }: PoolFile) => digestOfParts('file', path, text);

/** The problem of a file that was not checked. It proves nothing about the file. */
const noTimeLeft: DumpProblem = { message: 'no time is left for it', isUnfinished: true };

interface Culprit {
  readonly file: PoolFile;
  readonly problem: DumpProblem;
}

class Dumper {
  readonly #context: Context;
  readonly #sources: PoolSources;
  readonly #check: CheckRun;
  readonly #tenants: ReadonlySet<string>;

  constructor(context: Context, sources: PoolSources, check: CheckRun) {
    this.#context = context;
    this.#sources = sources;
    this.#check = check;
    this.#tenants = new Set(
      context.policy.tenants.flatMap(({ uid, account }) => [`${uid}`, account?.user ?? `${uid}`]),
    );
  }

  async dump(files: readonly PoolFile[]): Promise<Result<readonly FpmSection[], DumpProblem>> {
    const { fpm, layout } = this.#context;
    const timeoutMs = this.#check.budget.nextMs;
    if (timeoutMs === 0) return fail(noTimeLeft);
    const { main, includes, original } = this.#sources;
    if (original !== undefined && files.length === this.#sources.files.length) {
      const dumped = await dumpPools(fpm.program, original, { timeoutMs });
      // The file below has a pool of ours.
      if (dumped.ok || !lacksPools(dumped.error)) return dumped;
    }
    const scratch = mkdtempSync(`${this.#check.scratch}/main-`);
    const links = `${scratch}/pools`;
    const made = mainFile(main, includes, files, links, layout.emptySocket);
    const paths = new Map([...made.links].map(([name, to]) => [`${links}/${name}`, to]));
    const written = { text: made.text, links: paths };
    const dumped = await dumpMain(fpm.program, written, scratch, timeoutMs);
    if (dumped.ok) return ok(dumped.value.filter(({ name }) => name !== emptyPoolName));
    const { file = '' } = dumped.error;
    const real = paths.get(file);
    return real === undefined ? dumped : fail({ ...dumped.error, file: real });
  }

  /** Returns files to leave out, with what is wrong with each; none if root's own files are wrong. */
  async culprits(files: readonly PoolFile[], problem: DumpProblem): Promise<readonly Culprit[]> {
    if (problem.isUnfinished === true) {
      const tried = await this.#tryEach(files.filter((each) => this.mayLeaveOut(each)));
      const found = tried.filter((each) => each.problem.isUnfinished);
      return found.length > 0 && (await this.#isQuick()) ? found : [];
    }
    const named = filesNamed(problem, files);
    if (named.length === 0) {
      const near = files.filter((each) => this.mayLeaveOut(each) && names(each, problem.message));
      const tried = await this.#tryEach(near);
      return tried.filter((each) => each.problem.message === problem.message);
    }
    if (!named.every((each) => this.mayLeaveOut(each))) return [];
    // Whoever breaks one may have broken more, and each would take a round.
    const users = new Set(named.flatMap(usersIn));
    const others = files.filter(
      (each) =>
        !named.includes(each) &&
        this.mayLeaveOut(each) &&
        usersIn(each).some((user) => users.has(user)),
    );
    return [...named.map((file) => ({ file, problem })), ...(await this.#tryEach(others))];
  }

  /** Whether php-fpm answers soon without any pool file. If not, the host is busy, and no file is to blame. */
  async #isQuick(): Promise<boolean> {
    const patienceMs = this.#check.budget.nextMs / 4;
    const start = performance.now();
    const dumped = await this.dump([]);
    return dumped.ok && performance.now() - start < patienceMs;
  }

  /** Whether the file is a tenant's, or names an account that no longer exists. */
  mayLeaveOut(file: PoolFile): boolean {
    const users = usersIn(file);
    if (users.some((user) => this.#tenants.has(user))) return true;
    const named = users.filter((user) => !/^\d+$/.test(user));
    if (named.length === 0) return false;
    const { accounts } = readHostFacts(this.#context.paths, named);
    return named.some((user) => !accounts.some((each) => each.user === user));
  }

  /** Returns the files that php-fpm does not accept on their own either. */
  async #tryEach(files: readonly PoolFile[]): Promise<readonly Culprit[]> {
    const tried = await inParallel(files, async (file) => {
      const dumped = await this.dump([file]);
      return dumped.ok || dumped.error === noTimeLeft ? [] : [{ file, problem: dumped.error }];
    });
    return tried.flat();
  }
}

const usersIn = ({ text }: PoolFile): readonly string[] =>
  sectionsInText(text).flatMap(({ values }) => values.get('user') ?? []);

/** `failed to open access log (/home/carol/logs/access.log): …`. */
const names = ({ text }: PoolFile, message: string): boolean =>
  sectionsInText(text).some(({ values }) =>
    [...values.values()].some((value) => value.startsWith('/') && message.includes(value)),
  );
