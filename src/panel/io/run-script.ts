/**
 * Runs a script that a panel's file names. No shell reads the command, nothing of our environment is passed on, and the
 * script gets no input. Time and size are bounded; at the end of the time all of its processes in one group are killed.
 */
import { realpathSync } from 'node:fs';
import { basename, dirname, isAbsolute, resolve } from 'node:path';
import {
  directoryProblem,
  isTrusted,
  pinDirectory,
  writableByOthers,
  type PinnedDirectory,
} from '../../../packages/base/io/pinned-directory.ts';
import { causeOf } from '../../../packages/base/io/errno.ts';
import { openRegularFile } from '../../../packages/base/io/regular-file.ts';
import { causedBy, type Cause, type Problem } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { pinWithoutLinks } from '../../sys/files/pin-without-links.ts';
import { runBounded } from '../../sys/processes/run-bounded.ts';

export interface ScriptBounds {
  readonly timeoutSeconds: number;
  readonly bytesMax: number;
}

/** A panel that starts Python and Django for each answer needs seconds; 10,000 accounts are 3 MiB. */
export const scriptBounds: ScriptBounds = { timeoutSeconds: 60, bytesMax: 16 * 2 ** 20 };

const programDirectories = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin'];
const timedOut = new Set([124, 137]);

/** Returns what it printed, whatever its exit status was. */
export async function runScript(
  words: readonly string[],
  bounds: ScriptBounds,
): Promise<Result<string, Cause>> {
  const command = trustedCommand(words);
  return command.ok ? runTrusted(command.value, bounds) : command;
}

/** Runs a program of the panel that may be a link, with arguments that are no files. Returns what it printed. */
export async function runProgram(
  [program, ...args]: readonly [string, ...string[]],
  bounds: ScriptBounds,
): Promise<Result<string, Cause>> {
  const problem = interpreterProblem(program);
  return problem === undefined ? runTrusted([program, ...args], bounds) : fail(problem);
}

async function runTrusted(
  command: readonly string[],
  { timeoutSeconds, bytesMax }: ScriptBounds,
): Promise<Result<string, Cause>> {
  const bounded = ['--kill-after=1', String(timeoutSeconds), ...command];
  const late = { reason: `it did not finish within ${timeoutSeconds} s` };
  const timeoutMs = (timeoutSeconds + 3) * 1000;
  const ran = await runBounded('/usr/bin/timeout', bounded, { timeoutMs, bytesMax });
  if (!ran.ok) return ran.error.reason.includes('SIGKILL') ? fail(late) : ran;
  const { status, stdout, stderr } = ran.value;
  if (timedOut.has(status)) return fail(late);
  if (status !== 0 && stdout.length === 0) {
    const [line = ''] = stderr.trim().split('\n').slice(-1);
    return fail({ reason: `it ended with status ${status}${line === '' ? '' : `: ${line}`}` });
  }
  try {
    return ok(new TextDecoder('utf-8', { fatal: true }).decode(stdout));
  } catch {
    return fail({ reason: 'it did not print UTF-8' });
  }
}

/** Returns the command with the program's path, if only root could have written each file that it names. */
function trustedCommand([name = '', ...args]: readonly string[]): Result<readonly string[], Cause> {
  const program = programOf(name);
  if (program === undefined) return fail({ reason: `no program "${name}" was found` });
  const directory = realPath(dirname(program));
  // Where programs of the distribution are; /bin is a link to one of them.
  const isInterpreter = directory.ok && programDirectories.includes(directory.value);
  const problem = isInterpreter ? interpreterProblem(program) : scriptProblem(program);
  if (problem !== undefined) return fail(problem);
  const asked = isInterpreter ? argumentsProblem(args) : undefined;
  return asked === undefined ? ok([program, ...args]) : fail(asked);
}

/**
 * Returns the problem of what an interpreter may run. Its script need not be the first argument that is not an option,
 * since options have arguments, too: `python3 -W ignore /opt/panel/users.py`. So each path counts, and one must be a
 * file.
 */
function argumentsProblem(args: readonly string[]): Cause | undefined {
  const first = args.filter((each) => !each.startsWith('-')).slice(0, 1);
  const paths = [...first, ...args.flatMap(pathsIn)].map((each) => resolve('/', each));
  const examined = paths.map(examine);
  const problem = examined.find((each) => !each.ok);
  if (problem !== undefined) return problem.ok ? undefined : problem.error;
  if (examined.some((each) => each.ok && each.value === 'file')) return undefined;
  return first.flatMap((each) => scriptProblem(resolve('/', each)) ?? [])[0];
}

/** Returns the paths that a word may have: `-I/usr/share/perl5`, `include_path=lib:/usr/share/php`. */
function pathsIn(word: string): readonly string[] {
  const value = word.startsWith('-') ? word.replace(/^[^=/]*=?/, '') : word;
  const absolute = word.match(/\/[^=:,;\s'"]*/g) ?? [];
  return [...(value.includes('/') ? [value] : []), ...absolute];
}

/** Examines a path. One that is not there may be no path; only root may be able to make it. */
function examine(path: string): Result<'file' | 'directory' | 'absent', Cause> {
  for (let each = path; each !== '/'; each = dirname(each)) {
    const pinned = pinWithoutLinks(each);
    if (pinned.ok) {
      using directory = pinned.value;
      const problem = directoryProblem(directory);
      if (problem !== undefined) return fail({ ...problem, reason: `${each}: ${problem.reason}` });
      return ok(each === path ? 'directory' : 'absent');
    }
    const { errno } = pinned.error;
    if (errno === 'ENOTDIR') {
      const problem = scriptProblem(each);
      return problem === undefined ? ok('file') : fail(problem);
    }
    if (errno !== 'ENOENT' && errno !== 'ENAMETOOLONG') return fail(causedBy(pinned.error));
  }
  return ok('absent');
}

function programOf(name: string): string | undefined {
  if (isAbsolute(name)) return resolve(name);
  if (name.includes('/') || name === '') return undefined;
  return programDirectories.map((each) => `${each}/${name}`).find((each) => realPath(each).ok);
}

function realPath(path: string): Result<string, Cause> {
  try {
    return ok(realpathSync(path));
  } catch (error) {
    return fail(causeOf(error));
  }
}

/** A program of the distribution or the panel may be a link, as python3 is. */
function interpreterProblem(path: string): Cause | undefined {
  const real = realPath(path);
  return real.ok ? fileProblem(real.value, pinDirectory(dirname(real.value))) : real.error;
}

const scriptProblem = (path: string) => fileProblem(path, pinWithoutLinks(dirname(path)));

function fileProblem(path: string, pinned: Result<PinnedDirectory, Problem>): Cause | undefined {
  if (!pinned.ok) return causedBy(pinned.error);
  using directory = pinned.value;
  const file = openRegularFile(directory.at(basename(path)), { links: 'refuse', shownAs: path });
  if (!file.ok) return causedBy(file.error);
  using open = file.value;
  if (!isTrusted(open.stat.uid)) return { reason: `${path} belongs to uid ${open.stat.uid}` };
  if (writableByOthers(open.stat)) return { reason: `${path} can be written by others than root` };
  return directoryProblem(directory);
}
