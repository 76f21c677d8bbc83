/**
 * Many hosts with connections of their own, in a process of its own: `fleet-hosts.ts HOSTS MILLISECONDS`, with the
 * file of their names and the time to connect.
 * Over the channel to its parent it says how many are connected, and when the last one of them heard each hint.
 */
import { readFileSync } from 'node:fs';
import { docHintSubject, recordHintSubject } from '../src/fleet/core/subjects.ts';
import { connectWith } from '../src/fleet/io/nats/connect.ts';
import type { FleetKeys } from '../src/fleet/io/server/accounts.ts';
import {
  makeHostCredential,
  type CredentialPlace,
} from '../src/fleet/io/server/make-credential.ts';

/** Hosts, and what their credentials are made from: that alone takes some milliseconds for each. */
export interface HostsFile {
  readonly place: CredentialPlace;
  readonly keys: FleetKeys;
  readonly names: readonly string[];
}

/** A message of a process of hosts. */
export type HostsMessage =
  | { readonly kind: 'connected'; readonly count: number; readonly failed: number }
  /** All have heard of the hint; the time is by the clock of all processes, in milliseconds. */
  | { readonly kind: 'heard'; readonly at: number };

/** Connections that are made at the same time. */
const atOnce = 20;
const timeout = 60_000;

const { place, keys, names } = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as HostsFile;
const say = (message: HostsMessage) => process.send?.(message);
const until = performance.now() + Number(process.argv[3]);
let count = 0;
let failed = 0;
let heard = 0;

async function connectOne(name: string): Promise<void> {
  try {
    const { credential } = makeHostCredential(place, keys, name);
    const connection = await connectWith(credential, { reconnect: false, timeout });
    connection.subscribe(recordHintSubject, { callback: hear });
    connection.subscribe(docHintSubject(name), { callback: () => undefined });
    await connection.flush();
    count += 1;
  } catch {
    failed += 1;
  }
}

function hear(): void {
  heard += 1;
  if (heard % count === 0) say({ kind: 'heard', at: Number(process.hrtime.bigint()) / 1e6 });
}

const queue = [...names];
const connectNext = async () => {
  for (let next = queue.pop(); next !== undefined; next = queue.pop())
    if (performance.now() < until) await connectOne(next);
    else failed += 1;
};
await Promise.all(Array.from({ length: atOnce }, connectNext));
say({ kind: 'connected', count, failed });
// It ends with its parent.
process.once('disconnect', () => process.exit());
