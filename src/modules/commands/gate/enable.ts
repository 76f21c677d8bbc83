/**
 * `bulkhead modules gate enable`: makes the list, loads it, and keeps it for the next boot. With
 * `--watch` it differs only in what happens to a module that is not on the list.
 */
import type { Command } from 'commander';
import type { GateMode } from '../../core/gate/gate-event.ts';
import { listedDigests, type GateList } from '../../core/gate/gate-list.ts';
import { formatGateList, unjudged } from '../../core/gate/list-text.ts';
import { installBootFiles } from '../../io/gate/boot-files.ts';
import { GateLists } from '../../io/gate/gate-lists.ts';
import { gateFacts, loadedUnlisted } from '../../io/gate/host-facts.ts';
import { gateLock, gateBlocker, switchGate } from '../../io/gate/kernel-gate.ts';
import { unstableAt } from '../../io/gate/stable-files.ts';
import { hostRoots, runningRelease } from '../../../../packages/modules/io/kernel/kernel-files.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { policyOption } from '../../../cli/shared/policy-option.ts';
import { count, pathsFor, print, printJson, failWith } from '../../../cli/shared/output.ts';
import { printable } from '../../../../packages/base/printable.ts';
import type { Paths } from '../../../host/paths.ts';
import type { Cause, Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { underLock } from '../../../sys/files/under-lock.ts';
import { requireOption, type DemandOptions } from '../setup.ts';
import { makeList } from './make-list.ts';
import type { ModulesGateEnableJson } from '../json.ts';

interface EnableOptions extends DemandOptions {
  readonly watch?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

async function enable(options: EnableOptions, command: Command): Promise<ExitCode> {
  const mode = options.watch === true ? 'watch' : 'on';
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const cannot = (cause: Cause): ExitCode =>
    failWith({ ...cause, action: 'enable the gate for kernel modules' });
  const directory = `${hostRoots.modules}/${runningRelease(hostRoots) ?? ''}`;
  const blocker = gateBlocker(paths) ?? (mode === 'on' ? unstableAt(directory, paths) : undefined);
  if (blocker !== undefined) return cannot(blocker);
  const lists = new GateLists(paths);
  const made = await makeList(undefined, options, command, lists);
  if (typeof made === 'number') return made;
  const { list } = made;
  const unlisted = loadedUnlisted(paths, list);
  const refused = mode === 'on' ? allRefused(list, paths) : undefined;
  if (refused !== undefined) return cannot(refused);
  const done = options.dryRun === true ? ok(undefined) : putInForce(mode, list, lists, paths);
  if (!done.ok) return failWith(done.error);
  if (options.json === true)
    printJson({
      mode,
      dryRun: options.dryRun === true,
      release: list.release,
      listed: listedDigests(list).length,
      loadedUnlisted: unlisted,
    } satisfies ModulesGateEnableJson);
  else
    print(
      switchText(mode, formatGateList(list, made.change), list, unlisted, options.dryRun === true),
    );
  return exitCodes.done;
}

/** Returns why the gate would let no module load, if it would not. */
function allRefused(list: GateList, paths: Paths): Cause | undefined {
  const none = unjudged(list);
  if (none !== undefined)
    return {
      reason: `none of ${count(list.modules.length, 'module')} would load: ${printable(none)}`,
      hint: 'see bulkhead modules scan, and <modules require="…"> of the policy',
    };
  if (!gateFacts(paths, list).unpacksInMemory) return undefined;
  return {
    reason:
      'compressed modules are unpacked outside the kernel here and come from memory, so that none would load',
    hint: '"bulkhead modules gate signatures" needs no list',
  };
}

const putInForce = (
  mode: Exclude<GateMode, 'off'>,
  list: GateList,
  lists: GateLists,
  paths: Paths,
): Result<void, Problem> =>
  underLock(gateLock(paths), () =>
    allOf(
      () => switchGate(paths, mode, list),
      () => lists.write(list),
      () => lists.keepMode(mode),
      () => installBootFiles(paths),
    ),
  );

function allOf(...steps: readonly (() => Result<unknown, Problem>)[]): Result<void, Problem> {
  for (const step of steps) {
    const done = step();
    if (!done.ok) return done;
  }
  return ok(undefined);
}

function switchText(
  mode: GateMode,
  made: string,
  { release }: GateList,
  unlisted: readonly string[],
  isDry: boolean,
): string {
  const does =
    mode === 'on'
      ? 'modules that are not on the list are refused'
      : 'modules that are not on the list load, and are reported';
  return [
    made,
    ...(unlisted.length === 0
      ? []
      : [
          `${count(unlisted.length, 'module')} loaded already, and not on the list: ${unlisted.map(printable).join(', ')}`,
        ]),
    isDry
      ? `The gate would be "${mode}" for Linux ${release}: ${does}`
      : `The gate is "${mode}" for Linux ${release}, after each boot too: ${does}`,
  ].join('\n');
}

export const command: CommandModule = {
  define(command, run) {
    command
      .option('--watch', 'let every module load, and report those that are not on the list')
      .option('--dry-run', 'make the list and show it; changes nothing')
      .option('--json', 'print the outcome as JSON')
      .addOption(requireOption())
      .addOption(policyOption())
      .addHelpText(
        'after',
        examples(
          ['bulkhead modules gate enable --watch', 'first see what it would refuse'],
          ['bulkhead modules gate enable', 'then refuse it, after each boot too'],
        ),
      )
      .action(run(enable));
  },
};
