/** `bulkhead app restart`: starts an application anew, also one in a crash loop. */
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { ok } from '../../../packages/base/result.ts';
import { printable } from '../../../packages/base/printable.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type PolicyOptions,
} from '../../cli/shared/command.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import { failWith, print, printError } from '../../cli/shared/session.ts';
import { readStop, stopText } from '../../host/stops.ts';
import { systemctl } from '../../host/systemd/systemctl.ts';
import { appKey } from '../core/names.ts';
import { readDisabled } from '../io/disabled-file.ts';
import { reconcileApps } from '../io/reconcile.ts';
import { appSubject, fullName, type AppSubject } from './subject.ts';

async function restart(name: string, options: PolicyOptions, command: Command): Promise<ExitCode> {
  const subject = await appSubject(name, options, command, 'systemd');
  if (typeof subject === 'number') return subject;
  const { app, policy, paths, layout } = subject;
  const object = fullName(app);
  const blocker = reasonAgainst(subject);
  if (blocker !== undefined)
    return failWith({ action: 'restart the application', object, ...blocker });
  // Nothing of an earlier crash loop counts any more.
  const stopped = existsSync(`${layout.units}/${app.service}`)
    ? await systemctl('stop', app.service)
    : ok(undefined);
  if (!stopped.ok) return failWith(stopped.error);
  await systemctl('reset-failed', app.service, app.socket);
  const problems = await reconcileApps(policy, paths, { only: app.id });
  for (const problem of problems) printError(problem);
  if (problems.length > 0) return exitCodes.failed;
  const started = await systemctl('start', app.service);
  if (!started.ok) return failWith(started.error);
  print(`${printable(object)} was started`);
  return exitCodes.done;
}

function reasonAgainst({ app, paths, layout }: AppSubject) {
  const stop = readStop(paths, app.id.uid);
  if (stop !== undefined)
    return {
      reason: `its tenant is ${printable(stopText(stop))}`,
      hint: `run: bulkhead start ${app.owner.user}`,
    };
  const disabled = readDisabled(layout.disabled);
  if (!disabled.ok) return { reason: disabled.error.reason };
  return disabled.value.has(appKey(app.id))
    ? { reason: 'it is disabled', hint: `run: bulkhead app enable ${fullName(app)}` }
    : undefined;
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'the application, as TENANT/NAME');
    command
      .addOption(policyOption())
      .addHelpText(
        'after',
        examples(['bulkhead app restart alice/blog', 'requests meanwhile wait in its socket']),
      )
      .action(run(restart));
  },
};
