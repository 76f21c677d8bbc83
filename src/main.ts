/**
 * The command line. Each command is one file; only the requested one is loaded, since start-up time
 * matters to scripts that call it a thousand times.
 */
import type { CommanderError } from 'commander';
import { version } from './cli/version.ts';
import { exitCodes } from './cli/shared/command.ts';

async function main(): Promise<void> {
  process.stdout.on('error', closedPipe);
  // The reader has closed the pipe on purpose.
  process.stderr.on('error', () => undefined);
  const args = process.argv.slice(2);
  const [first = ''] = args;
  if (first === '--version' || first === '-V') {
    process.stdout.write(`${version()}\n`);
    return;
  }
  // Loaded late so that `--version` starts fast.
  const { makeProgram, makeWholeProgram } = await import('./cli/program.ts');
  const { capabilities } = await import('./capabilities.ts');
  const program = asksAboutCommand(args)
    ? await makeWholeProgram(capabilities)
    : makeProgram(capabilities);
  if (args.length === 0) {
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

/**
 * Whether all commands must be loaded. For "help NAME", commander prints what it knows of the
 * command, and loads nothing.
 */
const asksAboutCommand = (args: readonly string[]): boolean =>
  args.includes('help') && args.at(-1) !== 'help';

const isCommanderError = (error: unknown): error is CommanderError =>
  error instanceof Error && 'code' in error && String(error.code).startsWith('commander.');

/** Handles a closed pipe: `bulkhead status | head` exits quietly. */
function closedPipe(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(exitCodes.done);
  // A disk is full, or a file system has failed: the output is incomplete.
  process.stderr.write(`bulkhead: Cannot write the output: ${error.message}\n`);
  process.exit(exitCodes.failed);
}

function crash(error: unknown): void {
  const text = error instanceof Error ? error.message : String(error);
  process.stderr.write(`bulkhead: This is a defect of Bulkhead: ${text}\n`);
  if (process.env['BULKHEAD_DEBUG'] !== undefined && error instanceof Error) {
    process.stderr.write(`${error.stack ?? ''}\n`);
  } else {
    process.stderr.write(
      'Run it again with BULKHEAD_DEBUG=1 for details, and please report them\n',
    );
  }
  process.exitCode = exitCodes.failed;
}

if (import.meta.main) await main().catch(crash);
