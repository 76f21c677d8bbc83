/** The directory with the keys of a fleet's servers. */
import { Option } from 'commander';

export interface ServerOptions {
  readonly directory: string;
  readonly json?: boolean;
}

const defaultDirectory = '/var/lib/bulkhead-fleet-server';

export const serverDirectoryOption = (): Option =>
  new Option(
    '--directory <directory>',
    "the directory with the keys of the fleet's servers",
  ).default(defaultDirectory);
