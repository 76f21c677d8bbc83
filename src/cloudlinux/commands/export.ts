/** `bulkhead export ve.cfg`: the policy in CloudLinux's format. */
import type { Command } from 'commander';
import { exportVeCfg } from '../core/ve-cfg.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type PolicyOptions,
} from '../../cli/shared/command.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import { pathsFor, loadPolicyOrReport, showDiagnostics } from '../../cli/shared/session.ts';
import { writeOut, type OutputOptions } from '../../cli/shared/write-out.ts';

interface ExportOptions extends PolicyOptions, OutputOptions {}

async function exportPolicy(
  _form: string,
  options: ExportOptions,
  command: Command,
): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const loaded = await loadPolicyOrReport(command, options.policy, paths);
  if (loaded?.document === undefined) return exitCodes.failed;
  const { text, diagnostics } = exportVeCfg(loaded.document, loaded.policy);
  showDiagnostics(diagnostics);
  return writeOut(text, options);
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'what to write').choices(['ve.cfg']).default('ve.cfg');
    command
      .addOption(policyOption())
      .option('-o, --output <file>', 'write to this file instead of standard output')
      .option('--force', 'replace an existing file')
      .addHelpText(
        'after',
        examples(
          ['bulkhead export', 'print it'],
          ['bulkhead export ve.cfg -o /etc/container/ve.cfg', ''],
        ),
      )
      .action(run(exportPolicy));
  },
};
