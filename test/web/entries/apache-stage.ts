/** The common part of tests of entries at a real Apache with mod_qos: two sites of tenants, each with its .htaccess. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { formatProblem, type Problem } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';
import { freePort } from '../../../testing/free-port.ts';
import { eventually } from '../../../testing/patience.ts';
import { planApache } from '../../../src/web/io/entries/apache.ts';
import type { ReloadResult, ServerEntries } from '../../../src/web/io/entries/server-entries.ts';
import type { ApacheProgram } from '../../../src/web/io/servers.ts';
import { surveyWeb } from '../../../src/web/io/survey.ts';
import {
  type Answer,
  type Asked,
  type EntriesStage,
  limitsOf,
  statuses,
  times,
  type Wanted,
} from '../entries-stage.ts';
import { uids } from '../stage.ts';

const modules = '/usr/lib/apache2/modules';
export const three = new Map([[uids.owner, 3]]);

export const module = (name: string) => `LoadModule ${name}_module ${modules}/mod_${name}.so`;

const loaded = [
  'mpm_event',
  'authz_core',
  'proxy',
  'proxy_fcgi',
  'mime',
  'dir',
  'env',
  'setenvif',
  'headers',
  'rewrite',
];

/** Returns the text of apache2.conf. */
function configurationOf(stage: EntriesStage, names: readonly string[], server: string): string {
  const { directory } = stage;
  return `${names.map((each) => module(each)).join('\n')}
User www-data
Group www-data
ServerRoot ${directory}
DefaultRuntimeDir ${directory}
PidFile ${stage.at('apache.pid')}
ErrorLog ${stage.at('apache.log')}
TypesConfig ${stage.at('mime.types')}
Listen 127.0.0.1:${stage.port}
ServerName localhost
<Directory ${directory}>
AllowOverride All
Require all granted
</Directory>
${server}
IncludeOptional ${stage.at('conf-enabled')}/*.conf
IncludeOptional ${stage.at('vhosts')}/*.conf
`;
}

/** Returns a vhost of one tenant's, with the pool of that name, and makes its document root. */
const vhostOf = (
  stage: EntriesStage,
  name: string,
  tenant: 'owner' | 'other',
  more: string,
) => `<VirtualHost 127.0.0.1:${stage.port}>
  ServerName ${name}.example
  DocumentRoot ${stage.root(name, uids[tenant])}
  DirectoryIndex index.php
  CustomLog ${stage.at(`${name}.log`)} "%>s %U"
  ${more}
  <FilesMatch "\\.php$">
    SetHandler "proxy:unix:${stage.at(`${tenant}.sock`)}|fcgi://localhost"
  </FilesMatch>
</VirtualHost>
`;

export function apacheSites(stage: EntriesStage) {
  const at = (path: string) => stage.at(path);
  const apache = (): ApacheProgram => ({
    program: '/usr/sbin/apache2',
    args: ['-f', at('apache2.conf')],
    directory: stage.directory,
    modInfo: `${modules}/mod_info.so`,
    environment: {},
    ownFile: at('conf-enabled/bulkhead.conf'),
    pidFile: at('apache.pid'),
  });
  const survey = () => surveyWeb({ fpm: stage.programs().fpm, apache: apache() }, stage.tenancy());
  const plan = async (wanted: Wanted, editVhosts = false) =>
    planApache(apache(), await survey(), {
      limits: limitsOf(wanted),
      socket: at('web.sock'),
      editVhosts,
    });
  const carriedOut = async (
    planned: Result<ServerEntries, Problem>,
  ): Promise<Result<ReloadResult, Problem>> =>
    planned.ok ? planned.value.apply(stage.run) : planned;

  /** Prepares two sites of tenants, each with its .htaccess, as most hosters allow it. */
  async function prepare({
    qos = true,
    include = true,
    server = '',
    more = '',
  } = {}): Promise<void> {
    await stage.prepare(() => '');
    stage.port = await freePort();
    mkdirSync(at('conf-enabled'));
    stage.write('mime.types', 'text/css css\n');
    const modules = [...loaded, ...(qos ? ['qos'] : [])];
    stage.write('apache2.conf', configurationOf(stage, modules, server));
    const line = (uid: number) => (include ? `IncludeOptional ${at(`bulkhead/u${uid}.conf`)}` : '');
    const [owner, other] = [`${line(uids.owner)}\n  ${more}`, line(uids.other)];
    stage.write('vhosts/a.conf', vhostOf(stage, 'a', 'owner', owner));
    stage.write('vhosts/n.conf', vhostOf(stage, 'n', 'other', other));
  }

  async function started(): Promise<void> {
    stage.start(stage.php.program, '-F', '-R', '-y', at('fpm.conf'));
    stage.start('/usr/sbin/apache2', '-f', at('apache2.conf'), '-DFOREGROUND');
    await stage.served(['a.example', 'n.example']);
  }

  async function enabled(limits: Wanted = three): Promise<void> {
    const outcome = await carriedOut(await plan(limits));
    assert.ok(outcome.ok, outcome.ok ? '' : formatProblem(outcome.error));
    assert.equal(outcome.value, 'reloaded');
    // Processes of before the reload answer what they have, and then end.
    await eventually('it is in force', async () => {
      const answers = await burst(5);
      return answers[508] === 2;
    });
  }

  /** Statuses of as many requests at once, of which some are let go when no more come. */
  async function burst(count: number): Promise<Readonly<Record<number, number>>> {
    stage.shut();
    let answered = 0;
    const all = times(count, { host: 'a.example', path: '/' }).map(async (each) => {
      const answer = await stage.ask1(each);
      answered++;
      return answer;
    });
    // While Apache reloads it may answer something else.
    await eventually('each runs or has its answer', () => stage.running() + answered >= count);
    stage.letGo();
    return statuses(await Promise.all(all));
  }

  /**
   * Checks how many requests are served. Apache frees a place after the answer, when it has logged the request. So
   * fewer of several concurrent requests may be served for a moment; never more.
   */
  async function served(
    count: number,
    asked: readonly Asked[],
    what = '',
  ): Promise<readonly Answer[]> {
    const refused = asked.length - count;
    return eventually(`${count} are served ${what}`, async () => {
      const answers = await stage.atOnce(asked);
      const { 200: ran = 0, 508: not = 0 } = statuses(answers);
      assert.equal(ran + not, asked.length, what);
      assert.ok(ran <= count, `${ran} are served ${what}`);
      // A script that ran for a refused request would be one more.
      assert.equal(stage.running(), ran, what);
      return not === refused && answers;
    });
  }

  return { at, apache, survey, plan, carriedOut, prepare, started, enabled, burst, served };
}
