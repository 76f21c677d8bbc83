# Accounts, and a configuration of each daemon that is installed, with which it does a piece of its work.
set -e
id alice >/dev/null 2>&1 || {
  useradd -u 3101 -m -s /bin/bash alice
  useradd -u 3102 -m -s /bin/bash bob
  echo alice:secret | chpasswd
  chmod 711 /home/alice
  chmod 700 /home/bob
  echo secret >/home/bob/private
  echo "127.0.1.1 $(hostname)" >>/etc/hosts
  mkdir -p /home/alice/www
  echo hello >/home/alice/www/t.txt
  cat >/home/alice/www/t.php <<'P'
<?php session_start(); $_SESSION["a"] = 1;
file_put_contents("/home/alice/www/written", preg_replace("/a+/", "b", str_repeat("a", 100)));
echo 6 * 7, file_get_contents("/home/alice/www/written");
P
  cat >/home/alice/www/mail.php <<'P'
<?php echo mail("alice@localhost", "from-php", "x") ? "accepted" : "refused";
P
  cat >/home/alice/www/attack.php <<'P'
<?php foreach (glob("/proc/[0-9]*") as $each) if (@fileowner($each) !== posix_getuid()) echo "sees $each\n";
foreach (["/etc", "/usr/bin", "/run", "/home/bob", "/var/lib/dpkg"] as $each) if (@file_put_contents("$each/attack", "x")) echo "writes $each\n";
foreach (["/home/bob/private", "/etc/shadow", "/proc/1/environ"] as $each) if (@file_get_contents($each)) echo "reads $each\n";
echo "end";
P
  chown -R alice: /home/alice/www
}
if [ -d /etc/nginx/sites-enabled ]; then
  printf 'server { listen 127.0.0.1:8081; root /home/alice/www; }\n' >/etc/nginx/sites-enabled/default
fi
if [ -e /etc/apache2/ports.conf ]; then
  sed -i 's/^Listen 80$/Listen 127.0.0.1:8080/' /etc/apache2/ports.conf
  sed -i 's#DocumentRoot .*#DocumentRoot /home/alice/www#; s#:80>#:8080>#' /etc/apache2/sites-available/000-default.conf
  printf '<Directory /home/alice/www>\nRequire all granted\n</Directory>\n' >/etc/apache2/conf-enabled/homes.conf
fi
for pools in /etc/php/*/fpm/pool.d; do
  printf '[alice]\nuser = alice\ngroup = alice\nlisten = /run/php/alice.sock\nlisten.owner = www-data\npm = static\npm.max_children = 1\n' >$pools/alice.conf
done
if [ -d /etc/bind ] && ! grep -q sandbox.test /etc/bind/named.conf.local; then
  printf '$TTL 60\n@ SOA ns root 1 60 60 60 60\n@ NS ns\nns A 192.0.2.1\nwww A 192.0.2.7\n' >/etc/bind/db.test
  echo 'zone "sandbox.test" { type primary; file "/etc/bind/db.test"; };' >>/etc/bind/named.conf.local
fi
if [ -e /usr/sbin/update-exim4.conf ]; then
  printf "dc_eximconfig_configtype='local'\ndc_other_hostnames='localhost'\ndc_local_interfaces='127.0.0.1'\ndc_use_split_config='false'\ndc_localdelivery='mail_spool'\n" >/etc/exim4/update-exim4.conf.conf
  echo localhost >/etc/mailname
fi
if [ -x /usr/sbin/postconf ]; then
  postconf -e 'inet_interfaces = loopback-only' 'mydestination = localhost' 'mailbox_command ='
  newaliases
fi
if [ -e /etc/vsftpd.conf ]; then
  sed -i 's/^#\?write_enable=.*/write_enable=YES/; s/^listen=NO/listen=YES/; s/^listen_ipv6=YES/listen_ipv6=NO/' /etc/vsftpd.conf
  grep -q chroot_local_user=YES /etc/vsftpd.conf || printf 'chroot_local_user=YES\nallow_writeable_chroot=YES\n' >>/etc/vsftpd.conf
fi
if [ -e /etc/proftpd/proftpd.conf ] && ! grep -q ^DefaultRoot /etc/proftpd/proftpd.conf; then
  echo 'DefaultRoot ~' >>/etc/proftpd/proftpd.conf
fi
if [ -d /etc/dovecot ]; then
  printf 'auth_allow_cleartext = yes\nssl = no\nmail_driver = mbox\nmail_path = ~/mail\nmail_inbox_path = /var/mail/%%{user}\nmail_privileged_group = mail\n' >/etc/dovecot/local.conf
fi
