/**
 * The part of the network's benchmark in namespaces of its own: `node bench/network/inside.ts costs|rates DIRECTORY [quick]`
 * prints sections as JSON. DIRECTORY has the compiled `load`.
 */
import type { Section } from '../samples.ts';
import { connectCosts, gigabyteCosts, packetCosts } from './costs.ts';
import { accuracy, latency, resellers, roundTripMilliseconds } from './rates.ts';
import { BenchStage } from './stage.ts';

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
  ];
}

async function rates(stage: BenchStage): Promise<readonly Section[]> {
  const packets = await packetCosts(stage, quick ? 2 : 5, quick ? 200 : 500, signal);
  const segments = await gigabyteCosts(stage, 2, quick ? 100 : 300, true, signal);
  stage.makeDistant(roundTripMilliseconds);
  return [
    packets,
    segments,
    await accuracy(stage, quick, signal),
    await resellers(stage, signal),
    await latency(stage, quick, signal),
  ];
}

const stage = new BenchStage(directory);
await stage.serve('world');
const sections = await (what === 'rates' ? rates(stage) : costs(stage));
process.stdout.write(`${JSON.stringify(sections)}\n`);
// Servers go on until the namespaces end.
process.exit(0);
