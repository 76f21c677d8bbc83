/** `bulkhead agent`: the daemon. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { inheritedSockets } from '../../sys/sockets/inherited-sockets.ts';
import { linuxHost } from '../../host/host.ts';
import type { LogFormat } from '../../agent/log.ts';
import { loadIncidentKinds } from '../../usage/incident-kinds.ts';
import { otherBuildInstalled } from '../../sys/processes/same-build.ts';
import { serviceNotifier } from '../../sys/sockets/systemd-notify.ts';
import { examples, exitCodes, type CommandModule, type ExitCode } from '../shared/command.ts';
import { policyOption } from '../shared/policy-option.ts';
import { printError, pathsFor, failWith } from '../shared/session.ts';
import { capabilitiesOf } from '../capability.ts';
import { version } from '../version.ts';

interface AgentCommandOptions {
  readonly policy: string;
  readonly log: string;
}

async function runAgent(options: AgentCommandOptions, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  if (options.log !== 'human' && options.log !== 'json') {
    printError({
      action: 'use the log format',
      object: options.log,
      reason: 'that is not a log format',
      hint: 'use human or json',
    });
    return exitCodes.usage;
  }
  if (process.getuid?.() !== 0)
    return failWith({
      action: 'run the agent',
      reason: 'only root may set limits and move processes',
      hint: 'run as root',
    });
  // Only this command needs these modules.
  const { Agent } = await import('../../agent/agent.ts');
  const { makeLog } = await import('../../agent/log.ts');
  const { endForOtherBuild, isStartedByHand } = await import('../../agent/other-build.ts');
  const log = makeLog(options.log satisfies LogFormat, process.env);
  const makers = await Promise.all(
    capabilitiesOf(command).flatMap(({ agentParts = [] }) => agentParts.map((load) => load())),
  );
  const inherited = inheritedSockets(process.env);
  const isByHand = isStartedByHand(process.env);
  using notifier = serviceNotifier(process.env);
  const stopped = Promise.race([
    signalled(['SIGINT', 'SIGTERM']).then(() => exitCodes.done),
    endForOtherBuild(otherBuildInstalled, log, isByHand).then(() => exitCodes.failed),
  ]);
  const started = await Agent.start({
    policyFile: resolve(options.policy),
    host: linuxHost(paths),
    log,
    notifier,
    version: version(),
    inherited,
    parts: makers.map((make) => make(paths, log)),
    kinds: await loadIncidentKinds(capabilitiesOf(command)),
  });
  if (!started.ok) return failWith(started.error);
  await using agent = started.value;
  process.on('SIGHUP', () => agent.refresh());
  return await stopped;
}

function signalled(names: readonly NodeJS.Signals[]): Promise<void> {
  return new Promise((resolve) => {
    for (const name of names) process.once(name, () => resolve());
  });
}

export const command: CommandModule = {
  define(command, run) {
    command
      .addOption(policyOption())
      .option('--log <format>', 'log format: human or json', 'human')
      .addHelpText(
        'after',
        examples(
          ['bulkhead agent', 'in the foreground; Ctrl-C stops it, limits stay in force'],
          ['bulkhead agent --log json', 'log one JSON object per line'],
          ['bulkhead units enable', 'as a service, now and at boot'],
        ),
      )
      .action(run(runAgent));
  },
};
