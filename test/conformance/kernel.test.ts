/** The conformance suite on the kernel of this machine, and limits that only a real kernel can show. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { eventually } from '../../testing/patience.ts';
import { applyPolicy, planPolicy } from '../../src/apply/apply.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';
import { usesNoMoreThan } from './cpu-share.ts';
import { conformance, messageOf, mustApply, policyOf, uids } from './suite.ts';
import { kernelSuite, type KernelStage } from './kernel-stage.ts';

const { first, second, third, reseller } = uids;

kernelSuite('bulkhead-kernel-test', suite);

function suite({ host, version, driver, counters, inside, run, held }: KernelStage): void {
  conformance(`kernel v${version}`, () => host);

  held('applyPolicy() limits a busy loop to its share of a core', async () => {
    mustApply(`<tenant uid="${first}"><cpu limit="20%"/></tenant>`, host);
    const child = inside(first, 'sh', '-c', 'while :; do :; done');
    await usesNoMoreThan(new Map([[`u${first}`, 0.26]]), counters);
    child.kill('SIGKILL');
  });

  held('applyPolicy() limits the sum of the tenants of a reseller', async () => {
    mustApply(
      `<reseller uid="${reseller}"><cpu limit="30%"/><tenant uid="${second}"/><tenant uid="${third}"/></reseller>`,
      host,
    );
    const children = [second, third].map((uid) => inside(uid, 'sh', '-c', 'while :; do :; done'));
    await usesNoMoreThan(new Map([[`r${reseller}`, 0.38]]), counters);
    for (const child of children) child.kill('SIGKILL');
  });

  held('counters() counts a process that the memory limit ended', () => {
    mustApply(`<tenant uid="${first}"><memory limit="64MiB"/></tenant>`, host);
    const hog = run(
      first,
      'sh',
      '-c',
      'head -c 200000000 /dev/zero | tail >/dev/null; echo survived $?',
    );
    assert.doesNotMatch(hog.stdout ?? '', /survived 0/);
    const { oomKills, memoryHits } = counters(`u${first}`);
    assert.ok(oomKills >= 1, 'no process was ended');
    assert.ok(memoryHits >= 1, 'the limit was never hit');
  });

  held('counters() counts forks that the processes limit refused', () => {
    mustApply(`<tenant uid="${first}"><processes limit="10"/></tenant>`, host);
    const storm = run(
      first,
      'sh',
      '-c',
      'for i in $(seq 30); do sleep 3600 >/dev/null 2>&1 & done',
    );
    assert.match(storm.stderr ?? '', /fork/i);
    assert.ok(counters(`u${first}`).forksRefused >= 1);
  });

  held('applyPolicy() limits direct writes and reads', () => {
    const { devices } = driver().capabilities;
    if (devices.length === 0) return console.log('# no disk here can be throttled: not tested');
    mustApply(`<tenant uid="${first}"><io read="2MiB/s" write="2MiB/s"/></tenant>`, host);
    using scratch = temporaryDirectory('io', '/var/tmp');
    const directory = scratch.path;
    execFileSync('chown', [String(first), directory]);
    execFileSync('dd', ['if=/dev/zero', `of=${directory}/r`, 'bs=1M', 'count=8', 'conv=fsync'], {
      stdio: 'ignore',
    });
    execFileSync('chown', [String(first), `${directory}/r`]);
    for (const words of [
      [`if=/dev/zero`, `of=${directory}/w`, 'oflag=direct'],
      [`if=${directory}/r`, 'of=/dev/null', 'iflag=direct'],
    ]) {
      const start = performance.now();
      const dd = run(first, 'dd', ...words, 'bs=256k', 'count=24');
      const seconds = (performance.now() - start) / 1000;
      assert.equal(dd.status, 0, dd.stderr);
      const rate = 6 / seconds;
      assert.ok(rate < 2.6, `${words.join(' ')}: ${rate.toFixed(2)} MiB/s`);
    }
  });

  held('applyPolicy() lowers memory below what is in use only with --force', async () => {
    const body = (limit: string) => `<tenant uid="${first}"><memory limit="${limit}"/></tenant>`;
    mustApply(body('128MiB'), host);
    const child = inside(
      first,
      'sh',
      '-c',
      'x=$(head -c 60000000 /dev/zero | tr "\\0" x); sleep 3600',
    );
    await eventually('it has its memory', () => (driver().memoryInUse(`u${first}`) ?? 0) >= 50e6);
    const refused = applyPolicy(policyOf(body('16MiB')), host, { kill: false, force: false });
    assert.ok(refused.ok);
    assert.match(
      messageOf(refused.value.failures[0]),
      /in use and cannot be reclaimed; raise the limit, or pass --force/,
    );
    assert.equal(child.exitCode ?? child.signalCode, null, 'the process was ended');
    assert.ok(
      planPolicy(policyOf(body('128MiB')), driver()).operations.length === 0,
      'the old limit is not in force',
    );
    mustApply(body('16MiB'), host, { kill: false, force: true });
    assert.ok((driver().memoryInUse(`u${first}`) ?? 0) <= 16 * 2 ** 20);
    child.kill('SIGKILL');
  });

  held('applyPolicy() reclaims page cache when memory is lowered', () => {
    const body = (limit: string) => `<tenant uid="${first}"><memory limit="${limit}"/></tenant>`;
    mustApply(body('128MiB'), host);
    using scratch = temporaryDirectory('cache', '/var/tmp');
    const directory = scratch.path;
    execFileSync('chown', [String(first), directory]);
    assert.equal(
      run(first, 'dd', 'if=/dev/zero', `of=${directory}/f`, 'bs=1M', 'count=60', 'conv=fsync')
        .status,
      0,
    );
    mustApply(body('16MiB'), host);
  });
}
