import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cause } from '../../packages/base/problem.ts';
import type { Result } from '../../packages/base/result.ts';
import { valueKinds, type ValueKindName } from '../../src/policy/value-kinds.ts';

/** A good text of each kind as it is printed, and one that is none. */
const rows: Readonly<Record<ValueKindName, readonly [good: string, bad: string | undefined]>> = {
  name: ['Gold plan', '-gold'],
  names: ['cpu memory', undefined],
  user: ['alice', '1alice'],
  site: ['my_shop.example', 'shop..example'],
  hosts: ['limits.example [2001:db8::1]', 'limits.example:443'],
  origins: ['https://panel.example:2083', 'http://panel.example'],
  address: ['2001:db8::/32', '10.0.0.1/8'],
  ports: ['443 8000-8010', '8010-8000'],
  fleetName: ['web-017', 'Web'],
  fleetNames: ['shared canary', 'Shared'],
  fleetHosts: ['web-001 rs-01', 'web-300..web-001'],
  waveHosts: ['10%', '101%'],
  share: ['0%', '101%'],
  watch: ['90s', '8 days'],
  fleetServers: ['https://fleet.example.org:8443/releases', 'http://fleet.example.org'],
  acceptWords: ['limits no-jail', 'everything'],
  localWords: ['none', 'alerts'],
  databaseAccount: ['wp prod%', ''],
  tenant: ['1001', '1alice'],
  uid: ['1001', '4294967295'],
  ranges: ['1000-59999 70000', '59999-1000'],
  setters: ['reseller tenant', 'everybody'],
  rights: ['limits packages', 'everything'],
  text: ['claims GPL', undefined],
  app: ['blog-2', 'Blog'],
  variable: ['NODE_ENV', '1A'],
  line: ['a "b" %n $c', undefined],
  command: ['node server.js --port "$PORT"', ''],
  idle: ['15min', '9s'],
  version: ['1', '2'],
  duration: ['12h', '12'],
  time: ['07:30', '24:00'],
  percent: ['80%', '0%'],
  language: ['pt-BR', 'DE'],
  space: ['2GiB', '1MiB'],
  count: ['3', '0'],
  apps: ['3', '51'],
  endpoint: ['[::1]:9640', '127.0.0.1:65536'],
  path: ['/etc/bulkhead/token', 'token'],
  mail: ['%u@example.org', 'ops@'],
  url: ['https://example.org/hook', 'ftp://example.org'],
};

for (const [name, [good, bad]] of Object.entries(rows)) {
  const { parse, pattern, format: print } = valueKinds[name as ValueKindName];

  test(`valueKinds.${name} formats what it parsed, and its pattern matches the text`, () => {
    const read = parse(good);
    assert.ok(read.ok);
    assert.equal((print as (value: unknown) => string)(read.value), good);
    // A dollar is literal in XML Schema patterns.
    assert.match(good, new RegExp(`^(?:${pattern.replaceAll('$', String.raw`\$`)})$`, 'u'));
  });

  test(`valueKinds.${name} names the text in its error`, { skip: bad === undefined }, () => {
    const read: Result<unknown, Cause> = parse(bad ?? '');
    assert.ok(!read.ok && read.error.reason.includes(bad ?? ''), JSON.stringify(read));
  });
}
