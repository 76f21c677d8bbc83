/**
 * Has Apache call bulkhead-suexec, and the distribution's suexec again. Debian's update-alternatives changes the link in one
 * step, so Apache finds one of both at any instant, and needs no reload. Updates of Apache's packages keep the choice.
 *
 * Files come before the link, and leave after it. So what a killed run leaves is either not used yet, or not any more, and
 * the next run completes it.
 */
import { lstatSync } from 'node:fs';
import { failed, type Cause, type Problem } from '../../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import { readText } from '../../../../packages/base/io/read.ts';
import { decodeText, readBounded } from '../../../../packages/base/io/regular-file.ts';
import { readHostFacts } from '../../../host/accounts/accounts.ts';
import type { Paths } from '../../../host/paths.ts';
import { putHostFile, type FileContent } from '../../../sys/files/host-file.ts';
import { entryFile } from '../../../sys/package-files.ts';
import { runBounded } from '../../../sys/processes/run-bounded.ts';
import { parseAlternatives, type Alternatives } from '../../core/suexec/alternatives.ts';
import { formatSettings, parseSettings } from '../../core/suexec/settings-file.ts';
import {
  readSuexecState,
  suexecFiles,
  suexecLink,
  unsafeProgram,
  whyConfined,
  wrapperMode,
  type SuexecFiles,
  type SuexecState,
} from './suexec-state.ts';

/** Below Debian's own, so that ours counts only where it is chosen. */
const priority = '5';
const bytesMax = 2 ** 20;
const enabling = { action: 'have Apache call', object: 'bulkhead-suexec' };

/** The lock for every process that changes suexec. */
export const suexecLock = ({ runtime }: Pick<Paths, 'runtime'>): string =>
  `${runtime}/web-suexec.lock`;

/** `user` is the account of the web server, if its suexec does not name it. Repeating it repairs what is damaged. */
export async function enableSuexec(
  paths: Paths,
  user: string,
): Promise<Result<SuexecState, Problem>> {
  const files = suexecFiles(paths);
  const confined = whyConfined(paths);
  if (confined !== undefined)
    return failed({
      ...enabling,
      reason: confined,
      hint: 'run bulkhead confine disable apache2 first',
    });
  const found = await findAlternatives();
  if (!found.ok) return failed({ ...enabling, ...found.error });
  const program = programOf(found.value, files);
  if (program === undefined)
    return failed({
      ...enabling,
      reason: 'no suexec of the distribution is installed',
      hint: 'run apt-get install apache2-suexec-pristine',
    });
  const written = await writeFiles(paths, files, found.value, program, user);
  if (!written.ok) return written;
  const chosen = await chooseProgram([
    ['--install', suexecLink, 'suexec', files.wrapper, priority],
    ['--set', 'suexec', files.wrapper],
  ]);
  return chosen.ok ? ok(readSuexecState(paths)) : failed({ ...enabling, ...chosen.error });
}

/** Removes everything. What an administrator had chosen before is chosen again. */
export async function disableSuexec(paths: Paths): Promise<Result<void, Problem>> {
  const doing = { action: "have Apache call the distribution's suexec", object: suexecLink };
  const files = suexecFiles(paths);
  const found = await findAlternatives();
  if (found.ok && found.value.programs.includes(files.wrapper)) {
    const before = readText(files.selected)?.trim();
    const isChosen = found.value.isManual && found.value.value === files.wrapper;
    const isThere = before !== undefined && found.value.programs.includes(before);
    const changed = await chooseProgram([
      ...(isChosen && isThere ? [['--set', 'suexec', before]] : []),
      ['--remove', 'suexec', files.wrapper],
    ]);
    if (!changed.ok) return failed({ ...doing, ...changed.error });
  }
  for (const path of [files.wrapper, files.settings, files.selected]) {
    const removed = putHostFile({ path, ownDirectory: true }, undefined);
    if (!removed.ok) return removed;
  }
  return ok(undefined);
}

async function findAlternatives(): Promise<Result<Alternatives, Cause>> {
  const asked = await runBounded('update-alternatives', ['--query', 'suexec']);
  if (!asked.ok) return fail({ ...asked.error, hint: "this needs Debian's update-alternatives" });
  if (asked.value.status !== 0)
    return fail({
      reason: 'update-alternatives knows no suexec',
      hint: 'run apt-get install apache2-suexec-pristine',
    });
  return ok(parseAlternatives(decodeText(asked.value.stdout)));
}

/** Returns the distribution's suexec: the one in use, the one that was, or the one with the highest priority. */
function programOf(
  { value, programs }: Alternatives,
  { wrapper, settings }: SuexecFiles,
): string | undefined {
  const known = parseSettings(readText(settings) ?? '')?.program;
  const others = programs.filter((each) => each !== wrapper);
  return [value, known].find((each) => each !== undefined && others.includes(each)) ?? others[0];
}

async function writeFiles(
  paths: Paths,
  files: SuexecFiles,
  { isManual, value }: Alternatives,
  program: string,
  user: string,
): Promise<Result<void, Problem>> {
  const unsafe = unsafeProgram(program);
  if (unsafe !== undefined) return failed({ ...enabling, reason: unsafe });
  const name = (await userOf(program)) ?? user;
  const caller = readHostFacts(paths, [name]).accounts.find((each) => each.user === name)?.uid;
  if (caller === undefined || caller === 0)
    return failed({ ...enabling, reason: `a web server cannot have the account "${name}"` });
  const launcher = readBounded(entryFile('bulkhead-suexec'), bytesMax, { links: 'refuse' });
  if (!launcher.ok) return launcher;
  const owner = { uid: 0, gid: lstatSync(program).gid };
  const text = (content: string): FileContent => ({ bytes: Buffer.from(content), mode: 0o644 });
  const settings = formatSettings({ instance: paths.instance, caller, program });
  const contents: readonly (readonly [string, FileContent])[] = [
    ...(isManual && value === program ? [[files.selected, text(`${program}\n`)] as const] : []),
    [files.settings, text(settings)],
    [files.wrapper, { bytes: launcher.value, mode: wrapperMode, owner }],
  ];
  for (const [path, content] of contents) {
    const put = putHostFile({ path, ownDirectory: true }, content);
    if (!put.ok) return put;
  }
  return ok(undefined);
}

/** Returns the user that is compiled into a suexec. Debian's suexec-custom has none: it reads a file with the user's name. */
async function userOf(program: string): Promise<string | undefined> {
  const asked = await runBounded(program, ['-V'], { timeoutMs: 10_000 });
  if (!asked.ok) return undefined;
  const shown = decodeText(asked.value.stdout) + asked.value.stderr;
  return /AP_HTTPD_USER="([^"\n]+)"/.exec(shown)?.[1];
}

async function chooseProgram(steps: readonly (readonly string[])[]): Promise<Result<void, Cause>> {
  for (const each of steps) {
    const ran = await runBounded('update-alternatives', ['--quiet', ...each]);
    if (!ran.ok) return ran;
    if (ran.value.status !== 0)
      return fail({
        reason: `update-alternatives ${each[0]} failed: ${ran.value.stderr.trim().split('\n').at(-1) ?? ''}`,
      });
  }
  return ok(undefined);
}
