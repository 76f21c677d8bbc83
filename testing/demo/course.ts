/**
 * The demo on this host: applies the policy, lets every tenant go against its limit, watches, judges.
 *
 * It removes nothing: the caller does, however it ends.
 */
import { release } from 'node:os';
import { setInterval, setTimeout as sleep } from 'node:timers/promises';
import { applyPolicy, type Applied } from '../../src/apply/apply.ts';
import type { Driver } from '../../src/host/driver.ts';
import type { Host } from '../../src/host/host.ts';
import { readText } from '../../packages/base/io/read.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { formatProblem, type Cause, type Problem } from '../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../packages/base/result.ts';
import { Loads } from './load.ts';
import { neighbourUid } from './meter.ts';
import { Neighbour, type Pages } from './neighbour.ts';
import { paths } from './place.ts';
import type { Row } from './screen/row.ts';
import { emptyReadings, takeSamples, type Readings } from './sample.ts';
import { makeScratch, type Scratch } from './scratch.ts';
import { wrap } from '../../src/cli/shared/terminal.ts';
import type { DemoScreen } from './screen/screen.ts';
import { cgroupsOf, isDecided, readingOf, rowOf, shownOn, type ShownMeter } from './shown.ts';
import { judgeLimit, unsupported, type LimitVerdict } from './verdict.ts';
import { viewOn } from './screen/view.ts';

const aloneMilliseconds = 2000;
const loadMilliseconds = 10_000;
/**
 * The maximum time of the loads. On a slow or busy host they go on until every limit has been hit, and for no longer
 * than this.
 */
const loadMillisecondsMax = 60_000;
const tickMilliseconds = 250;

export interface Report {
  readonly kernel: string;
  readonly driver: string;
  readonly verdicts: readonly LimitVerdict[];
  readonly neighbour: {
    readonly uid: number;
    readonly alone: Pages | undefined;
    readonly beside: Pages | undefined;
  };
  /** The steps that failed while the policy was applied. */
  readonly failures: readonly string[];
}

/** Runs the demo; the failure names what the host refused although it looked fit. */
export async function demonstrate(
  policy: Policy,
  host: Host,
  screen: DemoScreen,
  signal: AbortSignal,
): Promise<Result<Report, readonly Problem[]>> {
  const applied = apply(policy, host);
  if (!applied.ok) return applied;
  const { driver, failures } = applied.value;
  const scratch = await makeScratch(signal);
  const { driver: name, reason } = driver.capabilities;
  const where = scratch.ok ? `; scratch files in ${scratch.value.path}` : '';
  screen.print(
    `${wrap(`Kernel ${release()}, driver ${name}: ${reason}${where}`, screen.columns())}\n`,
  );
  const shown = shownOn(policy, driver, scratch);
  using neighbour = new Neighbour();
  await sleep(aloneMilliseconds, undefined, { signal });
  const readings = await load(shown, { driver, scratch, neighbour, screen, signal });
  return ok({
    kernel: release(),
    driver: name,
    ...readings,
    neighbour: {
      uid: neighbourUid,
      alone: neighbour.pages('alone'),
      beside: neighbour.pages('beside'),
    },
    failures: failures.map(({ problem }) => formatProblem(problem)),
  });
}

/** Applies the policy. Without cgroups there is nothing to show; the verdict reports single limits that fail. */
function apply(policy: Policy, host: Host): Result<Applied, readonly Problem[]> {
  const applied = applyPolicy(policy, host, { kill: true, force: true });
  if (!applied.ok) return fail([applied.error]);
  const essential = applied.value.failures.filter(({ operation }) => operation.kind !== 'write');
  return essential.length === 0 ? applied : fail(essential.map(({ problem }) => problem));
}

interface Stage {
  readonly driver: Driver;
  readonly scratch: Result<Scratch, Cause>;
  readonly neighbour: Neighbour;
  readonly screen: DemoScreen;
  readonly signal: AbortSignal;
}

async function load(
  shown: readonly ShownMeter[],
  stage: Stage,
): Promise<{ readonly verdicts: readonly LimitVerdict[] }> {
  const { driver, neighbour, signal } = stage;
  const readings = emptyReadings(cgroupsOf(shown));
  takeSamples(readings, driver);
  neighbour.others();
  const loads = new Loads();
  try {
    for (const each of shown) if (each.missing === undefined) start(each, loads, readings, stage);
    await watch(shown, readings, stage);
    signal.throwIfAborted();
    return { verdicts: shown.map((each) => verdictOn(each, readings, loads)) };
  } finally {
    await loads.stop();
  }
}

function start(shown: ShownMeter, loads: Loads, readings: Readings, { scratch }: Stage): void {
  const { meter, limit } = shown;
  const context = {
    limit,
    core: lastCore(),
    scratch: scratch.ok ? scratch.value : undefined,
  };
  for (const each of meter.loads) {
    loads.start(each, context, () => readingOf(shown, readings).use <= limit / 2);
  }
}

/** Returns the last core of `Cpus_allowed_list:	0-3,6`. Source: proc_pid_status(5). */
function lastCore(): number {
  const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(readText(`${paths.proc}/self/status`) ?? '');
  return Number(list?.[1]?.split(/[,-]/).at(-1) ?? 0);
}

async function watch(
  shown: readonly ShownMeter[],
  readings: Readings,
  stage: Stage,
): Promise<void> {
  const { driver, neighbour, screen, signal } = stage;
  using view = viewOn(screen);
  const started = performance.now();
  for await (const _ of setInterval(tickMilliseconds, undefined, { signal })) {
    takeSamples(readings, driver);
    const elapsed = performance.now() - started;
    const rows = [...shown.map((each) => rowOf(each, readings)), neighbourRow(neighbour)];
    const isLate = elapsed >= loadMilliseconds;
    const isWaiting = isLate && !shown.every((each) => isDecided(each, readings));
    const footer = isWaiting
      ? `${seconds(elapsed)}, until every limit has been hit`
      : seconds(elapsed);
    view.show(rows, elapsed / 1000, screen.colors.dim(footer));
    if ((isLate && !isWaiting) || elapsed >= loadMillisecondsMax) return;
  }
}

const seconds = (elapsed: number) => `${Math.floor(elapsed / 1000)} s`;

function neighbourRow(neighbour: Neighbour): Row {
  const time = (pages: Pages | undefined) =>
    pages === undefined ? '-' : `${pages.medianMilliseconds.toFixed(1)}ms`;
  return {
    uid: neighbourUid,
    title: 'neighbour',
    does: 'serves pages',
    use: time(neighbour.pages('beside')),
    limit: '',
    filled: undefined,
    hits: `a page; alone ${time(neighbour.pages('alone'))}`,
    state: 'quiet',
  };
}

function verdictOn(shown: ShownMeter, readings: Readings, loads: Loads): LimitVerdict {
  const { meter, support, missing } = shown;
  if (missing !== undefined) return unsupported(meter, support, missing);
  return judgeLimit(meter, support, readingOf(shown, readings), loads.problemOf(meter.loads));
}
