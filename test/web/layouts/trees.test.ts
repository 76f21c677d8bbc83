/**
 * Debian's php-fpm, Apache and nginx at the paths of other distributions and of panels, below a directory of the test,
 * each with a configuration as it is there.
 */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { beforeEach, suite, test } from 'node:test';
import { formatProblem } from '../../../packages/base/problem.ts';
import { pathsOf } from '../../../src/host/paths.ts';
import { findFpmMasters } from '../../../src/host/servers/fpm-masters.ts';
import { planApache } from '../../../src/web/io/entries/apache.ts';
import { readClaims } from '../../../src/web/io/fpm/inputs.ts';
import { noProgram } from '../../../src/web/commands/fpm/session.ts';
import {
  dividedPrograms,
  findWebPrograms,
  notServedHere,
  unknownMasters,
} from '../../../src/web/io/find-programs.ts';
import { readApache, readFpm, readNginx } from '../../../src/web/io/servers.ts';
import { surveyWeb, type TenantFacts } from '../../../src/web/io/survey.ts';
import { ensurePrerequisites } from '../../../testing/prerequisites.ts';
import { testDirectory } from '../../../testing/temporary-directory.ts';
import { limitsOf } from '../entries-stage.ts';
import { uids } from '../stage.ts';

const ready = await ensurePrerequisites('web', (line) => console.log(`# ${line}`));
const php = findWebPrograms().fpm.find((each) => each.program.startsWith('/usr/sbin/php-fpm'));
const skip = ready.ok && php !== undefined ? false : 'needs root, nginx, Apache and PHP-FPM';

interface Tree {
  readonly id: string;
  readonly program: string;
  readonly main: string;
  /** The pattern of the main file's include, and a file that it matches. */
  readonly include: string;
  readonly pool: string;
}

const inDirectory = (id: string, program: string, main: string, pools: string): Tree => ({
  id,
  program,
  main,
  include: `${pools}/*.conf`,
  pool: `${pools}/shop.conf`,
});

const trees: readonly Tree[] = [
  inDirectory(
    '8.3',
    '/usr/sbin/php-fpm8.3',
    '/etc/php/8.3/fpm/php-fpm.conf',
    '/etc/php/8.3/fpm/pool.d',
  ),
  inDirectory(
    'ea-php83',
    '/opt/cpanel/ea-php83/root/usr/sbin/php-fpm',
    '/opt/cpanel/ea-php83/root/etc/php-fpm.conf',
    '/opt/cpanel/ea-php83/root/etc/php-fpm.d',
  ),
  inDirectory(
    'ea-php84',
    '/opt/cpanel/ea-php84/root/usr/sbin/php-fpm',
    '/opt/cpanel/ea-php84/root/etc/php-fpm.conf',
    '/opt/cpanel/ea-php84/root/etc/php-fpm.d',
  ),
  {
    id: 'da-php83',
    program: '/usr/local/php83/sbin/php-fpm83',
    main: '/usr/local/php83/etc/php-fpm.conf',
    include: '/usr/local/directadmin/data/users/*/php/php-fpm83.conf',
    pool: '/usr/local/directadmin/data/users/shop/php/php-fpm83.conf',
  },
  inDirectory('el', '/usr/sbin/php-fpm', '/etc/php-fpm.conf', '/etc/php-fpm.d'),
  inDirectory(
    'remi-php83',
    '/opt/remi/php83/root/usr/sbin/php-fpm',
    '/etc/opt/remi/php83/php-fpm.conf',
    '/etc/opt/remi/php83/php-fpm.d',
  ),
  inDirectory(
    'rh-php73',
    '/opt/rh/rh-php73/root/usr/sbin/php-fpm',
    '/etc/opt/rh/rh-php73/php-fpm.conf',
    '/etc/opt/rh/rh-php73/php-fpm.d',
  ),
  inDirectory(
    'plesk-8.3',
    '/opt/plesk/php/8.3/sbin/php-fpm',
    '/opt/plesk/php/8.3/etc/php-fpm.conf',
    '/opt/plesk/php/8.3/etc/php-fpm.d',
  ),
  inDirectory(
    'alt-php83',
    '/opt/alt/php83/usr/sbin/php-fpm',
    '/opt/alt/php83/etc/php-fpm.conf',
    '/opt/alt/php83/etc/php-fpm.d',
  ),
];

