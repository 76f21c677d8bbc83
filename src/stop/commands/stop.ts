/** `bulkhead stop TENANT`: ends all that a tenant runs, or freezes it, and keeps it out until `bulkhead start TENANT`. */
import type { Command } from 'commander';
import { findOutside } from '../../agent/placer/outside.ts';
import { placementTargets } from '../../agent/placer/placement.ts';
import { count } from '../../../packages/base/list.ts';
import { printable } from '../../../packages/base/printable.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type PolicyOptions,
} from '../../cli/shared/command.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import { print, printError, printJson, failWith } from '../../cli/shared/session.ts';
import { AccountNames } from '../../host/accounts/account-names.ts';
import { formatProcesses } from '../../host/kill-processes.ts';
import { agentLock, type Paths } from '../../host/paths.ts';
import { isLocked } from '../../sys/files/flock.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { stopTenant, type StoppedTenant } from '../io/stop-tenant.ts';
import { subjectOf, type StopSubject } from './tenant.ts';
import type { StopJson } from './json.ts';

interface StopOptions extends PolicyOptions {
  readonly freeze?: boolean;
  readonly reason?: string;
}

const reasonMax = 200;

async function stop(name: string, options: StopOptions, command: Command): Promise<ExitCode> {
  const subject = await subjectOf(command, name, options.policy);
  if (typeof subject === 'number') return subject;
  const { tenant, policy, driver, paths } = subject;
  const outside = () =>
    findOutside(placementTargets(policy, paths, driver.tree))
      .outside.filter((each) => each.uid === tenant.uid)
      .map(({ pid }) => pid);
  const reason =
    options.reason === undefined ? {} : { reason: printable(options.reason.slice(0, reasonMax)) };
  const stopped = await stopTenant({
    driver,
    paths,
    tenant,
    outside,
    stop: {
      uid: tenant.uid,
      user: tenant.account?.user ?? '',
      by: whoAsks(paths),
      at: Date.now(),
      frozen: options.freeze === true,
      ...reason,
    },
  });
  if (!stopped.ok) return failWith(stopped.error);
  for (const problem of stopped.value.problems) printError(problem);
  if (options.json === true)
    printJson({ name: subject.name, uid: tenant.uid, ...stopped.value } satisfies StopJson);
  else report(subject, stopped.value, options);
  return stopped.value.left.length + stopped.value.problems.length === 0
    ? exitCodes.done
    : exitCodes.failed;
}

function report(
  { name, tenant, paths }: StopSubject,
  stopped: StoppedTenant,
  { freeze }: StopOptions,
): void {
  const { killed, left, others, units } = stopped;
  const what =
    freeze === true
      ? 'its processes are frozen'
      : `${count(killed, 'process was', 'processes were')} ended`;
  const services =
    units.length === 0
      ? ''
      : `, ${count(units.length, 'service or socket was', 'services and sockets were')} stopped`;
  print(
    `${name} is stopped: ${what}${services}. It stays so, over reboots too, until: bulkhead start ${tenant.account?.user ?? tenant.uid}`,
  );
  if (left.length > 0) print(`Some of its processes do not die: ${formatProcesses(left)}`);
  if (others.length > 0)
    print(`Spared, since they are not the tenant's: ${formatProcesses(others)}`);
  if (!isLocked(agentLock(paths)))
    print(
      'No agent is running: what logins without "bulkhead pam enable", cron or other services start for it is not ended',
    );
}

/** Returns the login that the kernel remembers through sudo and su; root if there is none, as in cron. */
function whoAsks(paths: Paths): string {
  const uid = Number(readText(`${paths.proc}/self/loginuid`) ?? '');
  if (!Number.isSafeInteger(uid) || uid <= 0 || uid >= 2 ** 32 - 1) return 'root';
  return printable(new AccountNames(paths).namesOf(uid)[0] ?? `uid ${uid}`);
}

export const command: CommandModule = {
  define(command, run) {
    command
      .addOption(policyOption())
      .option('--freeze', 'keep its processes, frozen, instead of ending them (cgroup v2)')
      .option('--reason <text>', 'a note for whoever sees that it is stopped')
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead stop erin', 'a fork bomb too; logins, cron and PHP stay out'],
          ['bulkhead stop erin --freeze --reason "ticket 4711"', 'look at its processes meanwhile'],
          ['bulkhead start erin', 'let it run again'],
        ),
      )
      .action(run(stop));
  },
};
