/**
 * `bulkhead console serve`: the front of the console. A service manager passes it the socket; started as root, it makes
 * the socket itself. Either way it has no rights when the first visitor comes.
 */
import { rmSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Command } from 'commander';
import { usageError } from '../../cli/shared/agent-request.ts';
import { exitCodes, type CommandModule, type ExitCode } from '../../cli/shared/command.ts';
import { causeOf } from '../../../packages/base/io/errno.ts';
import { failWith, pathsFor, printError } from '../../cli/shared/output.ts';
import { failed, type Cause, type Problem } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import {
  consoleAccount,
  consoleAgentSocketOf,
  consoleSettingsSocketOf,
  consoleSocketOf,
  type Paths,
} from '../../host/paths.ts';
import { packageFile } from '../../sys/package-files.ts';
import { inheritedListeners, type InheritedSocket } from '../../sys/sockets/inherited-sockets.ts';
import { frameAncestors } from '../core/headers.ts';
import { allowedNames } from '../core/hosts.ts';
import { namesIn } from '../io/certificate.ts';
import { dropRights } from '../io/drop-rights.ts';
import { Front, type FrontRules } from '../io/front.ts';
import { isListening } from '../io/listening.ts';
import { readServedFiles } from '../io/served-files.ts';
import { SettingsLink, type FrontSettings } from '../io/settings-link.ts';

interface ServeOptions {
  readonly name?: readonly string[];
  readonly frame?: readonly string[];
  readonly files?: string;
}

const action = 'serve the console';

async function serve(options: ServeOptions, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const settings = settingsOf(options);
  if (!settings.ok) return usageError({ action, ...settings.error });
  const files = readServedFiles(options.files ?? packageFile('dist/console'));
  if (!files.ok) return failWith(files.error);
  const { unix: fd, tcp } = inheritedListeners(process.env);
  const blocker = fd === undefined ? whyNoSocket(paths) : undefined;
  if (blocker !== undefined) return failWith({ action, ...blocker });
  const { promise: idle, resolve: onIdle } = Promise.withResolvers<void>();
  await using front = new Front({
    agentSocket: consoleAgentSocketOf(paths),
    files: files.value,
    ...settings.value,
    // Only a service manager starts it again for the next visitor.
    ...(fd !== undefined && { onIdle }),
  });
  const begun = await begin(front, paths, fd);
  if (!begun.ok) return failWith(begun.error);
  const network = await listenOnNetwork(front, tcp);
  if (!network.ok) return failWith(network.error);
  using _link = new SettingsLink(consoleSettingsSocketOf(paths), (policy) =>
    adopt(front, options, policy),
  );
  await Promise.race([idle, signalled()]);
  return exitCodes.done;
}

/** Listens on the sockets that the service manager holds; they are closed to visitors until there is a certificate. */
async function listenOnNetwork(
  front: Front,
  sockets: readonly InheritedSocket[],
): Promise<Result<void, Problem>> {
  for (const { host, port, copy } of sockets) {
    const fd = copy();
    const object = `${host} port ${port}`;
    const reason = 'too many files are open';
    const listens = fd === undefined ? fail({ reason }) : await front.listenWithTls(fd);
    if (!listens.ok) return failed({ action: 'listen on', object, ...listens.error });
  }
  return ok(undefined);
}

/** Takes over what the policy says; what cannot be used leaves everything as it was. */
function adopt(front: Front, options: ServeOptions, { names, frames, tls }: FrontSettings): void {
  const { name = [], frame = [] } = options;
  // Names that no browser could send count for nothing.
  const own = namesIn(tls?.certificate ?? '').filter((each) => allowedNames([each]) !== undefined);
  const settings = settingsOf({ name: [...name, ...names, ...own], frame: [...frame, ...frames] });
  if (!settings.ok) {
    printError({ action: 'use the settings of the policy', ...settings.error });
    return;
  }
  front.adopt(settings.value);
  try {
    front.adoptCertificate(tls);
  } catch (error) {
    printError({ action: 'use the certificate', ...causeOf(error) });
  }
}

function settingsOf({ name = [], frame = [] }: ServeOptions): Result<FrontRules, Cause> {
  // A name that no browser could send is none to be called by.
  const own = allowedNames([hostname()]) === undefined ? [] : [hostname()];
  const names = allowedNames([...own, ...name]);
  const ancestors = frameAncestors(frame);
  if (names === undefined) return fail({ reason: '--name takes names of hosts' });
  return ancestors === undefined
    ? fail({ reason: '--frame takes origins, such as https://panel.example:2083' })
    : ok({ names, frameAncestors: ancestors });
}

/** Returns why this process cannot make the socket itself. */
function whyNoSocket(paths: Paths): Cause | undefined {
  if (process.getuid?.() !== 0) {
    const reason = 'no socket was passed to it, and only root can make it';
    return { reason, hint: 'start it by its service, or as root' };
  }
  return isListening(paths)
    ? {
        reason: `another program listens on ${consoleSocketOf(paths)}`,
        hint: 'stop that one first',
      }
    : undefined;
}

/** Listens, and gives up all rights before the first connection is accepted. */
async function begin(
  front: Front,
  paths: Paths,
  fd: number | undefined,
): Promise<Result<void, Problem>> {
  const path = consoleSocketOf(paths);
  if (fd === undefined) rmSync(path, { force: true });
  const listening = front.listen(fd === undefined ? { path } : { fd });
  const dropped = dropRights(paths, consoleAccount);
  if (!dropped.ok) return dropped;
  const listens = await listening;
  return listens.ok ? listens : failed({ action: 'listen on', object: path, ...listens.error });
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
