/**
 * A stand-in for the agent that lowers CPU limits with the agent's own code, so that tests can kill it. It moves them at
 * random, a second of its clock in a few milliseconds.
 *
 *     node lowering-agent.ts INSTANCE WATCHDOG POLICY        prints "lowered" and "lost"
 */
import { writeSync } from 'node:fs';
import { QuotaMover } from '../../../src/database/io/counts/quota-mover.ts';
import { pathsOf } from '../../../src/host/paths.ts';
import { countsDatabases } from '../../../src/policy/databases/counted-cpu.ts';
import { parsePolicy } from '../../../src/policy/parse.ts';
import { resolvePolicy } from '../../../src/policy/resolve.ts';
import { resellerMember, tenantMember } from '../../../src/usage/member.ts';
import { treeHost } from '../../../testing/tree-host.ts';

const [, , instance = '', program = '', text = ''] = process.argv;
const paths = pathsOf(instance);
const host = treeHost(paths);
const { document } = parsePolicy('policy.xml', text);
if (document === undefined) throw new Error('the policy has mistakes');
const policy = resolvePolicy(document, { accounts: [], uidMin: 1000 });
const print = (line: string) => writeSync(1, `${line}\n`);

let now = 1e9;
const mover = new QuotaMover({
  paths,
  program,
  now: () => now,
  warn: (line) => print(line.includes('is started again') ? 'lost' : `warning ${line}`),
});
const probed = host.probe();
mover.follow(policy, () => (probed.ok ? probed.value : undefined));
const resellers = probed.ok && probed.value.context.version === 2 ? policy.resellers : [];
const members = [
  ...policy.tenants.filter(countsDatabases).map(({ uid }) => tenantMember(uid)),
  ...resellers.map(({ uid }) => resellerMember(uid)),
];

function step(): void {
  now += 1e6;
  const used = policy.tenants.map(({ uid }) => [uid, Math.random() * 3e6] as const);
  mover.add(new Map(used), 1e6);
  mover.step();
  if (members.every((each) => mover.nowOf(each) !== undefined)) print('lowered');
  setTimeout(step, Math.random() * 4);
}
process.on('SIGTERM', () => {
  mover[Symbol.dispose]();
  process.exit(0);
});
step();
