/**
 * Signs of evidence on real modules: built here by the kernel's own makefiles, with the tricks of such
 * modules' authors, and next to each an honest one like it. See evidence/cases.ts.
 */
import '../../../../testing/guard/here.ts';
import { bareName } from '../../core/record/module-file.ts';
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { buildSigns } from '../../io/scan/judge-modules.ts';
import type { SourceFinding, TrustContext } from '../../core/evidence/evidence-context.ts';
import { checks } from '../../core/evidence/checks.ts';
import { modinfo } from '../../core/record/module.ts';
import { checkClaim, termsOf } from '../../core/packages/claims.ts';
import { matchSource } from '../../core/source/match.ts';
import {
  prepareKernelFiles,
  type OracleKernelFiles,
} from '../../../../testing/oracle/kernel-files.ts';
import { makeRunDirectory, type RunDirectory } from '../../../../testing/vm/directories.ts';
import { collectInputs } from '../../io/inputs/inputs.ts';
import { findKernelBuild } from '../../io/kernel/kernel-build.ts';
import { hostRoots } from '../../io/kernel/kernel-files.ts';
import { readKernel } from '../../io/kernel/read-kernel.ts';
import { openOffered, readFunctions } from '../../io/source/match-files.ts';
import { judgeAll, type SurveyedModule } from '../../io/scan/survey.ts';
import { readAll, type ScannedFile } from '../../io/scan/read-modules.ts';
import { readCertificates } from '../../io/kernel/certificate-file.ts';
import { signedBase } from '../core/family/steps.ts';
import { noOpenssl } from './certificates.ts';
import { cases, type Subject } from './evidence/cases.ts';
import { openWorkshop, type Workshop } from './evidence/workshop.ts';
import { patienceMilliseconds } from '../../../../testing/patience.ts';
import { formatProblem } from '../../../base/problem.ts';

const prepared = await prepareKernelFiles((line) => console.log(`# ${line}`));
const files = (prepared as { value: OracleKernelFiles }).value;
const skip = prepared.ok ? noOpenssl : prepared.error.reason;

suite('evidence on real modules', { skip }, () => {
  let scratch: RunDirectory;
  let modules: ReadonlyMap<Subject, SurveyedModule>;
  let seen: ReadonlySet<string>;

  before(
    async () => {
      scratch = await makeRunDirectory();
      const workshop = await openWorkshop(files, scratch.directory);
      const subjects = [...new Set(cases.flatMap(({ subject, honest }) => [subject, honest]))];
      ({ modules, seen } = await survey(subjects, workshop));
    },
    { timeout: patienceMilliseconds },
  );
  after(() => scratch.remove());

  for (const { name, shows, subject, honest } of cases) {
    const [weight = '', check = ''] = shows.split(' ');
    test(`${name}: ${check}`, (context) => {
      const { trustLevel, evidence } = modules.get(subject)!;
      const found = evidence.find((each) => each.check === check);
      assert.equal(found?.weight, weight, evidence.map((each) => each.message).join('\n'));
      context.diagnostic(found.message);
      const proofs = evidence.filter((each) => each.weight === 'proof');
      assert.equal(trustLevel === 'contradicted', proofs.length > 0);
      // The subject of the case must be the only evidence against it.
      if (weight !== 'proof') assert.deepEqual(proofs, []);

      const other = modules.get(honest)!;
      assert.deepEqual(
        other.evidence.filter((each) => each.check === check),
        [],
      );
    });
  }

  test('every check finds something in some module', () => {
    assert.deepEqual(
      checks.map((check) => check.name).filter((name) => !seen.has(name)),
      [],
    );
  });

  test('honest modules show no proof and no lead', () => {
    const honest = [
      'ev_honest',
      'ev_helper',
      'ev_manager',
      'ev_probe',
      'ev_table',
      'ev_phrases',
      'ev_wiped',
      signedBase,
    ];
    const untouched = [...modules].filter(
      ([{ base, edits, ...more }]) =>
        honest.includes(base) && edits.length === 0 && Object.keys(more).length === 0,
    );
    assert.equal(new Set(untouched.map(([{ base }]) => base)).size, honest.length);
    for (const [{ base }, { trustLevel, evidence }] of untouched) {
      const against = evidence.filter(({ weight }) => weight === 'proof' || weight === 'lead');
      assert.deepEqual(against, [], base);
      assert.equal(trustLevel, base === signedBase ? 'signed' : 'unsupported', base);
    }
  });
});

/** Surveys all of them at once, as a scan of one directory would. */
async function survey(subjects: readonly Subject[], workshop: Workshop) {
  const read = readKernel({ directories: [files.modules], cmdline: '', roots: hostRoots });
  assert.ok(read.ok, read.ok ? '' : formatProblem(read.error));
  const given = readCertificates(workshop.certificate);
  assert.ok(given.ok);
  const keys = { kernel: read.value.certificates, given: given.value };
  const places = new Map<string, Subject>();
  for (const subject of subjects) places.set(await workshop.place(subject), subject);
  const options = { cacheAs: undefined, deep: false, onRead: () => {} };
  const { entries, problems } = await readAll(collectInputs([...places.keys()]), keys, options);
  assert.deepEqual(problems, []);
  const subjectOf = ({ file }: ScannedFile) => places.get(file.replace(/!.*$/, ''))!;
  const findings = await findingsOf(entries, subjectOf, workshop);
  const surveyed = judgeAll(entries, {
    kernel: read.value.kernel,
    // The kernel's own tree must show the same for one module as for all.
    buildSigns: buildSigns([], read.value),
    providers: [],
    sourceOf: ({ file }) => findings.get(file),
  });
  const modules = new Map(surveyed.map((each) => [subjectOf(each), each]));
  assert.equal(modules.size, subjects.length);
  return { modules, seen: namesOfChecks(surveyed, read.value.kernel.release, findings) };
}

async function findingsOf(
  entries: readonly ScannedFile[],
  subjectOf: (entry: ScannedFile) => Subject,
  { source, changed, closed }: Workshop,
): Promise<ReadonlyMap<string, SourceFinding>> {
  const functions = await readFunctions(entries);
  const build = findKernelBuild(files.release, [files.headers]);
  assert.ok(build.ok, build.ok ? '' : formatProblem(build.error));
  const findings = new Map<string, SourceFinding>();
  for (const entry of entries) {
    const offered = subjectOf(entry).source;
    if (offered === undefined) continue;
    const directories = { own: source, changed, closed };
    const opened = openOffered(directories[offered], { build: build.value });
    assert.ok(opened.ok, opened.ok ? '' : formatProblem(opened.error));
    const { outcome, reasons, license } = matchSource(
      entry.module,
      opened.value,
      functions.get(entry.file),
    );
    const { closedTerms } = license;
    findings.set(entry.file, { outcome, message: reasons.join('; '), closedTerms });
  }
  return findings;
}

/** Names of the functions that found anything. */
function namesOfChecks(
  surveyed: readonly SurveyedModule[],
  release: string,
  findings: ReadonlyMap<string, SourceFinding>,
): ReadonlySet<string> {
  const seen = new Set<string>();
  for (const { module, signature, verdict, gplOnly, file, origin } of surveyed) {
    const claim = checkClaim(modinfo(module, 'license'), termsOf(origin.package?.license));
    const context: TrustContext = {
      fileName: bareName(file),
      signature,
      verdict,
      gplOnly,
      release,
      buildSigns: true,
      packageClaim: { outcome: claim.result, message: claim.message },
      source: findings.get(file),
    };
    for (const check of checks) if (check(module, context) !== undefined) seen.add(check.name);
  }
  return seen;
}
