/**
 * `bulkhead fleet leave`: this host is in no fleet any more. The administrator chooses whether the fleet's policy stays,
 * as a part of the host's own, or goes.
 */
import type { Command } from 'commander';
import { removeElement } from '../../../policy/xml-edit.ts';
import { rootOf } from '../../../policy/edit.ts';
import { childrenOf } from '../../../policy/xml.ts';
import {
  editPolicy,
  tryPolicyEdit,
  type EditErrors,
  type PolicyEdit,
} from '../../../apply/edit.ts';
import type { Loaded } from '../../../apply/load-policy.ts';
import { policyReaderOf } from '../../../cli/capability.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type PolicyOptions,
} from '../../../cli/shared/command.ts';
import { failWith, pathsFor, print, printError, printJson } from '../../../cli/shared/output.ts';
import { policyOption } from '../../../cli/shared/policy-option.ts';
import { fleetDirectoryOf } from '../../../host/paths.ts';
import type { Problem } from '../../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import { HostStore } from '../../io/host-store.ts';
import type { FleetLeaveJson } from './json.ts';
import { jsonOption } from '../shared-options.ts';

interface LeaveOptions extends PolicyOptions {
  readonly keep?: boolean;
  readonly drop?: boolean;
  readonly dryRun?: boolean;
}

const action = 'leave the fleet';

async function leave(options: LeaveOptions, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const { keep = false, drop = false, dryRun = false, policy: file } = options;
  if (keep === drop) {
    printError(undecided);
    return exitCodes.usage;
  }
  const store = new HostStore(fleetDirectoryOf(paths));
  if (!store.exists()) return failWith({ action, reason: 'this host is in no fleet' });
  const state = store.readState();
  const fleet = state.ok ? (state.value?.fleet ?? '') : '';
  const reader = await policyReaderOf(command);
  const edit: PolicyEdit = (text, now) => (keep ? withRelease(now()) : withoutFleet(text));
  const edited = dryRun
    ? tryPolicyEdit(reader, file, paths, edit)
    : editPolicy(reader, file, paths, edit, 'fleet leave');
  if (!edited.ok) {
    for (const each of edited.error) printError(each);
    return exitCodes.failed;
  }
  const { after: text } = edited.value;
  if (!dryRun) {
    // Only now: until the policy was written, the release below it was needed.
    const removed = store.remove();
    if (!removed.ok) return failWith(removed.error);
  }
  report({ fleet, policy: keep ? 'keep' : 'drop', text, left: !dryRun }, options);
  return exitCodes.done;
}

const undecided: Problem = {
  action,
  reason: "nobody has said what becomes of the fleet's policy",
  hint: 'pass --keep to make it part of the own policy, or --drop',
};

function report(result: FleetLeaveJson, { json }: LeaveOptions): void {
  if (json === true) printJson(result);
  else print(result.left ? `This host has left the fleet "${result.fleet}"` : result.text);
}

/** Returns the policy with what the release says, below what the host says: as it is read now. */
function withRelease({ document, policy, diagnostics }: Loaded): Result<string, EditErrors> {
  if (policy !== undefined && document !== undefined) return withoutFleet(document.text);
  const errors = diagnostics.filter(({ severity }) => severity === 'error');
  return fail(errors.map(({ message }) => ({ reason: message })));
}

function withoutFleet(text: string): Result<string, EditErrors> {
  const [fleet] = childrenOf(rootOf(text), 'fleet');
  return ok(fleet === undefined ? text : removeElement(text, fleet));
}

export const command: CommandModule = {
  define(command, run) {
    command
      .addOption(policyOption())
      .option('--keep', "write what the fleet's policy says into the own policy")
      .option('--drop', "go back to the own policy; the fleet's limits go with the next apply")
      .option('--dry-run', 'print the policy that would be written')
      .addOption(jsonOption())
      .addHelpText(
        'after',
        examples(
          ['bulkhead fleet leave --keep --dry-run', 'the policy as it would be'],
          ['bulkhead fleet leave --keep', 'limits stay as they are'],
        ),
      )
      .action(run(leave));
  },
};
