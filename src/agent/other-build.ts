/**
 * The end of an agent whose files were replaced by another version's. It can start none of its processes any more, so it
 * ends, and its supervisor starts the new version. Nobody would start one again that a person runs on a terminal.
 */
import { readText } from '../../packages/base/io/read.ts';
import type { Log } from './log.ts';

/**
 * Whether a person has started this process: on a terminal that controls it, and not as a service of systemd. A supervisor
 * such as runit may have the host's console for its log, which controls nothing.
 */
export const isStartedByHand = (
  environment: NodeJS.ProcessEnv,
  terminal: { readonly isTTY?: boolean } = process.stderr,
  stat = readText('/proc/self/stat') ?? '',
): boolean =>
  environment['NOTIFY_SOCKET'] === undefined && terminal.isTTY === true && isControlled(stat);

/** `1 (name) S PARENT GROUP SESSION TERMINAL …`: without one, it is 0. A name may have parentheses. */
const isControlled = (stat: string): boolean =>
  !['0', undefined].includes(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[4]);

/** Resolves if the agent is to end, once `installed` has; one that was started by hand goes on, and the log says what to do. */
export async function endForOtherBuild(
  installed: Promise<void>,
  log: Pick<Log, 'warn'>,
  isByHand: boolean,
): Promise<void> {
  await installed;
  if (!isByHand) {
    log.warn('The files of another version were installed: stopping, so that it can be started');
    return;
  }
  log.warn(
    'The files of another version were installed. This agent goes on measuring, and limits stay in force, but it can apply no changes: stop it with Ctrl-C, and start it again',
  );
  await new Promise<never>(() => undefined);
}
