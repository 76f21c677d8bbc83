/** Keeps one history or another of a tenant until it is killed: `moved-writer.ts DIRECTORY`. */
import { writeMoved } from '../../src/store/moved/moved-file.ts';
import { value } from '../store/samples.ts';

const [history = ''] = process.argv.slice(2);
for (let since = 1; ; since++) {
  const records = Array.from({ length: (since % 7) * 3000 }, () => 'what is kept') as never;
  value(writeMoved(history, 'u1', { since, records }));
  process.stdout.write('.');
}
