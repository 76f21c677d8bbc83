/**
 * The pure part of applying a policy, in memory: no file is read, and the kernel is not involved.
 */
import { formatProblem } from '../packages/base/problem.ts';
import type { Driver } from '../src/host/driver.ts';
import { planChanges } from '../src/plan/plan.ts';
import { wantedOnHost } from '../src/plan/wanted-on-host.ts';
import type { Wanted } from '../src/plan/wanted.ts';
import type { PolicyDocument } from '../src/policy/document.ts';
import { parsePolicy } from '../src/policy/parse.ts';
import { resolvePolicy } from '../src/policy/resolve.ts';
import { fakeHost } from '../testing/fake-host.ts';
import type { Bench } from './bench.ts';
import { inTurn, milliseconds, spreadOf, type Section } from './samples.ts';
import { policyText } from './scratch.ts';

const tenants = 10_000;
const facts = { accounts: [], uidMin: 1000 };

export async function benchPlan({ quick, signal }: Bench): Promise<Section> {
  const text = policyText(tenants);
  const firsts: number[] = [];
  const stages = new Map<string, () => unknown>();
  /** Measures a stage. Its first run is the one that the engine has not compiled yet. */
  const stage = <T>(label: string, work: () => T): T => {
    const begin = performance.now();
    const made = work();
    firsts.push(performance.now() - begin);
    stages.set(label, work);
    return made;
  };
  const document = stage('parse', () => documentOf(text));
  const policy = stage('resolve', () => resolvePolicy(document, facts));
  const driver = fakeDriver();
  const wanted = stage('wanted state, cgroup v1', () => wantedOnHost(policy, driver.context));
  const empty = driver.observe(wanted);
  const { operations } = stage('plan, nothing there yet', () => planChanges(wanted, empty));
  for (const each of operations) driver.execute(each, { kill: false, force: false });
  const matching = observeMatching(driver, wanted);
  stage('plan, all as wanted', () => planChanges(wanted, matching));
  const ways = [...stages.values()].map((work) => () => milliseconds(work));
  const samples = await inTurn(quick ? 7 : 21, ways, signal);
  return {
    name: 'plan',
    title: `Resolve and plan ${tenants} tenants`,
    beside: '',
    rows: [...stages.keys()].map((label, index) => ({
      label,
      ours: spreadOf(samples[index] ?? []),
      note: `${(firsts[index] ?? NaN).toFixed(0)} ms the first time`,
    })),
    notes: [`${(text.length / 1024).toFixed(0)} KiB of policy, ${operations.length} operations`],
  };
}

function documentOf(text: string): PolicyDocument {
  const { document, diagnostics } = parsePolicy('policy.xml', text);
  if (document === undefined) throw new Error(diagnostics.list[0]?.message);
  return document;
}

function fakeDriver(): Driver {
  const driver = fakeHost(1).probe();
  if (!driver.ok) throw new Error(formatProblem(driver.error));
  return driver.value;
}

function observeMatching(driver: Driver, wanted: Wanted) {
  const observed = driver.observe(wanted);
  const { operations } = planChanges(wanted, observed);
  if (operations.length > 0) throw new Error('An applied plan leaves something to do');
  return observed;
}
