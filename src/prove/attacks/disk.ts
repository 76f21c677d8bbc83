/**
 * Attacks that fill the disk, or keep it busy. They write at most twice the scratch limit, and only if there is space.
 */
import type { Attack, Stage } from '../core/attack.ts';
import { blocked, impossible, through, type AttackEvidence } from '../core/outcome.ts';
import { perl } from './perl.ts';

const MiB = 2 ** 20;
const quotas =
  '<disk space="…" files="…"/> in the policy, and quotas on the file system of the homes';
/** The free space that must be left when an attack gets through, in bytes. */
const spareBytes = 2 ** 30;

const floodMebibytes = ({ limits }: Stage) => ((limits.space ?? 8 * MiB) * 2) / MiB;
const tooManyFiles = ({ limits }: Stage) => (limits.files ?? 200) * 2;

const tooFull = ({ freeBytes }: Stage) =>
  freeBytes < spareBytes
    ? { reason: 'less than 1 GiB is free on the file system of the homes' }
    : undefined;

const buffered = String.raw`
my ($directory, $mebibytes) = @ARGV;
open my $file, '>', "$directory/flood" or failed('create a file:');
for my $n (1 .. $mebibytes) {
  defined syswrite($file, 'x' x 1048576) or refused("after $n MiB");
}
through("$mebibytes MiB");`;

/** dd aligns its buffer, as such writes must be. */
const direct = String.raw`
my ($directory, $mebibytes) = @ARGV;
$ENV{LC_ALL} = 'C';
my $said = qx(dd if=/dev/zero of='$directory/flood' bs=1M count=$mebibytes oflag=direct 2>&1);
through("$mebibytes MiB") if $? == 0;
if ($said =~ /quota exceeded/i) { print "refused EDQUOT\n"; exit }
cannot("write with O_DIRECT:", (split /\n/, $said)[0] // '');`;

const files = String.raw`
my ($directory, $most) = @ARGV;
for my $n (1 .. $most) {
  open my $file, '>', "$directory/file$n" or refused("after $n files");
}
through("$most files");`;

const flood = (name: string, summary: string, source: string): Attack => ({
  name,
  summary,
  demandedBy: 'disk.space',
  remedy: quotas,
  refusals: ['EDQUOT'],
  obstacle: tooFull,
  start: (stage) => ({
    program: perl(source, stage, [stage.homes.attacker, floodMebibytes(stage)]),
  }),
});

export const diskFlood = flood('disk-flood', 'write twice the space of the limit', buffered);
export const diskFloodDirect = flood(
  'disk-flood-direct',
  'the same past the page cache (O_DIRECT)',
  direct,
);

export const fileFlood: Attack = {
  name: 'file-flood',
  summary: 'create twice as many files as the limit allows',
  demandedBy: 'disk.files',
  remedy: quotas,
  refusals: ['EDQUOT'],
  obstacle: tooFull,
  start: (stage) => ({
    program: perl(files, stage, [stage.homes.attacker, tooManyFiles(stage)]),
  }),
};

/**
 * Writes over the same file again, so that it takes no more space. dd's last line: `6291456 bytes (6.3 MB, 6.0 MiB)
 * copied, 3.0 s, 2.1 MB/s`.
 */
const writing = String.raw`
my ($directory, $how) = @ARGV;
$ENV{LC_ALL} = 'C';
my $said = qx(dd if=/dev/zero of='$directory/busy' bs=256k count=32 $how 2>&1);
my ($bytes, $seconds) = $said =~ /^(\d+) bytes .*copied, ([0-9.e+-]+) s/m;
cannot('measure dd:', (split /\n/, $said)[0] // '') unless $bytes and $seconds > 0;
print 'measured ', int($bytes / $seconds), "\n";`;

/** The factor by which the rate may exceed the limit: blk-throttle lets a burst pass at the beginning. */
const tolerance = 1.5;

function judgeRate({ said, ended }: AttackEvidence, { limits }: Stage) {
  if (said?.word !== 'measured')
    return impossible(said?.text ?? `the program said nothing: ${ended}`);
  const rate = Number(said.text);
  const text = `${(rate / MiB).toFixed(1)} MiB/s`;
  if (limits.write !== undefined && rate <= limits.write * tolerance)
    return blocked(`${text}, the limit is ${limits.write / MiB} MiB/s`);
  return through(text);
}

const busyDisk = (name: string, summary: string, how: string): Attack => ({
  name,
  summary,
  demandedBy: 'io.write',
  remedy: '<io write="…"/> in the policy; writes through the page cache need cgroup v2',
  obstacle: tooFull,
  start: (stage) => ({ program: perl(writing, stage, [stage.homes.attacker, how]) }),
  control: {
    by: 'control',
    start: (stage) => ({ program: perl(writing, stage, [stage.homes.control, how]) }),
  },
  judge: judgeRate,
});

export const diskBandwidth = busyDisk(
  'disk-bandwidth',
  'write past the page cache as fast as it goes',
  'oflag=direct',
);
export const diskBandwidthBuffered = busyDisk(
  'disk-bandwidth-buffered',
  'the same through the page cache (fsync)',
  'conv=fsync',
);
