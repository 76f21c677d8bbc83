/** `npm run demo`: shows on this host's own kernel that tenants are held to their limits. */
import { parseArgs } from 'node:util';
import { lockFile } from '../../host/flock.ts';
import { linuxHost } from '../../host/host.ts';
import { demonstrate, type Report } from './course.ts';
import { findObstacles } from './obstacle.ts';
import { lockPath, paths, policyName } from './place.ts';
import { readDemoPolicy } from './policy.ts';
import { isHeld, printReport, reportJson } from './report.ts';
import { screenOf, silentScreen, wrap, type Screen } from './screen.ts';
import { Interrupted, stopSignal } from './stop.ts';
import { hasTraces, removeTraces } from './traces.ts';

const help = `npm run demo [-- OPTION...]

Shows on this host's own kernel that tenants are held to their limits. It makes tenants that
need no accounts, lets each go against one limit of examples/demo.xml, and removes them again.
It takes about 15 seconds and needs root.

  --vm      do it in a virtual machine instead, with a kernel of its own
  --json    print the verdicts as JSON
  --help    show this

Exit status: 0 every limit that this kernel has was held; 1 one was not, or the demo cannot run
here; 2 usage; 128 + the number of the signal that ended it.
`;

const options = {
  vm: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
  /** Size of the terminal at the other end, as in 80x24; only the demo itself passes it. */
  live: { type: 'string' },
} as const;

const complain = (text: string) => void process.stderr.write(`${text}\n`);

async function main(args: readonly string[]): Promise<number> {
  let values;
  try {
    ({ values } = parseArgs({ args: [...args], options }));
  } catch (error) {
    complain(`${(error as Error).message}\n\n${help}`);
    return 2;
  }
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  if (values.vm) {
    const { demonstrateInGuest } = await import('./guest-demo.ts');
    return demonstrateInGuest(values.json);
  }
  return demonstrateHere(values.json, values.live);
}

async function demonstrateHere(isJson: boolean, live: string | undefined): Promise<number> {
  const obstacles = findObstacles();
  if (obstacles.length > 0) return refuse(obstacles);
  const policy = readDemoPolicy();
  if (!policy.ok) {
    complain(policy.error);
    return 1;
  }
  const lock = lockFile(lockPath, { waitMs: 0 });
  if (!lock.ok) {
    complain(`The demo runs already on this host: ${lock.error}`);
    return 1;
  }
  const signal = stopSignal();
  using _held = lock.value;
  const screen = isJson ? silentScreen : screenOf(process.stdout, live);
  const started = performance.now();
  const host = linuxHost(paths);
  introduce(screen, policy.value.tenants.length);
  if (hasTraces()) screen.print('A former run was killed before it could clear up; doing it now\n');
  const left = removeTraces(host);
  if (left.length > 0) return refuse(left);
  let report: Report | undefined;
  let status = 1;
  try {
    const result = await demonstrate(policy.value, host, screen, signal);
    if (result.ok) {
      report = result.value;
      status = isHeld(report) ? 0 : 1;
      printReport(report, screen);
    } else {
      refuse(result.error);
    }
  } catch (error) {
    if (!(signal.aborted && signal.reason instanceof Interrupted)) throw error;
    complain(`\n${signal.reason.message}; removing what the demo made`);
  } finally {
    const problems = removeTraces(host);
    for (const problem of problems) complain(problem);
    if (problems.length > 0) status = 1;
    const seconds = Number(((performance.now() - started) / 1000).toFixed(1));
    if (problems.length === 0) screen.print(`Everything it made is removed; it took ${seconds} s`);
    if (isJson && report !== undefined) {
      process.stdout.write(`${reportJson(report, problems.length === 0, seconds)}\n`);
    }
  }
  return signal.reason instanceof Interrupted ? signal.reason.status : status;
}

function introduce(screen: Screen, tenants: number): void {
  const text =
    `${tenants} scratch tenants now try to take more of this machine than ${policyName} grants ` +
    'them, and its kernel has to stop them. That takes about 15 seconds, no account and no other ' +
    'process is touched, and everything is removed in the end. Ctrl-C ends it at any time.';
  screen.print(`${wrap(text, Math.min(screen.columns(), 100))}\n`);
}

function refuse(obstacles: readonly string[]): number {
  complain('The demo cannot run on this host:');
  for (const each of obstacles) complain(`  ${each}`);
  complain('In a virtual machine with a kernel of its own it can: npm run demo -- --vm');
  return 1;
}

process.exitCode = await main(process.argv.slice(2));
