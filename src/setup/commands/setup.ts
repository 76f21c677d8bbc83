/** `bulkhead setup`, and its parts. */
import { Option } from 'commander';
import { examples, type CommandModule } from '../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../cli/shared/command-table.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import { levels } from '../core/levels.ts';
import { start } from './start.ts';

const parts: CommandTable = {
  status: {
    usage: '[options]',
    summary:
      'show every layer of protection and what setup did; exits with 3 if something slipped back',
    load: () => import('./status.ts'),
  },
  next: {
    usage: '[options]',
    summary: 'let guards refuse that have reported nothing for seven days',
    load: () => import('./next.ts'),
  },
  boot: {
    usage: '[options]',
    summary: 'write the boot options that layers need, for the next reboot; never reboots',
    load: () => import('./boot/boot.ts'),
  },
  undo: {
    usage: '[options]',
    summary: 'take back what setup did, in reverse',
    load: () => import('./undo.ts'),
  },
};

export const command: CommandModule = {
  define(command, run) {
    command
      .addOption(policyOption())
      .option('--answers <file>', 'take the answers from this file, and do not ask')
      .option('--write-answers <file>', 'keep the answers in this file, for another server')
      .addOption(new Option('--level <level>', 'how far to go').choices(levels))
      .option('--try <tenant>', 'try changes on this tenant first')
      .option('--dry-run', 'show the plan; changes nothing')
      .option('-y, --yes', 'take the defaults, and do not ask')
      .option('--json', 'print as JSON, and do not ask')
      .addHelpText(
        'after',
        examples(
          ['bulkhead setup --dry-run', 'what was found, and the plan'],
          ['bulkhead setup', 'asks six questions, and does it'],
          ['bulkhead setup --level isolate', 'goes on where an earlier run stopped'],
          ['bulkhead setup --answers web1.json', 'repeats it on another server'],
        ),
      )
      .action(run(start));
    addCommands(command, parts);
  },
};
