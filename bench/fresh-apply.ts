/**
 * Applies a policy once and prints how many milliseconds that took, without starting or reading it.
 */
import { formatProblem } from '../packages/base/problem.ts';
import { applyPolicy } from '../src/apply/apply.ts';
import { PolicyReader } from '../src/apply/load-policy.ts';
import { treeHost } from '../testing/tree-host.ts';
import { pathsOf } from '../src/host/paths.ts';
import { milliseconds } from './samples.ts';
import { instance } from './scratch.ts';

const host = treeHost(pathsOf(instance));
const { policy, problem } = new PolicyReader().load(process.argv[2] ?? '', host.paths);
if (policy === undefined)
  throw new Error(problem === undefined ? 'The policy is wrong' : formatProblem(problem));
const took = milliseconds(() => {
  const applied = applyPolicy(policy, host, { kill: false, force: false });
  if (!applied.ok) throw new Error(formatProblem(applied.error));
});
process.stdout.write(`${took}\n`);
