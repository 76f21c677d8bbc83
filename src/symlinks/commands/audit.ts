/** `bulkhead symlinks audit`: links in tenants' homes that lead to others' files. */
import { existsSync } from 'node:fs';
import { Option, type Command } from 'commander';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type PolicyOptions,
} from '../../cli/shared/command.ts';
import { namesPolicy, policyOption } from '../../cli/shared/policy-option.ts';
import { showProgress } from '../../cli/shared/progress.ts';
import {
  loadPolicyOrReport,
  pathsFor,
  print,
  printError,
  printJson,
  failWith,
} from '../../cli/shared/session.ts';
import type { Paths } from '../../host/paths.ts';
import type { Account } from '../../policy/policy.ts';
import { isAtLeast, linkSeverities, type LinkSeverity } from '../core/audit/finding.ts';
import { accountsOf, peopleToAudit } from '../io/audit/accounts.ts';
import { auditHomes, type Audit } from '../io/audit/audit.ts';
import { auditJson, auditText } from './audit-text.ts';

interface AuditOptions extends PolicyOptions {
  readonly severity: LinkSeverity;
  readonly all?: boolean;
  readonly hardLinks: boolean;
}

async function audit(
  tenants: readonly string[],
  options: AuditOptions,
  command: Command,
): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  if (process.geteuid?.() !== 0) {
    const reason = 'only root can read all homes';
    return failWith({ action: 'audit the homes', reason, hint: 'run it as root' });
  }
  const people = await peopleFor(options, command, paths);
  if (people === undefined) return exitCodes.failed;
  const homes = chosen(tenants, people);
  if (homes === undefined) return exitCodes.usage;
  const accounts = accountsOf(people, paths, options);
  const progress = showProgress('Names read');
  const found = await auditHomes(accounts, { homes, progress: (names) => progress.update(names) });
  progress.done();
  const names = new Map(accounts.names);
  const nameOf = (uid: number) => names.get(uid) ?? `uid ${uid}`;
  const shown = options.all === true ? 'low' : options.severity;
  if (options.json === true) printJson(auditJson(found, shown, nameOf));
  else print(auditText(found, shown, nameOf));
  return exitCodeOf(found, options.severity);
}

function exitCodeOf({ found, problems }: Audit, severity: LinkSeverity): ExitCode {
  if (linkSeverities.some((each) => isAtLeast(each, severity) && found[each] > 0))
    return exitCodes.found;
  return problems.some(({ kind }) => kind === 'unread') ? exitCodes.failed : exitCodes.done;
}

/** Returns the accounts to audit: everybody if there is no policy. A named policy must exist. */
async function peopleFor(
  options: AuditOptions,
  command: Command,
  paths: Paths,
): Promise<readonly Account[] | undefined> {
  if (!namesPolicy(command) && !existsSync(options.policy)) return peopleToAudit(undefined, paths);
  const loaded = await loadPolicyOrReport(command, options.policy, paths);
  return loaded && peopleToAudit(loaded.policy, paths);
}

/** Returns places in the list; undefined after an unknown tenant was reported. */
function chosen(
  tenants: readonly string[],
  people: readonly Account[],
): readonly number[] | undefined {
  if (tenants.length === 0) return [...people.keys()];
  const found = tenants.map((name) =>
    people.findIndex(({ user, uid }) => user === name || String(uid) === name),
  );
  const unknown = tenants[found.indexOf(-1)];
  if (unknown === undefined) return [...new Set(found)];
  printError({
    action: 'audit the home of',
    object: unknown,
    reason: 'it is not a tenant with a home',
    hint: 'name tenants by their accounts, or none for all',
  });
  return undefined;
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'tenants, by account or uid; all if none is named');
    command
      .addOption(policyOption())
      .addOption(
        new Option(
          '--severity <level>',
          'show findings of at least this severity; exit with 3 if there are any',
        )
          .choices(linkSeverities)
          .default('medium'),
      )
      .option('--all', 'show everything, also links that are probably meant to be there')
      .option('--no-hard-links', 'look only for symbolic links, which is several times faster')
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead symlinks audit', 'all homes; exits with 3 if anything was found'],
          ['bulkhead symlinks audit alice bob', 'two homes'],
          ['bulkhead symlinks audit --severity high --json', 'for a nightly job'],
        ),
      )
      .action(run(audit));
  },
};
