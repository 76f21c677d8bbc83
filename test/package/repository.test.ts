/** `npm run repository`: what real apt and dnf install from it over HTTP, and what they refuse. */
import { build, root } from './packages.ts';
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  cpSync,
  globSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ensurePrerequisites } from '../../testing/prerequisites.ts';
import { longPatienceMilliseconds } from '../../testing/patience.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { LayeredRoot } from './layered-root.ts';
import { emptyDeb, standInRpm } from './small-packages.ts';

const ready = await ensurePrerequisites('package', (line) => process.stdout.write(`${line}\n`));
const isRoot = process.getuid?.() === 0;
const skip = !ready.ok ? ready.reason : isRoot ? false : 'only root can install packages';
const plays = await ensurePrerequisites('ansible', (line) => process.stdout.write(`${line}\n`));
const skipRole = plays.ok ? false : plays.reason;

const own = 'own@example.org';
const stranger = 'stranger@example.org';

describe('npm run repository', { skip, timeout: longPatienceMilliseconds }, () => {
  const directory = suiteDirectory('repository');
  const layer = suiteDirectory('repository-layer');
  const packages = join(directory, 'packages');
  const site = join(directory, 'site');
  const gnupg = join(directory, 'gnupg');
  let server: ChildProcess;
  let host: LayeredRoot;
  let url = '';

  const repository = (...args: readonly string[]) =>
    spawnSync(process.execPath, [`${root}scripts/repository.ts`, ...args], {
      encoding: 'utf8',
      env: { ...process.env, GNUPGHOME: gnupg },
    });
  const publish = (key: string, ...args: readonly string[]) => {
    const made = repository('--key', key, '--url', url, '--output', site, ...args);
    assert.equal(made.status, 0, made.stderr);
  };
  const makeKey = (name: string, kind: string) => {
    const args = ['--batch', '--quiet', '--passphrase', '', '--quick-gen-key', name, kind, 'sign'];
    const { status, stderr } = spawnSync('gpg', ['--homedir', gnupg, ...args], {
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
  };
  const run = (...command: readonly string[]) => {
    const { status, stdout, stderr } = host.run(...command);
    assert.equal(status, 0, `${command.join(' ')}\n${stdout}${stderr}`);
    return stdout;
  };
  const apt = (...args: readonly string[]) => {
    const options = ['-q', '-y', '-o', 'DPkg::Options::=--force-unsafe-io'];
    const { status, stdout, stderr } = host.run('apt-get', ...options, ...args);
    return { status, text: `${stdout}${stderr}` };
  };
  const refusedUpdate = (message: RegExp) => {
    run('rm', '-rf', '/var/lib/apt/lists');
    const { text } = apt('update', '--error-on=any');
    assert.match(text, message);
    assert.match(run('apt-cache', 'policy', 'bulkhead'), /Candidate: \(none\)|^$/);
  };
  /** Lets something happen to the repository, and puts it back as it was. */
  const withRepository = (change: () => void, check: () => void) => {
    const kept = join(directory, 'kept');
    cpSync(site, kept, { recursive: true, preserveTimestamps: true });
    try {
      change();
      check();
    } finally {
      rmSync(site, { recursive: true });
      cpSync(kept, site, { recursive: true, preserveTimestamps: true });
      rmSync(kept, { recursive: true });
    }
  };
  const tamper = (pattern: string) => {
    const files = globSync(pattern, { cwd: site });
    assert.notEqual(files.length, 0, pattern);
    for (const each of files) {
      const bytes = readFileSync(join(site, each));
      const at = Math.floor(bytes.length / 2);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      writeFileSync(join(site, each), bytes);
    }
  };

  before(async () => {
    mkdirSync(gnupg, { mode: 0o700 });
    for (const each of [own, stranger]) makeKey(each, 'rsa4096');
    mkdirSync(site);
    await build(packages, '--arch', 'x64');
    emptyDeb(packages, { name: 'bulkhead', version: '0.1.0-1', architecture: 'arm64' });
    server = spawn(process.execPath, [`${root}test/package/file-server.ts`, site], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [port] = (await once(server.stdout!, 'data')) as [Buffer];
    url = `http://127.0.0.1:${port.toString().trim()}`;
    host = await LayeredRoot.make(layer);
    // The defaults of apt count, not what this machine has.
    const places = ['apt.conf.d', 'sources.list.d', 'preferences.d'].map(
      (name) => `/etc/apt/${name}`,
    );
    run('rm', '-rf', '/etc/apt/sources.list', '/var/lib/apt/lists', ...places);
    run('mkdir', ...places);
  });
  after(() => {
    server?.kill();
    host?.[Symbol.dispose]();
    // It has started an agent for the keys.
    spawnSync('gpgconf', ['--homedir', gnupg, '--kill', 'all']);
  });

  test('has signed metadata for each architecture, which expires, and each index by its digest', () => {
    publish(own, '--packages', packages);
    const dists = join(site, 'apt/dists/stable');
    const release = readFileSync(join(dists, 'Release'), 'utf8');
    assert.match(release, /^Acquire-By-Hash: yes$/m);
    assert.match(release, /^Architectures: amd64 arm64$/m);
    const dateOf = (name: string) =>
      Date.parse(new RegExp(`^${name}: (.*)$`, 'm').exec(release)?.[1] ?? '');
    assert.equal(dateOf('Valid-Until') - dateOf('Date'), 60 * 86_400_000);
    for (const [, digest, index] of release.matchAll(/^ ([0-9a-f]{64}) +\d+ (\S+)$/gm)) {
      const byHash = join(dists, index ?? '', '../by-hash/SHA256', digest ?? '');
      assert.deepEqual(readFileSync(byHash), readFileSync(join(dists, index ?? '')));
    }
    const index = (architecture: string) =>
      readFileSync(join(dists, `main/binary-${architecture}/Packages`), 'utf8');
    assert.match(index('amd64'), /^Filename: pool\/main\/bulkhead_0\.1\.0-1_amd64\.deb$/m);
    assert.match(index('arm64'), /^Filename: pool\/main\/bulkhead_0\.1\.0-1_arm64\.deb$/m);
    const verify = (...args: readonly string[]) =>
      spawnSync('gpg', ['--homedir', gnupg, '--verbose', '--verify', ...args], {
        encoding: 'utf8',
      });
    for (const args of [
      [join(dists, 'InRelease')],
      [join(dists, 'Release.gpg'), join(dists, 'Release')],
      [join(site, 'rpm/repodata/repomd.xml.asc'), join(site, 'rpm/repodata/repomd.xml')],
    ])
      assert.match(verify(...args).stderr, /Good signature[^]*digest algorithm SHA512.*rsa4096/);
  });

  test('is added to a host by a package, and apt installs and upgrades from it', async () => {
    host.put(join(site, 'apt/pool/main/bulkhead-archive-keyring_1_all.deb'), 'keyring.deb');
    run('dpkg', '--install', '/mnt/keyring.deb');
    assert.equal(apt('update', '--error-on=any').status, 0);
    const installed = apt('install', '--no-install-recommends', 'bulkhead');
    assert.equal(installed.status, 0, installed.text);
    assert.equal(run('bulkhead', '--version'), '0.1.0\n');
    const newer = join(directory, 'newer');
    await build(newer, '--arch', process.arch, '--format', 'deb', '--version', '0.2.0');
    publish(own, '--packages', newer);
    assert.equal(apt('update', '--error-on=any').status, 0);
    const upgraded = apt('install', '--only-upgrade', 'bulkhead');
    assert.equal(upgraded.status, 0, upgraded.text);
    assert.equal(run('bulkhead', '--version'), '0.2.0\n');
    // The older one is still there.
    const back = apt('install', '--allow-downgrades', 'bulkhead=0.1.0-1');
    assert.equal(back.status, 0, back.text);
    assert.equal(apt('purge', 'bulkhead').status, 0);
  });

  test('offers apt nothing but Bulkhead', () => {
    withRepository(
      () => {
        emptyDeb(join(site, 'apt/pool/main'), {
          name: 'bash',
          version: '99.0',
          architecture: 'all',
        });
        publish(own);
        assert.equal(apt('update', '--error-on=any').status, 0);
      },
      () => {
        const policy = run('apt-cache', 'policy', 'bash');
        assert.match(policy, /^ +99\.0 -1$/m);
        assert.doesNotMatch(policy, /Candidate: 99\.0/);
      },
    );
  });

  test('is refused by apt once somebody has changed a package or an index', () => {
    assert.equal(apt('update', '--error-on=any').status, 0);
    withRepository(
      () => tamper('apt/pool/main/bulkhead_*_amd64.deb'),
      () => {
        run('apt-get', 'clean');
        const { status, text } = apt('install', '--no-install-recommends', 'bulkhead');
        assert.notEqual(status, 0);
        assert.match(text, /Hash Sum mismatch/);
        assert.notEqual(host.run('test', '-e', '/usr/bin/bulkhead').status, 0);
      },
    );
    withRepository(
      () => {
        tamper('apt/dists/stable/main/binary-amd64/Packages*');
        tamper('apt/dists/stable/main/binary-amd64/by-hash/SHA256/*');
      },
      () => refusedUpdate(/Hash Sum mismatch/),
    );
    withRepository(
      () => tamper('apt/dists/stable/InRelease'),
      () => refusedUpdate(/is not signed|BADSIG|[Ss]ignature/),
    );
  });

  test('is refused by apt once it is too old, or signed with another key', () => {
    withRepository(
      () => publish(own, '--date', new Date(Date.now() - 61 * 86_400_000).toISOString()),
      () => refusedUpdate(/Release file for \S+ is expired \(invalid since/),
    );
    const other = join(directory, 'other');
    withRepository(
      () => {
        const args = ['--url', url, '--output', other, '--packages', packages];
        const made = repository('--key', stranger, ...args);
        assert.equal(made.status, 0, made.stderr);
        cpSync(join(other, 'apt/dists'), join(site, 'apt/dists'), { recursive: true });
      },
      () => refusedUpdate(/NO_PUBKEY|Missing key [0-9A-F]{40}|is not signed/),
    );
  });

  test('brings the next key before that signs', () => {
    withRepository(
      () => publish(own, '--next-key', stranger, '--keyring-version', '2'),
      () => {
        assert.equal(apt('update', '--error-on=any').status, 0);
        assert.equal(apt('install', '--only-upgrade', 'bulkhead-archive-keyring').status, 0);
        publish(stranger, '--keyring-version', '3');
        const { status, text } = apt('update', '--error-on=any');
        assert.equal(status, 0, text);
      },
    );
    const missing = ['--next-key', 'nobody@example.org', '--url', url, '--output', site];
    assert.match(repository('--key', own, ...missing).stderr, /"nobody@example.org" is not in/);
  });

  test('is what dnf installs from, and refuses with a wrong signature, digest or key', () => {
    const dnf = (...args: readonly string[]) => {
      const { status, stdout, stderr } = host.run('dnf', '--assumeyes', '--refresh', ...args);
      return { status, text: `${stdout}${stderr}` };
    };
    const clean = () => {
      run('rm', '-rf', '/var/cache/dnf', '/var/lib/rpm', '/root/.rpmdb');
      // What Enterprise Linux has, by name alone.
      run('rpm', '--install', '/mnt/stand-in.rpm');
    };
    host.put(standInRpm(join(directory, 'stand-in')), 'stand-in.rpm');
    run('mkdir', '-p', '/etc/yum.repos.d');
    host.put(join(site, 'bulkhead.repo'), 'bulkhead.repo');
    run('cp', '/mnt/bulkhead.repo', '/etc/yum.repos.d/');
    clean();
    const installed = dnf('install', 'bulkhead');
    assert.equal(installed.status, 0, installed.text);
    assert.equal(run('bulkhead', '--version'), '0.1.0\n');
    assert.equal(dnf('remove', 'bulkhead').status, 0);
    const refused = (change: () => void, message: RegExp) =>
      withRepository(change, () => {
        clean();
        const { status, text } = dnf('install', 'bulkhead');
        assert.notEqual(status, 0, text);
        assert.match(text, message);
        assert.notEqual(host.run('test', '-e', '/usr/bin/bulkhead').status, 0);
      });
    refused(() => tamper('rpm/*.rpm'), /checksum|[Dd]igest|Cannot download/);
    refused(() => tamper('rpm/repodata/repomd.xml'), /signature|GPG|repomd/);
    // Unsigned packages below metadata with the right signature.
    refused(() => {
      for (const each of readdirSync(packages).filter((name) => name.endsWith('.rpm')))
        copyFileSync(join(packages, each), join(site, 'rpm', each));
      publish(own);
    }, /is not signed/);
    refused(
      () => cpSync(join(directory, 'other/rpm'), join(site, 'rpm'), { recursive: true }),
      /signature|GPG/,
    );
  });

  describe('added by the Ansible role', { skip: skipRole }, () => {
    const play = (tasks: string) => {
      host.put(`${root}examples/ansible/roles`, 'roles');
      host.put(join(site, 'bulkhead-archive-keyring.asc'), 'key.asc');
      const vars = { bulkhead_repository: url, bulkhead_repository_key: '/mnt/key.asc' };
      const role = { name: 'bulkhead', tasks_from: tasks };
      const task = { 'ansible.builtin.include_role': role, vars };
      const book = { hosts: 'localhost', connection: 'local', gather_facts: false, tasks: [task] };
      writeFileSync(join(directory, 'play.yml'), JSON.stringify([book]));
      host.put(join(directory, 'play.yml'), 'play.yml');
      return run('ansible-playbook', '/mnt/play.yml');
    };

    test('is what apt installs Bulkhead from, and nothing else', () => {
      run('dpkg', '--purge', 'bulkhead-archive-keyring');
      run('rm', '-rf', '/var/lib/apt/lists');
      run('mkdir', '/var/lib/apt/lists');
      play('repository-apt.yml');
      assert.match(run('apt-cache', 'policy', 'bulkhead'), /Candidate: 0\.2\.0-1\n/);
      assert.match(
        run('apt-cache', 'policy'),
        /^ *-1 http:\/\/127\.0\.0\.1:\d+\/apt stable\/main/m,
      );
      assert.match(play('repository-apt.yml'), /changed=0 /);
    });

    test('is what dnf installs Bulkhead from, and nothing else', () => {
      run('rm', '-rf', '/var/cache/dnf', '/etc/yum.repos.d/bulkhead.repo');
      run('mkdir', '-p', '/etc/pki/rpm-gpg');
      play('repository-dnf.yml');
      assert.match(run('cat', '/etc/yum.repos.d/bulkhead.repo'), /^includepkgs = bulkhead\*$/m);
      run('dnf', '--assumeyes', 'install', 'bulkhead');
      assert.equal(run('bulkhead', '--version'), '0.1.0\n');
      run('dnf', '--assumeyes', 'remove', 'bulkhead');
    });
  });

  test('signs with a key that has an old subkey, and refuses one that is revoked', () => {
    const name = 'rotated@example.org';
    const gpg = (input: string, ...args: readonly string[]) => {
      const options = ['--homedir', gnupg, '--quiet', '--pinentry-mode', 'loopback'];
      const ran = spawnSync('gpg', [...options, ...args], { encoding: 'utf8', input });
      assert.equal(ran.status, 0, ran.stderr);
      return ran.stdout;
    };
    const then = ['--batch', '--passphrase', '', '--faked-system-time', '20200101T000000'];
    gpg('', ...then, '--quick-gen-key', name, 'rsa3072', 'sign', 'never');
    const fingerprintOf = () =>
      /^fpr:+(\w+):/m.exec(gpg('', '--with-colons', '--list-keys', name))?.[1] ?? '';
    gpg('', ...then, '--quick-add-key', fingerprintOf(), 'ed25519', 'sign', '30d');
    const args = ['--key', name, '--url', url, '--output', join(directory, 'rotated')];
    const made = repository(...args);
    assert.equal(made.status, 0, made.stderr);
    // GnuPG has made it with the key.
    const revocation = join(gnupg, 'openpgp-revocs.d', `${fingerprintOf()}.rev`);
    gpg(readFileSync(revocation, 'utf8').replace(/^:-/m, '-'), '--batch', '--import');
    assert.match(repository(...args).stderr, /"rotated@example\.org" is revoked/);
  });

  test('refuses keys that Enterprise Linux cannot read, and other content of a published version', () => {
    makeKey('modern@example.org', 'ed25519');
    const args = ['--url', url, '--output', site, '--packages', packages];
    assert.match(repository('--key', 'modern@example.org', ...args).stderr, /has to be RSA/);
    assert.match(repository('--key', 'nobody@example.org', ...args).stderr, /nobody@example\.org/);
    const changed = join(directory, 'changed');
    mkdirSync(changed);
    emptyDeb(changed, { name: 'bulkhead', version: '0.1.0-1', architecture: 'amd64' });
    assert.match(
      repository('--key', own, '--url', url, '--output', site, '--packages', changed).stderr,
      /bulkhead_0\.1\.0-1_amd64\.deb was published with other content; a changed package needs a higher version/,
    );
    const moved = repository('--key', own, '--url', 'https://other.example', '--output', site);
    assert.match(
      moved.stderr,
      new RegExp(`${basename('bulkhead-archive-keyring_1_all.deb')} was published`),
    );
    const ascii = join(site, 'bulkhead-archive-keyring.asc');
    const before = readFileSync(ascii, 'utf8');
    const changedKey = repository('--key', stranger, '--url', url, '--output', site);
    assert.match(changedKey.stderr, /keyring_1_all\.deb was published/);
    assert.equal(readFileSync(ascii, 'utf8'), before);
    assert.match(
      repository('--key', own, '--url', 'ftp://x', '--output', site).stderr,
      /--url must be/,
    );
  });
});
