/** The agent's suites of this machine's kernel again, inside a Debian guest with systemd and only cgroup v2. */
import { after, before, suite, test } from 'node:test';
import { longPatienceMilliseconds } from '../../../testing/patience.ts';
import { startGuest, type Guest } from '../../../testing/vm/guest.ts';
import { buildBesideSources } from '../../../testing/vm/installed.ts';
import { passInside, prepareGuests } from '../../../testing/vm/suite.ts';

const guests = await prepareGuests(import.meta.filename);
const patient = { timeout: longPatienceMilliseconds };

suite('the agent in the virtual machine', { skip: guests.skip }, () => {
  let guest: Guest;
  before(async () => {
    guest = await startGuest(guests.image);
    await guest.copyProject();
    await buildBesideSources(guest);
  }, patient);
  after(() => guest[Symbol.asyncDispose]());

  for (const file of ['agent', 'sites', 'advise'].map((name) => `test/agent/${name}.test.ts`))
    test(`${file} passes`, patient, () => passInside(guest, file));
});
