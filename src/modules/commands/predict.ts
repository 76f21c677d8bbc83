/**
 * `bulkhead modules predict`: shows what a sequence of insmod would do to a kernel, without running
 * it.
 */
import { formatProblem } from '../../../packages/base/problem.ts';
import type { Command } from 'commander';
import { fileOf, type Candidate } from '../../../packages/modules/core/loader/candidate.ts';
import { newState, predict } from '../../../packages/modules/core/loader/loader-verdict.ts';
import { trustLevelOf } from '../../../packages/modules/core/evidence/judge.ts';
import { importsOf, infoName, modinfo } from '../../../packages/modules/core/record/module.ts';
import { lettersOf } from '../../../packages/modules/core/kernel/taints.ts';
import type { LoaderVerdict } from '../../../packages/modules/core/loader/verdict.ts';
import { taintsInWords } from '../../../packages/modules/core/reports/report.ts';
import { loaderReport } from '../../../packages/modules/core/reports/loader-report.ts';
import { candidateFrom } from '../../../packages/modules/io/inputs/candidate-file.ts';
import {
  makeSignatureChecker,
  type SignatureChecker,
} from '../../../packages/modules/io/scan/signatures.ts';
import { bareName } from '../../../packages/modules/core/record/module-file.ts';
import { gplOnlyAmong } from '../../../packages/modules/io/scan/survey.ts';
import type { KernelReading } from '../../../packages/modules/io/kernel/read-kernel.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type Runner,
} from '../../cli/shared/command.ts';
import { printError, print, printJson } from '../../cli/shared/output.ts';
import { terminalOf, wrap } from '../../cli/shared/terminal.ts';
import { buildSigns } from '../../../packages/modules/io/scan/judge-modules.ts';
import { logLines } from './log-lines.ts';
import { openOrReport, withKernelOptions, type KernelOptions } from './setup.ts';
import { printable } from '../../../packages/base/printable.ts';
import type { ModulesPredictJson } from './json.ts';

