/** Accounts of a policy that do not exist any more, or that a directory service does not find now. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, test } from 'node:test';
import { PolicyReader, type Loaded } from '../../src/apply/load-policy.ts';
import { keepNamedAccounts } from '../../src/host/accounts/keep-named-accounts.ts';
import { namedAccountsFile } from '../../src/host/accounts/named-accounts.ts';
import { pathsOf } from '../../src/host/paths.ts';
import {
  formatNamedAccounts,
  namedAccountBytesMax,
  parseNamedAccounts,
} from '../../src/policy/accounts/named-accounts.ts';
import { findTenant } from '../../src/policy/policy.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';

/** No account of a machine that runs the tests has these uids. */
const [alice, mallory, fresh] = [1_987_101, 1_987_102, 1_987_103];
let root = '';
let place = pathsOf('bulkhead-missing');
let savedPath = '';

beforeEach((t) => {
  root = testDirectory(t, 'missing');
  place = { ...place, etc: join(root, 'etc'), state: join(root, 'state') };
  for (const each of [place.etc, join(root, 'bin')]) mkdirSync(each);
  writeFileSync(join(place.etc, 'login.defs'), 'UID_MIN 1000\nUID_MAX 9999999\n');
  accounts({});
  savedPath = process.env['PATH'] ?? '';
  if ('after' in t) t.after(() => (process.env['PATH'] = savedPath));
});

/** Writes the accounts of the host. */
function accounts(uids: Readonly<Record<string, number>>): void {
  const lines = Object.entries(uids).map(([user, uid]) => `${user}:x:${uid}:7:::/bin/sh`);
  writeFileSync(
    join(place.etc, 'passwd'),
    ['root:x:0:0::/root:/bin/sh', ...lines, ''].join('\n').replaceAll(':::', '::/home/x:'),
  );
}

