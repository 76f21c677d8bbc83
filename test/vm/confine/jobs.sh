# job SERVICE: a piece of the daemon's real work; ends with 1, and says why, where it is not done.
patience() { tries=0; until "$@"; do tries=$((tries + 1)); [ $tries -lt 600 ] || return 1; sleep 0.5; done; }
page() { curl -s --max-time 600 "http://127.0.0.1:$1/$2"; }
job_nginx() { [ "$(page 8081 t.txt)" = hello ]; }
job_apache2() { [ "$(page 8080 t.txt)" = hello ]; }
php() {
  python3 - "$1" <<'P'
import socket,struct,sys
s=socket.socket(socket.AF_UNIX); s.connect('/run/php/alice.sock')
def record(kind,body): return struct.pack('!BBHHBB',1,kind,1,len(body),0,0)+body
def pair(k,v): return bytes([len(k),len(v)])+k+v
words=b''.join(pair(k,v) for k,v in [(b'SCRIPT_FILENAME',b'/home/alice/www/'+sys.argv[1].encode()),(b'REQUEST_METHOD',b'GET'),(b'SERVER_PROTOCOL',b'HTTP/1.1')])
s.sendall(record(1,struct.pack('!HB5x',1,0))+record(4,words)+record(4,b'')+record(5,b''))
answer=b''
while True:
    part=s.recv(65536)
    if not part: break
    answer+=part
sys.stdout.write(answer.decode('latin1'))
P
}
job_fpm() { php t.php | grep -q 42b; }
job_mariadb() { [ "$(mariadb -N -e 'create database if not exists t; create table if not exists t.x(a int); insert into t.x values(42); select max(a) from t.x')" = 42 ]; }
answers() { [ "$(dig +short +time=5 +tries=1 @127.0.0.1 www.sandbox.test A | tail -1)" = 192.0.2.7 ]; }
job_named() { patience answers; }
has() { grep -qs "^Subject: $1" /var/mail/alice; }
smtp() { printf "Subject: $1\n\nx\n" | curl -sS --max-time 600 smtp://127.0.0.1 --mail-from bob@localhost --mail-rcpt alice@localhost -T -; }
job_mail() {
  mark=$(date +%s%N)
  printf "Subject: local-$mark\n\nx\n" | sendmail alice@localhost
  patience smtp smtp-$mark && patience has local-$mark && patience has smtp-$mark
}
job_exim4() { job_mail; }
job_postfix() { job_mail; }
job_dovecot() {
  install -o alice -g mail -m 660 /dev/null /var/mail/alice
  printf 'From a Wed Nov 25 15:16:27 2026\nFrom: a@b\nSubject: imap\n\nhello\n\n' >/var/mail/alice
  curl -sS --max-time 600 'imap://alice:secret@127.0.0.1/INBOX;MAILINDEX=1' | grep -q hello || return 1
  printf 'From: x@y\r\nSubject: stored\r\n\r\nkept\r\n' >/tmp/mail
  curl -sS --max-time 600 -T /tmp/mail 'imap://alice:secret@127.0.0.1/INBOX' && grep -q kept /var/mail/alice
}
# vsftpd has started, for systemd, before it listens.
job_ftp() {
  date +%s%N >/tmp/up.txt
  curl -sS --retry 600 --retry-delay 1 --retry-connrefused --max-time 600 -T /tmp/up.txt ftp://alice:secret@127.0.0.1/up.txt &&
    curl -sS --retry 600 --retry-delay 1 --retry-connrefused --max-time 600 ftp://alice:secret@127.0.0.1/up.txt | cmp - /tmp/up.txt
}
job_vsftpd() { job_ftp; }
job_proftpd() { job_ftp; }
job() {
  case $1 in php*) done=job_fpm ;; *) done=job_$1 ;; esac
  patience systemctl -q is-active $1 || { systemctl status --no-pager -l $1; return 1; }
  $done && return
  journalctl -n 30 --no-pager -u $1
  return 1
}
# Another file takes the place of the log, and the daemon writes to that one.
rotated() {
  logrotate -f /etc/logrotate.d/$2 || return 1
  written() { job $1 && [ -s $2 ]; }
  patience written $1 $3
}
