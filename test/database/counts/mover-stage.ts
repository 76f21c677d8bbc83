/** A host in memory, whose CPU limits the agent's code lowers on a simulated clock. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { compileThaw } from '../../../scripts/entry.ts';
import { QuotaMover } from '../../../src/database/io/counts/quota-mover.ts';
import type { WantedContext } from '../../../src/plan/wanted.ts';
import { planChanges } from '../../../src/plan/plan.ts';
import { wantedOnHost } from '../../../src/plan/wanted-on-host.ts';
import { parsePolicy } from '../../../src/policy/parse.ts';
import { resolvePolicy } from '../../../src/policy/resolve.ts';
import { fakeHost } from '../../../testing/fake-host.ts';
import { eventually } from '../../../testing/patience.ts';

export const uid = 5001;
export const gentle = { kill: false, force: false };
const program = compileThaw();

export function policyOf(text: string) {
  const { document, diagnostics } = parsePolicy(
    'policy.xml',
    `<bulkhead version="1">${text}</bulkhead>`,
  );
  assert.ok(document !== undefined, JSON.stringify(diagnostics));
  return resolvePolicy(document, { accounts: [], uidMin: 1000 });
}

export class MoverStage implements Disposable {
  readonly host;
  readonly warnings: string[] = [];
  readonly mover: QuotaMover;
  #now = 1e9;
  readonly #version: 1 | 2;

  constructor(version: 1 | 2) {
    this.#version = version;
    this.host = fakeHost(version);
    mkdirSync(this.host.paths.runtime, { recursive: true });
    this.mover = new QuotaMover({
      paths: this.host.paths,
      program,
      warn: (text) => this.warnings.push(text),
      now: () => this.#now,
    });
  }

  get #driver() {
    const probed = this.host.probe();
    assert.ok(probed.ok);
    return probed.value;
  }

  /** Returns the writes of an apply beside an agent. */
  planned(policy: ReturnType<typeof policyOf>) {
    const driver = this.#driver;
    const context: WantedContext = { ...driver.context, shifted: true };
    const wanted = wantedOnHost(policy, context);
    return planChanges(wanted, driver.observe(wanted)).operations;
  }

  /** Applies the policy as a process beside the agent does. */
  apply(policy: ReturnType<typeof policyOf>) {
    const driver = this.#driver;
    for (const each of this.planned(policy)) {
      const done = driver.execute(each, gentle);
      assert.ok(done.ok, JSON.stringify([each, done]));
    }
  }

  follow(policy: ReturnType<typeof policyOf>) {
    this.mover.follow(policy, () => this.#driver);
  }

  get #files() {
    return this.host.cgroups.find((each) =>
      each.topFileNames().has(this.#version === 2 ? 'cpu.max' : 'cpu.cfs_quota_us'),
    );
  }

  put(cgroup: string, text: string) {
    const file = this.#version === 2 ? 'cpu.max' : 'cpu.cfs_quota_us';
    this.#files?.put(cgroup, file, this.#version === 2 ? `${text} 100000` : text);
  }

  quota(cgroup = `u${uid}`): string | undefined {
    const file = this.#version === 2 ? 'cpu.max' : 'cpu.cfs_quota_us';
    return this.#files?.read(cgroup, file)?.trim().split(' ')[0];
  }

  burst(cgroup = `u${uid}`): string | undefined {
    const file = this.#version === 2 ? 'cpu.max.burst' : 'cpu.cfs_burst_us';
    return this.#files?.read(cgroup, file)?.trim();
  }

  /** A second in which servers use so many cores for it. */
  second(cores: number, seconds = 1) {
    this.#now += seconds * 1e6;
    this.mover.add(new Map([[uid, cores * 1e6]]), 1e6);
    this.mover.step();
  }

  /** A time without any figures, as of a server that hangs. */
  silence(seconds: number) {
    this.#now += seconds * 1e6;
    this.mover.step();
  }

  async watched() {
    await eventually('the watchdog answers', () => {
      this.second(0.5);
      return this.mover.nowOf(`u${uid}`) !== undefined;
    });
  }

  [Symbol.dispose]() {
    this.mover[Symbol.dispose]();
  }
}
