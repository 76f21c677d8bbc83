/** `bulkhead console enable`: systemd listens for browsers, and starts the front with the first one. */
import type { Command } from 'commander';
import { policyReaderOf } from '../../cli/capability.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { failWith, print, showDiagnostics } from '../../cli/shared/output.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import { consoleSocketOf, type Paths } from '../../host/paths.ts';
import type { ConsoleSettings } from '../../policy/elements/console-settings.ts';
import { readCertificate } from '../io/certificate.ts';
import { dropInPath, enableConsole, wantedDropIn } from '../io/console-units.ts';
import { listensAt } from '../core/addresses.ts';
import { hostPaths, whyUnreadable } from './host.ts';

interface EnableOptions {
  readonly policy: string;
  readonly dryRun?: boolean;
}

const action = 'enable the console';

async function enable(options: EnableOptions, command: Command): Promise<ExitCode> {
  const paths = hostPaths(command, action);
  if (typeof paths === 'number') return paths;
  const blocker = whyUnreadable();
  if (blocker !== undefined) return failWith({ action, ...blocker });
  const read = await settingsIn(options.policy, command, paths);
  if (read === undefined) return exitCodes.failed;
  const { settings } = read;
  const pair = settings?.tls && readCertificate(settings.tls);
  if (pair?.ok === false) return failWith(pair.error);
  if (options.dryRun === true) {
    print(planOf(paths, settings));
    return exitCodes.done;
  }
  const done = await enableConsole(paths, settings);
  if (!done.ok) return failWith(done.error);
  print(textOf(paths, settings));
  return exitCodes.done;
}

/** Returns the console's part of the policy, which need not exist; undefined after its mistakes have been printed. */
async function settingsIn(
  file: string,
  command: Command,
  paths: Paths,
): Promise<{ readonly settings: ConsoleSettings | undefined } | undefined> {
  const reader = await policyReaderOf(command);
  const { policy, diagnostics, problem } = reader.load(file, paths);
  if (policy !== undefined) return { settings: policy.console };
  if (problem?.errno === 'ENOENT') return { settings: undefined };
  if (problem !== undefined) failWith(problem);
  showDiagnostics(diagnostics, 'error');
  return undefined;
}

const planOf = (paths: Paths, settings: ConsoleSettings | undefined): string =>
  [
    'makes the account bulkhead-console, if it is missing',
    'enables bulkhead-console.socket',
    ...(wantedDropIn(settings) === undefined ? [] : [`writes ${dropInPath(paths)}`]),
  ].join('\n');

function textOf(paths: Paths, settings: ConsoleSettings | undefined): string {
  const socket = consoleSocketOf(paths);
  const network = listensAt(settings);
  return [
    `The console answers on ${[socket, ...network].join(', ')}`,
    'Log in: bulkhead console login',
  ].join('\n');
}

export const command: CommandModule = {
  define(command, run) {
    command
      .addOption(policyOption())
      .option('--dry-run', 'print what would be done; changes nothing')
      .addHelpText(
        'after',
        examples(['bulkhead console enable', 'now, and at boot; nothing listens on the network']),
      )
      .action(run(enable));
  },
};
