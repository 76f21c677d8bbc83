/** The demo on this host, from the check whether it can run to the removal of what it made. */
import { lockFile } from '../../src/sys/files/flock.ts';
import { compileExec, isExecCurrent } from '../../scripts/entry.ts';
import { ensurePrerequisites } from '../prerequisites.ts';
import { isBuilt } from '../program.ts';
import { treeHost } from '../tree-host.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { demonstrate, type Report } from './course.ts';
import { findBlockers } from './blocker.ts';
import { lockPath, paths, policyName } from './place.ts';
import { readDemoPolicy } from './policy.ts';
import { isEnforced, printReport, reportJson } from './screen/report.ts';
import { wrap } from '../../src/cli/shared/terminal.ts';
import { screenOf, silentScreen, type DemoScreen } from './screen/screen.ts';
import { Interrupted, stopSignal } from './stop.ts';
import { formatProblem } from '../../packages/base/problem.ts';
import { hasTraces, removeTraces } from './traces.ts';

/** Compiles the launcher unless that was done before, and returns why it cannot be. */
async function prepareLauncher(): Promise<string | undefined> {
  if (isBuilt || isExecCurrent()) return undefined;
  const ready = await ensurePrerequisites('demo', printError);
  if (!ready.ok) return ready.reason;
  compileExec();
  return undefined;
}

const host = treeHost(paths);
const introductionColumns = 100;

const printError = (text: string) => void process.stderr.write(`${text}\n`);

/** Runs the demo and returns the exit status. `live` is the size of the terminal at the other end, if there is one. */
export async function demonstrateHere(isJson: boolean, live: string | undefined): Promise<number> {
  const blockers = findBlockers();
  if (blockers.length > 0) return refuse(blockers);
  const missing = await prepareLauncher();
  if (missing !== undefined) return refuse([missing]);
  const policy = readDemoPolicy();
  if (!policy.ok) {
    printError(policy.error.reason);
    return 1;
  }
  const lock = lockFile(lockPath, { waitMs: 0 });
  if (!lock.ok) {
    printError(
      `The demo cannot start, since only one may run at a time: ${formatProblem(lock.error)}`,
    );
    return 1;
  }
  const signal = stopSignal();
  using _held = lock.value;
  const screen = isJson ? silentScreen : screenOf(process.stdout, live);
  introduce(screen, policy.value.tenants.length);
  if (hasTraces()) screen.print('A former run was killed before it could clear up; doing it now\n');
  const left = removeTraces(host);
  if (left.length > 0) return refuse(left);
  const status = await runAndRemove(policy.value, screen, signal, isJson);
  return signal.reason instanceof Interrupted ? signal.reason.status : status;
}

async function runAndRemove(
  policy: Policy,
  screen: DemoScreen,
  signal: AbortSignal,
  isJson: boolean,
): Promise<number> {
  const started = performance.now();
  let report: Report | undefined;
  let problems: readonly string[] = [];
  try {
    report = await run(policy, screen, signal);
  } finally {
    problems = removeTraces(host);
    for (const problem of problems) printError(problem);
  }
  const isRemoved = problems.length === 0;
  const seconds = Number(((performance.now() - started) / 1000).toFixed(1));
  if (isRemoved) screen.print(`Everything it made is removed; it took ${seconds} s`);
  if (isJson && report !== undefined) {
    process.stdout.write(`${reportJson(report, isRemoved, seconds)}\n`);
  }
  return isRemoved && report !== undefined && isEnforced(report) ? 0 : 1;
}

/** Returns the report; undefined if the demo did not finish, which has been printed then. */
async function run(
  policy: Policy,
  screen: DemoScreen,
  signal: AbortSignal,
): Promise<Report | undefined> {
  try {
    const result = await demonstrate(policy, host, screen, signal);
    if (result.ok) printReport(result.value, screen);
    else refuse(result.error.map(formatProblem));
    return result.ok ? result.value : undefined;
  } catch (error) {
    if (!(signal.reason instanceof Interrupted)) throw error;
    printError(`\n${signal.reason.message}; removing what the demo made`);
    return undefined;
  }
}

function introduce(screen: DemoScreen, tenants: number): void {
  const text =
    `${tenants} scratch tenants now try to take more of this machine than ${policyName} grants ` +
    'them, and its kernel has to stop them. That takes about 15 seconds, on a busy machine up to a minute. No ' +
    'account and no other process is touched, and everything is removed in the end. Ctrl-C ends it at any time.';
  screen.print(`${wrap(text, Math.min(screen.columns(), introductionColumns))}\n`);
}

function refuse(blockers: readonly string[]): number {
  printError('The demo cannot run on this host:');
  for (const each of blockers) printError(wrap(`  ${each}`, 80, '    '));
  printError('In a virtual machine with a kernel of its own it can: npm run demo -- --vm');
  return 1;
}
