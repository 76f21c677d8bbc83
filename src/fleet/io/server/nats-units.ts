/** The files with which systemd runs a fleet's server on a machine that needs no more than nats-server. */
import type { ServerPlace } from './nats-conf.ts';

export const natsUnit = 'bulkhead-fleet-nats.service';
export const watchUnit = 'bulkhead-fleet-nats-watch.service';

/** Returns texts by names of files. */
export const natsUnits = ({
  files,
  monitorPort,
}: Pick<ServerPlace, 'files' | 'monitorPort'>): Readonly<Record<string, string>> => ({
  [natsUnit]: `[Unit]
Description=NATS of a Bulkhead fleet
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
ExecStart=/usr/sbin/nats-server -c ${files}/nats.conf
Restart=always
RestartSec=5
# After SIGTERM it ends with 1, and a server that was stopped would count as failed.
KillSignal=SIGINT
DynamicUser=yes
StateDirectory=bulkhead-fleet-nats
StateDirectoryMode=0700
LoadCredential=tls.key:${files}/tls.key
LimitNOFILE=131072
${confined}
[Install]
WantedBy=multi-user.target
`,
  [watchUnit]: `[Unit]
Description=Bulkhead: restarts a fleet's NATS that has lost the others
After=${natsUnit}
StartLimitIntervalSec=0

[Service]
ExecStart=/usr/bin/bash ${files}/watch.sh ${monitorPort}
# It ends with 1 after the server has been unhealthy for three minutes, and never twice within ten.
ExecStopPost=+/bin/sh -c 'test "$SERVICE_RESULT" != exit-code || systemctl try-restart --no-block ${natsUnit}'
Restart=always
RestartSec=10
DynamicUser=yes
RuntimeDirectory=bulkhead-fleet-nats-watch
RuntimeDirectoryMode=0700
# The script keeps there when it ended, over its own restarts.
RuntimeDirectoryPreserve=restart
${confined}
[Install]
WantedBy=multi-user.target
`,
  'watch.sh': `#!/bin/bash
# watch.sh PORT [SECONDS [MISSES [PAUSE]]]: ends with 1 when a NATS server has been unhealthy so many times in a row.
# So many seconds are between two such ends, since the others may be gone and not this server.
set -u
asked=\${RUNTIME_DIRECTORY:+$RUNTIME_DIRECTORY/asked}
asked=\${asked:-/dev/null}
uptime() {
  local now rest
  read -r now rest </proc/uptime && echo "\${now%.*}"
}
healthy() {
  timeout 10 bash -c '
    exec 3<>"/dev/tcp/127.0.0.1/$0" || exit 1
    printf "GET /healthz HTTP/1.0\\r\\n\\r\\n" >&3
    grep -q "^HTTP/1.* 200 " <&3
  ' "$1" 2>/dev/null
}
misses=0
while sleep "\${2:-20}"; do
  if healthy "$1"; then misses=0; else misses=$((misses + 1)); fi
  test "$misses" -ge "\${3:-9}" || continue
  last=$(cat "$asked" 2>/dev/null)
  test -z "$last" || test $(($(uptime) - last)) -ge "\${4:-600}" || continue
  uptime >"$asked"
  exit 1
done
`,
});

const confined = `NoNewPrivileges=yes
CapabilityBoundingSet=
# The server lists the addresses of its machine.
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectProc=invisible
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictNamespaces=yes
RestrictRealtime=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
UMask=0077
`;
