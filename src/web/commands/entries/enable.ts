/** `bulkhead web entries enable`: writes what holds tenants to their entries, and has the web servers follow it. */
import type { Command } from 'commander';
import type { Problem } from '../../../base/problem.ts';
import type { Result } from '../../../base/result.ts';
import { readHostFacts } from '../../../host/accounts/accounts.ts';
import { examples, type CommandModule, type ExitCode } from '../../../cli/shared/command.ts';
import { planNginx, type NginxEntries } from '../../io/entries/nginx.ts';
import { limitsText, stateOf, writeRecord } from '../../io/entries/record.ts';
import type { NginxProgram } from '../../io/servers.ts';
import { carryOut } from './carry-out.ts';
import {
  entriesSession,
  withEntriesOptions,
  type EntriesOptions,
  type EntriesSession,
} from './session.ts';

export async function enable(options: EntriesOptions, command: Command): Promise<ExitCode> {
  const session = await entriesSession(options, command);
  if (typeof session === 'number') return session;
  const plan = (nginx: NginxProgram) => planNginx(nginx, session.survey, session);
  return carryOut(session, options, plan, record);
}

function record(session: EntriesSession, { http }: NginxEntries): Result<void, Problem> {
  const { paths, survey, limits } = session;
  const { accounts } = readHostFacts(paths, [http.user]);
  const sender = accounts.find(({ user }) => user === http.user)?.uid ?? 0;
  const pools = survey.pools.flatMap(({ places }) => places.map(({ file }) => file));
  const files = [...new Set([...http.files, ...pools, ...survey.sites.map(({ file }) => file)])];
  const state = stateOf(files);
  return writeRecord(paths, { sender, files, state, limits: limitsText(limits) });
}

export const command: CommandModule = {
  define(command, run) {
    withEntriesOptions(command, 'print what would be written; changes nothing')
      .addHelpText(
        'after',
        examples(
          ['bulkhead web entries enable --dry-run', 'what would be written'],
          ['bulkhead web entries enable', 'write it, check it, and reload the web server'],
        ),
      )
      .action(run(enable));
  },
};
