/**
 * Modules that are above suspicion: every one of Debian's cloud kernels, looked at deeply. None may be
 * contradicted, and what deserves a look must be rare enough to be looked at.
 */
import '../../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { buildSigns } from '../../io/scan/judge-modules.ts';
import { collectInputs } from '../../io/inputs/inputs.ts';
import { hostRoots } from '../../io/kernel/kernel-files.ts';
import { readKernel, type KernelReading } from '../../io/kernel/read-kernel.ts';
import { judgeAll, type SurveyedModule } from '../../io/scan/survey.ts';
import { readAll } from '../../io/scan/read-modules.ts';
import { debianKernel, type DebianKernel } from './debian-kernels.ts';
import { formatProblem } from '../../../base/problem.ts';

const leadsMax = 0.01;

interface Survey {
  readonly reading: KernelReading;
  readonly modules: readonly SurveyedModule[];
}

async function survey({ directory }: DebianKernel): Promise<Survey> {
  const read = readKernel({ directories: [directory], cmdline: '', roots: hostRoots });
  assert.ok(read.ok, read.ok ? '' : formatProblem(read.error));
  const { kernel, certificates, moduleDirectory } = read.value;
  assert.ok(moduleDirectory !== undefined);
  const keys = { kernel: certificates, given: [] };
  const options = { cacheAs: undefined, deep: true, onRead: () => {} };
  const { entries, problems } = await readAll(collectInputs([moduleDirectory]), keys, options);
  assert.deepEqual(problems, []);
  const around = { kernel, buildSigns: buildSigns(entries, read.value), providers: [] };
  assert.ok(around.buildSigns);
  return { reading: read.value, modules: judgeAll(entries, around) };
}

const evidenceOf = (modules: readonly SurveyedModule[], weight: string): readonly string[] =>
  modules.flatMap(({ file, evidence }) =>
    evidence
      .filter((each) => each.weight === weight)
      .map((each) => `${file.slice(file.indexOf('/kernel/') + 8)}: ${each.check}: ${each.message}`),
  );

for (const architecture of ['amd64', 'arm64'] as const) {
  const fetched = await debianKernel(architecture);
  const skip = !fetched.ok && `no kernel packages for ${architecture}: ${fetched.reason}`;
  describe(`every module of Debian's cloud kernel for ${architecture}`, { skip }, async () => {
    if (!fetched.ok) return;
    const { reading, modules } = await survey(fetched.kernel);

    test('is read, with no gaps in what is known of the kernel', () => {
      assert.ok(modules.length > 500);
      assert.deepEqual(reading.gaps, []);
      assert.match(reading.origins.certificates ?? '', /\/vmlinuz-/);
      assert.equal(modules.length, fetched.kernel.modules.length);
    });

    test('is signed by a key in the image, and no proof contradicts it', () => {
      assert.deepEqual(evidenceOf(modules, 'proof'), []);
      for (const { file, trustLevel, signature } of modules) {
        assert.equal(trustLevel, 'signed', file);
        assert.equal(signature.trustedBy, 'kernel', file);
      }
    });

    test('would load without a taint, except C for staging drivers', () => {
      for (const { file, verdict } of modules) {
        const { result, taints, reasons, unknown } = verdict;
        const staging = file.includes('/drivers/staging/');
        assert.equal(result, 'load', `${file}: ${reasons.map((each) => each.reason).join('; ')}`);
        assert.equal(taints, staging ? 'C' : '', file);
        assert.deepEqual(unknown, [], file);
      }
    });

    test('shows leads in at most 1 % of all modules', (context) => {
      const leads = evidenceOf(modules, 'lead');
      const share = leads.length / modules.length;
      context.diagnostic(`${leads.length} leads in ${modules.length} modules`);
      for (const each of leads) context.diagnostic(each);
      assert.ok(share <= leadsMax, `${(share * 100).toFixed(1)} %`);
    });
  });
}
