/** Finds this server's entry paths. */
import { existsSync } from 'node:fs';
import { namesIn, readText } from '../../../packages/base/io/read.ts';
import type { Cause } from '../../../packages/base/problem.ts';
import { isLocked } from '../../sys/files/flock.ts';
import { pathsOf } from '../servers/find-servers.ts';
import { agentLock, type Paths } from '../paths.ts';
import {
  entryPaths,
  type EntryPathFacts,
  type EntryPath,
  type EntryPathKnowledge,
} from './entry-paths.ts';

/** Reads the facts. `root` is the parent of the programs' directories: empty on a server, a fixture in a test. */
export function readEntryPathFacts(
  paths: Paths,
  known: readonly EntryPathKnowledge[],
  root = '',
): EntryPathFacts {
  const sessions = known.flatMap((each) => each.sessions ?? []);
  // A service without a file of its own has the file "other".
  const services = entryPaths
    .flatMap((entryPath) => entryPath.sessions)
    .filter(
      (service) =>
        sessions.some((each) => each.service === service) ||
        existsSync(`${paths.etc}/pam.d/${service}`),
    );
  return {
    programs: (entryPath) => programsOf(entryPath, root),
    services: new Set(services),
    withoutSession: (service) => (service === 'sshd' ? sshWithoutPam(paths.etc) : undefined),
    agentRuns: isLocked(agentLock(paths)),
    sessions,
    counts: Object.assign(
      {},
      ...known.map(({ counts }) => counts ?? {}),
    ) as EntryPathFacts['counts'],
  };
}

const programsOf = ({ programs }: EntryPath, root: string): readonly string[] =>
  programs.flatMap((path) => pathsOf(root, path));

/**
 * Returns why sshd opens no PAM session: it does so only if configured. If there are several values, the first one
 * counts, and Debian includes the directory before all others. See sshd_config(5).
 */
function sshWithoutPam(etc: string): Cause | undefined {
  const directory = `${etc}/ssh/sshd_config.d`;
  const included = namesIn(directory)
    .filter((name) => name.endsWith('.conf'))
    .map((name) => `${directory}/${name}`);
  for (const file of [...included, `${etc}/ssh/sshd_config`]) {
    const value = /^[ \t]*UsePAM(?:[ \t]+|[ \t]*=[ \t]*)"?(\w+)/im.exec(readText(file) ?? '')?.[1];
    if (value !== undefined)
      return value.toLowerCase() === 'yes' ? undefined : { reason: `${file} says UsePAM ${value}` };
  }
  return { reason: `${etc}/ssh/sshd_config does not say UsePAM yes` };
}
