/** Programs that a check starts, and what they would leave behind; a script is there instead of php-fpm. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { asNobody, checkUid, dumpPools } from '../../../src/web/io/fpm/check/dump.ts';
import { makeScratchCgroup } from '../../../src/host/cgroups/scratch-cgroup.ts';
import { formatCause } from '../../../packages/base/problem.ts';
import { FpmStage, skip as skipStage } from './stage.ts';

const bounds = { memoryBytes: 64 * 2 ** 20, processes: 32 };
const skip = skipStage === false ? whyNoCgroup() : skipStage;

function whyNoCgroup(): string | false {
  const made = makeScratchCgroup('check', bounds);
  if (made.ok) made.value[Symbol.dispose]();
  return made.ok ? false : formatCause(made.error);
}

/** Its pids: the directory of the stage is in the arguments of each. */
function left(stage: FpmStage): readonly string[] {
  return globSync('/proc/[0-9]*').filter((each) => {
    try {
      const isOurs = readFileSync(`${each}/cmdline`, 'latin1').includes(stage.at);
      const status = readFileSync(`${each}/status`, 'latin1');
      return isOurs && new RegExp(`^Uid:\t${checkUid}\t`, 'm').test(status);
    } catch {
      return false;
    }
  });
}

const cgroups = () => globSync(`/sys/fs/cgroup/{,*/}bulkhead-check-${process.pid}-*`);

/** Writes a program that runs Perl code, with the stage's directory as the last argument. */
function programOf(stage: FpmStage, perl: string): string {
  const path = `${stage.at}/program`;
  writeFileSync(path, `#!/bin/sh\nexec perl -e '${perl}' ${stage.at}\n`, { mode: 0o755 });
  return path;
}

const check = (stage: FpmStage, perl: string) =>
  dumpPools(programOf(stage, perl), stage.main, { timeoutMs: 300_000, before: asNobody, bounds });

const ways = {
  'and keeps its output open': 'exit if fork; sleep 3600',
  'in a session of its own':
    'use POSIX; exit if fork; POSIX::setsid(); open $_, "/dev/null" for *STDOUT, *STDERR; close STDOUT; close STDERR; sleep 3600',
  'and forks on and on': 'close STDOUT; close STDERR; for (1 .. 1_000_000) { exit if fork }',
  'many times': 'for (1 .. 20) { fork or sleep 3600 }',
};

for (const [way, perl] of Object.entries(ways))
  test(
    `dumpPools() leaves no process of a program that a check has started ${way}`,
    { skip },
    async () => {
      using stage = new FpmStage();
      const dumped = await check(stage, perl);
      assert.ok(dumped.ok, dumped.ok ? '' : dumped.error.message);
      assert.deepEqual(left(stage), []);
      assert.deepEqual(cgroups(), []);
    },
  );

test('dumpPools() limits the memory of a check', { skip }, async () => {
  using stage = new FpmStage();
  const dumped = await check(stage, '$x = "x" x (200 << 20); print STDERR "had it\\n"');
  assert.ok(!dumped.ok);
  assert.equal(dumped.error.isUnfinished, true, dumped.error.message);
  assert.match(dumped.error.message, /it was killed by SIGKILL/);
  assert.deepEqual(cgroups(), []);
});

test(
  "dumpPools() reads php-fpm's output within the memory limit of a check",
  { skip },
  async () => {
    using stage = new FpmStage();
    stage.write('a', stage.pool('a', 64_430));
    const { program } = stage.context().fpm;
    const dumped = await dumpPools(program, stage.main, { timeoutMs: 300_000, before: asNobody });
    assert.ok(dumped.ok, dumped.ok ? '' : dumped.error.message);
    assert.deepEqual(
      dumped.value.map(({ name }) => name),
      ['a'],
    );
  },
);

test('dumpPools() runs the check without a cgroup when none can be made', { skip }, async () => {
  using stage = new FpmStage();
  stage.write('a', stage.pool('a', 64_430));
  const { program } = stage.context().fpm;
  const impossible = { ...bounds, processes: Number.NaN };
  const options = { timeoutMs: 300_000, before: asNobody, bounds: impossible };
  const dumped = await dumpPools(program, stage.main, options);
  assert.ok(dumped.ok, dumped.ok ? '' : dumped.error.message);
  assert.deepEqual(cgroups(), []);
});
