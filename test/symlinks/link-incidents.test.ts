import assert from 'node:assert/strict';
import { test } from 'node:test';
import { linkEvidence, linkIncidents } from '../../src/symlinks/core/guard/link-incidents.ts';

const link = {
  at: 1,
  program: 'nginx',
  link: '/home/ann/www/x\n',
  target: '/home/ben/secret',
  targetOwner: 'ben',
};

test('linkEvidence.describe() names links to those who may see them, and programs to others', () => {
  const other = { ...link, program: 'apache2', link: '/home/ann/y', target: '' };
  assert.equal(
    linkEvidence.describe([link, link, other], true),
    String.raw`Asked for by nginx, apache2. 2 links are known: /home/ann/www/x\u{a} to /home/ben/secret, which belongs to ben, /home/ann/y to a file, which belongs to ben.`,
  );
  assert.equal(linkEvidence.describe([link, other], false), 'Asked for by nginx, apache2.');
});

test('linkEvidence.line() describes a link, and redact() removes its paths for resellers', () => {
  assert.equal(
    linkEvidence.line(link),
    String.raw`nginx /home/ann/www/x\u{a} to /home/ben/secret, which belongs to ben`,
  );
  assert.deepEqual(linkEvidence.redact(link), { ...link, link: '', target: '' });
  assert.equal(linkEvidence.line(linkEvidence.redact(link)), 'nginx a link to what ben owns');
});

test('linkIncidents.happened() reports whether links were refused or followed', () => {
  const told = (severity: 'refused' | 'throttled') =>
    linkIncidents.happened?.({ severity, faults: 2 }, []);
  assert.equal(told('refused'), 'had symbolic links refused twice');
  assert.equal(told('throttled'), 'had symbolic links followed twice that the guard would refuse');
});