/** Puts a directory service in the place of the host's, which has none. */
function directoryService(script: string): void {
  writeFileSync(join(root, 'bin', 'getent'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  process.env['PATH'] = `${join(root, 'bin')}:${savedPath}`;
}

const load = (body: string): Loaded =>
  new PolicyReader().resolve('p.xml', `<bulkhead version="1">${body}</bulkhead>`, place);
const words = (loaded: Loaded) =>
  loaded.diagnostics.map(({ severity, message }) => `${severity}: ${message}`);

/** Loads a policy and records its accounts, as an apply does. */
function apply(body: string): Loaded {
  const loaded = load(body);
  assert.ok(loaded.policy, words(loaded).join('\n'));
  assert.deepEqual(keepNamedAccounts(place, loaded.policy), { ok: true, value: undefined });
  return loaded;
}

const limits = '<processes limit="7"/>';
const tenant = (user: string) => `<tenant user="${user}">${limits}</tenant>`;

describe('a policy that names an account that does not exist any more', () => {
  test('stays valid: its last uid keeps its limits, and a warning names the remedy', () => {
    accounts({ alice });
    const before = apply(tenant('alice')).policy;
    accounts({});
    const after = apply(tenant('alice'));
    assert.deepEqual(after.policy?.tenants, before?.tenants);
    assert.deepEqual(words(after), [
      `warning: The account "alice" does not exist now: it was deleted, or its directory service does not answer. Uid ${alice}, its last one, keeps its limits; if it was deleted, run: bulkhead remove alice`,
    ]);
    const again = apply(`${tenant('alice')}<tenant uid="${mallory}"/>`);
    assert.deepEqual(
      again.policy?.tenants.map(({ uid }) => uid),
      [alice, mallory],
    );
  });

  test('a name that no apply has known is an error, also next to known ones', () => {
    assert.match(words(load(tenant('alice'))).join(), /^error: There is no user "alice"/);
    accounts({ alice });
    apply(tenant('alice'));
    accounts({});
    const typo = load(tenant('alice') + tenant('alcie'));
    assert.equal(typo.policy, undefined);
    assert.match(words(typo).join('\n'), /error: There is no user "alcie".*mean "alice"/);
  });

  test('another account that has got the uid never gets the limits, the jail or the exception', () => {
    accounts({ alice });
    apply(`<tenants uids="1000-9999999" except="alice"/>`);
    accounts({ mallory: alice });
    const ranged = load(`<tenants uids="1000-9999999" except="alice"/>`);
    assert.match(
      words(ranged).join(),
      /"mallory" has .*: the exception has no effect.*remove "alice" from "except"/,
    );
    assert.deepEqual(
      ranged.policy?.tenants.map(({ account }) => account?.user),
      ['mallory'],
    );
    accounts({ alice });
    const named = `<tenant user="alice">${limits}<jail profile="web"/></tenant>`;
    apply(named);
    accounts({ mallory: alice });
    const taken = apply(named);
    assert.deepEqual(taken.policy?.tenants, []);
    assert.match(words(taken).join(), /"mallory" has got its uid .*the element has no effect/);
  });

  test('a replaced account stays replaced when the other account is gone too', () => {
    accounts({ alice });
    apply(tenant('alice'));
    accounts({ mallory: alice });
    apply(tenant('alice'));
    accounts({});
    const after = apply(tenant('alice'));
    assert.deepEqual(after.policy?.tenants, []);
    assert.match(words(after).join(), /another account has got its uid/);
    accounts({ alice: fresh });
    assert.deepEqual(apply(tenant('alice')).policy?.missing, []);
  });

  test('an account that was made again has its new uid', () => {
    accounts({ alice });
    apply(tenant('alice'));
    accounts({});
    apply(tenant('alice'));
    accounts({ alice: fresh, mallory: alice });
    const after = apply(tenant('alice'));
    assert.deepEqual(words(after), []);
    assert.deepEqual(
      after.policy?.tenants.map(({ uid }) => uid),
      [fresh],
    );
  });

  test('a renamed account is not bound by its old name, and the warning names the new one', () => {
    accounts({ alice });
    apply(tenant('alice'));
    accounts({ alicia: alice });
    const after = apply(tenant('alice'));
    assert.deepEqual(after.policy?.tenants, []);
    assert.match(words(after).join(), /"alicia" has got its uid .*renamed, write the new name/);
  });

  test('a missing reseller keeps its tenants; a replaced one leaves them on their own', () => {
    const body = `<reseller user="acme">${limits}<tenant user="alice"/></reseller>`;
    accounts({ acme: mallory, alice });
    apply(body);
    accounts({ alice });
    const missing = apply(body);
    assert.equal(findTenant(missing.policy ?? assert.fail(), 'alice')?.reseller, mallory);
    assert.match(words(missing).join(), /run: bulkhead reseller remove acme$/);
    accounts({ alice, eve: mallory });
    const replaced = apply(body);
    assert.deepEqual(replaced.policy?.resellers, []);
    const kept = findTenant(replaced.policy ?? assert.fail(), 'alice');
    assert.deepEqual([kept?.uid, kept?.reseller], [alice, undefined]);
    assert.match(words(replaced).join(), /nothing limits the sum of its tenants/);
  });

  test('a missing account of an exception stays outside the range', () => {
    accounts({ alice, bob: mallory });
    const body = '<tenants uids="1000-9999999" except="alice"/>';
    apply(body);
    accounts({ bob: mallory });
    const after = apply(body);
    assert.deepEqual(
      after.policy?.tenants.map(({ uid }) => uid),
      [mallory],
    );
    assert.match(words(after).join(), /keeps its exception; if it was deleted, remove "alice"/);
  });

  test('a range drops an account that is gone, without a word', () => {
    accounts({ alice, bob: mallory });
    const body = '<tenants uids="1000-9999999"/>';
    apply(body);
    accounts({ bob: mallory });
    const after = apply(body);
    assert.deepEqual(words(after), []);
    assert.equal(after.policy?.tenants.length, 1);
  });
});

describe('names that share a uid', () => {
  const shared = { alice, 'alice-ssh': alice };

  test('are no new owners, while an account that comes later is one', () => {
    accounts(shared);
    apply(tenant('alice'));
    assert.match(
      readFileSync(namedAccountsFile(place), 'utf8'),
      /^alice:\d+:7:\/home\/x:alice-ssh$/m,
    );
    for (let times = 0; times < 2; times++) {
      accounts({ 'alice-ssh': alice });
      const { policy } = apply(tenant('alice'));
      assert.deepEqual(
        policy?.tenants.map(({ uid }) => uid),
        [alice],
      );
    }
    // Another policy in between does not forget them.
    apply('');
    assert.equal(load(tenant('alice')).policy?.missing[0]?.state, 'missing');
    accounts({ 'alice-ssh': alice, mallory: alice });
    const after = apply(tenant('alice'));
    assert.deepEqual(after.policy?.tenants, []);
    assert.match(words(after).join(), /"mallory" has got its uid/);
  });

  test('are not recorded while the account is missing', () => {
    accounts({ alice });
    apply(tenant('alice'));
    accounts({});
    apply(tenant('alice'));
    accounts({ mallory: alice });
    assert.deepEqual(apply(tenant('alice')).policy?.tenants, []);
    assert.deepEqual(apply(tenant('alice')).policy?.tenants, []);
  });

  test('are asked of a directory service for an account that is new, and then remembered', () => {
    const entry = (user: string) => `echo '${user}:*:${alice}:7::/home/x:/bin/sh'`;
    const asked = join(root, 'asked');
    const service = (byName: string) =>
      directoryService(
        `echo "$*" >> ${asked}\ncase "$*" in *${alice}*) ${entry('alice-ssh')} ;; *) ${byName} ;; esac`,
      );
    service(entry('alice'));
    apply(tenant('alice'));
    apply(tenant('alice'));
    assert.equal(readFileSync(asked, 'utf8').match(new RegExp(`${alice}`, 'g'))?.length, 1);
    service('exit 2');
    assert.equal(apply(tenant('alice')).policy?.missing[0]?.state, 'missing');
  });
});

describe('a directory service', () => {
  const line = (user: string, uid: number) => `${user}:*:${uid}:7::/home/${user}:/bin/sh`;

  test('that does not answer lifts nobody from the limits', () => {
    directoryService(`echo '${line('alice', alice)}'`);
    const before = apply(tenant('alice')).policy;
    for (const down of ['exit 2', 'exit 3', 'kill -9 $$', `echo 'alice:*:x'; exit 1`]) {
      directoryService(down);
      const after = apply(tenant('alice'));
      assert.deepEqual(after.policy?.tenants, before?.tenants, down);
      assert.match(words(after).join(), /its directory service does not answer/, down);
    }
    directoryService(`echo '${line('alice', alice)}'`);
    assert.deepEqual(words(apply(tenant('alice'))), []);
  });

  test('that gives the uid to another account takes the limits from it', () => {
    accounts({ alice });
    apply(tenant('alice'));
    accounts({});
    directoryService(
      `case "$*" in *${alice}*) echo '${line('mallory', alice)}' ;; *) exit 2 ;; esac`,
    );
    const after = apply(tenant('alice'));
    assert.deepEqual(after.policy?.tenants, []);
    directoryService('exit 3');
    assert.deepEqual(apply(tenant('alice')).policy?.tenants, []);
  });
});

describe('the file of the last accounts', () => {
  const whole = () => {
    accounts({ alice });
    apply(tenant('alice'));
    const text = readFileSync(namedAccountsFile(place), 'utf8');
    accounts({});
    return text;
  };

  test('only root can read it, it has an end mark, and without names there is none', () => {
    apply('');
    assert.equal(statSync(namedAccountsFile(place), { throwIfNoEntry: false }), undefined);
    assert.equal(whole(), `accounts 1\nalice:${alice}:7:/home/x\nend\n`);
    assert.equal(statSync(namedAccountsFile(place)).mode & 0o7777, 0o600);
  });

  test('a damaged one is reported, and its names are unknown', () => {
    const text = whole();
    const cut = Array.from({ length: text.length }, (_, length) => text.slice(0, length));
    const others = [
      text.replace(`:${alice}:`, ':-1:'),
      text.replace(`:${alice}:`, ':99999999999:'),
      text.replace('alice', 'al:ice'),
      `${text}x`,
    ];
    for (const damaged of [...cut, ...others]) {
      writeFileSync(namedAccountsFile(place), damaged);
      const loaded = load(tenant('alice'));
      assert.equal(loaded.policy, undefined, damaged);
      assert.match(words(loaded).join('\n'), /warning: Cannot read .*accounts-in-force.*damaged/);
    }
    // The remedy of the hint works.
    assert.match(words(load(tenant('alice'))).join('\n'), /remove their elements .*bulkhead apply/);
    assert.ok(apply('').policy);
    assert.deepEqual(words(load('')), []);
    writeFileSync(namedAccountsFile(place), 'accounts');
    // A policy whose names all exist does not need it, and its apply writes it again.
    accounts({ alice });
    assert.deepEqual(words(apply(tenant('alice'))), []);
    assert.equal(readFileSync(namedAccountsFile(place), 'utf8'), text);
  });

  test('that another version has written is not called damaged', () => {
    const other = whole().replace('accounts 1', 'accounts 2');
    writeFileSync(namedAccountsFile(place), other);
    const loaded = load(tenant('alice'));
    assert.equal(loaded.policy, undefined);
    assert.match(words(loaded).join('\n'), /another version of Bulkhead has written it.*remove/);
    apply('');
    assert.equal(readFileSync(namedAccountsFile(place), 'utf8'), 'accounts 1\nend\n');
  });

  test('leaves out what it could not read again, and keeps the others', () => {
    for (const uid of [99_999_999_999, 1e20]) {
      accounts({ alice, huge: uid });
      apply(tenant('alice') + tenant('huge'));
      accounts({});
      assert.ok(load(tenant('alice')).policy);
      assert.match(words(load(tenant('huge'))).join(), /^error: There is no user "huge"/);
    }
  });

  test('keeps the accounts of another policy that was applied in between', () => {
    accounts({ alice, bob: mallory });
    apply(tenant('alice') + tenant('bob'));
    apply('<defaults><processes limit="9"/></defaults>');
    apply(tenant('bob'));
    accounts({ bob: mallory });
    assert.deepEqual(
      apply(tenant('alice')).policy?.tenants.map(({ uid }) => uid),
      [alice],
    );
    // The uid is another account's now, or the name has another uid: nothing is left to keep.
    for (const now of [{ eve: alice }, { alice: fresh }] as const) {
      accounts({ alice });
      apply(tenant('alice'));
      accounts(now);
      apply('');
      accounts({});
      assert.match(words(load(tenant('alice'))).join(), /^error: There is no user "alice"/);
    }
  });

  test('keeps at most 100,000 accounts of earlier policies, the latest first', () => {
    const lines = Array.from({ length: 100_001 }, (_, at) => `old${at}:${3_000_000 + at}:7:/h`);
    mkdirSync(place.state);
    const text = ['accounts 1', ...lines, 'end', ''].join('\n');
    writeFileSync(namedAccountsFile(place), text);
    accounts({ alice });
    apply(tenant('alice'));
    const kept = readFileSync(namedAccountsFile(place), 'utf8').trimEnd().split('\n');
    assert.deepEqual(kept.slice(0, 3), ['accounts 1', `alice:${alice}:7:/home/x`, lines[0]]);
    assert.deepEqual(kept.slice(-2), [lines[99_998], 'end']);
  });

  test('a link, a directory and a file that is too large are not read', () => {
    const text = whole();
    const path = namedAccountsFile(place);
    const mustRefuse = () => {
      const loaded = load(tenant('alice'));
      assert.equal(loaded.policy, undefined);
      assert.match(words(loaded).join('\n'), /warning: Cannot read .*accounts-in-force/);
    };
    rmSync(path);
    writeFileSync(join(root, 'elsewhere'), text);
    symlinkSync(join(root, 'elsewhere'), path);
    mustRefuse();
    rmSync(path);
    mkdirSync(path);
    mustRefuse();
    rmSync(path, { recursive: true });
    writeFileSync(path, `accounts 1\n${' '.repeat(namedAccountBytesMax)}\nend\n`);
    mustRefuse();
  });

  test('parseNamedAccounts() reads what formatNamedAccounts() writes', () => {
    const account = { user: 'a.b@c$', uid: 4_294_967_294, gid: 0, home: '/home/a b' };
    const other = { user: 'bob', uid: 7, gid: 7, home: '' };
    const sharedBy = ['ann', 'ben'];
    const text = formatNamedAccounts([
      { account, state: 'missing', sharedBy },
      { account: other, state: 'replaced' },
    ]);
    assert.deepEqual(
      [...(parseNamedAccounts(text)?.values() ?? [])],
      [
        { account, state: 'found', sharedBy },
        { account: other, state: 'replaced' },
      ],
    );
  });
});
