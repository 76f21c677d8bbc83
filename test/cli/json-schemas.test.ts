/** Each command with `--json` has a schema, and some test checks its real output against it. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { commandSchemas } from '../../scripts/generated/json-schemas.ts';
import { jsonOf } from '../../testing/json-output.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const instance = 'bulkhead-json-schemas';

test('every command with --json has a test that checks its output', async () => {
  const files = globSync('test/**/*.ts', { cwd: root });
  const texts = files.map((file) => readFileSync(join(root, file), 'utf8')).join('\n');
  const checked = [...texts.matchAll(/\bjsonOf(?:<[^(]*>)?\(\s*'([^']+)'/g)].map(
    ([, name]) => name,
  );
  const commands = (await commandSchemas()).map(({ of }) => of);
  assert.ok(commands.length > 50);
  assert.deepEqual(
    commands.filter((each) => !checked.includes(each)),
    [],
  );
  assert.deepEqual(
    checked.filter((each) => !commands.includes(each ?? '')),
    [],
  );
});

test('schemas describe each field, and have integers for ids', () => {
  const files = globSync('schema/{api,json}/*.json', { cwd: root });
  assert.ok(files.length > 60);
  for (const file of files) {
    const schema = JSON.parse(readFileSync(join(root, file), 'utf8')) as Schema;
    for (const [name, field] of fieldsOf(schema)) {
      const target = schema.definitions?.[field.$ref?.replace('#/definitions/', '') ?? ''];
      assert.ok(field.description ?? target?.description, `${file}: ${name}`);
      if (/^(?:uid|gid|pid|port|line|column)$/.test(name))
        assert.doesNotMatch(JSON.stringify(field), /"number"/, `${file}: ${name}`);
    }
  }
});

interface Schema {
  readonly $ref?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly definitions?: Readonly<Record<string, Schema>>;
}

/** Yields all fields in a schema, however deep. */
function* fieldsOf(schema: unknown): Generator<readonly [name: string, field: Schema]> {
  if (typeof schema !== 'object' || schema === null) return;
  const { properties = {}, ...rest } = schema as Schema;
  for (const [name, field] of Object.entries(properties)) {
    yield [name, field];
    yield* fieldsOf(field);
  }
  for (const each of Object.values(rest)) yield* fieldsOf(each);
}

const skip = process.geteuid?.() === 0 ? false : 'only root may ask';

test('status --json matches its schema when the feature is disabled', { skip }, () => {
  const printed = (...args: readonly string[]) =>
    spawnSync('./bulkhead', ['--instance', instance, ...args, '--json'], {
      cwd: root,
      encoding: 'utf8',
    }).stdout;
  jsonOf('placement status', printed('placement', 'status'));
  jsonOf('symlinks guard status', printed('symlinks', 'guard', 'status'));
  jsonOf('modules gate status', printed('modules', 'gate', 'status'));
  jsonOf('pam status', printed('pam', 'status'));
  jsonOf('jail status', printed('jail', 'status'));
});
