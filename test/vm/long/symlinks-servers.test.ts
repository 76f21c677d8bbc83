/**
 * The symlink guard behind real servers, in each setting that they have against links: a tenant exchanges names while
 * they are asked for. Without the guard, so that it is known which of them need it, and with it.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite, test, type TestContext } from 'node:test';
import { installFromPool } from '../../../testing/package-pool.ts';
import { longPatienceMilliseconds } from '../../../testing/patience.ts';
import { guestOfSuite, prepareGuests } from '../../../testing/vm/suite.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';

const guests = await prepareGuests(import.meta.filename, 'bpf');

const isLong = process.env['LONG'] !== undefined;
/**
 * The number of requests in each race that must be lost: a million with LONG=1. Races that are lost even without the
 * guard get a quarter of it, since they do not test the guard.
 */
const requests = isLong ? 1_000_000 : 2_000;
const requestsWithout = requests / 4;
/** The limit of requests in each race that must be won: the first leak ends it. */
const requestsMax = 1_000_000;
const timeout = isLong ? 24 * longPatienceMilliseconds : 2 * longPatienceMilliseconds;

/** Two names of alice's, one of which leads to a file of bob's, and the path that is requested. */
interface Exchange {
  readonly name: string;
  readonly first: string;
  readonly second: string;
  readonly path: string;
  /** Whether the requested path is alice's own file at times. */
  readonly hasOwn: boolean;
}

const file: Exchange = {
  name: 'a file',
  first: 'www/own-config',
  second: 'www/link-config',
  path: '/own-config',
  hasOwn: true,
};
const directory: Exchange = {
  name: 'a directory',
  first: 'www/own-directory',
  second: 'www/link-directory',
  path: '/own-directory/config',
  hasOwn: true,
};
const root: Exchange = {
  name: 'the document root',
  first: 'site',
  second: 'site-link',
  path: '/config',
  hasOwn: true,
};
/** The check of an owner is shown a second name of a file that bob lets everybody write. */
const ownerOfFile: Exchange = {
  name: 'the owner of a file',
  first: 'www/link-second',
  second: 'www/second-of-bob',
  path: '/link-second',
  hasOwn: true,
};
const ownerOfDirectory: Exchange = {
  name: 'the owner of a directory',
  first: 'www/d',
  second: 'www/upload-of-bob',
  path: '/d/config',
  hasOwn: false,
};
const byName: readonly Exchange[] = [file, directory, root];
const byOwner: readonly Exchange[] = [...byName, ownerOfFile, ownerOfDirectory];

interface Server {
  readonly name: string;
  /** The port; for the document root it is ten more. */
  readonly port: number;
  readonly exchanges: readonly Exchange[];
  /** The races that are lost even without the guard. */
  readonly holds: readonly Exchange[];
  /** The races that leak with the guard, too. Rare ones leak a few times in thousands, and are only shown. */
  readonly leaks?: readonly Exchange[];
  readonly leaksRarely?: readonly Exchange[];
}

const script = (path: string, asked = path): Exchange => ({
  ...file,
  name: path.slice(1),
  path: asked,
});
const readfile = script('/readfile.php', '/readfile.php?f=/home/alice/www/own-config');
const include = script('/include.php', '/include.php?f=/home/alice/www/own-config');
const primary: Exchange = {
  ...file,
  name: 'the script',
  first: 'www/own.php',
  second: 'www/link.php',
  path: '/own.php',
};

