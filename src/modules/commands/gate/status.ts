/**
 * `bulkhead modules gate status`: shows the mode, the list in force, and what the gate does not
 * stop.
 */
import type { Command } from 'commander';
import { formatCause } from '../../../../packages/base/problem.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { formatGateRefusal } from '../../core/gate/refusal-text.ts';
import { listedDigests } from '../../core/gate/gate-list.ts';
import { GateLists } from '../../io/gate/gate-lists.ts';
import { gateFacts, loadedUnlisted, type GateFacts } from '../../io/gate/host-facts.ts';
import { gateMode, gateBlocker, takeRefusals } from '../../io/gate/kernel-gate.ts';
import { keptRefusals } from '../../io/gate/refusals.ts';
import { hostRoots, runningRelease } from '../../../../packages/modules/io/kernel/kernel-files.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { count, pathsFor, print, printError, printJson } from '../../../cli/shared/output.ts';
import type { ModulesGateStatusJson } from '../json.ts';

/** How many refusals the text shows; `--json` has all of them. */
const refusalsShown = 10;

function status({ json }: { readonly json?: boolean }, command: Command): ExitCode {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const lists = new GateLists(paths);
  const release = runningRelease(hostRoots) ?? 'unknown';
  const read = lists.read(release);
  if (!read.ok) printError(read.error);
  const list = read.ok ? read.value : undefined;
  const blocker = gateBlocker(paths);
  const taken = takeRefusals(paths);
  if (!taken.ok) printError(taken.error);
  const now: ModulesGateStatusJson = {
    mode: gateMode(paths),
    atBoot: lists.mode(),
    obstacle: blocker === undefined ? null : formatCause(blocker),
    release,
    listed: list === undefined ? null : listedDigests(list).length,
    refused:
      list === undefined ? null : list.modules.filter((each) => each.refusedReason !== null).length,
    loadedUnlisted: list === undefined ? null : loadedUnlisted(paths, list),
    otherKernels: lists.releases().filter((each) => each !== release),
    ...gateFacts(paths, list),
    refusals: keptRefusals(paths),
  };
  if (json === true) printJson(now);
  else print(statusText(now));
  return read.ok && taken.ok ? exitCodes.done : exitCodes.failed;
}

function statusText(now: ModulesGateStatusJson): string {
  const {
    mode,
    atBoot,
    obstacle: blocker,
    release,
    listed,
    refused,
    loadedUnlisted: unlisted,
  } = now;
  return [
    `Gate: ${mode}${atBoot === mode ? '' : `, after the next boot: ${atBoot}`}`,
    ...(blocker === null ? [] : [`It cannot be enabled here: ${blocker}`]),
    listed === null
      ? `There is no list for Linux ${release}: "bulkhead modules gate sync" makes it`
      : `Linux ${release}: ${count(listed, 'module')} may load, ${refused} may not`,
    ...(now.otherKernels.length === 0
      ? []
      : [`Lists for other kernels: ${now.otherKernels.join(', ')}`]),
    ...(unlisted === null || unlisted.length === 0
      ? []
      : [`Loaded, but not on the list: ${unlisted.map(printable).join(', ')}`]),
    ...now.refusals.slice(-refusalsShown).map((each) => `${each.at} ${formatGateRefusal(each)}`),
    `Signatures: ${signatureWords(now)}`,
    ...(now.unpacksInMemory
      ? [
          'Compressed modules come from memory here, where no list applies: only signatures can be required',
        ]
      : []),
    'Root can disable the gate, load another kernel, or write to memory where nothing prevents that; modules of the initramfs and those loaded before the gate are not asked about',
  ].join('\n');
}

function signatureWords({ signaturesRequired, lockdown }: GateFacts): string {
  const locked = lockdown !== null && lockdown !== 'none' ? `, lockdown: ${lockdown}` : '';
  if (signaturesRequired === null) return `this kernel knows none${locked}`;
  return signaturesRequired
    ? `required by the kernel${locked}`
    : `not required; "bulkhead modules gate signatures" requires them until the next boot${locked}`;
}

export const command: CommandModule = {
  define(command, run) {
    command
      .option('--json', 'print it as JSON')
      .addHelpText('after', examples(['bulkhead modules gate status', '']))
      .action(run(status));
  },
};
