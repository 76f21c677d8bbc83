/**
 * Real mail servers and filters that run what a tenant has written into its home, on a host where the kernel keeps jails
 * apart: nothing of it runs outside, whoever hands the mail over, and mail arrives. The same runs without the programs.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { eventually, longPatienceMilliseconds } from '../../../src/testing/patience.ts';
import { guestOfSuite, prepareGuests } from '../../../src/testing/vm/suite.ts';
import { copyPackages, installCopied } from '../jails/packages.ts';

const guests = await prepareGuests(import.meta.filename, 'bpf');
const patient = { timeout: longPatienceMilliseconds };

interface Attack {
  readonly what: string;
  /** The name of a file in the home. */
  readonly file: string;
  readonly text: string;
}

interface Server {
  /** The package. */
  readonly name: string;
  /** The broker's name for it. */
  readonly kind: string;
  readonly also?: readonly string[];
  /** One without a jail, where the server starts a program to store each mail. */
  readonly to?: string;
  /** A command to run after the installation. */
  readonly setUp?: string;
  readonly attacks: readonly Attack[];
}

const script = '/home/alice/outside.sh';
const pipe: Attack = { what: 'a command in .forward', file: '.forward', text: `"|${script}"` };

const servers: readonly Server[] = [
  {
    name: 'exim4-daemon-light',
    kind: 'exim',
    also: ['procmail', 'maildrop'],
    setUp: 'systemctl restart exim4',
    attacks: [
      { ...pipe, text: `|${script}` },
      {
        what: '${run} in a filter',
        file: '.forward',
        text: `# Exim filter\nif "\${run{${script}}}" is "x" then finish endif`,
      },
      { what: 'pipe in a filter', file: '.forward', text: `# Exim filter\npipe "${script}"` },
      { what: 'procmail', file: '.procmailrc', text: `:0\n|${script}` },
      {
        what: 'the sendmail of procmail',
        file: '.procmailrc',
        text: `SENDMAIL=${script}\n:0\n! bob`,
      },
      { what: 'maildrop', file: '.mailfilter', text: `to "|${script}"` },
    ],
  },
  { name: 'postfix', kind: 'postfix', setUp: 'systemctl restart postfix', attacks: [pipe] },
  {
    name: 'opensmtpd',
    kind: 'opensmtpd',
    to: 'bob',
    setUp: 'systemctl restart opensmtpd',
    attacks: [pipe],
  },
  { name: 'dma', kind: 'dma', attacks: [] },
];

suite('Mail for tenants in jails', { skip: guests.skip }, () => {
  const { run, succeed } = guestOfSuite(guests, async (guest) => {
    await succeed(
      `useradd -u 4201 -m -s /bin/sh alice; useradd -u 4202 -m bob; mkdir -p /etc/bulkhead; cat > /etc/bulkhead/policy.xml
printf '#!/bin/sh\\nid -u >> /home/alice/ran\\ncat > /dev/null\\n' > ${script}; chown alice ${script}; chmod 755 ${script}; chmod 755 /home/alice
echo guest.example > /etc/mailname; grep -q guest.example /etc/hosts || echo '127.0.0.1 guest.example' >> /etc/hosts
cp /opt/bulkhead/packaging/bulkhead-broker* /etc/systemd/system/
systemctl daemon-reload && systemctl start bulkhead-broker.socket && bulkhead apply --quiet`,
      '<bulkhead version="1"><tenant user="alice"><jail profile="web"/></tenant></bulkhead>\n',
    );
    await copyPackages(
      guest,
      servers.flatMap(({ name, also = [] }) => [name, ...also]),
    );
  });
  const message = (subject: string) => `printf 'Subject: ${subject}\\n\\nhello\\n'`;
  const fromInside = (subject: string, to = 'alice') =>
    succeed(`${message(subject)} | bulkhead exec alice -- /usr/sbin/sendmail ${to}`);
  /** Sends mail as root, in no tenant's cgroup. */
  const fromRoot = (subject: string, to = 'alice') =>
    run(`${message(subject)} | /usr/sbin/sendmail ${to}`);
  const ran = async () => (await run('cat /home/alice/ran')).stdout;
  const refused = async () => {
    const { apart } = JSON.parse(await succeed('bulkhead jail status --json')) as {
      readonly apart: { readonly refused: { readonly program: number } | null };
    };
    return apart.refused?.program ?? 0;
  };
  const said = async () =>
    (await run('journalctl -n 30 --no-pager; tail -n 20 /var/log/exim4/mainlog /var/log/mail.log'))
      .stdout;
  let reached = '';
  const arrives = async (subject: string) =>
    eventually(
      `"${subject}" arrives`,
      async () => {
        reached = (await run('cat /var/mail/* /home/*/Maildir/new/*')).stdout;
        return reached.includes(`Subject: ${subject}\n`);
      },
      () => reached,
    );

  for (const { name, kind, to, also = [], setUp, attacks } of servers)
    suite(name, () => {
      test('it is known, and mail of a tenant arrives', patient, async () => {
        for (const each of [name, ...also]) await succeed(installCopied(each));
        if (setUp !== undefined) await succeed(setUp);
        await succeed('bulkhead jail refresh');
        assert.match(
          await succeed('/opt/bulkhead/libexec/bulkhead-broker bulkhead --mail'),
          new RegExp(`^${kind} `),
        );
        await fromInside(`first-${kind}`, to);
        await arrives(`first-${kind}`);
        await fromRoot(`second-${kind}`, to);
        await arrives(`second-${kind}`);
      });

      for (const [index, { what, file, text }] of attacks.entries())
        test(`${what} runs only where nothing keeps it from it`, patient, async () => {
          await succeed(
            `rm -f /home/alice/ran; cat > /home/alice/${file}; chown alice: /home/alice/${file}; chmod 600 /home/alice/${file}`,
            `${text}\n`,
          );
          for (const send of [fromInside, fromRoot]) {
            const before = await refused();
            await send(`attack-${index}`);
            await eventually('it is refused', async () => (await refused()) > before);
          }
          assert.equal(await ran(), '', await said());
          await succeed('rm -r /sys/fs/bpf/bulkhead');
          await eventually('it runs without the programs', async () => {
            await fromRoot(`control-${index}`);
            await run('sleep 5');
            return (await ran()).startsWith('4201\n');
          });
          await succeed(`rm /home/alice/${file}; bulkhead apply --quiet`);
        });

      test('it is removed', patient, async () => {
        await succeed(
          `for i in 1 2 3; do dpkg --purge --force-depends ${[...also, name].join(' ')} $(dpkg-query -W -f '\${Package}\\n' 'exim4*') > /root/purge.log 2>&1 && break; done; rm -f /home/alice/ran; true`,
        );
      });
    });
});
