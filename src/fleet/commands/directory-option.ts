/** The directory of a fleet, which every command of the people who sign takes. */
import { Option } from 'commander';

export interface DirectoryOptions {
  readonly directory: string;
  readonly json?: boolean;
}

export const directoryOption = (): Option =>
  new Option('-C, --directory <directory>', 'the directory with fleet.xml').default('.');

export interface SigningOptions extends DirectoryOptions {
  readonly key?: string;
}

export const keyOption = (): Option =>
  new Option(
    '--key <file>',
    'your SSH key; otherwise the first of your ssh-agent and ~/.ssh that the fleet lists',
  );
