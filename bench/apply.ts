/**
 * Making 1,000 tenants, and applying again where nothing changes, compared with the same system
 * calls in C.
 */
import { execFileSync } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import type { Bench } from './bench.ts';
import { Floor, runOnce } from './floor.ts';
import { compare, inTurn, milliseconds, type Row, type Section, type Way } from './samples.ts';
import { floorOperations, floorReads, instance, Scratch } from './scratch.ts';
import { entry } from './start.ts';

const tenants = 1_000;
const createGoal = 1.2;
const againGoal = 1.3;
/**
 * A pause after cgroups are removed: the kernel frees them for a moment longer, which must not slow
 * the next sample.
 */
const settleMilliseconds = 400;
const fresh = new URL('fresh-apply.ts', import.meta.url).pathname;

export async function benchCreate(bench: Bench): Promise<Section> {
  const { directory, floor } = bench;
  using scratch = new Scratch(directory, tenants);
  const { operations } = scratch.apply();
  const hierarchies = scratch.hierarchies();
  const lines = floorOperations(operations, hierarchies);
  await using maker = new Floor(floor, 'make', `${directory}/make`, lines);
  await using remover = new Floor(floor, 'remove', `${directory}/remove`, lines);
  const clean = async () => {
    await remover.pass();
    await pause(settleMilliseconds);
  };
  const cleaned = (way: Way) => async () => {
    const sample = await way();
    await clean();
    return sample;
  };
  await clean();
  const ways = [
    () => maker.pass(),
    () => milliseconds(() => scratch.apply()),
    ...processes(bench, scratch.policyFile),
  ];
  return {
    name: 'create',
    title: `Create and limit ${tenants} tenants`,
    beside: 'C loop',
    rows: rowsOf(await inTurn(bench.quick ? 5 : 15, ways.map(cleaned), bench.signal), createGoal),
    notes: [
      `${count(lines, 'make')} directories made and ${count(lines, 'write')} values written, in ${hierarchies.length} hierarchies`,
    ],
  };
}

export async function benchAgain(bench: Bench): Promise<Section> {
  const { directory, floor } = bench;
  using scratch = new Scratch(directory, tenants);
  const { driver } = scratch.apply();
  const lines = floorReads(driver, scratch.policy, scratch.hierarchies());
  await using reader = new Floor(floor, 'read', `${directory}/read`, lines);
  const ways = [
    () => reader.pass(),
    () => milliseconds(() => expectNothing(scratch.apply().operations.length)),
    ...processes(bench, scratch.policyFile),
  ];
  return {
    name: 'again',
    title: `Apply again to ${tenants} tenants, nothing to change`,
    beside: 'C loop',
    rows: rowsOf(await inTurn(bench.quick ? 7 : 21, ways, bench.signal), againGoal),
    notes: [`${count(lines, 'read')} files read and ${count(lines, 'list')} directories listed`],
  };
}

/** Runs the same apply in a process of its own: only its inside, and from its start to its exit. */
function processes({ floor, built }: Bench, policy: string): readonly Way[] {
  const words = ['--instance', instance, 'apply', '--quiet', '--policy', policy];
  const whole = (command: readonly string[]) => () =>
    runOnce(floor, [...command, ...words]).milliseconds;
  return [
    () => Number(execFileSync(process.execPath, [fresh, policy], { encoding: 'utf8' })),
    whole([entry]),
    ...(built.command === undefined ? [] : [whole(built.command)]),
  ];
}

const labels = [
  'in process',
  'in process, its first',
  'bulkhead apply, whole, from source',
  'bulkhead apply, whole, built',
];

/**
 * Makes the rows. The first samples are the floor of the others; the goal is for the first of the
 * others.
 */
function rowsOf([c = [], ...all]: readonly (readonly number[])[], goal: number): readonly Row[] {
  return all.map((samples, index) =>
    compare(labels[index] ?? '', samples, c, index === 0 ? goal : undefined),
  );
}

const count = (lines: readonly string[], kind: string) =>
  lines.filter((line) => line.startsWith(kind)).length;

function expectNothing(changes: number): void {
  if (changes !== 0) throw new Error(`The second apply changed ${changes} things`);
}
