/** The files of the page: what the front takes, no address outside, and no more bytes than planned. */
import assert from 'node:assert/strict';
import { globSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { test } from 'node:test';
import { buildConsole } from '../../../scripts/console.ts';
import { root } from '../../../scripts/steps.ts';
import { readServedFiles } from '../../../src/console/io/served-files.ts';
import { temporaryDirectory } from '../../../testing/temporary-directory.ts';

const firstPageBytesMax = 30 * 1024;
const withChartsBytesMax = 42_500;

test('buildConsole() writes what the front serves, within its size', async (t) => {
  using directory = temporaryDirectory('console-build');
  const { path } = directory;
  const packages = await buildConsole(path);
  assert.ok(packages.includes('preact'));
  const served = readServedFiles(path);
  assert.ok(served.ok, JSON.stringify(served));
  const files = readdirSync(path).filter((name) => !/\.(?:br|json)$/.test(name));
  const index = readFileSync(`${path}/index.html`, 'utf8');
  // Scripts may name addresses in their words; the content security policy lets them open none.
  for (const name of files.filter((each) => !each.endsWith('.js')))
    assert.doesNotMatch(readFileSync(`${path}/${name}`, 'utf8'), /https?:|url\(/, name);
  assert.match(index, /src="\.\/app-\w+\.js"/);
  assert.match(index, /href="\.\/style-\w+\.css"/);
  const sizeOf = (names: ReadonlySet<string>) =>
    [...names].reduce((total, name) => total + statSync(`${path}/${name}.br`).size, 0);
  const named = (start: string) => files.filter((name) => name.startsWith(start));
  const partWith = (view: string) =>
    files.filter(
      (name) =>
        name.endsWith('.js') &&
        new RegExp(`\\bas ${view}\\b`).test(readFileSync(`${path}/${name}`, 'utf8')),
    );
  // The files of one page, in English, which comes with the parts; the words of others come besides.
  const shell = ['index.html', ...named('style-'), ...named('app-')];
  const first = withImports(path, [...shell, ...partWith('Overview')]);
  const member = withImports(path, [...shell, ...partWith('Own')]);
  const charts = withImports(path, [...member, ...named('plot-')]);
  const alone = withImports(path, shell);
  assert.ok(first.size > alone.size && member.size > alone.size, 'pages are loaded later');
  assert.ok(charts.size > member.size, 'charts are loaded later');
  const [firstBytes, chartsBytes] = [sizeOf(first), sizeOf(charts)];
  t.diagnostic(`first page: ${firstBytes} bytes; a tenant's page with charts: ${chartsBytes}`);
  assert.ok(firstBytes <= firstPageBytesMax, `the first page has ${firstBytes} bytes`);
  assert.ok(chartsBytes <= withChartsBytesMax, `with charts it has ${chartsBytes} bytes`);
});

/** Returns files with all that they need at once; what they load later is not among it. */
function withImports(directory: string, names: readonly string[]): ReadonlySet<string> {
  const found = new Set(names);
  for (const name of found) {
    if (!name.endsWith('.js')) continue;
    const text = readFileSync(`${directory}/${name}`, 'utf8');
    for (const [, imported = ''] of text.matchAll(/(?:from|import)\s*"\.\/([\w-]+\.js)"/g))
      found.add(imported);
  }
  return found;
}

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
