/** Owners and placements of LiteSpeed's sites, and the notes about them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { liteSpeedNotes } from '../../../src/web/core/litespeed/notes.ts';
import type { LiteSpeedDetails } from '../../../src/web/core/site.ts';
import { site, views, type Host } from '../overview/stage.ts';

const place = { file: '/usr/local/lsws/conf/shop.conf', line: 3 };

function viewsOf(user: string, details: Partial<LiteSpeedDetails> = {}, host: Host = {}) {
  const programs = [{ name: 'shopphp', requests: 35, ...place }];
  const one = site({
    server: 'litespeed',
    root: '/home/alice/www',
    handlers: [{ kind: 'external', text: 'lsapi shopphp', user }],
    liteSpeed: { container: 'none', cgroups: false, programs, ...details },
  });
  return views([one], [], { owners: { '/home/alice/www': [0, 1001] }, ...host });
}

test('overviewOf() takes the account of LiteSpeed programs for the owner, and the agent moves them', () => {
  const [alice] = viewsOf('alice');
  assert.deepEqual(
    [alice?.owner?.by, alice?.owner?.uid, alice?.placed.kind],
    ['LiteSpeed', 1001, 'caught'],
  );
  const [without] = viewsOf('alice', {}, { agentRuns: false });
  assert.equal(without?.placed.kind, 'not covered');
  // Bob's programs, in alice's directory.
  const [bob] = viewsOf('bob');
  assert.equal(bob?.owner?.uid, 1002);
  assert.match(bob?.findings.join() ?? '', /bob by LiteSpeed, which runs its programs as bob/);
});

test('overviewOf() reports programs as the account of LiteSpeed as not covered', () => {
  const [view] = viewsOf('www-data');
  assert.deepEqual([view?.owner?.by, view?.owner?.uid], ['directory', 1001]);
  assert.deepEqual(view?.placed, {
    kind: 'not covered',
    reason: 'lsapi shopphp runs as "www-data"',
    remedy: 'give the virtual host an extProcessor of its own, with its owner as extUser',
  });
});

test('liteSpeedNotes() names the container, the cgroups, and the lines that bound requests', () => {
  const texts = (details: Partial<LiteSpeedDetails>, limit?: number) => {
    const limits = new Map(
      limit === undefined ? [] : [[1001, { limit, sites: new Map<string, undefined>() }]],
    );
    return liteSpeedNotes(viewsOf('alice', details), limits).map(({ message }) => message);
  };
  const [none, ...others] = texts({});
  assert.match(none ?? '', /outside the tenant's jail and without a container; "bubbleWrap 2"/);
  assert.deepEqual(others, []);
  assert.match(texts({ container: 'bubblewrap' })[0] ?? '', /in bubblewrap, not in the tenant's/);
  assert.match(texts({ container: 'namespace' })[0] ?? '', /in a namespace container, not in/);
  assert.match(texts({ cgroups: true })[1] ?? '', /set "cgroups" to "Disabled"/);
  assert.match(
    texts({}, 20)[1] ?? '',
    /passes 35 requests at once to "shopphp"; .* "maxConns 20" and "env PHP_LSAPI_CHILDREN=20"/,
  );
  assert.equal(texts({}, 35).length, 1);
  const unbounded = { programs: [{ name: 'shopphp', ...place }] };
  assert.match(texts(unbounded, 20)[1] ?? '', /passes any number of requests at once/);
  // Nothing is started.
  assert.deepEqual(texts({ programs: [] }, 20), []);
});
