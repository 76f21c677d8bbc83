/**
 * The command line. Each command is one file; only the one that is asked for is loaded, since
 * starting fast matters to scripts that call it a thousand times.
 */
import { readFileSync } from 'node:fs';
import type { Command, CommanderError } from 'commander';
import { exitCodes, type Answer, type CommandModule } from './command.ts';

type Loader = () => Promise<{ readonly command: CommandModule }>;

/** In the order in which help lists them. */
const commands: Readonly<Record<string, Loader>> = {
  init: () => import('./init.ts'),
  doctor: () => import('./doctor.ts'),
  check: () => import('./check.ts'),
  plan: () => import('./plan.ts'),
  apply: () => import('./apply.ts'),
  verify: () => import('./verify.ts'),
  status: () => import('./status.ts'),
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
  release: () => import('./release.ts'),
  completion: () => import('./completion.ts'),
};

export function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

export async function makeProgram(
  names: readonly string[] = Object.keys(commands),
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
    module?.command.define(program, run);
  }
  for (const each of program.commands) each.exitOverride().copyInheritedSettings(program);
  return program;
}

/** The answer of an action becomes the exit status; what it throws is a defect and says so. */
function run<Args extends unknown[]>(action: (...args: Args) => Answer) {
  return async (...args: Args): Promise<void> => {
    process.exitCode = await action(...args);
  };
}

async function main(): Promise<void> {
  process.stdout.on('error', closedPipe);
  const words = process.argv.slice(2);
  const [first = ''] = words;
  if (first === '--version' || first === '-V') {
    process.stdout.write(`${version()}\n`);
    return;
  }
  const verb =
    first === '--instance' ? words[2] : first.startsWith('--instance=') ? words[1] : first;
  const asked = verb !== undefined && Object.hasOwn(commands, verb) ? [verb] : undefined;
  const program = await makeProgram(asked);
  if (words.length === 0) {
    program.outputHelp();
    return;
  }
  try {
    await program.parseAsync(process.argv);
  } catch (error) {
    if (!isCommanderError(error)) throw error;
    process.exitCode = error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  }
}

const isCommanderError = (error: unknown): error is CommanderError =>
  error instanceof Error && 'code' in error && String(error.code).startsWith('commander.');

/** `bulkhead status | head` ends quietly. */
function closedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  process.exit(exitCodes.done);
}

function crash(error: unknown): void {
  const text = error instanceof Error ? error.message : String(error);
  process.stderr.write(`bulkhead: This is a defect of Bulkhead: ${text}\n`);
  if (process.env['BULKHEAD_DEBUG'] !== undefined && error instanceof Error) {
    process.stderr.write(`${error.stack ?? ''}\n`);
  } else {
    process.stderr.write(
      'Run it again with BULKHEAD_DEBUG=1 for the details, and please report them\n',
    );
  }
  process.exitCode = exitCodes.failed;
}

if (import.meta.main) await main().catch(crash);
