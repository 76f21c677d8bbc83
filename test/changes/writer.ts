/** Announces edits of a policy until it is killed, and prints the number of each that is recorded. */
import { writeSync } from 'node:fs';
import { announceEdit } from '../../src/apply/change-record.ts';
import { formatProblem } from '../../packages/base/problem.ts';
import { pathsOf } from '../../src/host/paths.ts';

const [state = '', file = '', times = 'Infinity'] = process.argv.slice(2);
const paths = { ...pathsOf('bulkhead-test-changes'), state };
const text = (number: number) =>
  `<bulkhead version="1"><tenant uid="${process.pid}"><cpu limit="${number}%"/></tenant></bulkhead>`;

for (let number = 1; number <= Number(times); number++) {
  const edit = { file, author: 'set', before: text(number), after: text(number + 1) };
  const announced = announceEdit(paths, edit);
  if (!announced.ok) throw new Error(formatProblem(announced.error));
  writeSync(1, `${announced.value}\n`);
}
