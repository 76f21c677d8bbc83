import assert from 'node:assert/strict';
import { test } from 'node:test';
import { causedBy, formatProblem, type Problem } from '../problem.ts';

test('formatProblem() names the action, the object, the reason and the hint', () => {
  const problem = {
    action: 'read',
    object: '/etc/bulkhead/policy.xml',
    reason: 'it does not exist',
  };
  assert.equal(formatProblem(problem), 'Cannot read "/etc/bulkhead/policy.xml": it does not exist');
  assert.equal(
    formatProblem({ action: 'inspect this host', reason: 'not permitted', hint: 'run as root' }),
    'Cannot inspect this host: not permitted; run as root',
  );
});

test('formatProblem() escapes control characters in the object', () => {
  const text = formatProblem({ action: 'open', object: 'a\u001b[31m"', reason: 'it is a fifo' });
  assert.equal(text, 'Cannot open "a\\u{1b}[31m"": it is a fifo');
});

test('causedBy() turns a problem into the reason, hint and errno of another one', () => {
  const below: Problem = {
    action: 'lock',
    object: '/etc/x.lock',
    reason: 'process 7 holds it',
    hint: 'try again',
    errno: 'EAGAIN',
  };
  const cause = causedBy(below);
  assert.deepEqual(cause, {
    reason: 'cannot lock "/etc/x.lock": process 7 holds it',
    hint: 'try again',
    errno: 'EAGAIN',
  });
  assert.equal(
    formatProblem({ ...cause, action: 'write', object: '/etc/x' }),
    'Cannot write "/etc/x": cannot lock "/etc/x.lock": process 7 holds it; try again',
  );
});
