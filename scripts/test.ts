/**
 * Everything: the gate, then the suites on this machine's kernel and inside the virtual machine.
 * Missing Debian packages are installed first where that can be done.
 */
import { globSync } from 'node:fs';
import { basename } from 'node:path';
import { longPatienceMilliseconds } from '../testing/patience.ts';
import { ensurePrerequisites, type Suite } from '../testing/prerequisites.ts';
import { buildStep, heavySuites, kernelLanes, longSuites, okSteps } from './ok.ts';
import { root, runSteps, tests, type Step } from './steps.ts';

const log = (line: string) => process.stdout.write(`${line}\n`);

for (const suite of [
  'privileged',
  'schema',
  'accounts',
  'placement',
  'metrics',
  'history',
  'bus',
  'modules',
  'web',
  'databases',
  'postgresql',
  'console-page',
  'bpf',
  'pam',
  'package',
  'ansible',
  'nats',
  'cloud-init',
  'vm',
] as const satisfies readonly Suite[]) {
  const ready = await ensurePrerequisites(suite, log);
  if (!ready.ok) log(`Tests of "${suite}" will be skipped: ${ready.reason}`);
}
// Whole servers, some minutes each: with `npm test -- --long`.
const isLong = process.argv.includes('--long');
const places = isLong ? ['test/vm', 'test/vm/long/**'] : ['test/vm'];
const heavy = isLong ? [...heavySuites, ...longSuites] : heavySuites;
const files = places.flatMap((place) => globSync(`${place}/*.test.ts`, { cwd: root }).sort());
/**
 * The minutes that machines take on two slow processors beside other suites, in the order in which they run: long ones
 * first, so that lanes end at about the same time. Those of `--long` are not listed.
 */
const minutesOfMachines: Readonly<Record<string, number>> = {
  agent: 12,
  jails: 8,
  conformance: 30,
  'attacks-placement': 18,
  placement: 12,
  'modules-gate': 16,
  loader: 9,
  entries: 6,
  network: 12,
  login: 8,
  symlinks: 6,
  'network-host': 6,
  modules: 6,
  harness: 2,
};
const otherMachineMinutes = 20;
const listed = Object.keys(minutesOfMachines).map((name) => `test/vm/${name}.test.ts`);
const machine = [...new Set([...listed, ...files])];
const minutesOf = (file: string) =>
  minutesOfMachines[basename(file, '.test.ts')] ?? otherMachineMinutes;
const emulated =
  'processors are emulated: they do not keep time on a busy machine, and programs have crashed on them; a fault of the code comes back';
const shared =
  'it shares the processors with emulated machines; what fails once is to be corrected, and a fault of the code comes back';
const alone = { one: true };
const inMachine = { one: true, patience: longPatienceMilliseconds };
/** The minutes of most other suites, and those after which one hangs. */
const suiteMinutes = 3;
const suiteMinutesMax = 15;
const machineMinutesMax = 45;
/** A run that is cut after some time shows nothing at all; one with a limit names what it has left out. */
const limit = Number(process.env['TEST_MINUTES'] ?? NaN);
const passed = await runSteps({
  build: buildStep,
  first: okSteps(),
  ...(limit > 0 && { minutesOfRun: limit }),
  lanes: kernelLanes.map((files) =>
    files.map((file) => ({
      ...tests(`this kernel, ${shortName(file)}`, [file], alone),
      again: shared,
      minutesMax: suiteMinutesMax,
    })),
  ),
  beside: [
    ...machine.map((file) => ({
      ...behind(tests(`virtual machine, ${basename(file, '.test.ts')}`, [file], inMachine)),
      again: emulated,
      minutesMax: machineMinutesMax,
      minutes: minutesOf(file),
    })),
    ...heavy.map((file) => ({
      ...behind(tests(`heavy, ${shortName(file)}`, [file], alone)),
      again: shared,
      minutesMax: suiteMinutesMax,
      minutes: suiteMinutes,
    })),
  ],
});
/** Machines take the time that other suites leave: those are one after another in lanes, and would end last. */
function behind(step: Step): Step {
  return { ...step, command: ['nice', '-n', '15', ...step.command] };
}

/** `web/placed` for `test/web/placed.test.ts`. */
function shortName(file: string): string {
  return file.replace(/^(?:packages\/)?(.*?)test\/(.*)\.test\.ts$/, '$1$2');
}
process.exitCode = passed ? 0 : 1;
