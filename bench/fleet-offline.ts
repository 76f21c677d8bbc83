/**
 * A host that was offline for a day, with all events that it keeps: the time until the centre has each of them once. Beside
 * it, as many documents of that size are published one after another, each acknowledged by the servers alone.
 */
import { join } from 'node:path';
import { eventsPerDocument, keptEventsMax } from '../src/fleet/core/told/events.ts';
import { eventsSubject } from '../src/fleet/core/subjects.ts';
import { CourierStage } from '../test/fleet/nats/courier-stage.ts';
import { skipWithoutNats, startServers } from '../test/fleet/nats/servers.ts';
import type { Bench } from './bench.ts';
import { spreadOf, type Section } from './samples.ts';

/** About as long as a document of thirty events. */
const documentBytes = 6_000;
const floorHost = 'alone';

export async function benchFleetOffline({ directory, quick, signal }: Bench): Promise<Section> {
  if (skipWithoutNats !== false) throw new Error(skipWithoutNats);
  const count = quick ? 3_000 : keptEventsMax;
  await using servers = await startServers(3);
  await using stage = new CourierStage(join(directory, 'offline'), 'bench-offline', servers);
  await stage.start();
  stage.makeEvents(1);
  await stage.allArrived();
  await stage.courier.kill();
  for (; stage.made < count; signal.throwIfAborted())
    stage.makeEvents(Math.min(1_000, count - stage.made));
  const began = performance.now();
  stage.courier.start();
  await stage.allCounted();
  const ours = performance.now() - began;
  const host = await servers.connect(servers.host(floorHost));
  const asked = performance.now();
  for (let sent = 0; sent < count; sent += eventsPerDocument)
    await host.request(eventsSubject(floorHost), 'x'.repeat(documentBytes), { timeout: 60_000 });
  const floor = performance.now() - asked;
  return {
    name: 'fleet-offline',
    title: 'A host that was offline for a day, and three servers, on one machine',
    beside: 'published and not read',
    rows: [
      {
        label: `${count} events to the centre`,
        ours: spreadOf([ours]),
        floor: spreadOf([floor]),
        note: 'each once, none lost',
      },
    ],
    notes: [],
  };
}
