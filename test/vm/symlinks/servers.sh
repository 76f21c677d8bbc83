# Servers of alice's site, in each setting that they have against links, and what she exchanges; run by root in the guest,
# after tree.sh. The last digit of a port is the setting; 809N serve a directory that is exchanged itself.
set -e
as() { who=$1; shift; setpriv --reuid "$who" --regid "$who" --clear-groups "$@"; }

# Files of bob's: one that the web server may read as well, and one that is his alone.
echo SECRET | tee /home/bob/www/config /home/bob/www/private > /dev/null
chown bob:www-data /home/bob/www/config; chmod 640 /home/bob/www/config
chown bob:bob /home/bob/www/private; chmod 600 /home/bob/www/private

cd /home/alice/www
for name in config private secret; do
  echo own | as alice tee "own-$name" > /dev/null
  as alice ln -s "../../bob/www/$name" "link-$name"
done
echo own | as alice tee own.php > /dev/null
as alice ln -s ../../bob/www/config link.php
as alice mkdir own-directory ../site
echo own | as alice tee own-directory/config ../site/config > /dev/null
as alice ln -s /home/bob/www link-directory
as alice ln -s /home/bob/www ../site-link
# Names whose owner is bob, which is what nginx compares.
as alice ln /home/bob/www/open/upload second-of-bob
as alice ln -s ../../bob/www/config link-second

rm -f /etc/nginx/sites-enabled/* /etc/apache2/sites-enabled/*
number=0
while read -r setting; do
  for root in 8:www 9:site; do
    echo "server { listen 127.0.0.1:80${root%:*}$number; root /home/alice/${root#*:}; disable_symlinks $setting; }"
  done
  number=$((number + 1))
done > /etc/nginx/sites-enabled/links <<'SETTINGS'
off
on
on from=$document_root
if_not_owner
if_not_owner from=$document_root
SETTINGS

: > /etc/apache2/ports.conf
for each in 5:FollowSymLinks 6:SymLinksIfOwnerMatch; do
  for root in 8:www 9:site; do
    port=80${root%:*}${each%:*}
    echo "Listen 127.0.0.1:$port" >> /etc/apache2/ports.conf
    printf '<VirtualHost 127.0.0.1:%s>\nDocumentRoot /home/alice/%s\n<Directory /home/alice>\nOptions %s\nRequire all granted\n</Directory>\n</VirtualHost>\n' \
      "$port" "${root#*:}" "${each#*:}"
  done
done > /etc/apache2/sites-enabled/links.conf

# PHP as the web server's user, for all tenants, with and without the setting that is to keep it in alice's home; and as her.
mkdir -p /srv/php
echo '<?php if (@readfile($_GET["f"]) === false) http_response_code(403);' > /srv/php/readfile.php
echo '<?php if ((@include $_GET["f"]) === false) http_response_code(403);' > /srv/php/include.php
while read -r name user directories; do
  printf '[%s]\nuser = %s\ngroup = %s\nlisten = /run/php/%s.sock\nlisten.owner = www-data\npm = static\npm.max_children = 2\nphp_admin_value[opcache.enable] = 0\nphp_admin_value[realpath_cache_size] = 0\nphp_admin_value[open_basedir] = "%s"\n' \
    "$name" "$user" "$user" "$name" "$directories"
done > /etc/php/8.4/fpm/pool.d/links.conf <<'POOLS'
held www-data /home/alice:/srv/php
free www-data
tenant alice
POOLS
while read -r port root pool; do
  echo "server { listen 127.0.0.1:$port; location / { include fastcgi_params; fastcgi_param SCRIPT_FILENAME $root\$fastcgi_script_name; fastcgi_pass unix:/run/php/$pool.sock; } }"
done > /etc/nginx/sites-enabled/php <<'SITES'
8100 /srv/php held
8101 /srv/php free
8102 /home/alice/www held
8103 /srv/php tenant
SITES
systemctl restart php8.4-fpm nginx apache2

# Used once one of them is installed. They serve alice as herself, and visitors, who see all homes, as the account ftp.
echo alice:secret | chpasswd
usermod -s /bin/sh alice
cat > /root/vsftpd.conf <<'VSFTPD'
listen=YES
listen_ipv6=NO
listen_address=127.0.0.1
listen_port=2121
local_enable=YES
anonymous_enable=YES
anon_root=/home
ftp_username=ftp
pam_service_name=vsftpd
secure_chroot_dir=/var/run/vsftpd/empty
VSFTPD
cat > /root/proftpd.conf <<'PROFTPD'
ModulePath /usr/lib/proftpd
LoadModule mod_xfer.c
ServerName links
ServerType standalone
DefaultServer on
UseIPv6 off
DefaultAddress 127.0.0.1
Port 2121
User proftpd
Group nogroup
UseReverseDNS off
AuthOrder mod_auth_unix.c
WtmpLog off
TransferLog none
<Anonymous /home>
  User ftp
  Group nogroup
  UserAlias anonymous ftp
  RequireValidShell off
</Anonymous>
PROFTPD
