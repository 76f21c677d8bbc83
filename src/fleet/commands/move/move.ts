/** `bulkhead fleet move TENANT FROM TO`: edits fleet.xml so that the next release moves a tenant's limits. */
import { realpathSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Command } from 'commander';
import { decodeText, readBounded } from '../../../../packages/base/io/regular-file.ts';
import { pinDirectory } from '../../../../packages/base/io/pinned-directory.ts';
import { replaceIn } from '../../../../packages/base/io/replace-file.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { failed, type Cause, type Problem } from '../../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { failWith, print, printJson } from '../../../cli/shared/output.ts';
import { formatDiagnostic, suggestion } from '../../../policy/diagnostic.ts';
import { parseFleet, type FleetPolicy } from '../../../policy/fleet/fleet-policy.ts';
import { beginMove, finishMove, type TenantMove } from '../../../policy/fleet/plan/move-tenant.ts';
import { resolveElsewhere } from '../../../policy/fleet/plan/resolve-elsewhere.ts';
import { FleetRenderer } from '../../../policy/fleet/render.ts';
import { findTenant, type Policy } from '../../../policy/policy.ts';
import { bytesMax } from '../../../policy/xml.ts';
import { type DirectoryOptions, withFleetOptions } from '../shared-options.ts';
import { fleetOrReport, type ReadFleet } from '../read-fleet.ts';
import { promisedBy } from '../promised.ts';
import { stepsAfter } from './describe-move.ts';
import type { FleetMoveJson } from './json.ts';
import { targetFit, type MovedNeed, type TargetFit } from './target-fit.ts';

interface MoveOptions extends DirectoryOptions {
  readonly finish?: boolean;
  readonly room?: string;
  readonly anyway?: boolean;
  readonly dryRun?: boolean;
}

const actionOf = ({ tenant, from, to }: TenantMove) => `move ${tenant} from ${from} to ${to}`;

function moveTenant(
  tenant: string,
  from: string,
  to: string,
  options: MoveOptions,
  command: Command,
): ExitCode {
  const read = fleetOrReport(options.directory, command);
  if (read === undefined) return exitCodes.failed;
  const move = { tenant, from, to };
  const refuse = (cause: Cause) => failWith({ action: actionOf(move), ...cause });
  const text = textOf(read.file);
  if (!text.ok) return failWith(text.error);
  // Of this very text: somebody may have changed the file since.
  const { fleet = read.fleet } = parseFleet(read.file, text.value);
  const unknown = hostProblem(fleet, move);
  if (unknown !== undefined) return refuse(unknown);
  const step = options.finish === true ? 'finish' : 'begin';
  const edited = (step === 'finish' ? finishMove : beginMove)(text.value, fleet, move);
  if (!edited.ok) return refuse(edited.error);
  const resolved = resolvedIn(edited.value.text, read, [to, from]);
  if (!resolved.ok) return refuse(resolved.error);
  const { values = {} } = findTenant(resolved.value, tenant) ?? {};
  const room = roomFor({ ...move, promised: promisedBy(values) }, step, options);
  if (!room.ok) return failWith(room.error);
  if (options.dryRun !== true) {
    const written = write(read.file, text.value, edited.value.text);
    if (!written.ok) return failWith(written.error);
  }
  const shown: FleetMoveJson = {
    ...move,
    step,
    written: options.dryRun !== true,
    ...(edited.value.package !== undefined && { package: edited.value.package }),
    ...room.value,
    ...stepsAfter(move, step),
  };
  if (options.json === true) printJson(shown);
  else print(describe(shown));
  return exitCodes.done;
}

function hostProblem({ hosts }: FleetPolicy, { from, to }: TenantMove): Cause | undefined {
  const names = hosts.map(({ name }) => name);
  const missing = [from, to].find((each) => !names.includes(each));
  if (missing !== undefined)
    return { reason: `the fleet has no host "${missing}"${suggestion(missing, names)}` };
  return from === to ? { reason: 'both are the same host' } : undefined;
}

function textOf(file: string): Result<string, Problem> {
  const bytes = readBounded(file, bytesMax);
  return bytes.ok ? ok(decodeText(bytes.value)) : bytes;
}

