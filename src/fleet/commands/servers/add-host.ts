/** `bulkhead fleet host add NAME...` */
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import type { Result } from '../../../../packages/base/result.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { print, printError, printJson } from '../../../cli/shared/output.ts';
import { namePattern } from '../../core/fields.ts';
import { addHost } from '../../io/server/hosts.ts';
import type { FleetHostAddJson } from '../json.ts';
import { type DirectoryOptions, withKeysOptions } from '../shared-options.ts';

function add(hosts: readonly string[], { directory, json }: DirectoryOptions): ExitCode {
  const added: { host: string; file: string }[] = [];
  let failures = 0;
  for (const host of hosts) {
    const file = addOne(directory, host);
    if (file.ok) added.push({ host, file: file.value });
    else {
      printError(file.error);
      failures += 1;
    }
  }
  const shown: FleetHostAddJson = { added };
  if (json === true) printJson(shown);
  else if (added.length > 0) print(textOf(shown));
  return failures === 0 ? exitCodes.done : exitCodes.failed;
}

function addOne(directory: string, host: string): Result<string, Problem> {
  if (namePattern.test(host)) return addHost(directory, host);
  const reason = 'a name has up to 63 lower case letters, digits and "-"';
  return failed({ action: 'add the host', object: host, reason });
}

const textOf = ({ added }: FleetHostAddJson) =>
  added.map(({ host, file }) => `${file} is a secret, for ${host} only: ${place} there`).join('\n');

/** The place of the file on the host. */
const place = '/etc/bulkhead/fleet-courier.json';

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'the names of the hosts, as fleet.xml has them');
    withKeysOptions(command)
      .addHelpText(
        'after',
        examples(
          ['bulkhead fleet host add web-017', 'the file of one host'],
          ['bulkhead fleet host add web-{001..300}', 'files of many'],
        ),
      )
      .action(run(add));
  },
};
