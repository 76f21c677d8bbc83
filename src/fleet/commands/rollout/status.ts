/** `bulkhead fleet rollout status DIRECTORY`: which waves are open, how their hosts are, and why it has stopped. */
import { formatProblem } from '../../../../packages/base/problem.ts';
import type { JsonOption } from '../../../cli/shared/agent-request.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { failWith, print, printJson } from '../../../cli/shared/output.ts';
import { rolloutTimes, type Seen } from '../../core/rollout/decide.ts';
import { withCentre } from '../../io/rollout/centre-record.ts';
import { lastRecord } from '../../io/rollout/controller.ts';
import { directoryCentre } from '../../io/rollout/directory-centre.ts';
import { readPublished } from '../../io/rollout/published.ts';
import { openStore } from '../servers/open-store.ts';
import { describeRollout, rolloutJson } from './describe-rollout.ts';
import { centreOption, leaderIn } from './led.ts';
import { jsonOption } from '../shared-options.ts';

interface StatusOptions extends JsonOption {
  readonly centre: string;
}

async function status(directory: string, options: StatusOptions): Promise<ExitCode> {
  const time = { now: Date.now(), times: rolloutTimes };
  const fleet = readPublished(directory, time.now);
  if (!fleet.ok) return failWith(fleet.error);
  const { trust } = fleet.value;
  const published = await lastRecord(directoryCentre(directory), trust);
  if (!published.ok) return failWith(published.error);
  const last = withCentre(options.centre, published.value, trust);
  const { record, problem } = last.ok ? last.value : published.value;
  const leader = leaderIn(options.centre, trust);
  const statuses = await statusesIn(options.centre);
  const shown = rolloutJson(
    {
      fleet: fleet.value,
      record,
      ...(leader !== undefined && { leader }),
      ...(statuses && { statuses }),
      problems: [
        ...(problem === undefined ? [] : [`The last record does not count: ${problem}`]),
        ...(last.ok ? [] : [formatProblem(last.error)]),
      ],
    },
    time,
  );
  if (options.json === true) printJson(shown);
  else print(describeRollout(shown));
  const isStopped = ['hold', 'back'].includes(record?.verdict ?? '');
  return isStopped || shown.record?.isFresh === false ? exitCodes.found : exitCodes.done;
}

/** Returns what hosts have told the centre; undefined if it is not here. Nothing else is read as root from here on. */
async function statusesIn(directory: string): Promise<Seen['statuses'] | undefined> {
  const opened = await openStore(directory);
  if (!opened.ok) return undefined;
  const { rolloutStatuses } = await import('../../io/server/rollout-statuses.ts');
  using store = opened.value;
  const statuses = rolloutStatuses(store);
  return statuses.ok ? statuses.value : undefined;
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'the directory that "bulkhead fleet publish" has written');
    command
      .addOption(centreOption())
      .addOption(jsonOption())
      .addHelpText(
        'after',
        examples(
          ['bulkhead fleet rollout status out', 'the waves of the release in out'],
          [
            'bulkhead fleet rollout status out || mail -s stopped root',
            'exit status 3: it stopped',
          ],
        ),
      )
      .action(run(status));
  },
};
