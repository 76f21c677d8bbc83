/** A host with nginx and PHP-FPM, and a site for each of two accounts: ann.example and ben.example. */

/** Makes accounts, pools and sites, and starts the servers. A page shows the uid and the cgroup of its process. */
export const makeSites = `set -e
uid=3001
rm -f /etc/nginx/sites-enabled/default
for user in ann ben; do
  useradd -m -u $uid -s /bin/sh $user; chmod 755 /home/$user; uid=$((uid + 1)); mkdir /home/$user/www
  echo '<?php echo posix_geteuid(), " ", trim(file_get_contents("/proc/self/cgroup"));' > /home/$user/www/index.php
  cat > /etc/php/8.4/fpm/pool.d/$user.conf <<POOL
[$user]
user = $user
group = $user
listen = /run/php/$user.sock
listen.group = www-data
pm = static
pm.max_children = 2
POOL
  cat > /etc/nginx/sites-enabled/$user <<SITE
server {
  listen 127.0.0.1:80;
  server_name $user.example;
  root /home/$user/www;
  location / { include fastcgi_params; fastcgi_param SCRIPT_FILENAME /home/$user/www/index.php; fastcgi_pass unix:/run/php/$user.sock; fastcgi_read_timeout 1h; }
}
SITE
done
systemctl start nginx && systemctl restart php8.4-fpm
`;

/** Requests the page of an account's site. */
export const askSite = (name: string) =>
  `perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new("127.0.0.1:80") or die; print $s "GET / HTTP/1.0\r\nHost: ${name}.example\r\n\r\n"; local $/; print <$s>'`;
