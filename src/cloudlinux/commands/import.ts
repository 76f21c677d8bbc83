/** `bulkhead import`: a CloudLinux ve.cfg as a policy. */
import { availableParallelism } from 'node:os';
import { InvalidArgumentError, type Command } from 'commander';
import { readHostFacts, readUidRange } from '../../host/accounts/accounts.ts';
import type { PolicyReader } from '../../apply/load-policy.ts';
import type { Paths } from '../../host/paths.ts';
import { readForeignFile } from '../../host/policy-file.ts';
import type { TenantName, UidRange } from '../../policy/document.ts';
import { importVeCfg } from '../core/ve-cfg.ts';
import type { ProblemOrCause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { pathsFor, showDiagnostics, failWith } from '../../cli/shared/session.ts';
import { writeOut, type OutputOptions } from '../../cli/shared/write-out.ts';
import { policyReaderOf } from '../../cli/capability.ts';

interface ImportOptions extends OutputOptions {
  readonly cores?: number;
  readonly coreMhz?: number;
  readonly uids?: UidRange;
  readonly members?: string;
}

async function importFile(
  file: string,
  options: ImportOptions,
  command: Command,
): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const read = readForeignFile(file);
  if (!read.ok) return failWith(read.error);
  const members = readMembers(options.members);
  if (!members.ok) return failWith(members.error);
  const { accounts } = readHostFacts(paths, []);
  const { text, diagnostics } = importVeCfg(file, read.value, {
    cores: options.cores ?? availableParallelism(),
    uids: options.uids ?? readUidRange(paths),
    accounts,
    ...(options.coreMhz === undefined ? {} : { coreMegahertz: options.coreMhz }),
    ...(members.value === undefined ? {} : { packageMembers: members.value }),
  });
  showDiagnostics(diagnostics, 'note');
  if (text === undefined) return failWith({ reason: `Nothing written: ${file} has errors` });
  const written = writeOut(text, options);
  if (written !== exitCodes.done) return written;
  return reportRemaining(await policyReaderOf(command), text, options, paths);
}

/**
 * Reports what in the new policy does not fit this host, so that nobody has to find out by applying
 * it.
 */
function reportRemaining(
  reader: PolicyReader,
  text: string,
  options: ImportOptions,
  paths: Paths,
): ExitCode {
  const { diagnostics, policy } = reader.resolve(options.output ?? 'policy.xml', text, paths);
  showDiagnostics(diagnostics.filter((each) => each.severity === 'error'));
  if (policy !== undefined) return exitCodes.done;
  return failWith({
    reason: 'The policy does not fit this host yet',
    hint: 'correct it before it is applied',
  });
}

/**
 * Reads lines such as `alice Gold package`, one per user: the ve.cfg does not record which package
 * a user has.
 */
function readMembers(
  file: string | undefined,
): Result<ReadonlyMap<string, readonly TenantName[]> | undefined, ProblemOrCause> {
  if (file === undefined) return ok(undefined);
  const read = readForeignFile(file);
  if (!read.ok) return read;
  const members = new Map<string, TenantName[]>();
  const seen = new Set<string>();
  for (const [index, line] of read.value.split(/\r?\n/).entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const [, user = '', pack = ''] = /^\s*(\S+)\s+(.*\S)\s*$/.exec(line) ?? [];
    const where = `${file}:${index + 1}`;
    if (user === '')
      return fail({ reason: `${where}: Not a user and a package: "${line.trim()}"` });
    if (seen.has(user)) return fail({ reason: `${where}: The user "${user}" is listed twice` });
    seen.add(user);
    const name: TenantName = /^\d{1,10}$/.test(user)
      ? { kind: 'uid', uid: Number(user) }
      : { kind: 'user', user };
    members.set(pack, [...(members.get(pack) ?? []), name]);
  }
  return ok(members);
}

function positive(text: string): number {
  const number = /^\d{1,6}(\.\d{1,3})?$/.test(text) ? Number(text) : 0;
  if (number > 0) return number;
  throw new InvalidArgumentError('Expected a number above 0.');
}

function uidRange(text: string): UidRange {
  const [, first, last] = /^(\d{1,10})-(\d{1,10})$/.exec(text) ?? [];
  if (first !== undefined && last !== undefined && Number(first) <= Number(last)) {
    return { first: Number(first), last: Number(last) };
  }
  throw new InvalidArgumentError('Expected a range, for example 1000-59999.');
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'the file to read').default('/etc/container/ve.cfg');
    command
      .option('-o, --output <file>', 'write to this file instead of standard output')
      .option('--force', 'replace an existing file')
      .option(
        '--cores <number>',
        'cores of the machine it was written for (default: those of this host)',
        positive,
      )
      .option('--core-mhz <number>', 'clock rate of its cores, for limits in MHz and GHz', positive)
      .option(
        '--uids <range>',
        'uids that are tenants without being listed (default: from login.defs)',
        uidRange,
      )
      .option('--members <file>', 'which user has which package: lines of USER PACKAGE')
      .addHelpText(
        'after',
        examples(
          ['bulkhead import', 'print /etc/container/ve.cfg as a policy'],
          ['bulkhead import ve.cfg --cores 16 -o policy.xml', 'written for another machine'],
        ),
      )
      .action(run(importFile));
  },
};
