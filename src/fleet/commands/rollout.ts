/** `bulkhead fleet rollout`: which hosts may take the release, for fleets whose trust lists controllers. */
import { examples, type CommandModule } from '../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../cli/shared/command-table.ts';

const parts: CommandTable = {
  start: {
    usage: '[options] <directory>',
    summary: 'open the first wave of the release that is published',
    load: () => import('./rollout/start.ts'),
  },
  next: {
    usage: '[options] <directory>',
    summary: 'open the next wave, or let all hosts confirm it after the last one',
    load: () => import('./rollout/next.ts'),
  },
  pause: {
    usage: '[options] <directory>',
    summary: 'let no more hosts begin with the release',
    load: () => import('./rollout/pause.ts'),
  },
  resume: {
    usage: '[options] <directory>',
    summary: 'end a pause',
    load: () => import('./rollout/resume.ts'),
  },
  back: {
    usage: '[options] <directory>',
    summary: 'let all hosts go back from the release',
    load: () => import('./rollout/back.ts'),
  },
  renew: {
    usage: '[options] <directory>',
    summary: 'say the same again, since hosts count no record that is older than a day',
    load: () => import('./rollout/renew.ts'),
  },
  status: {
    usage: '[options] <directory>',
    summary: 'show the waves, how their hosts are, and why it has stopped',
    load: () => import('./rollout/status.ts'),
  },
};

export const command: CommandModule = {
  define(parent) {
    parent.addHelpText(
      'after',
      examples(
        ['bulkhead fleet publish out && bulkhead fleet rollout start out', 'the first wave'],
        ['bulkhead fleet rollout next out', 'the next one, once the first is healthy'],
        ['bulkhead fleet rollout back out --reason "mail fails"', 'all hosts go back'],
      ),
    );
    addCommands(parent, parts);
  },
};
