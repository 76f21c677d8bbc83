/** CPU limits that the agent has lowered come back, whenever it is killed: on the kernel of this machine. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { compileThaw } from '../../../scripts/entry.ts';
import { leftoversPolicy, thawAtStart } from '../../../src/database/io/hold/leftovers.ts';
import type { Log } from '../../../src/agent/log.ts';
import {
  loweredCpuOf,
  loweredFile,
  readLowered,
  writeLowered,
} from '../../../src/host/cgroups/lowered-quotas.ts';
import { cpuMicroseconds } from '../../../src/limits/lowered-cpu.ts';
import { patienceMilliseconds } from '../../../testing/patience.ts';
import { kernelSuite, type KernelStage } from '../../conformance/kernel-stage.ts';
import { mustApply, policyOf, uids } from '../../conformance/suite.ts';
import { Agent } from '../freezer-stage.ts';

const agentScript = fileURLToPath(new URL('lowering-agent.ts', import.meta.url));
const program = compileThaw();
const { first, second, third, reseller } = uids;
const kills = Number(process.env['BULKHEAD_KILLS'] ?? 20);

const text = `<tenant uid="${first}"><cpu limit="100%" burst="20%"/><database counts="yes"/>
  <site name="shop.example"><cpu limit="80%"/></site><site name="blog.example"/></tenant>
  <tenant uid="${second}"><cpu limit="50%"/><database counts="yes"/></tenant>
  <tenant uid="${reseller}"><cpu limit="90%"/></tenant>
  <reseller uid="${reseller}"><cpu limit="120%"/>
    <tenant uid="${third}"><cpu limit="60%"/><database counts="yes"/></tenant></reseller>`;
/** The quotas of the policy, in microseconds. */
const whole: Readonly<Record<string, number>> = {
  [`u${first}`]: 100_000,
  [`u${first}/s-shop.example`]: 80_000,
  [`u${second}`]: 50_000,
  [`u${reseller}`]: 90_000,
  [`r${reseller}`]: 120_000,
  [`r${reseller}/u${third}`]: 60_000,
};

kernelSuite('bulkhead-counts', ({ instance, host, version, driver, held }: KernelStage) => {
  const file = version === 2 ? 'cpu.max' : 'cpu.cfs_quota_us';
  const files = driver().tree.hierarchies.find(({ controllers }) => controllers.has('cpu'))?.files;
  const quotaOf = (cgroup: string) => cpuMicroseconds(files?.read(cgroup, file) ?? '');
  const areWhole = () => Object.entries(whole).every(([cgroup, full]) => quotaOf(cgroup) === full);
  const agent = () => {
    mkdirSync(host.paths.runtime, { recursive: true });
    return new Agent([agentScript, instance, program, `<bulkhead version="1">${text}</bulkhead>`]);
  };
  /** Returns after how many milliseconds all limits are back. */
  async function restoredAfter(): Promise<number> {
    const began = performance.now();
    while (!areWhole()) {
      if (performance.now() - began > patienceMilliseconds) throw new Error('it stays lowered');
      await sleep(1);
    }
    return performance.now() - began;
  }

  held('all limits are back after the agent was killed at any instant', async () => {
    mustApply(text, host);
    assert.ok(areWhole());
    const milliseconds: number[] = [];
    for (let each = 0; each < kills; each++) {
      const killed = agent();
      await killed.until('lowered');
      assert.equal(killed.count('warning'), 0);
      await sleep(Math.random() * 20);
      await killed.end('SIGKILL');
      milliseconds.push(await restoredAfter());
    }
    milliseconds.sort((a, b) => a - b);
    const at = (part: number) => milliseconds[Math.floor((kills - 1) * part)]?.toFixed(1);
    console.log(`# ${kills} kills; restored after ms: p50 ${at(0.5)}, max ${at(1)}`);
  });

  held('they are back while the agent is stopped, and lowered again after that', async () => {
    mustApply(text, host);
    const stopped = agent();
    await stopped.until('lowered', 3);
    stopped.signal('SIGSTOP');
    console.log(`# restored after ${(await restoredAfter()).toFixed(0)} ms of silence`);
    const before = stopped.count('lowered');
    stopped.signal('SIGCONT');
    await stopped.until('lowered', before + 3);
    assert.equal(stopped.count('warning'), 0);
    await stopped.end('SIGTERM');
    assert.ok(areWhole(), 'at its own end the agent restores all itself');
    assert.equal(existsSync(loweredFile(host.paths)), false);
  });

  held('the next agent and a release restore what is recorded', async () => {
    mustApply(text, host);
    const lower = async () => {
      const killed = agent();
      await killed.until('lowered');
      killed.signal('SIGSTOP');
      const recorded = readLowered(host.paths);
      await killed.end('SIGKILL');
      await restoredAfter();
      // As if the watchdog had been killed as well.
      writeLowered(host.paths, recorded);
      const lowered = version === 2 ? [`u${second}`, `r${reseller}`] : [`u${second}`];
      for (const path of lowered)
        files?.write(path, file, version === 2 ? '20000 100000' : '20000');
      assert.equal(loweredCpuOf(host.paths, second), 0.2);
      // The reseller's account is a tenant, too, and to its own limit nothing counts.
      assert.equal(loweredCpuOf(host.paths, reseller), undefined);
    };
    await lower();
    const warnings: string[] = [];
    thawAtStart(host.paths, { warn: (line: string) => warnings.push(line) } as unknown as Log);
    assert.ok(areWhole());
    assert.equal(existsSync(loweredFile(host.paths)), false);
    await lower();
    assert.deepEqual(await leftoversPolicy.release(host.paths), []);
    assert.ok(areWhole());
    assert.equal(loweredCpuOf(host.paths, second), undefined);
    await lower();
    // An apply sets all limits, whatever the record says, and nothing is left that could set others.
    mustApply(text.replace('50%', '40%'), host);
    assert.equal(quotaOf(`u${second}`), 40_000);
    await leftoversPolicy.apply(policyOf(text), host.paths);
    assert.equal(existsSync(loweredFile(host.paths)), false);
    assert.deepEqual(warnings, []);
    rmSync(loweredFile(host.paths), { force: true });
  });
});
