/** Messages on docs/messages.md are messages of the program. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root, textOf } from './pages.ts';

/** The messages: the code at the start of each row. */
const messagesIn = (page: string): readonly string[] =>
  [...page.matchAll(/^\| `([^`]+)` +\|/gm)].flatMap(([, message]) => message ?? []);

/** The program, without doc comments, which have samples of messages. */
const sources = globSync('{src,packages,entry}/**/*.{ts,c}', { cwd: root })
  .map((file) => readFileSync(join(root, file), 'utf8'))
  .join('\n')
  .replaceAll(/^\s*\/\*\*[^]*?\*\//gm, '')
  .replaceAll(/\\(["'])/g, '$1');

/** Returns the texts between what differs each time that the program does not have. */
const missingParts = (message: string): readonly string[] =>
  message
    .split('…')
    .map((each) => each.trim())
    .filter((each) => /[a-z]{2}/i.test(each) && !sources.includes(each));

test('each message that the documentation explains is still in the program', () => {
  const messages = messagesIn(textOf('docs/messages.md'));
  assert.ok(messages.length > 25, `${messages.length}`);
  for (const message of messages) {
    assert.ok(message.replaceAll('…', '').trim().length >= 7, message);
    assert.deepEqual(missingParts(message), [], message);
  }
});

test('a message that nobody prints is found', () => {
  const [message = ''] = messagesIn('| `the moon is in the … seventh` | x | y |');
  assert.deepEqual(missingParts(message), ['the moon is in the', 'seventh']);
});