/** Returns the first host's policy, unless one of them has a mistake, such as a package or a reseller that is not there. */
function resolvedIn(
  text: string,
  { file, words }: ReadFleet,
  hosts: readonly string[],
): Result<Policy, Cause> {
  const { fleet, diagnostics } = parseFleet(file, text);
  const renderer = fleet && new FleetRenderer(fleet);
  const policies: Policy[] = [];
  const found = [
    diagnostics,
    ...hosts.flatMap((host) => {
      const parsed = renderer?.parsed(host, words);
      if (parsed?.document !== undefined && !parsed.diagnostics.failed)
        policies.push(resolveElsewhere(parsed.document));
      return parsed === undefined ? [] : [parsed.diagnostics];
    }),
  ].flatMap(({ list }) => list.filter(({ severity }) => severity === 'error'));
  const [first] = found;
  const [policy] = policies;
  return first === undefined && policy !== undefined
    ? ok(policy)
    : fail({
        reason: `fleet.xml would have a mistake${first === undefined ? '' : `: ${formatDiagnostic(first)}`}`,
      });
}

function roomFor(
  move: MovedNeed,
  step: FleetMoveJson['step'],
  { room: file, anyway }: MoveOptions,
): Result<TargetFit, Problem> {
  const room = targetFit(file, move, Date.now());
  if (!room.ok || room.value.fits === true || step === 'finish' || anyway === true) return room;
  const { fits, why } = room.value;
  const reason =
    fits === null
      ? `whether ${move.to} has room is unknown: ${why}`
      : `${move.to} has no room: ${why}`;
  const hint = `name with --room what "bulkhead fleet room --like ${move.tenant}@${move.from} --json" has printed at the centre, or pass --anyway`;
  return failed({ action: actionOf(move), reason, hint });
}

/** Replaces fleet.xml, unless somebody has changed it meanwhile. */
function write(file: string, before: string, after: string): Result<void, Problem> {
  const path = realpathSync(file);
  const pinned = pinDirectory(dirname(path));
  if (!pinned.ok) return pinned;
  using directory = pinned.value;
  const { mode, uid, gid } = statSync(path);
  return replaceIn(directory, basename(path), after, {
    mode: mode & 0o777,
    // Root edits the file of whoever keeps the fleet.
    ...(process.geteuid?.() === 0 && { owner: { uid, gid } }),
    obstacle() {
      const now = textOf(path);
      return now.ok && now.value === before
        ? undefined
        : { reason: 'somebody has changed it meanwhile', hint: 'run the command again' };
    },
  });
}

function describe({ tenant, from, to, step, written, ...more }: FleetMoveJson): string {
  const will = written ? 'has' : 'would have';
  const { fits, why, package: name } = more;
  const lines = [
    step === 'begin'
      ? `fleet.xml ${will} ${tenant} for ${to}, and for ${from} until the move ends`
      : `fleet.xml ${will} ${tenant} for ${to} only`,
    ...(name === undefined
      ? []
      : [
          `${to} has the package "${name}"; "bulkhead fleet explain ${to} ${tenant}" shows what it limits there`,
        ]),
    ...(step === 'finish' || fits === true ? [] : [`room of ${to}: ${why ?? ''}; moved anyway`]),
    ...more.unchecked.map((each) => `not checked: ${each}`),
    'next:',
    ...more.next.map((each, index) => `  ${index + 1}. ${each}`),
  ];
  return lines.map(printable).join('\n');
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'the account, as fleet.xml names it');
    withFleetOptions(command)
      .option('--finish', 'end the move: the account is gone from its former host')
      .option(
        '--room <file>',
        'what "bulkhead fleet room --json" printed at the centre within the last hour',
      )
      .option('--anyway', 'move it although there is no room, or that is unknown')
      .option('--dry-run', 'check everything, and write nothing')
      .addHelpText(
        'after',
        examples(
          ['bulkhead fleet move alice web-017 web-101 --room room.json', ''],
          ['bulkhead fleet move alice web-017 web-101 --anyway --dry-run', 'check only'],
          ['bulkhead fleet move alice web-017 web-101 --finish', 'when the account is gone'],
        ),
      )
      .action(run(moveTenant));
  },
};
