/** Firewall rules of others for mail: real iptables and nft in a network namespace, files of panels, hostile programs. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { suite, test } from 'node:test';
import { longPatienceMilliseconds } from '../../testing/patience.ts';
import { unpackPackages } from '../../testing/unpacked-packages.ts';
import {
  csfMailRules,
  iptablesMailRules,
  mailRemarks,
  nftMailRules,
} from '../../src/network/core/mail-firewall.ts';
import type { MailReach } from '../../src/network/core/rules.ts';
import { readMailRules } from '../../src/network/io/mail-firewall.ts';
import { Stage, stageSkip } from './qdiscs/stage.ts';

/** A directory with files of a host; those of programs can be run. */
class Files implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), 'bulkhead-firewall-'));

  write(path: string, text: string): void {
    mkdirSync(dirname(`${this.root}${path}`), { recursive: true });
    writeFileSync(`${this.root}${path}`, text);
    if (path.includes('bin/')) chmodSync(`${this.root}${path}`, 0o755);
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true });
  }
}

suite('firewall rules for mail', () => {
  test('only what this host sends counts, and not what a comment says', () => {
    assert.deepEqual(
      iptablesMailRules(
        '-A INPUT -p tcp -m tcp --dport 25 -j DROP\n-A PREROUTING -p tcp -m tcp --dport 25 -j REDIRECT',
      ),
      [],
    );
    const nft = (rule: string, hook = 'output') =>
      nftMailRules(
        `table inet f {\n\tchain c {\n\t\ttype filter hook ${hook} priority 0;\n\t\t${rule}\n\t}\n}\n`,
      );
    assert.deepEqual(nft('tcp dport 25 drop', 'input'), []);
    assert.deepEqual(nft('tcp dport 25 accept comment "drop"'), []);
    assert.deepEqual(nft('tcp dport 20-30 drop')[0]?.ports, [25]);
    assert.deepEqual(nft('udp dport 25 drop'), []);
  });

  test('a redirect and a refusal contradict other policies', () => {
    const remarks = (effect: 'redirects' | 'refuses', mail: MailReach, ports = [25, 465, 587]) =>
      mailRemarks([{ by: 'X', effect, ports }], new Set([mail])).length;
    assert.equal(remarks('redirects', 'submission'), 1);
    assert.equal(remarks('redirects', 'relay'), 0);
    assert.equal(remarks('redirects', 'anywhere'), 0);
    assert.equal(remarks('refuses', 'submission'), 1);
    assert.equal(remarks('refuses', 'submission', [25]), 0);
    assert.equal(remarks('refuses', 'anywhere', [25]), 1);
    assert.equal(remarks('refuses', 'local'), 0);
  });

  test("CSF's and cPanel's settings are read from their files", async () => {
    const csf = 'TESTING = "0"\nSMTP_BLOCK = "1"\nSMTP_PORTS = "25,465,587"\nSMTP_REDIRECT = "0"\n';
    assert.deepEqual(csfMailRules(csf), [
      { by: 'SMTP_BLOCK of CSF', effect: 'refuses', ports: [25, 465, 587] },
    ]);
    using files = new Files();
    assert.deepEqual(await readMailRules(files.root), { rules: [], unknown: [] });
    files.write('/etc/csf/csf.conf', csf);
    files.write('/var/cpanel/smtpgidonlytweak', '');
    const found = await readMailRules(files.root);
    assert.deepEqual(
      found.rules.map(({ by }) => by),
      ["cPanel's SMTP Restrictions", 'SMTP_BLOCK of CSF'],
    );
    files.write('/etc/csf/csf.disable', '');
    assert.equal((await readMailRules(files.root)).rules.length, 1);
  });

  test(
    'programs that hang, fail or never stop printing are unknown',
    { timeout: longPatienceMilliseconds },
    async () => {
      using files = new Files();
      files.write('/usr/sbin/iptables-save', '#!/bin/sh\nexec sleep 600\n');
      files.write(
        '/usr/sbin/ip6tables-save',
        '#!/bin/sh\nexec yes "-A OUTPUT -p tcp --dport 26 -j DROP"\n',
      );
      files.write('/usr/sbin/nft', '#!/bin/sh\nexit 3\n');
      const { rules, unknown } = await readMailRules(files.root, 2_000);
      assert.deepEqual(rules, []);
      assert.equal(unknown.length, 3, unknown.join('\n'));
    },
  );

  const packages = [
    'nftables',
    'libnftables1',
    'iptables',
    'libxtables12',
    'libnftnl11',
    'libmnl0',
    'libip4tc2',
    'libip6tc2',
    'libjansson4',
  ];
  const unpacked = stageSkip === false ? unpackPackages('firewall', packages) : undefined;
  const skip = stageSkip || (unpacked?.ok === false ? unpacked.reason : false);

  test(
    'rules that iptables and nft print are found',
    { skip, timeout: longPatienceMilliseconds },
    async (t) => {
      assert.ok(unpacked?.ok);
      using stage = new Stage();
      using files = new Files();
      const libraries = `${unpacked.root}/usr/lib/${process.arch === 'x64' ? 'x86_64' : 'aarch64'}-linux-gnu`;
      const environment = `LD_LIBRARY_PATH=${libraries} XTABLES_LIBDIR=${libraries}/xtables`;
      const programs = {
        nft: `${unpacked.root}/usr/sbin/nft`,
        'iptables-save': `${unpacked.root}/usr/sbin/xtables-nft-multi iptables-save`,
      };
      for (const [name, program] of Object.entries(programs))
        files.write(
          `/usr/sbin/${name}`,
          `#!/bin/sh\nexec ip netns exec ${stage.name} env ${environment} ${program} "$@"\n`,
        );
      const run = (line: string) => stage.shell(`${environment} ${line}`);
      const iptables = `${unpacked.root}/usr/sbin/xtables-nft-multi iptables`;
      try {
        run(
          `${iptables} -A OUTPUT -p tcp -m multiport --dports 25,465,587 -m owner --uid-owner 0 -j ACCEPT`,
        );
        run(`${iptables} -A OUTPUT -p tcp -m multiport --dports 25,465,587 -j REJECT`);
        run(
          `${iptables} -t nat -A OUTPUT -p tcp -m tcp --dport 25 -m owner ! --uid-owner 0 -j REDIRECT --to-ports 25`,
        );
      } catch (error) {
        return t.skip(`this kernel has no such rules: ${String(error)}`);
      }
      const found = await readMailRules(files.root, longPatienceMilliseconds);
      assert.deepEqual(found.unknown, []);
      assert.deepEqual(
        found.rules.map(({ by, effect, ports }) => [by.split(' ')[0], effect, ports.join()]),
        [
          ['iptables', 'refuses', '25,465,587'],
          ['iptables', 'redirects', '25'],
        ],
      );
      rmSync(`${files.root}/usr/sbin/iptables-save`);
      run(`${programs.nft} add rule ip nat OUTPUT tcp dport 587 meta skuid 1000-60000 drop`);
      const byNft = await readMailRules(files.root, longPatienceMilliseconds);
      assert.deepEqual(
        byNft.rules.map(({ by, effect, ports }) => [by.split(' ')[0], effect, ports.join()]),
        [
          ['nft', 'refuses', '25,465,587'],
          ['nft', 'redirects', '25'],
          ['nft', 'refuses', '587'],
        ],
      );
    },
  );
});
