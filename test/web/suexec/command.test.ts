/** `bulkhead web suexec` with Debian's update-alternatives, and with updates of Apache's packages in between. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { WebSuexecStatusJson } from '../../../src/web/commands/json.ts';
import { packageFile } from '../../../src/sys/package-files.ts';
import { jsonOf } from '../../../testing/json-output.ts';
import { showSelf, skip, SuexecStage } from './stage.ts';

const link = '/usr/lib/apache2/suexec';
const [custom, pristine] = [`${link}-custom`, `${link}-pristine`];

suite('bulkhead web suexec', { skip }, () => {
  const stage = new SuexecStage('cmd');
  stage.register();
  const suexec = (...args: readonly string[]) =>
    stage.call(packageFile('bulkhead'), '--instance', stage.instance, 'web', 'suexec', ...args);
  const must = (...args: readonly string[]) => {
    const { status, stdout, stderr } = suexec(...args);
    assert.equal(status, 0, stderr);
    return stdout;
  };
  const state = () =>
    jsonOf<WebSuexecStatusJson>('web suexec status', suexec('status', '--json').stdout);
  const target = () => stage.mustCall('readlink', '-f', link).trim();
  const alternatives = (...args: readonly string[]) =>
    stage.mustCall('update-alternatives', '--quiet', ...args);
  /** The step of the packages' scripts at installation, and at each update. */
  const configure = (program: string) => alternatives('--install', link, 'suexec', program, '10');

  test('it is not possible without a suexec that update-alternatives manages', () => {
    stage.mustCall('rm', link);
    assert.equal(state().state, 'unavailable');
    assert.match(suexec('enable').stderr, /knows no suexec; run apt-get install/);
    must('disable');
  });

  test('enable has Apache call it until disable, also over updates of the packages', async () => {
    configure(custom);
    assert.deepEqual(state(), { state: 'disabled', program: custom });
    for (const tenant of ['alice', 'bob'] as const) stage.write(tenant, 'a.cgi', showSelf);
    await stage.start();
    const isPlaced = async () => {
      const { status, body } = await stage.ask('bob', '/a.cgi');
      assert.equal(status, 200, stage.log());
      return new RegExp(`:/${stage.instance}/u${stage.uids.bob}$`, 'm').test(body);
    };
    assert.equal(await isPlaced(), false);
    assert.match(must('enable'), /^Enabled/);
    assert.deepEqual(state(), { state: 'enabled', program: custom, caller: 33 });
    assert.equal(await isPlaced(), true);
    assert.equal((await stage.ask('alice', '/a.cgi')).status, 200, stage.log());
    const stat = stage.mustCall('stat', '-c', '%a %u %g', stage.wrapper);
    assert.equal(stat, '4750 0 33\n');
    configure(custom);
    // Another suexec that is installed later changes nothing, and neither does a removal of that one.
    configure(pristine);
    assert.equal(target(), stage.wrapper);
    alternatives('--remove', 'suexec', pristine);
    assert.equal(await isPlaced(), true);
    must('disable');
    assert.equal(target(), custom);
    assert.equal(await isPlaced(), false);
    assert.equal(stage.call('ls', stage.wrapper.replace(/\/suexec$/, '')).status, 2);
    assert.doesNotMatch(alternatives('--query', 'suexec'), /bulkhead/);
    must('disable');
  });

  test("an administrator's choice is kept, and restored by disable", () => {
    configure(custom);
    configure(pristine);
    alternatives('--set', 'suexec', pristine);
    must('enable');
    must('enable');
    must('disable');
    assert.equal(target(), pristine);
    assert.match(alternatives('--query', 'suexec'), /^Status: manual$/m);
    alternatives('--auto', 'suexec');
  });

  test('damage is shown, and repaired by enable', () => {
    const settings = stage.wrapper.replace(/suexec$/, 'suexec.conf');
    must('enable');
    for (const damage of [
      `chmod 755 ${stage.wrapper}`,
      `printf x >> ${stage.wrapper}; chmod 4750 ${stage.wrapper}`,
      `printf x > ${settings}`,
      `update-alternatives --quiet --remove suexec ${stage.wrapper}`,
    ]) {
      stage.mustCall('sh', '-c', damage);
      const shown = suexec('status');
      assert.equal(shown.status, 3, damage);
      assert.match(shown.stdout, /^Damaged: .*; run: bulkhead web suexec enable$/m);
      assert.match(must('enable'), /^Enabled/, damage);
    }
    // The suexec that it calls is gone: another one takes its place.
    alternatives('--remove', 'suexec', custom);
    assert.match(must('enable'), /^Enabled.*\n.*suexec-pristine makes its checks/);
    must('disable');
  });

  test('a suexec that others can change is never run as root', () => {
    configure(custom);
    stage.mustCall('chmod', '4777', custom);
    alternatives('--set', 'suexec', custom);
    assert.match(suexec('enable').stderr, /others than root can change/);
    assert.equal(target(), custom);
    stage.mustCall('chmod', '4754', custom);
    const asOther = stage.call(
      'setpriv',
      `--reuid=${stage.uids.bob}`,
      '--clear-groups',
      packageFile('bulkhead'),
      '--instance',
      stage.instance,
      'web',
      'suexec',
      'enable',
    );
    assert.match(asOther.stderr, /only root can/);
  });
});
