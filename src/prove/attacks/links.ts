/** Attacks with symbolic and hard links to others' files. */
import type { Attack, Stage } from '../core/attack.ts';
import { perl } from './perl.ts';

const read = String.raw`
open my $file, '<', $ARGV[0] or refused('open');
my $text = <$file>;
through('read', $text // 'nothing');`;

const makeLink = String.raw`
unlink $ARGV[1];
symlink $ARGV[0], $ARGV[1] or failed('make a symbolic link:');
through('made');`;

const page = ({ sites }: Stage) => `${sites.neighbour}/config.php`;
const trap = ({ sites }: Stage) => `${sites.attacker}/link.txt`;

export const symlinkServer: Attack = {
  name: 'symlink-server',
  summary: "a web server follows the tenant's link to another tenant's file",
  demandedBy: 'symlinks',
  remedy: 'SymLinksIfOwnerMatch (Apache) or disable_symlinks (nginx); each tenant its own PHP-FPM',
  before: {
    by: 'attacker',
    start: (stage) => ({ program: perl(makeLink, stage, [page(stage), trap(stage)]) }),
  },
  by: 'server',
  start: (stage) => ({ program: perl(read, stage, [trap(stage)]) }),
  control: { by: 'server', start: (stage) => ({ program: perl(read, stage, [page(stage)]) }) },
};

const inShared = ({ shared }: Stage) => `${shared}/log`;
const neighbourFile = ({ homes }: Stage) => `${homes.neighbour}/secret`;

export const symlinkShared: Attack = {
  name: 'symlink-shared',
  summary: 'another tenant follows a link that was planted in a directory like /tmp',
  demandedBy: 'symlinks',
  remedy: 'sysctl fs.protected_symlinks=1',
  before: {
    by: 'attacker',
    start: (stage) => ({ program: perl(makeLink, stage, [neighbourFile(stage), inShared(stage)]) }),
  },
  by: 'neighbour',
  start: (stage) => ({ program: perl(read, stage, [inShared(stage)]) }),
  control: {
    by: 'neighbour',
    start: (stage) => ({ program: perl(read, stage, [neighbourFile(stage)]) }),
  },
};

const hardLink = String.raw`
link $ARGV[0], $ARGV[1] or refused('link');
unlink $ARGV[1];
through('linked to a file of another tenant');`;

export const hardLinkOther: Attack = {
  name: 'hard-link',
  summary: "a hard link to another tenant's file, which then outlives it",
  demandedBy: 'symlinks',
  remedy: 'sysctl fs.protected_hardlinks=1',
  start: (stage) => ({
    program: perl(hardLink, stage, [page(stage), `${stage.homes.attacker}/hard`]),
  }),
  control: {
    by: 'neighbour',
    start: (stage) => ({
      program: perl(hardLink, stage, [page(stage), `${stage.homes.neighbour}/hard`]),
      // The page is not in its jail.
      plain: true,
    }),
  },
};

const plant = String.raw`
unlink $ARGV[0];
open my $file, '>', $ARGV[0] or failed('create a file:');
chmod 0666, $ARGV[0];
through('made');`;

const create = String.raw`
use Fcntl;
sysopen my $file, $ARGV[0], O_WRONLY | O_CREAT, 0600 or refused('open with O_CREAT');
through("writes into another's file");`;

export const plantedFile: Attack = {
  name: 'planted-file',
  summary: 'another tenant writes into a file that was planted in a directory like /tmp',
  demandedBy: 'jail',
  remedy: 'sysctl fs.protected_regular=2',
  before: {
    by: 'attacker',
    start: (stage) => ({ program: perl(plant, stage, [`${stage.shared}/planted`]) }),
  },
  by: 'neighbour',
  start: (stage) => ({ program: perl(create, stage, [`${stage.shared}/planted`]) }),
  control: {
    by: 'neighbour',
    start: (stage) => ({ program: perl(create, stage, [`${stage.homes.neighbour}/own`]) }),
  },
};
