/** All commands. Each is one file; only the requested one is loaded. */
import { Command } from 'commander';
import { setCapabilities, type Capability } from './capability.ts';
import { addCommands, listedAs, loadCommands, type CommandTable } from './shared/command-table.ts';
import { version } from './version.ts';

const commands: CommandTable = {
  init: {
    usage: '[options]',
    summary: 'write a first policy for this host, with comments',
    load: () => import('./commands/policy/init.ts'),
  },
  doctor: {
    usage: '[options]',
    summary:
      'show which limits this host can enforce, which entry paths are covered, and what would help',
    load: () => import('./commands/doctor.ts'),
  },
  check: {
    usage: '[options] [file]',
    summary: 'check a policy and report every mistake in it; changes nothing',
    load: () => import('./commands/policy/check.ts'),
  },
  plan: {
    usage: '[options] [file]',
    summary: 'show what apply would change; changes nothing',
    load: () => import('./commands/policy/plan.ts'),
  },
  apply: {
    usage: '[options] [file]',
    summary: 'apply the policy',
    load: () => import('./commands/policy/apply.ts'),
  },
  verify: {
    usage: '[options] [file]',
    summary: 'read every value back from the kernel; exits with 3 if any differs',
    load: () => import('./commands/policy/verify.ts'),
  },
  status: {
    usage: '[options]',
    summary: 'show what is in force, and what each tenant uses now',
    load: () => import('./commands/usage/status.ts'),
  },
  top: {
    usage: '[options]',
    summary: 'show what each tenant uses now: live on a terminal, otherwise once',
    load: () => import('./commands/usage/top.ts'),
  },
  ps: {
    usage: '[options] [tenant]',
    summary: 'list the processes of a tenant; your own if no name is given',
    load: () => import('./commands/usage/ps.ts'),
  },
  usage: {
    usage: '[options] [tenants...]',
    summary: 'show what tenants used over a period; for a single tenant, every metric',
    load: () => import('./commands/usage/usage.ts'),
  },
  chart: {
    usage: '[options] [tenant]',
    summary: 'draw what a tenant used over a period, its limits and incidents, as SVG or PNG',
    load: () => import('./commands/usage/chart.ts'),
  },
  faults: {
    usage: '[options] [tenants...]',
    summary: 'list incidents: which limit was hit, when, by whom, and how severely',
    load: () => import('./commands/usage/faults.ts'),
  },
  incident: {
    usage: '[options] <id>',
    summary: 'show an incident in full: what happened, and what was running',
    load: () => import('./commands/usage/incident.ts'),
  },
  advise: {
    usage: '[options]',
    summary: 'compare limits with past usage, and the sum of all limits with what the host has',
    load: () => import('./commands/usage/advise.ts'),
  },
  simulate: {
    usage: '[options]',
    summary: "replay tenants' recorded use against the limits of another policy; changes nothing",
    load: () => import('./commands/usage/simulate.ts'),
  },
  explain: {
    usage: '[options] [tenant]',
    summary: 'show each limit of a tenant or site, its value, and the line that set it',
    load: () => import('./commands/policy/explain.ts'),
  },
  set: {
    usage: '[options] <tenant> [limits...]',
    summary: "set limits of a tenant or site, or a tenant's package, in the policy and apply it",
    load: () => import('./commands/policy/set.ts'),
  },
  unset: {
    usage: '[options] <tenant> <limits...>',
    summary: 'remove limits of a tenant or site from the policy; a tenant inherits them again',
    load: () => import('./commands/policy/unset.ts'),
  },
  remove: {
    usage: '[options] <tenant>',
    summary:
      'remove the element of a tenant or site from the policy; in a range of uids it remains a tenant',
    load: () => import('./commands/policy/remove.ts'),
  },
  package: {
    usage: '',
    summary: 'edit packages: named sets of limits',
    load: () => import('./commands/policy/package.ts'),
  },
  defaults: {
    usage: '',
    summary: 'edit the default limits, for tenants that have no more specific ones',
    load: () => import('./commands/policy/defaults.ts'),
  },
  reseller: {
    usage: '',
    summary: 'edit resellers, which limit the sum of their tenants',
    load: () => import('./commands/policy/reseller.ts'),
  },
  policy: {
    usage: '',
    summary: 'show who changed the policy, when and how, and undo changes',
    load: () => import('./commands/changes/policy.ts'),
  },
  exec: {
    usage: '[options] <words...>',
    summary: 'run a command as a tenant, inside its limits',
    load: () => import('./commands/exec.ts'),
  },
  agent: {
    usage: '[options]',
    summary:
      'run the daemon: apply the policy, move processes into their cgroups, measure, keep history',
    load: () => import('./commands/agent.ts'),
  },
  units: {
    usage: '',
    summary: 'install the systemd units of the agent and of services that run at boot',
    load: () => import('./commands/units.ts'),
  },
  alerts: {
    usage: '',
    summary: 'alerts about limits that were hit',
    load: () => import('./commands/usage/alerts.ts'),
  },
  release: {
    usage: '[options]',
    summary: 'remove all limits: every cgroup and quota that Bulkhead set',
    load: () => import('./commands/policy/release.ts'),
  },
  completion: {
    usage: '<shell>',
    summary: 'print a completion script for bash, zsh or fish',
    load: () => import('./commands/completion.ts'),
  },
};

