/** Listeners at the port of a pool: its php-fpm, somebody else, or nobody. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { symlinkSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { test } from 'node:test';
import { freePort } from '../../../testing/free-port.ts';
import { eventually } from '../../../testing/patience.ts';
import { AccountNames } from '../../../src/host/accounts/account-names.ts';
import { parseAddress } from '../../../src/web/core/address.ts';
import { webNotes } from '../../../src/web/core/notes.ts';
import {
  poolStrangerText,
  strangersAt,
  strangerText,
  type Port,
} from '../../../src/web/core/fpm/strangers.ts';
import { readStrangers } from '../../../src/web/io/fpm/strangers.ts';
import { surveyWeb } from '../../../src/web/io/survey.ts';
import { fpm, FpmStage, skip, tenants } from './stage.ts';

const { alice, bob } = tenants;

class Program implements AsyncDisposable {
  readonly child: ChildProcess;

  constructor(program: string, args: readonly string[]) {
    this.child = spawn(program, args, { stdio: 'ignore' });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL');
    if (this.child.exitCode === null && this.child.signalCode === null)
      await once(this.child, 'exit');
  }
}

const listener = `use IO::Socket::INET; my ($uid, $port) = @ARGV;
$) = "$uid $uid"; $( = $uid; $< = $uid; $> = $uid;
my $at = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => $port, Listen => 1) or die;
sleep 3600`;

async function stageWith(pool: string) {
  const port = await freePort();
  const listen = `127.0.0.1:${port}`;
  const stage = new FpmStage();
  stage.write(pool, stage.pool(pool, bob).replace(stage.socketOf(pool), listen));
  return { stage, port, listen, pools: [{ pool, listen }] };
}

for (const [user, uid] of [
  ['alice', alice],
  ['root', 0],
] as const)
  test(
    `readStrangers() reports a program of ${user} that listens at the port of a pool`,
    { skip },
    async () => {
      const { stage, port, listen, pools } = await stageWith('bob');
      using _stage = stage;
      const context = stage.context();
      assert.deepEqual(readStrangers(context, pools), []);
      await using taker = new Program('perl', ['-e', listener, `${uid}`, `${port}`]);
      const found = await eventually('somebody listens', () => {
        const [stranger] = readStrangers(context, pools);
        return stranger;
      });
      const { program, ...rest } = found;
      assert.deepEqual(rest, {
        pool: 'bob',
        at: listen,
        uid,
        ...(uid !== 0 && { user }),
        pid: taker.child.pid,
      });
      assert.match(program ?? '', /\/perl/);
      if (uid !== 0)
        assert.equal(
          poolStrangerText(found),
          `Pool bob: alice (uid ${uid}, process ${taker.child.pid}, ${program}) listens at ${listen} in its place, and gets its requests; end that process, then restart php-fpm`,
        );

      const names = new AccountNames(context.paths);
      const note = `Pool bob of PHP ${fpm.php}: ${strangerText(found)}`;
      // The kernel's list of sockets can leave one out while others come and go.
      await eventually('the survey names it', async () => {
        const survey = await surveyWeb(
          { fpm: [context.fpm] },
          {
            proc: '/proc',
            userOf: (each) => names.namesOf(each)[0],
            accounts: () => [],
            isTenant: (each) => each === alice || each === bob,
            isInside: () => undefined,
            agentRuns: false,
          },
        );
        return webNotes(survey).some(({ message }) => message === note);
      });
    },
  );

test("readStrangers() skips the pool's own php-fpm and its workers", { skip }, async () => {
  const { stage, listen, pools } = await stageWith('bob');
  using _stage = stage;
  const context = stage.context();
  await using _master = new Program(fpm.program, ['-F', '-y', stage.main]);
  const other = { ...context, fpm: { ...context.fpm, program: '/usr/sbin/php-fpm0.0' } };
  const [seen] = await eventually('php-fpm listens', () => {
    const found = readStrangers(other, pools);
    return found.length > 0 && found;
  });
  assert.deepEqual([seen?.at, seen?.uid], [listen, 0]);
  assert.deepEqual(readStrangers(context, pools), []);
  // As /usr/sbin is, where it is a link to /usr/bin.
  symlinkSync(dirname(fpm.program), `${stage.at}/sbin`);
  const program = `${stage.at}/sbin/${basename(fpm.program)}`;
  assert.deepEqual(readStrangers({ ...context, fpm: { ...context.fpm, program } }, pools), []);
});

test('strangersAt() uses the owner of the socket when no process is found', () => {
  const address = parseAddress('127.0.0.1:9001')!;
  const port = (uid: number, holders: Port['holders'] = []): Port => ({ address, uid, holders });
  const textOf = (each: Port) =>
    strangersAt(address, '/usr/sbin/php-fpm8.4', [each], () => undefined).map(strangerText);
  const end = 'listens at 127.0.0.1:9001 in its place, and gets its requests';
  assert.deepEqual(textOf(port(3101)), [`uid 3101 ${end}`]);
  assert.deepEqual(textOf(port(0)), []);
  // A tenant may run php-fpm, too; and who made a socket may have ended.
  const own = { pid: 7, uid: 3101, program: '/usr/sbin/php-fpm8.4' };
  assert.deepEqual(textOf(port(3101, [own])), [`uid 3101 (process 7, ${own.program}) ${end}`]);
  assert.deepEqual(textOf(port(0, [own])), []);
  assert.deepEqual(textOf(port(0, [{ pid: 1, uid: 0, program: '/usr/lib/systemd/systemd' }])), []);
  assert.deepEqual(
    strangersAt(parseAddress('127.0.0.1:9002')!, '', [port(3101)], () => ''),
    [],
  );
});
