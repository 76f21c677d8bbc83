/** How each site is placed, by facts of a host that is made up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ServerSite } from '../../../src/web/core/site.ts';
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

type By = NonNullable<ServerSite['runsAs']>['by'];
const kinds = (text: string, handler: 'cgi' | 'module' | 'wrapper', host: Host = {}) => {
  const owners = { '/home/alice/www': [0, 1001] };
  return [undefined, 'SuexecUserGroup', 'AssignUserID', 'RUidGid', 'suPHP_UserGroup'].map((by) => {
    const runsAs = by === undefined ? {} : { runsAs: { by: by as By, user: 'alice' } };
    const handlers = [{ kind: handler, text }];
    const one = site({ server: 'apache', root: '/home/alice/www', handlers, ...runsAs });
    return views([one], [], { owners, ...host })[0]?.placed.kind;
  });
};
const [no, yes] = ['not covered', 'caught'] as const;

test('overviewOf() places programs of Apache by the directives that change their user', () => {
  assert.deepEqual(kinds('CGI', 'cgi'), [no, yes, yes, yes, no]);
  assert.deepEqual(kinds('mod_fcgid', 'cgi'), [no, yes, yes, yes, no]);
  assert.deepEqual(kinds('mod_php', 'module'), [no, no, yes, yes, no]);
  // suPHP takes the owner of a script that no directive is for; mod_lsapi has the user of suEXEC.
  assert.deepEqual(kinds('suPHP', 'wrapper'), [yes, yes, yes, yes, yes]);
  assert.deepEqual(kinds('mod_lsapi', 'wrapper'), [yes, yes, yes, yes, yes]);
});

test('overviewOf() places what bulkhead-suexec starts at source, and nothing else', () => {
  const host = { placesSuexec: true };
  assert.deepEqual(kinds('CGI', 'cgi', host), [no, 'at source', yes, yes, no]);
  assert.deepEqual(kinds('mod_php', 'module', host), [no, no, yes, yes, no]);
  assert.deepEqual(kinds('mod_lsapi', 'wrapper', host), [yes, yes, yes, yes, yes]);
  const withoutAgent = { placesSuexec: true, agentRuns: false };
  assert.deepEqual(kinds('CGI', 'cgi', withoutAgent), [no, 'at source', no, no, no]);
  // Without its cgroup the tenant has no limits.
  assert.deepEqual(kinds('CGI', 'cgi', { placesSuexec: true, applied: false })[1], no);
  const handlers = [{ kind: 'cgi', text: 'CGI' }] as const;
  const other = { by: 'SuexecUserGroup', user: 'www-data' } as const;
  const owners = { '/home/alice/www': [0, 1001] };
  const one = site({ server: 'apache', root: '/home/alice/www', handlers, runsAs: other });
  assert.equal(views([one], [], { owners, ...host })[0]?.placed.kind, no);
});

test("overviewOf() returns the worst placement of a site's handlers, and none for static files", () => {
  const owners = { '/home/alice/www': [0, 1001] };
  const listeners = { '/run/php/shop.sock': [master(1001, `${inside}u1001`)] };
  const both = site({ root: '/home/alice/www', handlers: [...shop.handlers, fastcgi('$where')] });
  assert.equal(views([both], [pool()], { owners, listeners })[0]?.placed.kind, 'unknown');
  const files = site({ root: '/home/alice/www' });
  assert.equal(views([files], [], { owners })[0]?.placed.kind, 'nothing to place');
});
