/** All commands. Each is one file; only the one that is asked for is loaded. */
import type { Command } from 'commander';
import type { Answer, CommandModule } from './command.ts';
import { version } from './version.ts';

type Loader = () => Promise<{ readonly command: CommandModule }>;

/** In the order in which help lists them. */
export const commands: Readonly<Record<string, Loader>> = {
  init: () => import('./init.ts'),
  doctor: () => import('./doctor.ts'),
  check: () => import('./check.ts'),
  plan: () => import('./plan.ts'),
  apply: () => import('./apply.ts'),
  verify: () => import('./verify.ts'),
  status: () => import('./status.ts'),
  top: () => import('./top.ts'),
  ps: () => import('./ps.ts'),
  usage: () => import('./usage.ts'),
  faults: () => import('./faults.ts'),
  incident: () => import('./incident.ts'),
  advise: () => import('./advise.ts'),
  explain: () => import('./explain.ts'),
  set: () => import('./set.ts'),
  unset: () => import('./unset.ts'),
  remove: () => import('./remove.ts'),
  package: () => import('./package.ts'),
  defaults: () => import('./defaults.ts'),
  reseller: () => import('./reseller.ts'),
  exec: () => import('./exec.ts'),
  import: () => import('./import.ts'),
  export: () => import('./export.ts'),
  lvectl: () => import('./lvectl.ts'),
  lveinfo: () => import('./lveinfo.ts'),
  'cloudlinux-top': () => import('./cloudlinux-top.ts'),
  cloudlinux: () => import('./cloudlinux.ts'),
  agent: () => import('./agent.ts'),
  alerts: () => import('./alerts.ts'),
  modules: () => import('./modules.ts'),
  release: () => import('./release.ts'),
  completion: () => import('./completion.ts'),
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
    .option('--instance <name>', 'a tree of groups apart from the usual one', 'bulkhead')
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
function run<Args extends unknown[]>(action: (...args: Args) => Answer) {
  return async (...args: Args): Promise<void> => {
    process.exitCode = await action(...args);
  };
}
