/** Each test file that starts processes must run under a guard: it imports `guard/here.ts`, itself or through a helper. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const guard = fileURLToPath(new URL('../../testing/guard/here.ts', import.meta.url));
/** The tests' own modules; the product starts processes too, but bounds them. */
const helpers = ['test/', 'testing/', 'packages/modules/test/', 'packages/base/test/'].map((each) =>
  join(root, each),
);
/** The guard's own test puts guards around what it starts, and kills them. */
const exempt = new Set(['test/testing/guard.test.ts']);

const imports =
  /^(?:import|export)(?! type)\b[^'"();=]*?from '(?<from>[^']+)'|\bimport\('(?<lazy>[^']+)'\)|^import '(?<effect>[^']+)'/gm;

const read = new Map<string, readonly string[]>();

/** Returns what a module imports: paths of files, and names of packages. */
function importsOf(file: string): readonly string[] {
  const known = read.get(file);
  if (known !== undefined) return known;
  const found = [...readFileSync(file, 'utf8').matchAll(imports)].map(({ groups }) => {
    const path = groups?.['from'] ?? groups?.['lazy'] ?? groups?.['effect'] ?? '';
    return path.startsWith('.') ? join(dirname(file), path) : path;
  });
  read.set(file, found);
  return found;
}

/** Returns a module and all that it imports, also indirectly, among the tests' own modules. */
function modulesOf(file: string): ReadonlySet<string> {
  const found = new Set([file]);
  for (const each of found)
    for (const path of importsOf(each))
      if (existsSync(path) && helpers.some((directory) => path.startsWith(directory)))
        found.add(path);
  return found;
}

const startsProcesses = (file: string) => importsOf(file).includes('node:child_process');

test('each test file whose modules import node:child_process imports the guard', () => {
  const files = globSync(['test/**/*.test.ts', 'packages/*/test/**/*.test.ts'], {
    cwd: root,
  }).filter((each) => !exempt.has(each));
  assert.ok(files.length > 200, 'the files were found');
  const unguarded = files.flatMap((file) => {
    const modules = modulesOf(join(root, file));
    if (modules.has(guard)) return [];
    const starting = [...modules].filter(startsProcesses).map((each) => relative(root, each));
    return starting.length === 0 ? [] : [`${file}: ${starting.join()} starts processes`];
  });
  const hint = `import '${relative(root, guard)}' first in each of these`;
  assert.deepEqual(unguarded, [], `${hint}:\n${unguarded.join('\n')}`);
});

test('the guard is found through a helper', () => {
  const stage = join(root, 'test/web/stage.ts');
  const file = globSync('test/web/*.test.ts', { cwd: root })
    .map((each) => join(root, each))
    .find((each) => importsOf(each).includes(stage) && !importsOf(each).includes(guard));
  assert.ok(file !== undefined && modulesOf(file).has(guard), 'a test has the guard by its stage');
});
