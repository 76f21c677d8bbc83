/**
 * A few of Debian's packages for DKMS, built by Debian's dkms, and what can be told of their modules: among them one whose
 * dkms.conf gives make what nobody else knows, and one with a script that makes a header first. All of the packages:
 * `node testing/dkms/main.ts`.
 */
import '../../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { buildByDkms } from '../../../../testing/dkms/build.ts';
import { DkmsPackages } from '../../../../testing/dkms/packages.ts';
import { tryPackage, verdictOn, type TrialResponse } from '../../../../testing/dkms/trial.ts';
import { prepareKernelFiles } from '../../../../testing/oracle/kernel-files.ts';
import { patienceMilliseconds } from '../../../../testing/patience.ts';
import { suiteDirectory } from '../../../../testing/temporary-directory.ts';

const kernel = await prepareKernelFiles((line) => console.log(`# ${line}`));
const packages = kernel.ok ? await DkmsPackages.open() : kernel;
const build = packages.ok ? await packages.value.headers() : packages;
const dkms = packages.ok ? await packages.value.dkms() : packages;
const skip = !build.ok ? build.error.reason : !dkms.ok ? dkms.error.reason : false;
const scratch = suiteDirectory('dkms');

async function answersOn(name: string): Promise<readonly TrialResponse[]> {
  assert.ok(packages.ok && build.ok && dkms.ok);
  const [version = '', older] = await packages.value.versions(name);
  const source = await packages.value.source(name, version);
  assert.ok(source.ok, source.ok ? '' : source.error.reason);
  const built = join(scratch, name);
  const made = await buildByDkms(source.value, build.value, dkms.value, built);
  assert.ok(made.ok, made.ok ? '' : made.error.reason);
  const other = older === undefined ? undefined : await packages.value.source(name, older);
  return tryPackage({
    source: source.value,
    other: other?.ok === true ? other.value : undefined,
    built,
    build: build.value,
    rebuildsMax: 1,
  });
}

suite("Debian's DKMS packages", { skip, timeout: patienceMilliseconds }, () => {
  for (const [name, rightSource, changedLine, removedFile] of [
    ['bbswitch-dkms', 'consistent', 'differs', 'differs'],
    ['acpi-call-dkms', 'undecided', 'undecided', 'differs'],
    ['rtpengine-kernel-dkms', 'undecided', 'undecided', 'undecided'],
    ['v4l2loopback-dkms', 'consistent', 'differs', 'differs'],
  ] as const) {
    test(`${name} is judged correctly and rebuilt`, async (context) => {
      const answers = await answersOn(name);
      for (const each of answers) {
        context.diagnostic(`${each.module}: ${each.question}: ${each.outcome}`);
        assert.notEqual(verdictOn(each), 'wrong', `${each.question}: ${each.why}`);
      }
      const outcome = (question: string) =>
        answers.find((each) => each.question === question)?.outcome;
      assert.equal(outcome('right source'), rightSource);
      assert.equal(outcome('changed line'), changedLine);
      assert.equal(outcome('removed file'), removedFile);
      const again = answers.find((each) => each.question.startsWith('rebuilt'))!;
      assert.equal(again.outcome, 'reproduced', again.why);
    });
  }
});
