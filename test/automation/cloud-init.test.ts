/** The user-data for cloud images, checked by the real cloud-init. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
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

test('the user-data has answers that setup accepts', () => {
  const [answers = ''] = /\{ "version".*\}/.exec(text) ?? [];
  const defaults = {
    level: 'observe',
    tenants: '1000-60000',
    except: [],
    limits: 'medium',
    entries: 20,
    jails: 'none',
    alerts: 'none',
  } as const;
  const parsed = parseAnswers(answers, defaults);
  assert.ok(parsed.ok, answers);
  assert.equal(parsed.value.level, 'limit');
});
