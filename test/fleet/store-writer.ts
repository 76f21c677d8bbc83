/** Takes releases as fast as it can until it is killed: `store-writer.ts DIRECTORY FIRST-GENERATION`. */
import { begun, newState } from '../../src/fleet/core/states.ts';
import { HostStore } from '../../src/fleet/io/host-store.ts';

const [directory = '', first = '0'] = process.argv.slice(2);
const store = new HostStore(directory);
const now = { boot: 'a', uptime: 1, at: 1e12 };
for (let generation = Number(first) + 1; ; generation++) {
  const release = { trust: 1, generation };
  const text = `<bulkhead version="1"><!-- ${`${generation} `.repeat(20_000)}--></bulkhead>\n`;
  const state = begun(newState('example', 'web-001', now), release, { watchSeconds: 60 }, now);
  for (const each of [
    store.writeRelease(release, text),
    store.writeState(state),
    store.putInForce(release),
  ])
    if (!each.ok) throw new Error(each.error.reason);
  store.keepReleases([release]);
  process.stdout.write('.');
}
