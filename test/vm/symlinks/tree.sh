# Two tenants, and the links that one of them makes; run by root in the guest.
set -e
getent passwd alice > /dev/null || useradd -m -u 3001 alice
getent passwd bob > /dev/null || useradd -m -u 3002 bob
chmod 711 /home/alice /home/bob
as() { who=$1; shift; setpriv --reuid "$who" --regid "$who" --clear-groups "$@"; }
link() { as alice ln -sfn "$1" "/home/alice/www/$2"; }

install -d -o alice -g alice -m 755 /home/alice/www /home/alice/own
install -d -o bob -g bob -m 755 /home/bob/www /home/bob/www/dir
install -d -o bob -g bob -m 777 /home/bob/www/open
echo own | as alice tee /home/alice/own/f /home/alice/file > /dev/null
echo SECRET | as bob tee /home/bob/www/secret /home/bob/www/dir/f > /dev/null
as bob install -m 755 /bin/true /home/bob/www/program
echo served > /home/alice/own/by-server; chown www-data:www-data /home/alice/own/by-server
install -d -o www-data -g www-data -m 755 /home/alice/www/upload
install -d -o alice -g www-data -m 775 /home/alice/www/made
echo own | as alice tee /home/alice/own/file > /dev/null
echo SECRET | as bob tee /home/bob/www/file > /dev/null

link /home/alice/file own
link /home/alice/own owndir
link own chain
link ../own/f relative
link /home/bob/www/secret other
link /home/bob/www otherdir
link ../../bob/www/secret other-relative
link other chain-other
link otherdir/dir nested
link owndir/../../bob/www/secret through-own
link /etc/passwd passwd
link /home/bob abs
link loop loop
link /home/bob/www/open/created create
link /home/alice/www/made/created create-own
link /home/bob/www/sock sock
link /home/bob/www/program program
link /proc/self/status proc
link /proc/self/cwd proc-cwd
link /proc/self/root/home/bob/www/secret proc-root
as bob ln -sfn /home/bob/www/secret /home/bob/www/link
as bob ln -sfn /home/alice/file /home/bob/www/back
link /home/bob/www/link via-bob
link /home/bob/www/back round-trip
ln -sfn /home/bob/www/secret /home/alice/www/by-root
link by-root via-root
# Links within links: each is passed on the way to what the one before it leads to.
last=/home/alice/own
for i in 1 2 3 4 5 6 7 8 9 10; do
  link "$last" "deep$i"; last="/home/alice/www/deep$i/."
done
# The same directory of bob's, seen at another place.
mkdir -p /srv/bound; mountpoint -q /srv/bound || mount --bind /home/bob/www /srv/bound
link /srv/bound/secret bound
# A file of the server's own.
install -o www-data -g www-data -m 600 /dev/null /srv/servers
link /srv/servers servers
# What a tenant exchanges with its link: a second name of what another one lets everybody write.
as bob install -m 666 /dev/null /home/bob/www/open/upload
[ -e /home/alice/www/upload-of-bob ] || as alice ln /home/bob/www/open/upload /home/alice/www/upload-of-bob
link /home/bob/www d
as alice mkdir -p /home/alice/www/m
link /home/alice/www/m/x to-m
