/** `bulkhead modules`: what each kernel module claims, uses and is worth. */
import type { Command } from 'commander';
import { examples, type CommandModule, type Runner } from '../../cli/shared/command.ts';

type Part = () => Promise<(parent: Command, run: Runner) => void>;

/** In the order in which help lists them. */
const parts: Readonly<Record<string, Part>> = {
  scan: async () => (await import('./scan.ts')).defineScan,
  explain: async () => (await import('./explain.ts')).defineExplain,
  predict: async () => (await import('./predict.ts')).definePredict,
  match: async () => (await import('./match.ts')).defineMatch,
  upgrade: async () => (await import('./upgrade.ts')).defineUpgrade,
  deny: async () => (await import('./deny.ts')).defineDeny,
};

export const command: CommandModule = {
  async define(program, run, inner) {
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
    const names = inner !== undefined && Object.hasOwn(parts, inner) ? [inner] : Object.keys(parts);
    for (const name of names) (await parts[name]?.())?.(parent, run);
  },
};
