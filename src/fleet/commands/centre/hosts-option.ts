/** The option `--host` of commands about all hosts of a fleet. */
import { Option } from 'commander';

export const hostsOption = (): Option =>
  new Option('--host <host>', 'only this host; may be repeated')
    .argParser((text: string, before: readonly string[]) => [...before, text])
    .default([], 'all hosts');