const tenancy: TenantFacts = {
  proc: '/proc',
  userOf: () => undefined,
  accounts: () => [],
  isTenant: (uid) => Object.values(uids).includes(uid),
  isInside: () => false,
  agentRuns: true,
};

suite('layouts', { skip }, () => {
  let root: string;
  beforeEach((t) => {
    root = testDirectory(t, 'layouts');
  });
  const write = (path: string, text: string) => {
    mkdirSync(dirname(root + path), { recursive: true });
    writeFileSync(root + path, text);
  };
  const link = (target: string, path: string) => {
    mkdirSync(dirname(root + path), { recursive: true });
    symlinkSync(target, root + path);
  };
  const socketOf = (id: string) => `${root}/run/${id}.sock`;
  const plant = ({ id, program, main, include, pool }: Tree) => {
    link(php?.program ?? '', program);
    write(main, `[global]\nerror_log = syslog\ninclude=${root}${include}\n`);
    write(
      pool,
      `[shop]\nuser = ${uids.owner}\nlisten = ${socketOf(id)}\npm = ondemand\npm.max_children = 2\n`,
    );
  };
  const ids = () => findWebPrograms(root).fpm.map((each) => each.php);

  test('findWebPrograms() finds every PHP at once, and php-fpm prints the pools of each', async () => {
    for (const each of trees) plant(each);
    const { fpm, notServed } = findWebPrograms(root);
    assert.deepEqual(notServed, []);
    assert.deepEqual(fpm.map((each) => each.php).toSorted(), trees.map(({ id }) => id).toSorted());
    for (const program of fpm) {
      const { pools, problems } = await readFpm(program);
      const tree = trees.find(({ id }) => id === program.php);
      assert.deepEqual(problems, []);
      assert.deepEqual(
        pools.map(({ name, listen, php: of, places }) => [name, listen, of, places[0]?.file]),
        [['shop', socketOf(program.php), program.php, root + (tree?.pool ?? '')]],
      );
    }
  });

  test('findWebPrograms() serves no program that others than root can change, and names it', () => {
    for (const each of trees) plant(each);
    // A program of a tenant's own.
    const own = `${root}/opt/cpanel/ea-php83/root/usr/sbin/php-fpm`;
    unlinkSync(own);
    copyFileSync(php?.program ?? '', own);
    chownSync(own, uids.owner, uids.owner);
    // A directory that is a link into a home.
    const home = `${root}/home/php84`;
    mkdirSync(`${home}/root/etc`, { recursive: true });
    mkdirSync(`${home}/root/usr/sbin`, { recursive: true });
    symlinkSync(php?.program ?? '', `${home}/root/usr/sbin/php-fpm`);
    writeFileSync(`${home}/root/etc/php-fpm.conf`, '[global]\n');
    chownSync(home, uids.other, uids.other);
    symlinkSync(home, `${root}/opt/cpanel/ea-php85`);
    // A directory that everybody can write to.
    chmodSync(`${root}/usr/local/php83/sbin`, 0o777);
    // A main file that everybody can write to, one of root's group, and a tenant's nginx.
    const main = (id: string) => root + (trees.find((each) => each.id === id)?.main ?? '');
    chmodSync(main('el'), 0o666);
    chmodSync(main('8.3'), 0o664);
    link(home, '/usr/local/nginx');
    // It leads through the home, and ends at root's.
    mkdirSync(`${home}/sbin`);
    symlinkSync(php?.program ?? '', `${home}/sbin/nginx`);
    // Links that lead to each other.
    link('php87', '/usr/local/php86');
    link('php86', '/usr/local/php87');
    const programs = findWebPrograms(root);
    const { nginx, fpm, notServed = [] } = programs;
    const refused = ['ea-php83', 'da-php83', 'el'];
    assert.equal(nginx, undefined);
    assert.deepEqual(
      fpm.map((each) => each.php).toSorted(),
      trees
        .map(({ id }) => id)
        .filter((id) => !refused.includes(id))
        .toSorted(),
    );
    assert.deepEqual(
      notServed.map(({ program, reason }) => [program.slice(root.length), reason]),
      [
        ['/usr/local/nginx/sbin/nginx', `uid ${uids.other} can change it, and it runs as root`],
        [
          '/opt/cpanel/ea-php83/root/usr/sbin/php-fpm',
          `uid ${uids.owner} can change it, and it runs as root`,
        ],
        [
          '/opt/cpanel/ea-php85/root/usr/sbin/php-fpm',
          `uid ${uids.other} can change it, and it runs as root`,
        ],
        ['/usr/local/php83/sbin/php-fpm83', 'others can change its program, and it runs as root'],
        ['/usr/sbin/php-fpm', 'others can change its configuration, and it runs as root'],
      ],
    );
    // Where a build is divided, or entries are enabled, that can be undone.
    assert.equal(findWebPrograms(root, { hasEntries: true }).nginx, undefined);
    mkdirSync(`${home}/conf/conf.d`, { recursive: true });
    writeFileSync(`${home}/conf/conf.d/bulkhead.conf`, '');
    assert.ok(findWebPrograms(root, { hasEntries: true }).nginx);
    assert.equal(findWebPrograms(root).nginx, undefined);
    const paths = { ...pathsOf('bulkhead'), etc: `${root}/etc` };
    assert.deepEqual(dividedPrograms(programs, paths), fpm);
    assert.deepEqual(notServedHere(programs, paths), notServed);
    const choice = `${paths.etc}/bulkhead/fpm/ea-php83/tenants`;
    mkdirSync(dirname(choice), { recursive: true });
    writeFileSync(choice, '');
    assert.deepEqual(
      dividedPrograms(programs, paths)
        .filter((each) => !fpm.includes(each))
        .map((each) => each.php),
      ['ea-php83'],
    );
    assert.deepEqual(
      notServedHere(programs, paths).flatMap(({ php, reason }) =>
        reason.endsWith('its pools have services of their own, which web status does not read')
          ? [php]
          : [],
      ),
      ['ea-php83'],
    );
    assert.match(noProgram('el', programs).reason, /^it cannot serve .*\/usr\/sbin\/php-fpm /);
    assert.match(noProgram('9.9', programs).reason, /^there is no PHP-FPM 9\.9/);
    assert.match(noProgram(undefined, { ...programs, fpm: [] }).reason, /ea-php83.*uid/);
  });

  test('findWebPrograms() takes no name that is not a version', () => {
    for (const name of ['php83x', 'php8;3', 'php', 'php8333'])
      plant(
        inDirectory(
          name,
          `/opt/remi/${name}/root/usr/sbin/php-fpm`,
          `/etc/opt/remi/${name}/php-fpm.conf`,
          `/etc/opt/remi/${name}/php-fpm.d`,
        ),
      );
    // DirectAdmin's program has the version of its directory.
    link(php?.program ?? '', '/usr/local/php83/sbin/php-fpm84');
    write('/usr/local/php83/etc/php-fpm.conf', '');
    assert.deepEqual(ids(), []);
  });

  test('readClaims() names the PHP that has a pool at an address, by files that are root’s alone', () => {
    for (const each of trees) plant(each);
    const { fpm } = findWebPrograms(root);
    const claims = readClaims(fpm, () => false);
    assert.equal(claims.get(socketOf('ea-php83')), 'ea-php83');
    assert.equal(claims.size, trees.length);
    const without = readClaims(fpm, (path) => path.startsWith(`${root}/opt/cpanel`));
    assert.equal(without.get(socketOf('ea-php83')), undefined);
    assert.equal(without.get(socketOf('el')), 'el');
    // A file that cannot be read hides no other one, and whose file is unsafe depends on its build.
    mkdirSync(`${root}/etc/php-fpm.d/a.conf`);
    symlinkSync('/nowhere', `${root}/etc/php-fpm.d/z.conf`);
    assert.equal(readClaims(fpm, () => false).get(socketOf('el')), 'el');
    const ofBuild = readClaims(fpm, (_, build) => build === 'el');
    assert.equal(ofBuild.get(socketOf('el')), undefined);
    assert.equal(ofBuild.size, trees.length - 1);
  });

  test('surveyWeb() names both PHPs whose pools have one socket', async () => {
    const both = trees.filter(({ id }) => ['ea-php83', 'el'].includes(id));
    for (const each of both) {
      plant(each);
      const path = root + each.pool;
      writeFileSync(path, readFileSync(path, 'utf8').replace(socketOf(each.id), socketOf('x')));
    }
    const { poolFindings } = await surveyWeb(findWebPrograms(root), tenancy);
    const found = poolFindings.find(({ message }) => message.includes('listens at'));
    assert.equal(found?.php, 'el');
    assert.match(found?.message ?? '', /as the pool shop of PHP ea-php83 does/);
  });

  const apaches: readonly (readonly [string, string, string, string, string, string])[] = [
    ['Enterprise Linux', '/etc/httpd', 'conf/httpd.conf', 'conf.d/*.conf', 'modules', 'conf.d'],
    ['cPanel', '/etc/apache2', 'conf/httpd.conf', 'conf.d/*.conf', 'modules', 'conf.d'],
    [
      'DirectAdmin',
      '/etc/httpd',
      'conf/httpd.conf',
      'conf/extra/httpd-includes.conf',
      '/usr/lib/apache',
      'conf/extra',
    ],
  ];
  for (const [name, directory, main, include, modules, own] of apaches)
    test(`web entries serve httpd of ${name}`, async () => {
      const real = '/usr/lib/apache2/modules';
      link('/usr/sbin/apache2', '/usr/sbin/httpd');
      link(real, modules.startsWith('/') ? modules : `${directory}/${modules}`);
      if (include.endsWith('httpd-includes.conf'))
        write(`${directory}/${include}`, '# own lines\n');
      mkdirSync(`${root}${directory}/conf.d`, { recursive: true });
      const loaded = [
        'mpm_event',
        'authz_core',
        'mime',
        'proxy',
        'proxy_fcgi',
        'setenvif',
        'headers',
        'qos',
      ];
      mkdirSync(`${root}/srv`);
      chownSync(`${root}/srv`, uids.owner, uids.owner);
      write(
        `${directory}/${main}`,
        `ServerRoot ${root}${directory}
${loaded.map((each) => `LoadModule ${each}_module ${real}/mod_${each}.so`).join('\n')}
DefaultRuntimeDir ${root}
PidFile ${root}/httpd.pid
ServerName localhost
ErrorLog ${root}/error.log
TypesConfig /dev/null
User www-data
Listen 127.0.0.1:1
IncludeOptional ${root}${directory}/${include}
<VirtualHost *:1>
  ServerName shop.example
  DocumentRoot ${root}/srv
  SetHandler "proxy:unix:${root}/shop.sock|fcgi://localhost"
  IncludeOptional ${root}${directory}/bulkhead/u${uids.owner}.conf
</VirtualHost>
`,
      );
      const { apache } = findWebPrograms(root);
      assert.ok(apache);
      assert.equal(apache.ownFile, `${root}${directory}/${own}/bulkhead.conf`);
      const read = await readApache(apache);
      assert.deepEqual(read.problems, []);
      assert.deepEqual(
        read.sites.map(({ names }) => names),
        [['shop.example']],
      );
      const survey = await surveyWeb({ apache, fpm: [] }, tenancy);
      const planned = await planApache(apache, survey, {
        limits: limitsOf(new Map([[uids.owner, 3]])),
        socket: `${root}/web.sock`,
      });
      assert.ok(planned.ok, planned.ok ? '' : formatProblem(planned.error));
      mkdirSync(`${root}/state`);
      const applied = await planned.value.apply({
        paths: { state: `${root}/state` },
        undone: new Set(),
      });
      if (own === 'conf.d') {
        assert.deepEqual(applied, { ok: true, value: 'not running' });
        assert.ok(existsSync(apache.ownFile));
        return;
      }
      // An administrator adds the line once.
      assert.match(
        applied.ok ? '' : formatProblem(applied.error),
        /does not include .*conf\/extra\/bulkhead\.conf/,
      );
      assert.ok(!existsSync(apache.ownFile));
      write(`${directory}/${include}`, `IncludeOptional ${apache.ownFile}\n`);
      const again = await planned.value.apply({
        paths: { state: `${root}/state` },
        undone: new Set(),
      });
      assert.deepEqual(again, { ok: true, value: 'not running' });
    });

  test('readNginx() reads an nginx that was built from its source', async () => {
    link('/usr/sbin/nginx', '/usr/local/nginx/sbin/nginx');
    write(
      '/usr/local/nginx/conf/nginx.conf',
      `pid ${root}/nginx.pid;\nerror_log ${root}/error.log;\nevents {}\nhttp { server { listen 127.0.0.1:1; server_name a.example; } }\n`,
    );
    const { nginx } = findWebPrograms(root);
    assert.ok(nginx);
    const { sites, problems } = await readNginx(nginx);
    assert.deepEqual(problems, []);
    assert.deepEqual(
      sites.map(({ names }) => names),
      [['a.example']],
    );
  });

  test('findFpmMasters() finds masters of root’s by title, and unknownMasters() names those in no layout', () => {
    const proc = `${root}/proc`;
    const add = (pid: number, uid: number, title: string, exe: string, space = 'pid:[1]') => {
      write(`/proc/${pid}/status`, `Name:\tphp-fpm\nUid:\t${uid}\t${uid}\t${uid}\t${uid}\n`);
      write(`/proc/${pid}/cmdline`, `${title}\0`);
      link(exe, `/proc/${pid}/exe`);
      link(space, `/proc/${pid}/ns/pid`);
    };
    link('pid:[1]', '/proc/self/ns/pid');
    const program = php?.program ?? '';
    const title = (path: string) => `php-fpm: master process (${path})`;
    const known = php?.configuration ?? '';
    const own = `${root}/tenant-php-fpm`;
    writeFileSync(own, '');
    chownSync(own, uids.owner, uids.owner);
    add(10, 0, title(known), program);
    add(11, 0, title('/etc/bulkhead/fpm/8.4/php-fpm.conf'), program);
    add(12, 0, title('/srv/php/php-fpm.conf'), program);
    // Nobody but root, no other program, no other container.
    add(13, uids.owner, title('/home/a.conf'), program);
    add(14, 0, title('/home/b.conf'), own);
    add(15, 0, title('/etc/c.conf'), program, 'pid:[2]');
    add(16, 0, 'php-fpm: pool www', program);
    add(17, 0, title('relative.conf'), program);
    // A set-user-ID program that a tenant started with such a title.
    add(18, 0, title('/home/d.conf'), '/usr/bin/su');
    add(19, 0, title('/home/e\u001b[2J.conf'), program);
    add(20, 0, title(`/${'a'.repeat(5000)}`), program);
    const found = findFpmMasters(proc).map(({ configuration }) => configuration);
    assert.deepEqual(
      found.toSorted(),
      ['/etc/bulkhead/fpm/8.4/php-fpm.conf', known, '/srv/php/php-fpm.conf'].toSorted(),
    );
    assert.deepEqual(unknownMasters(findWebPrograms(), proc), [
      {
        program,
        configuration: '/srv/php/php-fpm.conf',
        reason: 'it runs, and no layout that Bulkhead knows has it',
      },
    ]);
  });
});
