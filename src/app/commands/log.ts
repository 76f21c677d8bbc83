/** `bulkhead app log`: the last lines that an application has printed. */
import { Option, type Command } from 'commander';
import { printable } from '../../../packages/base/printable.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type PolicyOptions,
} from '../../cli/shared/command.ts';
import { runsSystemd } from '../../host/cgroups/systemd-delegation.ts';
import { readStop, stopText } from '../../host/stops.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import { failWith, print, printError, printJson } from '../../cli/shared/session.ts';
import { readAppLog } from '../io/read-log.ts';
import { appSubject, fullName } from './subject.ts';
import type { AppLogJson } from './json.ts';

interface LogOptions extends PolicyOptions {
  readonly lines: string;
}

const linesMax = 10_000;

async function log(name: string, options: LogOptions, command: Command): Promise<ExitCode> {
  const wanted = /^\d{1,5}$/.test(options.lines) ? Number(options.lines) : 0;
  if (wanted < 1 || wanted > linesMax) {
    printError(`"${options.lines}" is not a number of lines from 1 to ${linesMax}`);
    return exitCodes.usage;
  }
  const subject = await appSubject(name, options, command, 'root');
  if (typeof subject === 'number') return subject;
  const { app, layout, paths } = subject;
  const stop = readStop(paths, app.id.uid);
  if (stop !== undefined)
    return failWith({
      action: 'read the log of application',
      object: fullName(app),
      reason: `the tenant is ${printable(stopText(stop))}, and Bulkhead reads the log as the tenant`,
      hint: `run: bulkhead start ${app.owner.user}; the file is .bulkhead/${app.app.name}.log in the home`,
    });
  const lines = await readAppLog(app, layout, wanted);
  if (!lines.ok) return failWith(lines.error);
  if (options.json === true)
    printJson({ name: fullName(app), lines: lines.value } satisfies AppLogJson);
  else if (lines.value.length > 0) print(lines.value.map(printable).join('\n'));
  else if (runsSystemd())
    print(`Nothing yet; for systemd's log, run: journalctl -u ${app.service}`);
  else print('Nothing yet; systemd, which starts applications, is not the init of this host');
  return exitCodes.done;
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'the application, as TENANT/NAME');
    command
      .addOption(policyOption())
      .addOption(new Option('-n, --lines <number>', 'how many lines').default('50'))
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead app log alice/blog', 'the end of .bulkhead/blog.log in her home'],
          ['bulkhead app log alice/blog -n 500', ''],
        ),
      )
      .action(run(log));
  },
};