/** The servers as servers.sh configures them. */
const servers: readonly Server[] = [
  { name: 'nginx, disable_symlinks off', port: 8080, exchanges: byName, holds: [] },
  { name: 'nginx, disable_symlinks on', port: 8081, exchanges: byName, holds: byName },
  {
    name: 'nginx, disable_symlinks on from=$document_root',
    port: 8082,
    exchanges: byName,
    holds: [file, directory],
  },
  {
    name: 'nginx, disable_symlinks if_not_owner',
    port: 8083,
    exchanges: byOwner,
    holds: byName,
  },
  {
    name: 'nginx, disable_symlinks if_not_owner from=$document_root',
    port: 8084,
    exchanges: byOwner,
    holds: [file, directory],
  },
  { name: 'Apache, FollowSymLinks', port: 8085, exchanges: byName, holds: [] },
  { name: 'Apache, SymLinksIfOwnerMatch', port: 8086, exchanges: byName, holds: [] },
  // PHP resolves links itself to open a file, and then opens a name in which there is none.
  {
    name: 'PHP as www-data, open_basedir',
    port: 8100,
    exchanges: [readfile, include],
    holds: [],
    leaks: [readfile],
    leaksRarely: [include],
  },
  {
    name: 'PHP as www-data',
    port: 8101,
    exchanges: [readfile, include],
    holds: [],
    leaks: [readfile, include],
  },
  {
    name: 'PHP as www-data, open_basedir',
    port: 8102,
    exchanges: [primary],
    holds: [],
    leaksRarely: [primary],
  },
  {
    name: 'PHP as the tenant',
    port: 8103,
    exchanges: [readfile, include],
    holds: [readfile, include],
  },
];

interface Counts {
  readonly leaked: number;
  readonly own: number;
  readonly refused: number;
}

interface Race {
  readonly port: number;
  readonly exchange: Exchange;
  /** The FTP account and password. */
  readonly login?: string;
}

interface FtpDaemon {
  readonly name: string;
  readonly packageName: string;
  readonly start: string;
  /** Whether it resolves links itself, and so opens a name in which there is none. */
  readonly resolves: boolean;
}

/** The FTP daemons as servers.sh configures them, one at a time: Debian does not install both. */
const ftpDaemons: readonly FtpDaemon[] = [
  {
    name: 'vsftpd',
    packageName: 'vsftpd',
    start: '/usr/sbin/vsftpd /root/vsftpd.conf',
    resolves: false,
  },
  {
    name: 'proftpd',
    packageName: 'proftpd-core',
    start: '/usr/sbin/proftpd --nodaemon --config /root/proftpd.conf',
    resolves: true,
  },
];
const tenant = 'alice secret';
const visitor = 'ftp visitor';

const policy = (by: string) =>
  `<bulkhead version="1"><symlinks follow="owner-match" by="${by}"/><tenant user="alice"/><tenant user="bob"/></bulkhead>`;

