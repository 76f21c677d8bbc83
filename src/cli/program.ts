/** All commands. Each is one file; only the one that is asked for is loaded. */
import type { Command } from 'commander';
import type { CommandResult, CommandModule } from './shared/command.ts';
import { capabilities } from '../capabilities.ts';
import { version } from './version.ts';

type Loader = () => Promise<{ readonly command: CommandModule }>;

/** In the order in which help lists them. */
export const commands: Readonly<Record<string, Loader>> = {
  init: () => import('./commands/policy/init.ts'),
  doctor: () => import('./commands/doctor.ts'),
  check: () => import('./commands/policy/check.ts'),
  plan: () => import('./commands/policy/plan.ts'),
  apply: () => import('./commands/policy/apply.ts'),
  verify: () => import('./commands/policy/verify.ts'),
  status: () => import('./commands/usage/status.ts'),
  top: () => import('./commands/usage/top.ts'),
  ps: () => import('./commands/usage/ps.ts'),
  usage: () => import('./commands/usage/usage.ts'),
  faults: () => import('./commands/usage/faults.ts'),
  incident: () => import('./commands/usage/incident.ts'),
  advise: () => import('./commands/usage/advise.ts'),
  explain: () => import('./commands/policy/explain.ts'),
  set: () => import('./commands/policy/set.ts'),
  unset: () => import('./commands/policy/unset.ts'),
  remove: () => import('./commands/policy/remove.ts'),
  package: () => import('./commands/policy/package.ts'),
  defaults: () => import('./commands/policy/defaults.ts'),
  reseller: () => import('./commands/policy/reseller.ts'),
  exec: () => import('./commands/exec.ts'),
  agent: () => import('./commands/agent.ts'),
  alerts: () => import('./commands/usage/alerts.ts'),
  release: () => import('./commands/policy/release.ts'),
  completion: () => import('./commands/completion.ts'),
  ...Object.assign({}, ...capabilities.map((each) => each.commands)),
};

export async function makeProgram(
  names: readonly string[] = Object.keys(commands),
  inner?: string,
): Promise<Command> {
  // Asking for the version should not wait for it.
  const { Command } = await import('commander');
  const program = new Command('bulkhead')
    .description('Holds the tenants of one Linux host to their limits')
    .version(version())
    .option('--instance <name>', 'a tree of cgroups apart from the usual one', 'bulkhead')
    .showSuggestionAfterError()
    .showHelpAfterError('(bulkhead --help shows what there is)')
    .addHelpText(
      'after',
      '\nThe policy is /etc/bulkhead/policy.xml; "bulkhead init" writes a first one.',
    );
  program.exitOverride();
  for (const name of names) {
    const module = await commands[name]?.();
    await module?.command.define(program, run, inner);
  }
  for (const each of program.commands) inherit(each, program);
  return program;
}

/** Errors of nested commands are answered like those of the others. */
function inherit(command: Command, from: Command): void {
  command.exitOverride().copyInheritedSettings(from);
  for (const each of command.commands) inherit(each, command);
}

/** The answer of an action becomes the exit status; what it throws is a defect and says so. */
function run<Args extends unknown[]>(action: (...args: Args) => CommandResult) {
  return async (...args: Args): Promise<void> => {
    process.exitCode = await action(...args);
  };
}
