/** The host on which the package lives: two tenants with a site each, and a list of what is on it. */

export const tenants = [
  { name: 'ann', uid: 3001 },
  { name: 'ben', uid: 3002 },
] as const;

const siteOf = ({ name, uid }: (typeof tenants)[number]) => `
useradd -m -u ${uid} -s /bin/sh ${name}
chmod 755 /home/${name}
echo '<?php echo posix_geteuid(), " ", trim(file_get_contents("/proc/self/cgroup"));' > /home/${name}/index.php
cat > /etc/php/8.4/fpm/pool.d/${name}.conf <<POOL
[${name}]
user = ${name}
group = ${name}
listen = /run/php/${name}.sock
listen.group = www-data
pm = static
pm.max_children = 2
POOL
cat > /etc/nginx/sites-enabled/${name} <<SITE
server {
  listen 127.0.0.1:80;
  server_name ${name}.example;
  root /home/${name};
  location / { include fastcgi_params; fastcgi_param SCRIPT_FILENAME /home/${name}/index.php; fastcgi_pass unix:/run/php/${name}.sock; fastcgi_read_timeout 1h; }
}
SITE`;

/** Processors are emulated, and the machine may be busy: the agent is not given up. */
const patientUnits = ['bulkhead', 'bulkhead-placement', 'bulkhead-jail', 'bulkhead-entries'];

export const setUp = `set -e
rm -f /etc/nginx/sites-enabled/default
${tenants.map(siteOf).join('\n')}
for unit in ${patientUnits.join(' ')}; do
  mkdir -p /etc/systemd/system/$unit.service.d
  printf '[Service]\\nTimeoutStartSec=infinity\\nWatchdogSec=0\\n' > /etc/systemd/system/$unit.service.d/patient.conf
done
systemctl daemon-reload
systemctl enable --quiet nginx php8.4-fpm
systemctl restart nginx php8.4-fpm
`;

/** Directories in which others than the package write meanwhile. */
const others = [
  'var/lib/dpkg',
  'var/lib/apt',
  'var/lib/systemd',
  'var/lib/php',
  'var/lib/nginx',
  'var/log',
  'var/cache',
  'var/tmp',
  'var/mail',
  'var/spool',
  'etc/ssh',
];

/** A line for each file: its name, kind, mode, owner and link, and in /etc a digest of its content. */
export const treeOf = String.raw`cd / && {
  find etc -xdev ${prune(others)} -type f -exec sha256sum {} + | sed -E 's/^([0-9a-f]+)  (.*)/\2 \1/'
  find etc usr var -xdev ${prune(others)} -printf '%p %y %m %U:%G %l\n'
} | sort`;

function prune(paths: readonly string[]): string {
  return String.raw`\( ${paths.map((path) => `-path ${path}`).join(' -o ')} \) -prune -o`;
}
