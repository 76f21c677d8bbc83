/**
 * The thread that receives datagrams about refused requests at once: the kernel may queue only ten of them, and
 * the web server does not wait. It sends the agent counts, several times a second at most.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { requireSameBuild } from '../../../sys/processes/same-build.ts';
import { poll } from '../../../sys/syscalls.ts';
import { receiveFrom } from '../../../sys/sockets/socket-calls.ts';
import { datagramBytesMax, parseEntryRefusal } from '../../core/entries/refusal.ts';
import { EntryRefusalTally } from '../../core/entries/refusal-tally.ts';
import type { ReceiverData } from './receiver.ts';

requireSameBuild();
const { fd, stop, apacheOwners } = workerData as ReceiverData;
const owners = new Map(Object.entries(apacheOwners));
const POLLIN = 1;
const waitMs = 250;
/** The limit of datagrams taken at once, so that the agent is told in time, however many come. */
const batchMax = 5_000;

const buffer = Buffer.alloc(datagramBytesMax);
const sender = Buffer.alloc(128);
const tally = new EntryRefusalTally();

function drain(): void {
  for (let count = 0; count < batchMax; count++) {
    const bytes = receiveFrom(fd, buffer, sender);
    if (bytes < 0) return;
    const refusal = parseEntryRefusal(buffer.toString('utf8', 0, bytes), owners);
    if (refusal !== undefined) tally.add(refusal, Date.now());
  }
}

function tell(): void {
  const refusals = tally.take();
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  if (refusals.length > 0) parentPort?.postMessage(refusals);
}

let told = performance.now();
while (Atomics.load(stop, 0) === 0) {
  if (poll(Int32Array.of(fd, POLLIN), waitMs) > 0) drain();
  if (performance.now() - told < waitMs) continue;
  tell();
  told = performance.now();
}
tell();
