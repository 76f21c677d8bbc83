// The broker that the agent runs for jails if there is no systemd.
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { test } from 'node:test';
import type { Log } from '../../src/agent/log.ts';
import { runsSystemd } from '../../src/host/cgroups/systemd-delegation.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { brokerPart } from '../../src/jail/io/broker-part.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { eventually } from '../../testing/patience.ts';
import { reasonToSkip } from './stage.ts';

const instance = 'bulkhead-broker-part-test';
const skip = reasonToSkip() || (runsSystemd() ? 'systemd runs here' : false);

const policyWith = (chain: readonly unknown[]) =>
  ({ tenants: [{ uid: 620_300, chain, sites: [] }] }) as unknown as Policy;
const jailed = policyWith([{ jail: { profile: { value: 'web' }, paths: [] } }]);

/** Returns the broker's answer; undefined while nobody listens. */
const ask = (): Promise<string | undefined> =>
  new Promise((resolve) => {
    let text = '';
    const connection = connect(`/run/${instance}/broker/socket`);
    connection.on('error', () => resolve(undefined));
    connection.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    connection.on('close', () => resolve(text));
  });

const brokers = () => readdirSync('/proc').filter(isBroker);

function isBroker(pid: string): boolean {
  if (!/^\d+$/.test(pid)) return false;
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return words.some((each) => each.endsWith('/bulkhead-broker')) && words.includes(instance);
  } catch {
    return false;
  }
}

test(
  'brokerPart() runs the broker while a tenant has a jail, and restarts it when it ends',
  { skip },
  async () => {
    const lines: string[] = [];
    const log = { info: (line: string) => lines.push(line), error: assert.fail } as unknown as Log;
    mkdirSync(`/run/${instance}`, { recursive: true, mode: 0o755 });
    const part = brokerPart(pathsOf(instance), log, { againMs: 0 });
    const tick = () => part.afterTick?.(() => [], new Map() as never);
    try {
      part.adopt?.(policyWith([]), new Map());
      tick();
      assert.deepEqual(brokers(), []);
      part.adopt?.(jailed, new Map());
      tick();
      tick();
      const answer = await eventually('it answers', ask);
      assert.match(answer, /Only tenants with a jail are served/);
      await eventually('the log has it', () => lines.some((each) => each.includes('uid 0')));
      const [first] = brokers();
      process.kill(Number(first), 'SIGKILL');
      await eventually('another one runs', () => {
        tick();
        return brokers().some((each) => each !== first);
      });
      part.adopt?.(policyWith([]), new Map());
      await eventually('it has ended', () => brokers().length === 0);
    } finally {
      await part[Symbol.asyncDispose]?.();
      rmSync(`/run/${instance}`, { recursive: true, force: true });
    }
  },
);
