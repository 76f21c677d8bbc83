/** All commands. Each is one file; only the one that is asked for is loaded. */
import { Command } from 'commander';
import { capabilities } from '../capabilities.ts';
import { addCommands, listedAs, loadCommands, type CommandTable } from './shared/command-table.ts';
import { version } from './version.ts';

const commands: CommandTable = {
  init: {
    usage: '[options]',
    summary: 'write a first policy for this host, with comments, from what is found on it',
    load: () => import('./commands/policy/init.ts'),
  },
  doctor: {
    usage: '[options]',
    summary: 'show what this host can hold, what it cannot, and what would help; changes nothing',
    load: () => import('./commands/doctor.ts'),
  },
  check: {
    usage: '[options] [file]',
    summary: 'read a policy and report everything that is wrong with it; changes nothing',
    load: () => import('./commands/policy/check.ts'),
  },
  plan: {
    usage: '[options] [file]',
    summary: 'show what apply would change; changes nothing',
    load: () => import('./commands/policy/plan.ts'),
  },
  apply: {
    usage: '[options] [file]',
    summary: 'make the kernel hold what the policy says',
    load: () => import('./commands/policy/apply.ts'),
  },
  verify: {
    usage: '[options] [file]',
    summary: 'read every value back from the kernel; exit status 3 where it differs',
    load: () => import('./commands/policy/verify.ts'),
  },
  status: {
    usage: '[options]',
    summary: 'show what is in force, and what tenants use now',
    load: () => import('./commands/usage/status.ts'),
  },
  top: {
    usage: '[options]',
    summary: 'show who uses what now: live on a terminal, else once',
    load: () => import('./commands/usage/top.ts'),
  },
  ps: {
    usage: '[options] [tenant]',
    summary: 'list the processes of a tenant; without a name, your own',
    load: () => import('./commands/usage/ps.ts'),
  },
  usage: {
    usage: '[options] [tenants...]',
    summary: 'show what tenants used over a period; of one tenant, all that is measured',
    load: () => import('./commands/usage/usage.ts'),
  },
  faults: {
    usage: '[options] [tenants...]',
    summary: 'list incidents: which limit was hit, when, by whom, and how badly',
    load: () => import('./commands/usage/faults.ts'),
  },
  incident: {
    usage: '[options] <id>',
    summary: 'show one incident in full: what happened, and what ran meanwhile',
    load: () => import('./commands/usage/incident.ts'),
  },
  advise: {
    usage: '[options]',
    summary: 'compare limits with what was used, and what was promised with what there is',
    load: () => import('./commands/usage/advise.ts'),
  },
  explain: {
    usage: '[options] <tenant>',
    summary: 'show for each limit of a tenant its value, and the line that gave it',
    load: () => import('./commands/policy/explain.ts'),
  },
  set: {
    usage: '[options] <tenant> [limits...]',
    summary: 'write limits of a tenant, or its package, into the policy, and apply it',
    load: () => import('./commands/policy/set.ts'),
  },
  unset: {
    usage: '[options] <tenant> <limits...>',
    summary: 'remove limits of a tenant from the policy, so that it inherits them',
    load: () => import('./commands/policy/unset.ts'),
  },
  remove: {
    usage: '[options] <tenant>',
    summary: 'remove what the policy says of a tenant; in a range of uids it stays a tenant',
    load: () => import('./commands/policy/remove.ts'),
  },
  package: {
    usage: '',
    summary: 'edit packages, which are named sets of limits',
    load: () => import('./commands/policy/package.ts'),
  },
  defaults: {
    usage: '',
    summary: 'edit the limits of every tenant for which nothing nearer says otherwise',
    load: () => import('./commands/policy/defaults.ts'),
  },
  reseller: {
    usage: '',
    summary: 'edit resellers, which bound the sum of their tenants',
    load: () => import('./commands/policy/reseller.ts'),
  },
  exec: {
    usage: '<words...>',
    summary: 'run a command as a tenant, inside its limits',
    load: () => import('./commands/exec.ts'),
  },
  agent: {
    usage: '[options]',
    summary: 'follow the policy, place processes, measure and remember: the daemon',
    load: () => import('./commands/agent.ts'),
  },
  alerts: {
    usage: '',
    summary: 'messages about limits that were hit',
    load: () => import('./commands/usage/alerts.ts'),
  },
  release: {
    usage: '[options]',
    summary: 'take every limit away: remove all cgroups and quotas that Bulkhead set',
    load: () => import('./commands/policy/release.ts'),
  },
  completion: {
    usage: '<shell>',
    summary: 'print a completion script for bash, zsh or fish',
    load: () => import('./commands/completion.ts'),
  },
  ...Object.assign({}, ...capabilities.map((each) => each.commands)),
};

export function makeProgram(): Command {
  const program = new Command('bulkhead')
    .description('Holds the tenants of one Linux host to their limits')
    .version(version())
    .option('--instance <name>', 'a tree of cgroups apart from the usual one', 'bulkhead')
    .showSuggestionAfterError()
    .showHelpAfterError('(bulkhead --help shows what there is)')
    .configureHelp({ subcommandTerm: listedAs })
    .addHelpText(
      'after',
      '\nThe policy is /etc/bulkhead/policy.xml; "bulkhead init" writes a first one.',
    )
    .exitOverride();
  // After the settings above, which they inherit.
  addCommands(program, commands);
  return program;
}

/** With every command loaded, for what is made from all options. */
export async function makeWholeProgram(): Promise<Command> {
  const program = makeProgram();
  await loadCommands(program);
  return program;
}
