/** Why web servers cannot be asked, or not for all of their configuration. */
import { printProblem } from '../../base/problem.ts';
import type { ServerRead } from '../core/overview.ts';

export function notRoot(): string | undefined {
  if (process.geteuid?.() === 0) return undefined;
  const reason = 'web servers show their whole configuration to root alone';
  return printProblem({ action: 'read web servers', reason, hint: 'run it as root' });
}

export const serverProblems = ({ name, problems }: ServerRead): string[] =>
  problems.map(({ file, line, message }) => {
    const place = [file, line].filter((each) => each !== undefined).join(':');
    return printProblem({
      action: `read all of the configuration of ${name}`,
      reason: place === '' ? message : `${place}: ${message}`,
    });
  });
