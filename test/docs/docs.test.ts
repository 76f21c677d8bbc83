/** Checks of the documentation: policies in it parse, commands and links in it exist. */
import assert from 'node:assert/strict';
import { existsSync, globSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { makeWholeProgram } from '../../src/cli/program.ts';
import * as library from '../../packages/modules/library.ts';
import { parseFleet } from '../../src/policy/fleet/fleet-policy.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { capabilities } from '../../src/capabilities.ts';
import { commandsOf, problemOf, wordsOf } from './command-lines.ts';
import { blocks, pages, root, textOf } from './pages.ts';

test('policies in the documentation are valid', () => {
  const found = pages.flatMap((page) =>
    blocks(textOf(page), 'xml')
      .filter((block) => block.includes('<bulkhead'))
      .map((block) => ({ page, block })),
  );
  assert.ok(found.length > 0);
  for (const { page, block } of found) {
    const parse = block.includes('<hosts') ? parseFleet : parsePolicy;
    const { diagnostics } = parse(page, block);
    assert.deepEqual(diagnostics.list, [], page);
  }
});

test('policies in examples/ are valid', () => {
  for (const file of globSync('examples/*.xml', { cwd: root })) {
    assert.deepEqual(parsePolicy(file, textOf(file)).diagnostics.list, []);
  }
});

test('commands in the documentation exist, with their options and arguments', async () => {
  const program = await makeWholeProgram(capabilities);
  let seen = 0;
  for (const page of pages) {
    for (const line of commandsOf(textOf(page))) {
      seen++;
      const problem = problemOf(program, line);
      assert.equal(problem, undefined, `${page}: bulkhead ${line.words.join(' ')}: ${problem}`);
    }
  }
  assert.ok(seen > 300, `${seen}`);
});

test('a command that does not exist is found', async () => {
  const program = await makeWholeProgram(capabilities);
  for (const [line, problem] of [
    ['setup stats', '"setup" has no use for "stats"'],
    ['web fpm enable --every', 'there is no option --every'],
    ['incident', 'an argument of "incident" is missing'],
    ['verify a b', '"verify" has no use for "b"'],
    ['stop erin --reason "ticket 4711"', undefined],
  ] as const)
    assert.equal(problemOf(program, { words: wordsOf(line), isWhole: true }), problem, line);
});

test('every function of the library has an example', () => {
  const examples = blocks(textOf('docs/modules-library.md'), 'js').join('\n');
  for (const name of Object.keys(library))
    assert.match(
      examples,
      new RegExp(`\\b${name}\\b`),
      `docs/modules-library.md does not use ${name}`,
    );
});

test('tests that the documentation names exist', () => {
  let seen = 0;
  for (const page of pages)
    for (const [, path = ''] of textOf(page).matchAll(/`(test\/[\w./-]+)`/g)) {
      seen++;
      assert.ok(existsSync(join(root, path)), `${page}: ${path}`);
    }
  assert.ok(seen > 0);
});

test('npm scripts in the documentation exist', () => {
  const { scripts } = JSON.parse(textOf('package.json')) as { scripts: Record<string, string> };
  for (const page of pages) {
    for (const [, name = ''] of textOf(page).matchAll(/npm run ([a-z]+)/g))
      assert.ok(scripts[name], `${page}: ${name}`);
  }
});

test('links in the documentation lead to existing files', () => {
  for (const page of pages) {
    for (const [, target = ''] of textOf(page).matchAll(/\]\(([^)#]+)[^)]*\)/g)) {
      if (/^https?:/.test(target)) continue;
      assert.ok(existsSync(join(root, dirname(page), target)), `${page} links to ${target}`);
    }
  }
});

/** The names of a page's headings in links, as GitHub makes them. */
function headingsOf(page: string): ReadonlySet<string> {
  const text = textOf(page).replaceAll(/^```[^]*?^```/gm, '');
  const slugs = [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{Letter}\p{Number} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
  return new Set(slugs);
}

test('links to a heading lead to one', () => {
  const headings = new Map(pages.map((page) => [page, headingsOf(page)]));
  let seen = 0;
  for (const page of pages)
    for (const [, target = '', heading = ''] of textOf(page).matchAll(/\]\(([^)#:]*)#([^)]+)\)/g)) {
      const to = headings.get(target === '' ? page : join(dirname(page), target));
      if (to === undefined) continue;
      seen++;
      assert.ok(to.has(heading), `${page} links to ${target}#${heading}`);
    }
  assert.ok(seen > 100, `${seen}`);
});
