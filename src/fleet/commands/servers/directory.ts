/** Directories of commands about a fleet's servers. */
import { Option } from 'commander';

export interface ServerOptions {
  readonly directory: string;
  readonly json?: boolean;
}

/** Root's own: whoever reads it can let hosts in and write all documents. */
const keysDirectory = '/etc/bulkhead-fleet-server';

export const keysDirectoryOption = (): Option =>
  new Option(
    '--directory <directory>',
    "the directory with the keys of the fleet's servers",
  ).default(keysDirectory);

const defaultDirectory = '/var/lib/bulkhead-fleet-server';

export const serverDirectoryOption = (): Option =>
  new Option('--directory <directory>', 'the directory of the centre').default(defaultDirectory);
