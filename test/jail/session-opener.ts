/** Compiles session.c, which opens a session of PAM as sshd, su and cron do. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const source = fileURLToPath(new URL('session.c', import.meta.url));
const flags = ['-O2', '-Wall', '-Wextra', '-Werror', '-rdynamic', '-pthread'];

/** Returns the path of the program, in `directory`. */
export function compileSessionOpener(directory: string): string {
  const program = `${directory}/session`;
  execFileSync('gcc', [...flags, '-o', program, source, '-lpam']);
  return program;
}
