/** `bulkhead setup boot`: changes how this host boots, apart from all other steps. It never reboots. */
import { Option } from 'commander';
import { addCommands, type CommandTable } from '../../../cli/shared/command-table.ts';
import { examples, type CommandModule } from '../../../cli/shared/command.ts';
import { namedOptions } from '../../core/boot/options.ts';
import { loaderNames } from '../../core/boot/record.ts';
import { boot } from './run-boot.ts';

const parts: CommandTable = {
  undo: {
    usage: '[options]',
    summary: 'make the boot options as they were before',
    load: () => import('./undo-command.ts'),
  },
};

export const command: CommandModule = {
  define(command, run) {
    command
      .addOption(
        new Option('--add <options...>', 'also add what is only added if it is named').choices(
          namedOptions,
        ),
      )
      .addOption(
        new Option('--loader <name>', 'the boot loader, if this host has several').choices(
          loaderNames,
        ),
      )
      .option('--dry-run', 'show the exact change; changes nothing')
      .option('-y, --yes', 'do not ask')
      .option('--json', 'print as JSON, and do not ask')
      .addHelpText(
        'after',
        examples(
          ['bulkhead setup boot --dry-run', 'what this host lacks, and the exact change'],
          ['bulkhead setup boot', 'shows the change, and writes it after one "y"'],
          ['bulkhead setup boot --add favordynmods', 'also this option, which has a price'],
          ['bulkhead setup boot undo', 'the boot options as they were before'],
        ),
      )
      .action(run(boot));
    addCommands(command, parts);
  },
};