interface PredictOptions extends KernelOptions {
  readonly loaded?: readonly string[];
  readonly taint: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

function predictLoads(files: readonly string[], options: PredictOptions): ExitCode {
  const taint = Number(options.taint);
  if (!Number.isSafeInteger(taint) || taint < 0) {
    printError(
      `"${options.taint}" is not a taint mask; write a number as in /proc/sys/kernel/tainted`,
    );
    return exitCodes.usage;
  }
  const opened = openOrReport(options);
  if (opened === undefined) return exitCodes.failed;
  const { reading, keys } = opened;
  const check = makeSignatureChecker(keys.kernel, keys.given);
  const before = candidatesFrom(options.loaded ?? [], check);
  const asked = candidatesFrom(files, check);
  if (before === undefined || asked === undefined) return exitCodes.failed;
  const state = newState(taint);
  predict(before, reading.kernel, state);
  const force = options.force === true ? { force: { vermagic: true, modversions: true } } : {};
  const verdicts = predict(asked, reading.kernel, state, force);
  const results = asked.map((candidate, index) => resultOf(candidate, verdicts[index]));
  if (options.json === true) {
    const judge = judgeWith([...before, ...asked], reading);
    printJson({
      version: 1,
      modules: results.map((each) => ({ ...jsonOf(each), ...judge(each) })),
    } satisfies ModulesPredictJson);
  } else {
    show(results);
  }
  // Without the kernel's exports, a verdict is not reliable.
  if (reading.kernel.exports.size === 0) return exitCodes.failed;
  return results.some(({ verdict }) => verdict.result === 'refuse')
    ? exitCodes.found
    : exitCodes.done;
}

/** Returns all modules, or undefined after printing which files cannot be read. */
function candidatesFrom(
  files: readonly string[],
  check: SignatureChecker,
): readonly Candidate[] | undefined {
  const read = files.map((file) => ({ file, candidate: candidateFrom(file, check) }));
  for (const { file, candidate } of read) {
    if (!candidate.ok)
      printError(formatProblem({ ...candidate.error, action: 'read', object: file }));
  }
  const all = read.flatMap(({ candidate }) => (candidate.ok ? [candidate.value] : []));
  return all.length === files.length ? all : undefined;
}

function resultOf(candidate: Candidate, verdict: LoaderVerdict | undefined): Result {
  const file = fileOf(candidate);
  if (verdict === undefined) throw new Error(`no verdict on ${file}`);
  const name = 'module' in candidate ? infoName(candidate.module) : undefined;
  return { file, name: name ?? bareName(file), verdict, candidate };
}

const jsonOf = ({ file, name, verdict, candidate }: Result) => ({
  file,
  name,
  license: 'module' in candidate ? (modinfo(candidate.module, 'license') ?? null) : null,
  loader: loaderReport(verdict),
});

/** Returns a function for what is printed with a verdict; empty for a file that is not a module. */
function judgeWith(candidates: readonly Candidate[], reading: KernelReading) {
  const { kernel } = reading;
  const isGplOnly = gplOnlyAmong(candidates, kernel);
  const inTree = new Map(reading.moduleExports.map((each) => [each.name, each.gplOnly]));
  const checks = buildSigns(
    candidates.flatMap((each) => ('module' in each ? [each] : [])),
    reading,
  );
  return ({ file, candidate, verdict }: Result) => {
    if (!('module' in candidate)) return { gplOnly: [], trustLevel: null, evidence: [] };
    const { module, signature } = candidate;
    const gplOnly = importsOf(module).flatMap(({ name }) =>
      isGplOnly(name) || inTree.get(name) === true ? [name] : [],
    );
    const judged = trustLevelOf(module, {
      fileName: bareName(file),
      signature,
      verdict,
      gplOnly,
      release: kernel.release,
      buildSigns: checks,
      packageClaim: undefined,
      source: undefined,
    });
    return { gplOnly, ...judged };
  };
}

interface Result {
  readonly candidate: Candidate;
  readonly file: string;
  readonly name: string;
  readonly verdict: LoaderVerdict;
}

function show(results: readonly Result[]): void {
  const terminal = terminalOf(process.stdout);
  const blocks = results.map((result) => inWords(result, terminal.columns));
  const { kernelTaint = 0, openKernelTaint = 0 } = results.at(-1)?.verdict ?? {};
  const after = taintsInWords({
    taints: lettersOf(kernelTaint - openKernelTaint),
    taintsUnlessTrusted: lettersOf(openKernelTaint),
  });
  const tainted = after === '' ? 'the kernel stays untainted' : `the kernel is tainted ${after}`;
  print([...blocks, `After that, ${tainted}`].join('\n\n'));
}

function inWords({ name, file, verdict }: Result, columns: number): string {
  const words = taintsInWords(loaderReport(verdict));
  const taints = words === '' ? '' : `, taints ${words}`;
  const outcome =
    verdict.result === 'load'
      ? `${verdict.unknown.length > 0 ? 'loads, as far as is known' : 'loads'}${taints}`
      : `refused with ${verdict.errno}${taints}`;
  const lines = [
    ...verdict.reasons.map((each) => each.reason),
    ...logLines(verdict),
    ...verdict.unknown.map((each) => `unknown: ${each}`),
  ].map((line) => wrap(`  ${printable(line)}`, columns, '    '));
  return [`${printable(name)} (${printable(file)}): ${outcome}`, ...lines].join('\n');
}

function define(command: Command, run: Runner): void {
  describeArgument(command, 'modules, in loading order');
  command
    .option('--loaded <file...>', 'modules that are loaded first and not reported')
    .option('--taint <mask>', 'initial taint of the kernel, as in /proc/sys/kernel/tainted', '0')
    .option('--force', 'like modprobe --force: ignore vermagic and symbol versions')
    .option('--json', 'print the verdicts as JSON');
  withKernelOptions(command)
    .addHelpText(
      'after',
      examples(
        ['bulkhead modules predict a.ko b.ko', 'b.ko after a.ko; status 3 if one is refused'],
        ['bulkhead modules predict a.ko --cmdline module.sig_enforce=1', ''],
        ['bulkhead modules predict b.ko --loaded a.ko --json', ''],
      ),
    )
    .action(run(predictLoads));
}

export const command: CommandModule = { define };
