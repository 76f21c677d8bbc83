/** docs/support.md: each cell has one of three words, and each note and each tested layer has its line. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { textOf } from './pages.ts';

const page = textOf('docs/support.md');

/** The rows of a table after its header, cell by cell. */
const rowsOf = (table: string): readonly (readonly string[])[] =>
  table
    .split('\n')
    .filter((line) => /^\| (?!-)/.test(line))
    .slice(1)
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((each) => each.trim()),
    );

const matrices = [...page.matchAll(/<!-- matrix -->\n\n((?:\|.*\n)+)/g)].map(([, table = '']) =>
  rowsOf(table),
);
const section = (title: string) => rowsOf(page.split(`## ${title}\n`)[1]?.split('\n## ')[0] ?? '');

test('each cell is tested here, expected or no, and its note exists', () => {
  const notes = new Map(section('Notes').map(([note = '', reason]) => [note, reason]));
  const used = new Set<string>();
  assert.equal(matrices.length, 3);
  for (const [layer = '', ...cells] of matrices.flat())
    for (const cell of cells) {
      const [, word, note] = /^(tested here|expected|no)(?: \[([a-z])\])?$/.exec(cell) ?? [];
      assert.ok(word, `${layer}: ${cell}`);
      assert.ok(word !== 'no' || note !== undefined, `${layer}: "no" without a reason`);
      if (note !== undefined) used.add(note);
    }
  assert.deepEqual([...used].sort(), [...notes.keys()].sort());
});

test('each layer that is tested names its tests', () => {
  const tests = new Map(section('Tests').map(([layer = '', names = '']) => [layer, names]));
  for (const [layer = '', ...cells] of matrices.flat())
    if (cells.some((each) => each.startsWith('tested here')))
      assert.match(tests.get(layer) ?? '', /`test\//, layer);
});
