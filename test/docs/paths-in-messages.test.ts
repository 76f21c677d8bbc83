/** No message names a path that its reader does not have: `docs/…` and `packaging/…` are somewhere in a package. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { test } from 'node:test';
import { docPage } from '../../src/sys/package-files.ts';

/** Sources that become pages, which are next to the pages that they name. */
const pages = new Set([
  'src/policy/vocabulary.ts',
  'src/policy/elements/console-element.ts',
  'src/policy/databases/databases-vocabulary.ts',
]);
const named = /(?<!packageFile\(`|packageFile\(')\b(?:docs|packaging)\/[\w@-]*\.?\w+/;

test('messages name pages and units by their installed paths', () => {
  const found = globSync('{src,packages}/**/*.ts').flatMap((file) => {
    if (pages.has(file) || file.startsWith('testing/')) return [];
    const text = readFileSync(file, 'utf8').replaceAll(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, '');
    return text
      .split('\n')
      .filter((line) => named.test(line))
      .map((line) => `${file}: ${line.trim()}`);
  });
  assert.deepEqual(found, []);
});

test('every page that a message names exists', () => {
  for (const file of globSync('{src,packages}/**/*.ts'))
    for (const [, name = ''] of readFileSync(file, 'utf8').matchAll(/docPage\('([a-z-]+)'\)/g)) {
      if (file.endsWith('package-files.ts')) continue;
      assert.ok(isAbsolute(docPage(name)) && existsSync(docPage(name)), `${file}: ${name}`);
    }
});
