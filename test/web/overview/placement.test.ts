/** How each site is placed, by facts of a host that is made up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Listener } from '../../../src/web/core/facts.ts';
import {
  fastcgi,
  inside,
  master,
  pool,
  proxy,
  shop,
  site,
  views,
  worker,
  type Host,
} from './stage.ts';

test('overviewOf() places a master in the cgroup at source, one outside as caught by the agent', () => {
  const placed = (listeners: readonly Listener[], host: Host = {}) => {
    const at = { '/run/php/shop.sock': listeners };
    return views([shop], [pool()], { listeners: at, ...host })[0]?.placed;
  };
  const own = [master(1001, `${inside}u1001`), worker(101, 1001, `${inside}u1001`)];
  assert.equal(placed(own)?.kind, 'at source');
  const classic = [
    master(0, '0::/'),
    worker(101, 1001, `${inside}u1001`),
    worker(102, 1001, '0::/'),
  ];
  assert.equal(placed(classic)?.kind, 'caught');
  assert.deepEqual(placed(classic)?.seen, {
    masters: 1,
    mastersInside: 0,
    workers: 2,
    workersInside: 1,
  });
  assert.match(placed(classic, { agentRuns: false })?.reason ?? '', /no agent runs/);
  assert.match(placed(classic, { applied: false })?.remedy ?? '', /bulkhead apply/);
  assert.equal(placed([])?.kind, 'not running');
  assert.equal(placed([{ ...master(0, '0::/'), pid: 1 }])?.kind, 'not running');
  // A process that outlived its master hides nobody.
  const orphan = [...own, { ...master(0, '0::/'), pid: 200 }];
  assert.equal(placed(orphan)?.kind, 'caught');
});

test("overviewOf() reports a pool that runs as the web server's user as not covered", () => {
  const owners = { '/home/alice/www': [0, 1001] };
  const listeners = { '/run/php/shop.sock': [master(0, '0::/'), worker(101, 33, '0::/')] };
  for (const host of [{ owners, listeners }, { owners }]) {
    const [view] = views([shop], [pool({ user: 'www-data' })], host);
    assert.deepEqual(
      [view?.placed.kind, view?.placed.reason],
      ['not covered', 'it runs as www-data'],
    );
  }
});

test('overviewOf() places a proxied program by its listener, and one on another host as unknown', () => {
  const owners = { '/home/alice/www': [0, 1001] };
  const kind = (target: string, listeners: readonly Listener[]) => {
    const app = site({ root: '/home/alice/www', handlers: [proxy(target)] });
    return views([app], [], { owners, listeners: { [target]: listeners } })[0]?.placed.kind;
  };
  assert.equal(kind('127.0.0.1:3000', [master(1001, `${inside}u1001`)]), 'at source');
  assert.equal(kind('127.0.0.1:3000', [master(1001, '0::/')]), 'caught');
  assert.equal(kind('127.0.0.1:3000', [master(1002, '0::/')]), 'not covered');
  assert.equal(kind('127.0.0.1:3000', []), 'not running');
  assert.equal(kind('192.0.2.1:80', []), 'unknown');
});

test('overviewOf() places CGI by suEXEC or AssignUserID, and mod_php by AssignUserID only', () => {
  const owners = { '/home/alice/www': [0, 1001] };
  const kind = (handler: 'cgi' | 'module', by?: 'SuexecUserGroup' | 'AssignUserID') => {
    const runsAs = by === undefined ? {} : { runsAs: { by, user: 'alice' } };
    const handlers = [{ kind: handler, text: handler }];
    const one = site({ server: 'apache', root: '/home/alice/www', handlers, ...runsAs });
    return views([one], [], { owners })[0]?.placed.kind;
  };
  assert.deepEqual(
    [kind('cgi'), kind('cgi', 'SuexecUserGroup'), kind('cgi', 'AssignUserID')],
    ['not covered', 'caught', 'caught'],
  );
  assert.deepEqual(
    [kind('module'), kind('module', 'SuexecUserGroup'), kind('module', 'AssignUserID')],
    ['not covered', 'not covered', 'caught'],
  );
});

test("overviewOf() returns the worst placement of a site's handlers, and none for static files", () => {
  const owners = { '/home/alice/www': [0, 1001] };
  const listeners = { '/run/php/shop.sock': [master(1001, `${inside}u1001`)] };
  const both = site({ root: '/home/alice/www', handlers: [...shop.handlers, fastcgi('$where')] });
  assert.equal(views([both], [pool()], { owners, listeners })[0]?.placed.kind, 'unknown');
  const files = site({ root: '/home/alice/www' });
  assert.equal(views([files], [], { owners })[0]?.placed.kind, 'nothing to place');
});
