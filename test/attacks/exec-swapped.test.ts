/**
 * The launcher while another process swaps the files that it reads: for older and other files, for what is cut off at
 * any byte, for links and pipes, and for files of another owner. It starts a command inside, or none.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { after, before, suite, test } from 'node:test';
import { formatEntrySlots } from '../../src/host/entry-slots.ts';
import { reasonToSkip } from '../jail/stage.ts';
import { ExecStage, type Tenant } from './exec-stage.ts';

/** The number of starts for each of the two tenants. */
const starts = 500;

/** Puts one file after another in place of each target, the right one every other time. */
const swapper = String.raw`
  my (@targets, @right, @wrong);
  for (@ARGV) {
    my ($target, $staged) = split /=/;
    push @targets, $target;
    push @right, "$staged/right";
    push @wrong, [grep { $_ ne "$staged/right" } glob "$staged/*"];
  }
  sub put { my ($from, $to) = @_; unlink "$to.next"; link $from, "$to.next" or die "$from: $!"; rename "$to.next", $to or die $! }
  $| = 1;
  for (my $round = 0;; $round++) {
    for my $each (0 .. $#targets) {
      put($wrong[$each][($round + 7 * $each) % @{$wrong[$each]}], $targets[$each]);
      put($right[$each], $targets[$each]) for 0 .. 1;
    }
    print "swaps\n" if $round == 0;
  }`;

suite('launcher while its files are swapped', { skip: reasonToSkip() }, () => {
  let stage: ExecStage;

  before(() => {
    stage = new ExecStage('swapped', 620_330);
  });
  after(() => stage[Symbol.dispose]());

  /** Makes the files that take a target's place, next to `right`, and returns their directory. */
  function stageFiles(target: string, older: readonly string[]): string {
    const directory = `${target}.staged`;
    const right = readFileSync(target, 'utf8');
    mkdirSync(directory, { mode: 0o700 });
    const write = (name: string, text: string) => {
      writeFileSync(`${directory}/${name}`, text, { mode: 0o600 });
      return `${directory}/${name}`;
    };
    write('right', right);
    for (const length of Array(right.length).keys()) write(`cut-${length}`, right.slice(0, length));
    for (const [index, text] of older.entries()) write(`older-${index}`, text);
    write('foreign', readFileSync('/etc/passwd', 'utf8'));
    write('long', `${right}${' '.repeat(100_000)}`);
    write('zero', `${right}\0`);
    chownSync(write('owned', right), stage.plain.uid, 0);
    chmodSync(write('writable', right), 0o666);
    symlinkSync(`${directory}/right`, `${directory}/link`);
    execFileSync('mkfifo', [`${directory}/pipe`]);
    return directory;
  }

  async function withSwapped(targets: readonly string[], body: () => void): Promise<void> {
    const words = targets.map((target) => `${target}=${target}.staged`);
    const child = spawn('perl', ['-e', swapper, ...words], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(child.stdout, 'data');
      body();
      assert.equal(child.exitCode, null);
    } finally {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    }
    for (const target of targets) {
      renameSync(`${target}.staged/right`, target);
      for (const each of ['.staged', '.next'])
        rmSync(`${target}${each}`, { recursive: true, force: true });
    }
  }

  const startOnce = (tenant: Tenant) => stage.start(tenant, { options: ['--entry'] });

  /** Starts commands until there were enough, and some started and some were refused. */
  function startMany(tenant: Tenant): void {
    const counts = { inside: 0, refused: 0 };
    for (let run = 0; run < starts || counts.inside === 0 || counts.refused === 0; run++) {
      const isInside = stage.assertInsideOrRefused(tenant, startOnce(tenant), `start ${run}`);
      counts[isInside ? 'inside' : 'refused']++;
    }
  }

  for (const who of ['jailed', 'plain'] as const)
    test(`launcher starts nothing outside for a ${who} tenant`, async () => {
      const tenant = stage[who];
      const run = `/run/${stage.instance}`;
      const state = `${run}/jail/tenants/${tenant.uid}`;
      const targets = [
        `${run}/launch`,
        `${run}/entries/${tenant.uid}/limit`,
        ...(tenant.hasJail ? [state] : []),
      ];
      for (const target of targets) {
        const isLimit = target.endsWith('/limit');
        stageFiles(
          target,
          isLimit ? ['1\n', formatEntrySlots({ limit: 7 })] : ['launch 2\nend\n', 'jail 1\nend\n'],
        );
      }
      await withSwapped(targets, () => startMany(tenant));
      assert.ok(stage.assertInsideOrRefused(tenant, startOnce(tenant), 'afterwards'));
    });
});
