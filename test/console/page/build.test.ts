/** The files of the page: what the front takes, no address outside, and no more bytes than planned. */
import assert from 'node:assert/strict';
import { globSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { test } from 'node:test';
import { buildConsole } from '../../../scripts/console.ts';
import { root } from '../../../scripts/steps.ts';
import { readServedFiles } from '../../../src/console/io/served-files.ts';
import { temporaryDirectory } from '../../../testing/temporary-directory.ts';

const firstPageBytesMax = 30 * 1024;
const allBytesMax = 50 * 1024;

test('buildConsole() writes what the front serves, within its size', async () => {
  using directory = temporaryDirectory('console-build');
  const { path } = directory;
  const packages = await buildConsole(path);
  assert.ok(packages.includes('preact'));
  const served = readServedFiles(path);
  assert.ok(served.ok, JSON.stringify(served));
  const files = readdirSync(path).filter((name) => !/\.(?:br|json)$/.test(name));
  const index = readFileSync(`${path}/index.html`, 'utf8');
  for (const name of files) {
    const text = readFileSync(`${path}/${name}`, 'utf8');
    const addresses = [...text.matchAll(/https?:\/\/[\w.-]+/g)].map(([each]) => each);
    // Namespaces of XML are names, which nobody opens.
    assert.deepEqual(
      addresses.filter((each) => each !== 'http://www.w3.org'),
      [],
      name,
    );
  }
  assert.match(index, /src="\.\/app-\w+\.js"/);
  assert.match(index, /href="\.\/style-\w+\.css"/);
  const sizeOf = (name: string) => statSync(`${path}/${name}.br`).size;
  const isFirst = (name: string) => !name.startsWith('charts-');
  const sum = (names: readonly string[]) => names.reduce((total, name) => total + sizeOf(name), 0);
  const first = sum(files.filter(isFirst));
  assert.ok(first <= firstPageBytesMax, `the first page has ${first} bytes`);
  assert.ok(sum(files) <= allBytesMax, `all files have ${sum(files)} bytes`);
});

test('the page makes no HTML of text, and has no address of another host', () => {
  const sources = globSync('src/console/page/**/*.{ts,tsx,html,css}', { cwd: root });
  assert.ok(sources.length > 30);
  for (const name of sources) {
    const text = readFileSync(`${root}${name}`, 'utf8');
    assert.doesNotMatch(
      text,
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|srcdoc|eval\(|new Function/i,
      name,
    );
  }
});
