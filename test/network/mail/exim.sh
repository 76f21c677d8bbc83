# A real Exim in a layer above this host, as root in a mount namespace of its own.
#
#   exim.sh DIRECTORY-OF-ITS-FILES CONFIGURATION LOG: then one uid and one sender a line on standard input
set -e
layer=$(mktemp -d)
mount -t tmpfs -o mode=755 tmpfs "$layer"
mkdir "$layer/upper" "$layer/work" "$layer/root"
cp -a "$1/." "$layer/upper/"
mount -t overlay overlay -o "lowerdir=/,upperdir=$layer/upper,workdir=$layer/work" "$layer/root"
mount --rbind /dev "$layer/root/dev"
mount --rbind /proc "$layer/root/proc"
root="$layer/root"
cat >> "$root/etc/passwd" <<'PASSWD'
Debian-exim:x:64001:64001::/var/spool/exim4:/usr/sbin/nologin
alice:x:63001:63001::/home/alice:/bin/sh
bob:x:63002:63002::/home/bob:/bin/sh
PASSWD
echo 'Debian-exim:x:64001:' >> "$root/etc/group"
mkdir -p "$root/etc/exim4" "$root/var/log/exim4" "$root/var/spool/exim4"
chown 64001:64001 "$root/var/log/exim4" "$root/var/spool/exim4"
cp "$2" "$root/etc/exim4/exim4.conf"
chmod 4755 "$root/usr/sbin/exim4"
while read -r uid sender; do
  printf 'Subject: test\n\ntext\n' |
    chroot "$root" /usr/bin/setpriv --reuid "$uid" --regid "$uid" --clear-groups \
      /usr/sbin/exim4 -f "$sender" root@host.example && echo "$uid ok" || echo "$uid refused"
done
chroot "$root" /usr/sbin/exim4 -bp | sed 's/^/queue /'
cp "$root/var/log/exim4/mainlog" "$3"
