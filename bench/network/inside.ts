/**
 * The part of the network's benchmark in namespaces of its own: `node bench/network/inside.ts costs|rates DIRECTORY [quick]`
 * prints sections as JSON. DIRECTORY has the compiled `load`.
 */
import type { Section } from '../samples.ts';
import { connectCosts, gigabyteCosts, packetCosts } from './costs.ts';
import { accuracy, latency, resellers, roundTripMilliseconds } from './rates.ts';
import { crowdCosts, crowdGigabyte, floods } from './crowd.ts';
import { BenchStage, otherPort } from './stage.ts';

const [what, directory = '', speed] = process.argv.slice(2);
const quick = speed === 'quick';
// A signal ends this process, and its namespaces with it.
const { signal } = new AbortController();

async function costs(stage: BenchStage): Promise<readonly Section[]> {
  const rounds = quick ? 3 : 11;
  await stage.serve('here');
  return [
    await packetCosts(stage, rounds, quick ? 200 : 700, signal),
    await gigabyteCosts(stage, rounds, quick ? 300 : 1_000, false, signal),
    await connectCosts(stage, rounds, quick ? 100 : 300, signal),
    ...(await crowd(stage, rounds)),
  ];
}

const crowd = async (at: BenchStage, rounds: number): Promise<readonly Section[]> => [
  await crowdCosts(at, rounds, quick ? 100 : 500, signal),
  await crowdGigabyte(at, rounds, quick ? 200 : 1_000, signal),
  await floods(at, rounds, quick ? 200 : 2_000, signal),
];

async function rates(stage: BenchStage): Promise<readonly Section[]> {
  const packets = await packetCosts(stage, quick ? 2 : 5, quick ? 200 : 500, signal);
  const segments = await gigabyteCosts(stage, 2, quick ? 100 : 300, true, signal);
  const tenants = await crowd(stage, 2);
  stage.makeDistant(roundTripMilliseconds);
  return [
    packets,
    segments,
    ...tenants,
    await accuracy(stage, quick, signal),
    await resellers(stage, signal),
    await latency(stage, quick, signal),
  ];
}

const stage = new BenchStage(directory);
await stage.serve('world');
await stage.serve('world', otherPort);
const sections = await (what === 'rates' ? rates(stage) : costs(stage));
process.stdout.write(`${JSON.stringify(sections)}\n`);
// Servers go on until the namespaces end.
process.exit(0);
