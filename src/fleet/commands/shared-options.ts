/** Options that commands about a fleet share. */
import { Option, type Command } from 'commander';
import type { JsonOption } from '../../cli/shared/agent-request.ts';

export const jsonOption = (): Option => new Option('--json', 'print as JSON');

export interface DirectoryOptions extends JsonOption {
  readonly directory: string;
}

/** Adds the directory of a fleet, which every command of the people who sign takes, and `--json`. */
export const withFleetOptions = (command: Command): Command =>
  command
    .addOption(
      new Option('-C, --directory <directory>', 'the directory with fleet.xml').default('.'),
    )
    .addOption(jsonOption());

/** Root's own: whoever reads it can let hosts in and write all documents. */
const keysDirectory = '/etc/bulkhead-fleet-server';

/** Adds the directory of commands that make and change a fleet's servers, and `--json`. */
export const withKeysOptions = (command: Command): Command =>
  command
    .addOption(
      new Option(
        '--directory <directory>',
        "the directory with the keys of the fleet's servers",
      ).default(keysDirectory),
    )
    .addOption(jsonOption());

const centreDirectory = '/var/lib/bulkhead-fleet-server';

export const centreDirectoryOption = (): Option =>
  new Option('--directory <directory>', 'the directory of the centre').default(centreDirectory);

/** Adds the directory of commands that show what hosts have told their centre, and `--json`. */
export const withCentreOptions = (command: Command): Command =>
  command.addOption(centreDirectoryOption()).addOption(jsonOption());

export interface SigningOptions extends DirectoryOptions {
  readonly key?: string;
}

export const keyOption = (): Option =>
  new Option(
    '--key <file>',
    'your SSH key; otherwise the first of your ssh-agent and ~/.ssh that the fleet lists',
  );
