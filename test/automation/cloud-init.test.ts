/** The user-data for cloud images, checked by the real cloud-init. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parseAnswers } from '../../src/setup/core/answers.ts';
import { ensurePrerequisites } from '../../testing/prerequisites.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const ready = await ensurePrerequisites('cloud-init', (line) => process.stderr.write(`${line}\n`));
const skip = ready.ok ? false : ready.reason;

const file = new URL('../../examples/cloud-init/user-data.yml', import.meta.url).pathname;
const text = readFileSync(file, 'utf8');
const directory = suiteDirectory('cloud-init');

const schema = (config: string) =>
  spawnSync('cloud-init', ['schema', '--config-file', config], { encoding: 'utf8' });

describe('the user-data', { skip }, () => {
  test('is valid', () => {
    const { status, stdout, stderr } = schema(file);
    assert.equal(status, 0, stdout + stderr);
  });

  test('would be refused with a mistake', () => {
    const wrong = join(directory, 'user-data.yml');
    writeFileSync(wrong, text.replace('permissions:', 'permision:'));
    assert.notEqual(schema(wrong).status, 0);
  });
});

const aptReady = spawnSync('apt-cache', ['--version']).status === 0;

describe('the preferences of apt in the user-data', { skip: !aptReady && 'apt is missing' }, () => {
  const root = suiteDirectory('cloud-init-apt');
  const lists = join(root, 'lists');
  const source = /source: deb \[.*?\] (.*)/.exec(text)?.[1] ?? '';
  const preferences =
    /bulkhead\.pref[\s\S]*?content: \|\n([\s\S]*?)\n {2}- path/.exec(text)?.[1] ?? '';
  const file = preferences.replaceAll(/^ {6}/gm, '');

  /** Returns what apt would install of packages that the repository has, at 0.1.0 and 0.2.0. */
  function candidate(name: string, preferences: string): string | undefined {
    mkdirSync(join(lists, 'partial'), { recursive: true });
    writeFileSync(join(root, 'status'), '');
    writeFileSync(join(root, 'preferences'), preferences);
    writeFileSync(join(root, 'sources.list'), `deb [trusted=yes arch=amd64] ${source}\n`);
    const stem = 'packages.example.org_apt_dists_stable';
    writeFileSync(join(lists, `${stem}_InRelease`), 'Suite: stable\nComponents: main\n');
    const packages = ['bulkhead', 'bulkhead-archive-keyring', 'openssh-server'].flatMap((each) =>
      ['0.1.0', '0.2.0'].map(
        (version) =>
          `Package: ${each}\nVersion: ${version}\nArchitecture: amd64\nFilename: ${each}.deb\n`,
      ),
    );
    writeFileSync(join(lists, `${stem}_main_binary-amd64_Packages`), packages.join('\n'));
    const options = [
      `Dir::State::Lists=${lists}`,
      `Dir::State::Status=${root}/status`,
      `Dir::Etc::SourceList=${root}/sources.list`,
      'Dir::Etc::SourceParts=/dev/null',
      `Dir::Etc::Preferences=${root}/preferences`,
      'Dir::Etc::PreferencesParts=/dev/null',
      `Dir::Cache=${root}/cache`,
      'APT::Architecture=amd64',
    ].flatMap((each) => ['-o', each]);
    const env = { ...process.env, LC_ALL: 'C' };
    const run = spawnSync('apt-cache', [...options, 'policy', name], { encoding: 'utf8', env });
    assert.equal(run.stderr, '');
    return /Candidate: (.*)/.exec(run.stdout)?.[1];
  }

  test('take nothing but Bulkhead from the repository', () => {
    assert.equal(candidate('bulkhead', file), '0.2.0');
    assert.equal(candidate('bulkhead-archive-keyring', file), '0.2.0');
    assert.equal(candidate('openssh-server', file), '(none)');
    assert.equal(candidate('openssh-server', ''), '0.2.0');
  });

  test('keep one version if the comments are removed', () => {
    const pinned = file.replaceAll(/^#(?=\S)/gm, '');
    assert.equal(candidate('bulkhead', pinned), '0.1.0');
    assert.equal(candidate('bulkhead-archive-keyring', pinned), '0.2.0');
    assert.equal(candidate('openssh-server', pinned), '(none)');
  });
});

test('the user-data has answers that setup accepts', () => {
  const [answers = ''] = /\{ "version".*\}/.exec(text) ?? [];
  const parsed = parseAnswers(answers);
  assert.ok(parsed.ok, answers);
  assert.equal(parsed.value.level, 'limit');
});
