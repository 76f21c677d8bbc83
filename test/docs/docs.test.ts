/** Checks of the documentation: policies in it parse, commands and links in it exist. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { makeWholeProgram } from '../../src/cli/program.ts';
import * as library from '../../packages/modules/library.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { capabilities } from '../../src/capabilities.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const pages = globSync('{*,docs/*}.md', { cwd: root }).sort();
const textOf = (page: string) => readFileSync(join(root, page), 'utf8');

const blocks = (text: string, language: string) =>
  [...text.matchAll(new RegExp('^```' + language + '\\n([\\s\\S]*?)^```', 'gm'))].map(
    (match) => match[1] ?? '',
  );

test('policies in the documentation are valid', () => {
  const found = pages.flatMap((page) =>
    blocks(textOf(page), 'xml')
      .filter((block) => block.includes('<bulkhead'))
      .map((block) => ({ page, block })),
  );
  assert.ok(found.length > 0);
  for (const { page, block } of found) {
    const { diagnostics } = parsePolicy(page, block);
    assert.deepEqual(diagnostics.list, [], page);
  }
});

test('policies in examples/ are valid', () => {
  for (const file of globSync('examples/*.xml', { cwd: root })) {
    assert.deepEqual(parsePolicy(file, textOf(file)).diagnostics.list, []);
  }
});

/** `bulkhead web fpm enable`: as far as words name commands. */
function innermost(command: Command, [name, ...words]: readonly string[]): Command {
  const found = command.commands.find((each) => each.name() === name);
  return found === undefined ? command : innermost(found, words);
}

test('commands in the documentation exist, with their options', async () => {
  const program = await makeWholeProgram(capabilities);
  let seen = 0;
  for (const page of pages) {
    for (const line of blocks(textOf(page), 'console').join('\n').split('\n')) {
      const words = /^(?:\.\/)?bulkhead (.*?)(?:\s+#.*|\s+>.*)?$/.exec(line)?.[1]?.split(/\s+/);
      if (words === undefined) continue;
      seen++;
      const [name = '', ...inner] = words;
      const found = program.commands.find((each) => each.name() === name);
      assert.ok(found, `${page}: there is no "bulkhead ${name}"`);
      if (name === 'exec') continue;
      const deep = innermost(found, inner);
      for (const option of words.filter((word) => /^--?[a-z]/.test(word))) {
        const known = deep.options.some((each) => each.long === option || each.short === option);
        assert.ok(known, `${page}: "bulkhead ${name}" has no option ${option}`);
      }
    }
  }
  assert.ok(seen > 20);
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