suite('the symlink guard behind servers', { skip: guests.skip, timeout }, () => {
  const scratch = suiteDirectory('links');

  const host = guestOfSuite(
    guests,
    async (guest) => {
      const source = fileURLToPath(new URL('../symlinks/exchange.c', import.meta.url));
      execFileSync('gcc', ['-O2', '-static', '-o', join(scratch, 'exchange'), source]);
      await guest.copyIn(join(scratch, 'exchange'), '/usr/local/bin/exchange');
      await succeed('chmod 755 /usr/local/bin/exchange');
      for (const each of ['tree', 'servers'])
        await succeed(`sh /opt/bulkhead/test/vm/symlinks/${each}.sh`);
    },
    2,
  );
  const { succeed, write } = host;

  /** Requests below zero are a limit, as for exchange.c. */
  const race = async (number: number, { port, exchange, login = '' }: Race): Promise<Counts> => {
    const { first, second, path } = exchange;
    const text = await host.guest.succeed(
      `cd /home/alice && exchange 3001 ${first} ${second} ${port} '${path}' ${number} ${login}`,
      { timeoutMs: timeout },
    );
    const [, leaked, own, refused] = /^leaked (\d+) own (\d+) refused (\d+)$/m.exec(text) ?? [];
    return { leaked: Number(leaked), own: Number(own), refused: Number(refused) };
  };
  const show = (context: TestContext, { exchange }: Race, { leaked, own, refused }: Counts) =>
    context.diagnostic(`${exchange.name}: leaked ${leaked}, own ${own}, refused ${refused}`);

  const isWon = async (context: TestContext, what: Race) => {
    const counts = await race(-requestsMax, what);
    show(context, what, counts);
    assert.equal(counts.leaked, 1, what.exchange.name);
  };
  const isLost = async (context: TestContext, what: Race, number = requests) => {
    const counts = await race(number, what);
    show(context, what, counts);
    const { leaked, own, refused } = counts;
    assert.equal(leaked, 0, what.exchange.name);
    assert.equal(own + refused, number);
    assert.ok(refused > 0 && (own > 0 || !what.exchange.hasOwn), JSON.stringify(counts));
  };
  const racesOf = ({ port, exchanges }: Server) =>
    exchanges.map((exchange) => ({ port: exchange === root ? port + 10 : port, exchange }));
  const inBash = (command: string) => `bash -c '${command}'`;
  /** Whether the web server shows what is bob's by a link that nobody exchanges. */
  const shows = async (port: number, path: string) => {
    const ask = `exec 3<>/dev/tcp/127.0.0.1/${port}; printf "GET ${path} HTTP/1.0\\r\\nHost: a\\r\\n\\r\\n" >&3; cat <&3`;
    return (await succeed(inBash(ask))).includes('SECRET');
  };
  const guard = (words: string) => succeed(`bulkhead symlinks guard ${words}`);
  const guardOn = async (by: string) => {
    await write('/etc/bulkhead/policy.xml', policy(by));
    assert.match(await guard('enable'), /guard is on: it was tried, and it refuses/);
  };

  for (const server of servers)
    test(`races without the guard: ${server.name}`, { timeout }, async (context) => {
      for (const each of racesOf(server))
        if (server.holds.includes(each.exchange)) await isLost(context, each, requestsWithout);
        else await isWon(context, each);
    });

  test('the guard can be enabled', { timeout }, () => guardOn('www-data'));

  for (const server of servers)
    test(`races with the guard: ${server.name}`, { timeout }, async (context) => {
      for (const each of racesOf(server))
        if (server.leaks?.includes(each.exchange) === true) await isWon(context, each);
        else if (server.leaksRarely?.includes(each.exchange) === true)
          show(context, each, await race(requests, each));
        else await isLost(context, each);
    });

  test('PHP follows a foreign link unless open_basedir is set', { timeout }, async () => {
    for (const each of ['readfile', 'include']) {
      const link = `/${each}.php?f=/home/alice/www/other`;
      const without = `/${each}.php?f=/home/bob/www/secret`;
      assert.deepEqual([await shows(8101, link), await shows(8101, without)], [true, true], each);
      assert.deepEqual([await shows(8100, link), await shows(8100, without)], [false, false], each);
    }
  });

  for (const { name: daemon, packageName, start, resolves } of ftpDaemons) {
    const as = (name: string, login: string): Race => ({
      port: 2121,
      login,
      exchange: {
        ...file,
        name: `${name} for ${login.split(' ')[0]}`,
        first: `www/own-${name}`,
        second: `www/link-${name}`,
        path: `${login === visitor ? 'alice/' : ''}www/own-${name}`,
      },
    });

    test(`${daemon} as ftp, without and with the guard`, { timeout }, async (context) => {
      const installed = await installFromPool(host.guest, [packageName]);
      assert.ok(installed.ok, installed.ok ? '' : installed.error.reason);
      await succeed(`systemctl stop ${daemon}; systemd-run --quiet --unit links-ftp ${start}`);
      await host.until(inBash('exec 3<>/dev/tcp/127.0.0.1/2121'), 'journalctl -n 50 -u links-ftp');
      await guardOn('www-data');
      await isWon(context, as('secret', visitor));
      await guardOn('www-data ftp');
      await (resolves ? isWon : isLost)(context, as('secret', visitor));
    });

    test(`${daemon} as a tenant reads only what the tenant may`, { timeout }, async (context) => {
      for (const name of ['config', 'private']) await isLost(context, as(name, tenant));
      await isWon(context, as('secret', tenant));
      await succeed('chgrp www-data /home/bob && chmod 750 /home/bob');
      await isLost(context, as('secret', tenant));
      await succeed('chmod 711 /home/bob && systemctl stop links-ftp');
    });
  }
});
