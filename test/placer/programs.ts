/**
 * The C programs of tests: compiled here, or compiled elsewhere and brought along into a guest that has no
 * compiler, in the directory that $BULKHEAD_TEST_PROGRAMS names.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { basename } from 'node:path';
import { ensurePrerequisites, type Readiness } from '../../testing/prerequisites.ts';

const brought = process.env['BULKHEAD_TEST_PROGRAMS'];

/** Installs what the tests need. The guest's image has everything else already. */
export const programsReady = async (): Promise<Readiness> =>
  brought === undefined
    ? ensurePrerequisites('placement', (line) => console.log(`# ${line}`))
    : { ok: true };

/** Puts a program of one file, which anybody may then run, into a directory. */
export function buildProgram(source: string, directory: string): string {
  const name = basename(source, '.c');
  const program = `${directory}/${name}`;
  if (brought !== undefined) copyFileSync(`${brought}/${name}`, program);
  else compile(source, program);
  return program;
}

export function compile(source: string, program: string): void {
  execFileSync('gcc', ['-O2', '-pthread', '-static', '-o', program, source], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}
