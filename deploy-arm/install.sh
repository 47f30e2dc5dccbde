#!/bin/sh
# Installs the gateway on a box without apt, out of the folder in which this archive was unpacked. Upgrades the same way: config,
# credentials and store are kept.
#   ./install.sh                        then: tidegate-enroll --id NAME
#   ./install.sh --uninstall [--purge]  purge takes config, credentials and the store as well
# ROOT may name another root folder (for images that are made elsewhere); then users and services are left alone.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=${ROOT:-}
files='usr/bin/tidegate usr/sbin/tidegate-enroll lib/systemd/system/tidegate.service'

live() {
    [ -z "$root" ] && [ -d /run/systemd/system ]
}

uninstall() {
    if live; then systemctl --quiet disable --now tidegate.service || true; fi
    for file in $files; do rm -f "$root/$file"; done
    if [ "${1:-}" = --purge ]; then rm -rf "$root/etc/tidegate" "$root/var/lib/tidegate"; fi
    if live; then systemctl daemon-reload; fi
}

# As the package does it: if the new program does not come up, the one that ran before is put back.
restart_or_go_back() {
    systemctl --quiet is-active tidegate.service || return 0
    if systemctl restart tidegate.service; then
        rm -f "$root/usr/bin/tidegate.previous"
        return
    fi
    echo "install.sh: the new version does not start; see journalctl -u tidegate" >&2
    mv "$root/usr/bin/tidegate.previous" "$root/usr/bin/tidegate"
    systemctl restart tidegate.service || true
    exit 1
}

install_all() {
    if live && [ -x "$root/usr/bin/tidegate" ]; then cp -p "$root/usr/bin/tidegate" "$root/usr/bin/tidegate.previous"; fi
    for file in $files; do
        mkdir -p "$(dirname "$root/$file")"
        # Beside it and then renamed: a power cut leaves the old program or the new one.
        cp "$here/$file" "$root/$file.new"
        sync "$root/$file.new"
        mv "$root/$file.new" "$root/$file"
    done
    mkdir -p "$root/etc/tidegate"
    [ -e "$root/etc/tidegate/gateway.toml" ] || cp "$here/etc/tidegate/gateway.toml" "$root/etc/tidegate/gateway.toml"
    if [ -z "$root" ]; then
        getent group tidegate >/dev/null || groupadd --system tidegate
        getent passwd tidegate >/dev/null ||
            useradd --system --gid tidegate --no-create-home --home-dir /var/lib/tidegate --shell /usr/sbin/nologin tidegate
        chown root:tidegate /etc/tidegate
        chmod 0750 /etc/tidegate
    fi
    if live; then
        systemctl daemon-reload
        restart_or_go_back
    fi
    [ -e "$root/etc/tidegate/credentials.toml" ] || echo "next: tidegate-enroll --id NAME"
}

if [ -z "$root" ] && [ "$(id -u)" -ne 0 ]; then
    echo "install.sh: run this as root" >&2
    exit 1
fi
case ${1:-} in
    '') install_all ;;
    --uninstall) uninstall "${2:-}" ;;
    *) sed -n '2,6p' "$0" >&2 && exit 64 ;;
esac
