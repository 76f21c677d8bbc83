/** The agent reports what would have hit limits that the policy only observes, and the kernel holds nothing back. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { treeElement } from '../../testing/tree-host.ts';
import { readText } from '../../packages/base/io/read.ts';
import type { TopResponse } from '../../src/agent/api/api.ts';
import { AgentStage, end } from './agent-stage.ts';

const stage = new AgentStage('bulkhead-agent-observe', 884_000);
const { alice, bob, skip, runAs, incidents } = stage;

/** Alice may run 20 processes, as the defaults of the stage say. */
const forks = 'for i in $(seq 60); do sleep 3600 & done; sleep 3600';
const body = '<agent interval="1s"/><defaults><cpu limit="5%"/><processes limit="20"/></defaults>';

describe('limits that are only observed', { skip }, () => {
  stage.register();

  const apply = (mode: string) => {
    const { agent } = stage;
    const host = treeElement(agent.host.paths).replace('/>', '') || '<host';
    const tenants = `<tenant uid="${alice}"/><tenant uid="${bob}"/>`;
    writeFileSync(
      agent.policyFile,
      `<bulkhead version="1">${host} limits="${mode}"/>${body}${tenants}</bulkhead>\n`,
    );
  };
  const found = async (limit: string, severity: string) =>
    (await incidents()).find((each) => each.limit === limit && each.severity === severity);
  const children = ({ pid }: { readonly pid?: number | undefined }) =>
    (readText(`/proc/${pid}/task/${pid}/children`) ?? '').trim().split(' ').length;

  test('nothing is refused, and both limits become incidents of their own severity', async () => {
    apply('observe');
    await stage.agent.until('the policy is in force', async () => {
      const { limitTexts } =
        (await stage.agent.ask('/v1/top?all=1', 0))
          .json<TopResponse>()
          .rows.find((each) => each.member === `u${alice}`) ?? {};
      return limitTexts?.['processes.limit'] === 'unlimited';
    });
    const many = runAs(alice, forks);
    const busy = runAs(bob, 'while :; do :; done');
    await stage.agent.until('all were started', () => children(many) >= 60);
    await stage.agent.until('both are incidents', async () => {
      const [processes, cpu] = [
        await found('processes.limit', 'observed'),
        await found('cpu.limit', 'observed'),
      ];
      return processes !== undefined && cpu !== undefined;
    });
    const incident = await found('processes.limit', 'observed');
    assert.equal(incident?.value, '20');
    assert.match(incident?.from ?? '', /policy\.xml:1 \(defaults\)$/);
    assert.equal(await found('processes.limit', 'refused'), undefined);
    assert.deepEqual(stage.webhooks, []);
    end(busy);
    end(many);
  });

  test('the kernel enforces the same limits once the policy says so', async () => {
    apply('enforce');
    await stage.agent.until('the kernel has refused', async () => {
      const many = runAs(alice, `${forks} 2>/dev/null`);
      const refused = await found('processes.limit', 'refused');
      end(many);
      return refused !== undefined;
    });
  });
});
