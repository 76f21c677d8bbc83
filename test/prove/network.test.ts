/** The attacks on rules for the network, on this kernel: real programs in the kernel, and another host at a wire. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { networkInterfaces } from 'node:os';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Proof } from '../../src/prove/io/prove.ts';
import { startOtherHost } from '../../src/prove/io/other-host.ts';
import { broken } from '../../src/prove/core/verdict.ts';
import { compileBpf } from '../../scripts/bpf.ts';
import { eventually } from '../../testing/patience.ts';
import { noStage } from '../network/stage.ts';
import { limited, ProveStage } from './prove-stage.ts';

const { skip, cleanUp, assertNothingLeft } = new ProveStage('bulkhead-provenet');
const names = [
  'neighbour-port',
  'kept-port',
  'direct-mail',
  'metadata-service',
  'refused-address',
  'public-port',
  'connection-storm',
  'upload-flood',
];
const verdicts = ({ entries }: Proof) =>
  Object.fromEntries(entries.map(({ attack, verdict }) => [attack, verdict]));
const all = (verdict: string) => Object.fromEntries(names.map((each) => [each, verdict]));
const details = ({ entries }: Proof) =>
  new Map(entries.map(({ attack, detail }) => [attack, detail]));
/** Pins need a file system of BPF, which this machine may not have mounted. */
function proveApart(policy: string): Proof {
  const program = fileURLToPath(new URL('prove-apart.ts', import.meta.url));
  const command = [process.execPath, ...process.execArgv, program, names.join(','), policy];
  const script = 'mount -t bpf bpf /sys/fs/bpf && exec "$@"';
  const words = ['--mount', '--propagation', 'private', '--', 'sh', '-c', script, 'sh'];
  const text = execFileSync('unshare', [...words, ...command], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(text) as Proof;
}

const wires = () => Object.keys(networkInterfaces()).filter((each) => each.startsWith('bhprove'));

describe('attacks on the network', { skip: skip || (await noStage()) }, () => {
  before(async () => {
    compileBpf();
    await cleanUp();
  });
  after(async () => void (await cleanUp()));

  test('are all blocked where the policy has every kind of rule', async () => {
    const proof = proveApart(
      `<defaults><network send="1GiB/s" connections="1000/s"/>
         <reach><refuse address="192.0.2.0/24"/></reach><listen public="no"/></defaults>
       <tenant uid="630900"><listen ports="64999"/></tenant>`,
    );
    assert.deepEqual(verdicts(proof), all('blocked'), JSON.stringify([...details(proof)]));
    assert.ok(proof.entries.every(({ demanded }) => demanded));
    assert.deepEqual(broken(proof.entries), []);
    // Ways that every kernel has.
    assert.match(details(proof).get('direct-mail') ?? '', /TCP, TCP to a mapped address/);
    assert.match(details(proof).get('refused-address') ?? '', /UDP/);
    assertNothingLeft();
    await eventually('the wire has gone', () => wires().length === 0);
  });

  test('get through where the policy has no rules, or only watches', () => {
    for (const body of [
      limited,
      '<defaults><reach mode="watch"/><listen public="no" mode="watch"/></defaults><tenant uid="630900"/>',
    ]) {
      const proof = proveApart(body);
      assert.deepEqual(verdicts(proof), all('not blocked'), JSON.stringify([...details(proof)]));
      assert.ok(proof.entries.every(({ demanded }) => !demanded));
    }
    assertNothingLeft();
  });

  test('startOtherHost() leaves no device', async () => {
    {
      using host = await startOtherHost();
      assert.equal(host.missing, undefined);
      assert.ok(wires().includes(host.other.device));
    }
    await eventually('the wire has gone', () => wires().length === 0);
  });
});
