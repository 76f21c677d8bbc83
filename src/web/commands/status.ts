/** `bulkhead web status`: shows every site, its owner, its handler, and whether that is in the tenant's cgroup. */
import type { Command } from 'commander';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type PolicyOptions,
  type Runner,
} from '../../cli/shared/command.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import { print, printJson } from '../../cli/shared/session.ts';
import { terminalOf } from '../../cli/shared/terminal.ts';
import { siteBounds, type EntryLimits } from '../core/entries/limits.ts';
import { liteSpeedNotes } from '../core/litespeed/notes.ts';
import { webNotes, type Note } from '../core/notes.ts';
import type { NotServed } from '../io/servers.ts';
import type { Overview } from '../core/overview.ts';
import { ownLimitsOf, unusedLimits, type SiteLimitIndex } from '../core/site-limits.ts';
import { overviewText } from './status-text.ts';
import { withSurvey } from './survey.ts';
import type { WebSiteJson, WebStatusJson } from './json.ts';

const status = (options: PolicyOptions, command: Command): Promise<ExitCode> =>
  withSurvey(options, command, ({ tenancy, survey, notServed }) => {
    const { nginxHttp: _, apachePidFiles: _files, ...overview } = survey;
    const remarks = tenancy.remarks.map((message) => ({ message, about: [] }));
    const unused = unusedLimits(overview, tenancy.siteLimits);
    const notes = [
      ...remarks,
      ...notServed.map(notServedNote),
      ...webNotes(overview),
      ...liteSpeedNotes(overview.sites, tenancy.entryLimits),
      ...unused,
    ];
    if (options.json === true)
      printJson({
        ...overview,
        sites: sitesJson(overview, tenancy),
        notServed,
        notes,
      } satisfies WebStatusJson);
    else print(overviewText(overview, notes, { ...terminalOf(process.stdout), ...tenancy }));
    return exitCodes.done;
  });

const notServedNote = ({ server, program, configuration, reason }: NotServed): Note => {
  const text = `${server ?? 'PHP-FPM'} ${program} (${configuration}) is not served: ${reason}`;
  const more =
    server === undefined ? '. The agent moves its processes after they have started' : '';
  return { message: `${text}${more}`, about: [] };
};

interface KnownLimits {
  readonly entryLimits: EntryLimits;
  readonly siteLimits: SiteLimitIndex;
}

/** Returns the sites for JSON. A missing owner is `null`, and so are missing limits of the site itself. */
const sitesJson = (
  { sites }: Overview,
  { entryLimits, siteLimits }: KnownLimits,
): readonly WebSiteJson[] =>
  sites.map(({ vhost: _vhost, logs: _logs, ...each }) => ({
    ...each,
    owner: each.owner ?? null,
    entryLimits: siteBounds(each, entryLimits),
    ownLimits: ownLimitsOf(each, siteLimits) ?? null,
  }));

function define(command: Command, run: Runner): void {
  command
    .addOption(policyOption())
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      examples(
        ['bulkhead web status', 'the table, and what to do'],
        ['bulkhead web status --json', 'for a program'],
      ),
    )
    .action(run(status));
}

export const command: CommandModule = { define };
