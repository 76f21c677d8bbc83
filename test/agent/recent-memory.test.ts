/** The memory that tenants have used lately, from a real history: a release must not come in where nothing is known. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recentMemory } from '../../src/agent/policy/recent-memory.ts';
import { History } from '../../src/store/history/history.ts';
import { MetricsStore } from '../../src/store/metrics/metrics-store.ts';
import { emptyColumns } from '../../src/usage/tick.ts';
import { hour, Place, start, tickOf } from '../store/samples.ts';
import { patienceMilliseconds } from '../../testing/patience.ts';

const noTick = { at: 0, seconds: 0, members: [], columns: emptyColumns(0) };
const patient = { millisecondsMax: patienceMilliseconds, patienceMilliseconds };
const now = start + 2 * hour;

const usedIn = async (place: Place, tick = noTick as ReturnType<typeof tickOf>) => {
  await using history = new History(place.directory, patient);
  const used = await recentMemory(history.askedBy('administrator'), tick, now);
  return used.ok ? Object.fromEntries(used.value) : used.error;
};

test('an agent that has just started knows the highest use of the last day', async () => {
  using place = new Place();
  using store = new MetricsStore(place.directory);
  store.add(tickOf(start, { u7: { memory: 4096 }, u8: { memory: 512 } }));
  store.add(tickOf(start + hour, { u7: { memory: 1024 }, u8: { memory: 1024 } }));
  assert.deepEqual(await usedIn(place), { 7: 4096, 8: 1024 });
  const tick = tickOf(now, { u7: { memory: 1 }, u8: { memory: 2048 } });
  assert.deepEqual(await usedIn(place, tick), { 7: 4096, 8: 2048 });
});

test('it is unknown, and not none, where nothing was measured yet', async () => {
  using place = new Place();
  using _store = new MetricsStore(place.directory);
  assert.match(
    JSON.stringify(await usedIn(place)),
    /^"nobody has measured yet how much memory tenants use/,
  );
  assert.deepEqual(await usedIn(place, tickOf(now, { u7: { memory: 64 } })), { 7: 64 });
});
