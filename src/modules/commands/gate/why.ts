/** `bulkhead modules gate why MODULE`: shows whether a module may load, and why. */
import type { Command } from 'commander';
import { printable } from '../../../../packages/base/printable.ts';
import { plainName } from '../../../../packages/modules/core/record/module.ts';
import type { GateModule } from '../../core/gate/gate-list.ts';
import {
  hostRoots,
  plainRelease,
  runningRelease,
} from '../../../../packages/modules/io/kernel/kernel-files.ts';
import { digestOfFile } from '../../io/gate/file-digest.ts';
import { GateLists } from '../../io/gate/gate-lists.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { pathsFor, print, printError, printJson, failWith } from '../../../cli/shared/output.ts';
import type { JudgedModule, ModulesGateWhyJson } from '../json.ts';

interface Options {
  readonly release?: string;
  readonly json?: boolean;
}

async function why(name: string, options: Options, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const release = options.release ?? runningRelease(hostRoots) ?? '';
  if (!plainRelease(release)) {
    printError(`"${printable(release)}" is not the release of a kernel`);
    return exitCodes.usage;
  }
  const lists = new GateLists(paths);
  const list = lists.read(release);
  if (!list.ok || list.value === undefined)
    return failWith(
      list.ok
        ? `There is no list for Linux ${release}; make it with "bulkhead modules gate sync ${release}"`
        : list.error,
    );
  const named = list.value.modules.filter(
    (each) => plainName(each.name) === plainName(name) || each.file === name,
  );
  if (named.length === 0) {
    printError(
      `The list of Linux ${release} has no module "${printable(name)}", so the gate refuses it; "bulkhead modules gate sync" looks for it again`,
    );
    return exitCodes.found;
  }
  const found: JudgedModule[] = [];
  for (const each of named) found.push(await judged(each));
  if (options.json === true) printJson({ release, modules: found } satisfies ModulesGateWhyJson);
  else print(found.map(textOf).join('\n'));
  return found.some(({ mayLoad }) => mayLoad) ? exitCodes.done : exitCodes.found;
}

/**
 * Judges the file as it is now: a file that has changed since the list was made is another module.
 */
async function judged(module: GateModule): Promise<JudgedModule> {
  const { refusedReason } = module;
  if (refusedReason !== null) return { ...module, mayLoad: false, reason: refusedReason };
  const digest = await digestOfFile(module.file);
  if (!digest.ok)
    return { ...module, mayLoad: false, reason: `its file cannot be read: ${digest.error.reason}` };
  if (digest.value !== module.sha256) {
    const reason =
      'its file has changed since the list was made; "bulkhead modules gate sync" judges it again';
    return { ...module, mayLoad: false, reason };
  }
  return {
    ...module,
    mayLoad: true,
    reason: 'the policy accepts it, and its file is as it was judged',
  };
}

const textOf = ({ file, mayLoad, reason, sha256 }: JudgedModule): string =>
  [
    printable(`${file} ${mayLoad ? 'may load' : 'may not load'}: ${reason}`),
    `  SHA-256 on the list: ${sha256}`,
  ].join('\n');

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'a name, as in lsmod, or a file');
    command
      .option('--release <release>', 'a kernel that is not running')
      .option('--json', 'print it as JSON')
      .addHelpText(
        'after',
        examples(['bulkhead modules gate why zfs', 'exit status 3 if it may not load']),
      )
      .action(run(why));
  },
};
