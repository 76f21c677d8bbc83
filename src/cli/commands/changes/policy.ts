/** `bulkhead policy`: who changed the policy, when and how; what each change did; and its undo. */
import { InvalidArgumentError } from 'commander';
import { examples, type CommandModule } from '../../shared/command.ts';
import { withPeriodOptions } from '../../shared/period.ts';
import { diff } from './diff.ts';
import { log } from './log.ts';
import { show } from './show.ts';
import { undo } from './undo.ts';

export const command: CommandModule = {
  define(noun, run) {
    noun.addHelpText(
      'after',
      examples(
        ['bulkhead policy log', 'who changed what in the last 30 days'],
        ['bulkhead policy diff 12', 'what change 12 did'],
        ['bulkhead policy undo 12 --dry-run', 'what its undo would do'],
      ),
    );
    withPeriodOptions(
      noun.command('log').description('list changes of the policy: who, when, how, and what'),
      '30d',
    )
      .option('--tenant <name>', 'only changes that reached this tenant or reseller')
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead policy log --period 7d', ''],
          ['bulkhead policy log --tenant alice', 'also of her package and the defaults'],
        ),
      )
      .action(run(log));
    noun
      .command('show')
      .description('print the policy as a change left it')
      .argument('[change]', 'the number of the change, or latest: the text in force', orLatest)
      .option('--json', 'print as JSON')
      .addHelpText('after', examples(['bulkhead policy show 12 > policy-of-then.xml', '']))
      .action(run(show));
    noun
      .command('diff')
      .description('show what a change did, or how the texts after two changes differ')
      .argument('<change>', 'the number of the change', changeNumber)
      .argument(
        '[other]',
        'compare the text after it with the text after this change',
        changeNumber,
      )
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(['bulkhead policy diff 12', ''], ['bulkhead policy diff 9 12', '']),
      )
      .action(run(diff));
    noun
      .command('undo')
      .description('undo a change; later changes of other things stay')
      .argument('<change>', 'the number of the change', changeNumber)
      .option('--no-apply', 'write the policy without applying it')
      .option('--dry-run', 'print what would change in the file; changes nothing')
      .option('-y, --yes', 'do not ask')
      .option('--json', 'print as JSON; needs --yes or --dry-run')
      .addHelpText('after', examples(['bulkhead policy undo 12', 'asks before it writes']))
      .action(run(undo));
  },
};

function changeNumber(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be the number of a change, as "policy log" lists it.');
}

const orLatest = (text: string): number | 'latest' =>
  text === 'latest' ? 'latest' : changeNumber(text);
