/**
 * Real mail servers and filters that run what a tenant has written into its home, on a host where the kernel keeps jails
 * apart: nothing of it runs outside, whoever hands the mail over, and mail arrives. The same runs without the programs.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { eventually, longPatienceMilliseconds } from '../../../testing/patience.ts';
import { guestOfSuite, prepareGuests } from '../../../testing/vm/suite.ts';
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
  /** Its unit, where it has one: what is removed does not always end. */
  readonly unit?: string;
  readonly attacks: readonly Attack[];
  /** Files with which the server's programs store mail in `inbox`, and do nothing else. */
  readonly stores?: readonly Attack[];
}

const script = '/home/alice/outside.sh';
const pipe: Attack = { what: 'a command in .forward', file: '.forward', text: `"|${script}"` };

const servers: readonly Server[] = [
  {
    name: 'exim4-daemon-light',
    kind: 'exim',
    also: ['procmail', 'maildrop'],
    unit: 'exim4',
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
    stores: [
      { what: 'procmail', file: '.procmailrc', text: ':0:\n/home/alice/inbox' },
      { what: 'maildrop', file: '.mailfilter', text: 'to "/home/alice/inbox"' },
    ],
  },
  { name: 'postfix', kind: 'postfix', unit: 'postfix', attacks: [pipe] },
  {
    name: 'opensmtpd',
    kind: 'opensmtpd',
    to: 'bob',
    unit: 'opensmtpd',
    attacks: [pipe],
  },
  { name: 'dma', kind: 'dma', attacks: [] },
];

suite('mail for tenants in jails', { skip: guests.skip }, () => {
  const { run, succeed } = guestOfSuite(guests, async (guest) => {
    await succeed(
      `useradd -u 4201 -m -s /bin/sh alice; useradd -u 4202 -m bob; mkdir -p /etc/bulkhead; cat > /etc/bulkhead/policy.xml
printf '#!/bin/sh\\nid -u >> /home/alice/ran\\ncat > /dev/null\\n' > ${script}; chown alice ${script}; chmod 755 ${script}; chmod 755 /home/alice
echo guest.example > /etc/mailname
# No DNS answers here, and Exim waits for it each time that it starts.
printf '127.0.0.1 localhost\\n127.0.1.1 guest.example guest\\n' > /etc/hosts; sed -i 's/^hosts:.*/hosts: files/' /etc/nsswitch.conf
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
  /** The sender is bob, so that returned mail does not go to alice, where it would be refused and counted again. */
  const words = (to: string) => `-f bob ${to}`;
  const fromInside = (subject: string, to = 'alice') =>
    succeed(`${message(subject)} | bulkhead exec alice -- /usr/sbin/sendmail ${words(to)}`);
  /** Sends mail as root, in no tenant's cgroup. */
  const fromRoot = (subject: string, to = 'alice') =>
    run(`${message(subject)} | /usr/sbin/sendmail ${words(to)}`);
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
  const place = (file: string, text: string) =>
    succeed(
      `cat > /home/alice/${file}; chown alice: /home/alice/${file}; chmod 600 /home/alice/${file}`,
      `${text}\n`,
    );
  const ofAlice = '/var/mail/alice /home/alice/Maildir/new/*';
  const stored = async (files: string) => (await run(`cat ${files}`)).stdout;
  const arrives = (subject: string, files = `${ofAlice} /var/mail/bob /home/bob/Maildir/new/*`) =>
    eventually(
      `"${subject}" arrives`,
      async () => (await stored(files)).includes(`Subject: ${subject}\n`),
      async () => `${await stored(files)}\n${await said()}`,
    );

  for (const { name, kind, to, also = [], unit, attacks, stores = [] } of servers)
    suite(name, () => {
      test('jail sync finds the mail server, and mail of a tenant arrives', patient, async () => {
        for (const each of [name, ...also]) await succeed(installCopied(each));
        if (unit !== undefined) await succeed(`systemctl restart ${unit}`);
        await succeed('bulkhead jail sync');
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
        test(`${what} runs outside the jail only without the BPF programs`, patient, async () => {
          await succeed('rm -f /home/alice/ran');
          await place(file, text);
          for (const send of [fromInside, fromRoot]) {
            const before = await refused();
            await send(`attack-${index}`);
            await eventually('it is refused', async () => (await refused()) > before, said);
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

      for (const [index, { what, file, text }] of stores.entries())
        test(`${what} stores mail for a tenant in a jail`, patient, async () => {
          await place(file, text);
          for (const [from, send] of Object.entries({ fromInside, fromRoot })) {
            await send(`stored-${index}-${from}`);
            await arrives(`stored-${index}-${from}`, '/home/alice/inbox');
          }
          await succeed(`rm /home/alice/${file}`);
        });

      if (to !== undefined)
        test('mail for a tenant in a jail is returned', patient, async () => {
          await fromRoot('returned');
          await arrives('returned', '/home/bob/Maildir/new/*');
          assert.doesNotMatch(await stored(ofAlice), /^Subject: returned$/m);
          await succeed('rm -r /sys/fs/bpf/bulkhead');
          await eventually('it is stored without the programs', async () => {
            await fromRoot('stored');
            await run('sleep 5');
            return (await stored(ofAlice)).includes('Subject: stored\n');
          });
          await succeed('bulkhead apply --quiet');
        });

      test('the mail server is purged', patient, async () => {
        if (unit !== undefined) await succeed(`systemctl stop ${unit}`);
        await succeed(
          `for i in 1 2 3; do dpkg --purge --force-depends ${[...also, name].join(' ')} $(dpkg-query -W -f '\${Package}\\n' 'exim4*') > /root/purge.log 2>&1 && break; done; rm -f /home/alice/ran; true`,
        );
      });
    });
});
