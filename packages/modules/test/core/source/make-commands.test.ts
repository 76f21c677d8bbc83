import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandResponse } from '../../../core/make/make-commands.ts';

const surroundings = { release: '6.12.1', machine: 'x86_64', directory: '/module' };

test('commandResponse() returns what a command would print, and whether it is certain', () => {
  const cases: readonly (readonly [command: string, output?: string, certain?: boolean])[] = [
    ['basename /a/b.c .c', 'b', true],
    ['basename /a/b/', 'b', true],
    ['dirname /a/b/c', '/a/b', true],
    ['dirname a', '.', true],
    ['echo a  b', 'a b', true],
    ['uname -r', '6.12.1', false],
    ['uname -m', 'x86_64', false],
    ['pwd', '/module', false],
    ['uname -a'],
    ['echo -n a'],
    ['uname -r | cut -d. -f1'],
    ['basename $PWD'],
    ['rm -rf /'],
  ];
  for (const [command, output, certain] of cases) {
    const expected = output === undefined ? undefined : { output, certain };
    assert.deepEqual(commandResponse(command, surroundings), expected, command);
  }
  assert.equal(commandResponse('uname -r', { ...surroundings, release: '' }), undefined);
});
