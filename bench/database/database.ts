/**
 * A tenant's share of a database server: a neighbour beside a flood, how well a budget is kept, and what all that costs. The
 * server and the loads are real; Ctrl-C ends them.
 */
import { mariadbMissing } from '../../testing/mariadb.ts';
import { ServerStage } from '../../test/database/server-stage.ts';
import type { Bench } from '../bench.ts';
import type { Section } from '../samples.ts';
import { benchAgentCost, benchServerCost } from './agent-cost.ts';
import { AgentOfStage } from './agent-of-stage.ts';
import { benchBudget } from './budget.ts';
import { benchNeighborOfFlood } from './neighbor.ts';

export async function benchDatabase(bench: Bench): Promise<readonly Section[]> {
  if (mariadbMissing !== false) {
    const title = "a tenant's share of a database server";
    return [{ name: 'database', title, beside: 'alone', rows: [], notes: [mariadbMissing] }];
  }
  // A thread that ends with its connection favours what is set on threads: nothing sticks to the next one.
  await using stage = new ServerStage(
    'bulkhead-bench-db',
    '',
    ['--thread-cache-size=0'],
    '/var/lib',
  );
  const stop = () => stage.endClients();
  bench.signal.addEventListener('abort', stop);
  try {
    await stage.start();
    using agent = new AgentOfStage(stage);
    await agent.start();
    return [
      await benchNeighborOfFlood(stage, agent, bench),
      await benchBudget(stage, agent, bench),
      await benchAgentCost(stage, agent, bench),
      await benchServerCost(stage, agent, bench),
    ];
  } finally {
    bench.signal.removeEventListener('abort', stop);
  }
}
