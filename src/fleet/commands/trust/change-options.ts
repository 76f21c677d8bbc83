/** The options of the commands that change the trust. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { parseDuration } from '../../../../packages/base/duration.ts';
import { formatCause } from '../../../../packages/base/problem.ts';
import type { ChangeOptions } from './sign-next.ts';
import { keyOption, withFleetOptions } from '../shared-options.ts';

export function parsePeriod(text: string): number {
  const parsed = parseDuration(text);
  if (!parsed.ok) throw new InvalidArgumentError(formatCause(parsed.error));
  return parsed.value;
}

const year = 365 * 86_400_000;

export const trustExpiresOption = (): Option =>
  new Option('--expires <duration>', 'how long the trust is good')
    .default(year, '365 days')
    .argParser(parsePeriod);

export const addChangeOptions = (command: Command): Command =>
  withFleetOptions(command).addOption(keyOption()).addOption(trustExpiresOption());

export interface ControllerOptions extends ChangeOptions {
  readonly controller?: boolean;
}

export const controllerOption = (): Option =>
  new Option(
    '--controller',
    'it is the key of a controller, which leads rollouts and signs no policy',
  );
