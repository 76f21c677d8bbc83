#!/bin/sh
# Turns a fresh Debian tree into the test guest.
# customize.sh ROOT INPUTS: ROOT is the tree; INPUTS holds guest_control_key, its .pub,
# control-key.pub, the kernel's modules in modules/ and the project's packages in node_modules/.
set -eu
umask 022
root=$1
inputs=$2
here=$(dirname "$0")

# Modes are set here, since a checkout's depend on the umask it was made with.
cp -r --no-preserve=mode,ownership "$here/root/." "$root/"
chmod 755 "$root/usr/local/sbin/guest-network"
install -m 600 "$inputs/guest_control_key" "$root/etc/ssh/guest_control_key"
install -m 600 "$inputs/control-key.pub" "$root/etc/ssh/guest_control_authorized"

mkdir -p "$root/usr/lib/modules" "$root/opt/bulkhead"
cp -r --no-preserve=ownership "$inputs/modules/." "$root/usr/lib/modules/"
for kernel in "$root"/usr/lib/modules/*; do
  chroot "$root" depmod "${kernel##*/}"
done

cp -r --no-preserve=ownership "$inputs/node_modules" "$root/opt/bulkhead/"
chmod -R u=rwX,go=rX "$root/opt/bulkhead"
ln -s /opt/bulkhead/node_modules/.bin/node "$root/usr/local/bin/node"

grep -v -e '^#' -e '^$' "$here/masked-units.txt" | while read -r unit; do
  ln -sf /dev/null "$root/etc/systemd/system/$unit"
done

# Generators look for hardware, encrypted disks and old init scripts; only fstab's is of use.
mkdir -p "$root/etc/systemd/system-generators"
for generator in "$root"/usr/lib/systemd/system-generators/*; do
  case ${generator##*/} in
    systemd-fstab-generator) ;;
    *) ln -sf /dev/null "$root/etc/systemd/system-generators/${generator##*/}" ;;
  esac
done

# Keeps the name that the kernel gave the card, and saves udev a rule.
mkdir -p "$root/etc/systemd/network"
ln -sf /dev/null "$root/etc/systemd/network/99-default.link"

chroot "$root" systemctl --quiet enable guest-network guest-control guest-ready
chroot "$root" systemctl --quiet set-default multi-user.target
# Installed for the tests, which start what they need.
fpm=$(cd "$root/usr/lib/systemd/system" && echo php*-fpm.service)
for unit in ssh cron atd nginx apache2 $fpm fcgiwrap.socket quota quotaon quotarpc remote-fs.target; do
  chroot "$root" systemctl --quiet disable "$unit" 2>/dev/null || true
done