/** The headings under which `--help` lists commands; the rest is under "Commands". */
const groups: Readonly<Record<string, readonly string[]>> = {
  'Policy:': [
    'init',
    'check',
    'plan',
    'apply',
    'verify',
    'simulate',
    'explain',
    'set',
    'unset',
    'remove',
    'package',
    'defaults',
    'reseller',
    'policy',
  ],
  'Monitoring:': [
    'status',
    'top',
    'ps',
    'usage',
    'chart',
    'faults',
    'incident',
    'advise',
    'alerts',
  ],
  'This host:': [
    'setup',
    'doctor',
    'units',
    'agent',
    'exec',
    'stop',
    'start',
    'release',
    'completion',
  ],
  'Isolation:': [
    'web',
    'pam',
    'placement',
    'symlinks',
    'jail',
    'harden',
    'confine',
    'modules',
    'prove',
  ],
  'CloudLinux:': [
    'import',
    'export',
    'lvectl',
    'lveinfo',
    'cloudlinux-top',
    'cloudlinux-limits',
    'cloudlinux-packages',
    'cloudlinux-statistics',
    'cloudlinux-config',
    'lvechart',
    'lve-read-snapshot',
    'lveps',
    'cloudlinux',
  ],
};

function group(program: Command): void {
  for (const [heading, names] of Object.entries(groups))
    for (const name of names)
      program.commands.find((each) => each.name() === name)?.helpGroup(heading);
}

export function makeProgram(capabilities: readonly Capability[]): Command {
  const program = new Command('bulkhead')
    .description('Enforces resource limits for the tenants of a shared Linux host')
    .version(version())
    .option('--instance <name>', 'use a separate cgroup tree of this name', 'bulkhead')
    .showSuggestionAfterError()
    .showHelpAfterError('(see bulkhead --help)')
    .configureHelp({ subcommandTerm: listedAs })
    .addHelpText(
      'after',
      '\nThe policy is /etc/bulkhead/policy.xml; "bulkhead init" writes a first one.',
    )
    .exitOverride();
  // Added after the settings above, which they inherit.
  addCommands(program, commands);
  for (const each of capabilities) addCommands(program, each.commands);
  setCapabilities(program, capabilities);
  group(program);
  return program;
}

/** Returns the program with every command loaded, to generate text from all options. */
export async function makeWholeProgram(capabilities: readonly Capability[]): Promise<Command> {
  const program = makeProgram(capabilities);
  await loadCommands(program);
  return program;
}
