/** Commands that put the next record of a rollout. */
import { Option } from 'commander';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { JsonOption } from '../../../cli/shared/agent-request.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { failWith, print, printJson } from '../../../cli/shared/output.ts';
import { namespaces } from '../../core/documents.ts';
import type { RolloutRecord } from '../../core/rollout/record.ts';
import { rolloutTimes } from '../../core/rollout/decide.ts';
import type { RolloutWord } from '../../core/rollout/steps.ts';
import { findSigner, signText } from '../../io/directory/sign.ts';
import { withCentre } from '../../io/rollout/centre-record.ts';
import { lastRecord, say } from '../../io/rollout/controller.ts';
import { directoryCentre } from '../../io/rollout/directory-centre.ts';
import { readPublished, type PublishedFleet } from '../../io/rollout/published.ts';
import { describeRollout, rolloutJson } from './describe-rollout.ts';
import { centreOption, leaderIn } from './led.ts';
import { jsonOption } from '../shared-options.ts';

interface WordOptions extends JsonOption {
  readonly centre: string;
  readonly key?: string;
  readonly reason?: string;
}

async function sayWord(
  word: RolloutWord,
  directory: string,
  options: WordOptions,
): Promise<ExitCode> {
  const now = Date.now();
  const fleet = readPublished(directory, now);
  if (!fleet.ok) return failWith(fleet.error);
  const said = await put(word, directory, options, fleet.value, now);
  if (!said.ok) return failWith(said.error);
  const leader = leaderIn(options.centre, fleet.value.trust);
  const shown = rolloutJson(
    { fleet: fleet.value, record: said.value, ...(leader !== undefined && { leader }) },
    { now, times: rolloutTimes },
  );
  if (options.json === true) printJson(shown);
  else print(describeRollout(shown));
  return exitCodes.done;
}

async function put(
  word: RolloutWord,
  directory: string,
  { centre: own, key, reason }: WordOptions,
  fleet: PublishedFleet,
  now: number,
): Promise<Result<RolloutRecord, Problem>> {
  const action = `${word} the rollout in`;
  const { controllers } = fleet.trust;
  if (controllers.length === 0)
    return failed({
      action,
      object: directory,
      reason: 'the trust of the fleet lists no controllers, so hosts take releases as they come',
      hint: 'run "bulkhead fleet trust add --controller"',
    });
  const signer = findSigner(controllers, key);
  if (!signer.ok) return signer;
  const centre = directoryCentre(directory);
  const published = await lastRecord(centre, fleet.trust);
  if (!published.ok) return published;
  const led = withCentre(own, published.value, fleet.trust);
  // What stops a rollout must not wait for anything: the centre knows which wave is meant.
  const last = led.ok || !stops.has(word) ? led : published;
  if (!last.ok) return last;
  const sign = (text: string) => signText(signer.value, text, namespaces.rollout);
  const said = await say({ word, ...(reason !== undefined && { reason }) }, fleet, {
    centre,
    last: last.value,
    sign,
    now,
  });
  if (!said.ok) return said;
  if (said.value !== 'conflict') return ok(said.value.record);
  return failed({
    action,
    object: directory,
    reason: 'another record came at the same time',
    hint: 'look at "bulkhead fleet rollout status", and try again',
  });
}

/** Words that stop a rollout: people give a reason for them. */
const stops: ReadonlySet<RolloutWord> = new Set(['pause', 'back']);

/** Returns the command that says a word. */
export const wordCommand = (word: RolloutWord): CommandModule => ({
  define(command, run) {
    describeArgument(command, 'the directory that "bulkhead fleet publish" has written');
    command.addOption(
      new Option(
        '--key <file>',
        "a controller's SSH key; otherwise the first of your ssh-agent and ~/.ssh that the fleet lists",
      ),
    );
    if (stops.has(word)) command.option('--reason <text>', 'a sentence that hosts show');
    command
      .addOption(centreOption())
      .addOption(jsonOption())
      .addHelpText(
        'after',
        examples([`bulkhead fleet rollout ${word} out --key controller`, 'with the file of a key']),
      )
      .action(run((directory: string, options: WordOptions) => sayWord(word, directory, options)));
  },
});
