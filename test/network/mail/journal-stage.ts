/** Counts mail while commands run: prints, for each pair of a name and a uid, how many messages it handed over. */
import { execFileSync } from 'node:child_process';
import { MailCounts } from '../../../src/network/io/mail/mail-counts.ts';

const [command = '', ...accounts] = process.argv.slice(2);
using counts = new MailCounts({ etc: '/etc' });
await counts.read();
execFileSync('sh', ['-c', command], { stdio: ['ignore', 2, 2] });
await counts.read();
for (const each of accounts) {
  const [name = '', uid] = each.split(':');
  process.stdout.write(`${name} ${counts.messages(name, Number(uid)) ?? 'unknown'}\n`);
}
