/** The notes of an overview and its text, by facts of a host that is made up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { webNotes } from '../../../src/web/core/notes.ts';
import { overviewOf } from '../../../src/web/core/overview.ts';
import { overviewText } from '../../../src/web/commands/status-text.ts';
import { factsOf, pool, shop, site } from './stage.ts';

test('webNotes() merges equal notes, and overviewText() prints no control character', () => {
  const evil = 'a\u001b[2Jb\u202e.example';
  const sites = Array.from({ length: 8 }, (_, index) =>
    site({ ...shop, names: [index === 0 ? evil : `s${index}.example`] }),
  );
  const overview = overviewOf(
    [{ name: 'nginx', program: '/usr/sbin/nginx', problems: [] }],
    sites,
    [pool({ user: 'www-data' })],
    factsOf({ owners: { '/home/alice/www': [0, 1001] } }),
  );
  const notes = webNotes(overview);
  assert.deepEqual(
    notes.map(({ message, about }) => [message, about.length]),
    [
      [
        'Not covered by the limits of its tenant: it runs as www-data; give it a pool whose user is its owner',
        8,
      ],
    ],
  );
  const text = overviewText(overview, notes, { columns: 300 });
  assert.match(text, /^SITE +OWNER +SERVER +HANDLER +PLACED$/m);
  assert.match(text, /^s1\.example +alice +nginx +FPM 8\.4 shop +not covered$/m);
  assert.match(text, /s4\.example and 3 more$/m);
  // oxlint-disable-next-line no-control-regex -- this is what must not be there
  assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u202e]/);
});

test('webNotes() reports a directive of the vhost with its file and line', () => {
  const overrides = [{ directive: 'limit_conn', file: '/etc/nginx/a.conf', line: 7 }] as const;
  const notes = webNotes(overviewOf([], [site({ overrides })], [], factsOf({})));
  assert.deepEqual(notes, [
    {
      message:
        'A vhost has a directive limit_conn of its own: a limit_conn of the http level does not apply to it',
      about: ['/etc/nginx/a.conf:7'],
    },
  ]);
});

test('overviewText() reports that no web server, or no site, was found', () => {
  const empty = overviewOf([], [], [], factsOf({}));
  assert.match(overviewText(empty, [], { columns: 100 }), /^No web server is installed/);
  const servers = [{ name: 'nginx', program: '/usr/sbin/nginx', problems: [] }];
  assert.equal(
    overviewText({ ...empty, servers }, [], { columns: 100 }),
    'No site was found in nginx',
  );
});
