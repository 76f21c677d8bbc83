/** Mail that accounts hand to a real Postfix, counted from the journal of systemd. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { installFromPool } from '../../../testing/package-pool.ts';
import { longPatienceMilliseconds } from '../../../testing/patience.ts';
import { shellQuote } from '../../../testing/vm/command.ts';
import { startGuest, type Guest } from '../../../testing/vm/guest.ts';
import { buildBesideSources } from '../../../testing/vm/installed.ts';
import { prepareGuests } from '../../../testing/vm/suite.ts';

const guests = await prepareGuests(import.meta.filename);
const timeout = longPatienceMilliseconds;

suite('mail handed to Postfix', { skip: guests.skip }, () => {
  let guest: Guest;
  before(
    async () => {
      guest = await startGuest(guests.image, 1);
      await guest.copyProject();
      await buildBesideSources(guest);
    },
    { timeout },
  );
  after(() => guest[Symbol.asyncDispose]());

  test('it counts for its account, whatever others log', { timeout }, async (t) => {
    const installed = await installFromPool(guest, ['postfix']);
    if (!installed.ok) return t.skip(installed.error.reason);
    await guest.succeed(`useradd -m -u 3001 alice; useradd -m -u 3002 bob
      postconf -e inet_interfaces=loopback-only mydestination=localhost myhostname=host.example
      systemctl restart postfix`);
    const send = `su alice -c 'echo text | sendmail root@localhost; echo text | sendmail root@localhost'
      su alice -c 'logger -t postfix/pickup "4B2C1A: uid=3002 from=<bob>"'
      until journalctl -t postfix/pickup | grep -c uid=3001 | grep -q 2; do sleep 1; done; journalctl --sync`;
    const stage = `cd /opt/bulkhead && node test/network/mail/journal-stage.ts ${shellQuote(send)}`;
    assert.equal(await guest.succeed(`${stage} alice:3001 bob:3002`), 'alice 2\nbob 0\n');
  });
});
