/** The attacks on placement on cgroup v2, below the unit that systemd delegates, with Debian's newuidmap. */
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { passBundled } from '../../testing/vm/bundled.ts';
import { startGuest, type Guest } from '../../testing/vm/guest.ts';
import { copyInstalled } from '../../testing/vm/installed.ts';
import { projectDirectory } from '../../testing/vm/project.ts';
import { prepareGuests } from '../../testing/vm/suite.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';
import { compile } from '../placer/programs.ts';

const guests = await prepareGuests(import.meta.filename);

const hour = 3_600_000;
const programs = ['chains', 'subordinate', 'old-kernel', 'slow-fork'];

suite('attacks on placement in the virtual machine', { skip: guests.skip, timeout: hour }, () => {
  let guest: Guest;

  before(async () => {
    guest = await startGuest(guests.image);
    await copyInstalled(guest);
    using directory = temporaryDirectory('attacks');
    const scratch = directory.path;
    for (const each of programs) {
      const source = fileURLToPath(new URL(`../attacks/${each}.c`, import.meta.url));
      compile(source, join(scratch, each));
    }
    await guest.copyIn(scratch, '/opt/programs');
    await guest.succeed('chmod 755 /opt/programs/*');
  });
  after(() => guest[Symbol.asyncDispose]());

  for (const file of globSync('test/attacks/placement/*.test.ts', { cwd: projectDirectory }).sort())
    test(`${file} passes`, () =>
      passBundled(guest, file, { environment: { BULKHEAD_TEST_PROGRAMS: '/opt/programs' } }));
});
