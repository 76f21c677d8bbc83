/** The distribution's unit, and whether it can start php-fpm with another main file. */
import { realPathOf } from '../../../../../packages/base/io/read.ts';
import type { Problem } from '../../../../../packages/base/problem.ts';
import { fail, type Result } from '../../../../../packages/base/result.ts';
import { unitProperties } from '../../../../host/systemd/systemctl.ts';
import { distributionUnit } from '../../../../layouts/layouts.ts';
import type { FpmLayout } from '../layout.ts';
import type { FpmPlan } from '../plan.ts';

type Properties = ReadonlyMap<string, string>;

/** Reads the unit. Fails if the plan cannot be applied with it. */
export async function readDistribution(
  { before }: Pick<FpmPlan, 'before'>,
  layout: FpmLayout,
): Promise<Result<Properties, Problem>> {
  const names = ['LoadState', 'MainPID', 'Type', 'ExecStart'];
  const unit = await unitProperties(distributionUnit(layout.php), names);
  if (!unit.ok) return unit;
  const problem = distributionProblem(layout, unit.value, before.has(layout.dropIn));
  return problem === undefined ? unit : fail(problem);
}

/** Returns why the unit cannot be divided. A unit that is divided already starts what Bulkhead has told it. */
export function distributionProblem(
  { php, program }: Pick<FpmLayout, 'php' | 'program'>,
  unit: Properties,
  isDivided: boolean,
): Problem | undefined {
  const object = distributionUnit(php);
  const action = 'divide the pools of';
  if (unit.get('LoadState') !== 'loaded') {
    const hint = `install the package that has ${object}`;
    return { action, object, reason: 'systemd does not have it', hint };
  }
  const reason = isDivided ? undefined : startsOther(program, unit);
  return reason === undefined ? undefined : { action, object, reason };
}

function startsOther(program: string, unit: Properties): string | undefined {
  if (unit.get('Type') === 'forking')
    return 'its unit has Type=forking, and php-fpm has to stay in the foreground';
  const started = /^\{ path=(\S+) ;/.exec(unit.get('ExecStart') ?? '')?.[1];
  return started !== undefined && realPathOf(started) !== realPathOf(program)
    ? `its unit starts ${started}, and not ${program}`
    : undefined;
}
