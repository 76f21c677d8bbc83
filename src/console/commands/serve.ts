/**
 * `bulkhead console serve`: the front of the console. A service manager passes it the socket; started as root, it makes
 * the socket itself. Either way it has no rights when the first visitor comes.
 */
import { rmSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Command } from 'commander';
import { usageError } from '../../cli/shared/agent-request.ts';
import { exitCodes, type CommandModule, type ExitCode } from '../../cli/shared/command.ts';
import { failWith, pathsFor } from '../../cli/shared/output.ts';
import { consoleAgentSocketOf, consoleSocketOf } from '../../host/paths.ts';
import { packageFile } from '../../sys/package-files.ts';
import { inheritedUnixSocket } from '../../sys/sockets/inherited-sockets.ts';
import { frameAncestors } from '../core/headers.ts';
import { allowedNames } from '../core/hosts.ts';
import { dropRights } from '../io/drop-rights.ts';
import { Front } from '../io/front.ts';
import { readServedFiles } from '../io/served-files.ts';

interface ServeOptions {
  readonly name?: readonly string[];
  readonly frame?: readonly string[];
  readonly files?: string;
}

const account = 'bulkhead-console';

async function serve(options: ServeOptions, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const action = 'serve the console';
  const names = allowedNames([hostname(), ...(options.name ?? [])]);
  const ancestors = frameAncestors(options.frame ?? []);
  if (names === undefined) return usageError({ action, reason: '--name takes names of hosts' });
  if (ancestors === undefined)
    return usageError({
      action,
      reason: '--frame takes origins, such as https://panel.example:2083',
    });
  const files = readServedFiles(options.files ?? packageFile('dist/console'));
  if (!files.ok) return failWith(files.error);
  const fd = inheritedUnixSocket(process.env);
  const path = consoleSocketOf(paths);
  if (fd === undefined && process.getuid?.() !== 0) {
    const reason = 'no socket was passed to it, and only root can make it';
    return failWith({ action, reason, hint: 'start it by its service, or as root' });
  }
  const { promise: idle, resolve: onIdle } = Promise.withResolvers<void>();
  await using front = new Front({
    agentSocket: consoleAgentSocketOf(paths),
    files: files.value,
    names,
    frameAncestors: ancestors,
    // Only a service manager starts it again for the next visitor.
    ...(fd !== undefined && { onIdle }),
  });
  if (fd === undefined) rmSync(path, { force: true });
  const listening = front.listen(fd === undefined ? { path } : { fd });
  const dropped = dropRights(paths, account);
  if (!dropped.ok) return failWith(dropped.error);
  const listens = await listening;
  if (!listens.ok) return failWith({ action: 'listen on', object: path, ...listens.error });
  await Promise.race([idle, signalled()]);
  return exitCodes.done;
}

const signalled = (): Promise<void> =>
  new Promise((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => resolve());
  });

export const command: CommandModule = {
  define(command, run) {
    command
      .option('--name <name...>', 'other names by which browsers may call this host')
      .option('--frame <origin...>', 'control panels that may show it in a frame')
      .option('--files <directory>', 'serve the files of this directory')
      .action(run(serve));
  },
};
