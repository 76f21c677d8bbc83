/** `bulkhead modules`: what each kernel module claims, uses and is worth. */
import type { Command } from 'commander';
import { examples, type CommandModule, type Runner } from './command.ts';
import { defineDeny } from './modules/deny.ts';
import { defineExplain } from './modules/explain.ts';
import { defineMatch } from './modules/match.ts';
import { definePredict } from './modules/predict.ts';
import { defineScan } from './modules/scan.ts';
import { defineUpgrade } from './modules/upgrade.ts';

export const command: CommandModule = {
  define(program, run) {
    const parent = program
      .command('modules')
      .description('kernel modules: what they claim, use, and are worth')
      .addHelpText(
        'after',
        examples(
          ['bulkhead modules scan', 'all modules of the running kernel, the bad first'],
          ['bulkhead modules explain zfs', 'one of them in depth'],
          ['bulkhead modules match jool --source jool-dkms.deb', 'is this its source?'],
        ),
      );
    const parts: readonly ((parent: Command, run: Runner) => void)[] = [
      defineScan,
      defineExplain,
      definePredict,
      defineMatch,
      defineUpgrade,
      defineDeny,
    ];
    for (const define of parts) define(parent, run);
  },
};
